import subprocess
import sys

import pytest

from conftest import HOUSE
from protscribe.devices import pick_device
from protscribe.errors import InputError, script_log


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=HOUSE)


def test_output_of_children_goes_to_the_log(tmp_path):
    log = tmp_path / "logs" / "a.log"
    code = f"""
import os
from protscribe.errors import script_log
with script_log({str(log)!r}):
    print("mine")
    os.system("echo child")
print("after")
"""
    assert run(code).stdout == "after\n"
    assert log.read_text().split() == ["mine", "child"]


def test_input_error_is_one_line_and_status_one(tmp_path):
    log = tmp_path / "a.log"
    code = f"""
from protscribe.errors import InputError, script_log
with script_log({str(log)!r}):
    raise InputError("a.tsv, row 3: no accession; add one")
"""
    assert run(code).returncode == 1
    assert log.read_text() == "\nerror: a.tsv, row 3: no accession; add one\n"


def test_our_own_defects_keep_their_traceback(tmp_path):
    with pytest.raises(ZeroDivisionError), script_log(tmp_path / "a.log"):
        1 / 0  # noqa: B018


def test_devices():
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") in ("cpu", "cuda")
    import torch

    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="torch sees no GPU"):
            pick_device("cuda")
