import os
import subprocess
import sys

from conftest import HOUSE
from protscribe.environment import prepare_children


def test_children_find_the_library_once_and_yield_the_cores(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/a", str(HOUSE)]))
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    prepare_children()
    prepare_children()
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [str(HOUSE), "/a"]
    code = "import protscribe, os; print(os.environ['OMP_WAIT_POLICY'])"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "PASSIVE\n"


def test_a_choice_of_the_user_stands(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    prepare_children()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
