import os
import subprocess
import sys
from functools import partial

import pytest

from conftest import HOUSE
from protscribe.errors import InputError
from protscribe.processes import ordered_map

SCRIPT = """
import operator
from functools import partial
from protscribe.processes import ordered_map
print(list(ordered_map(partial(operator.mul, 3), range(5), 2)))
"""


@pytest.mark.parametrize("processes", [0, 1, 3])
def test_results_come_in_order_however_many_share_the_work(processes):
    asked = []

    def items():
        for number in range(20):
            asked.append(number)
            yield number

    results = ordered_map(partial(pow, 2), items(), processes)
    assert next(results) == 1
    # Not all is read ahead.
    assert len(asked) <= max(1, 2 * processes)
    assert list(results) == [2**n for n in range(1, 20)]


def test_a_killed_process_is_told():
    with pytest.raises(InputError, match="was killed, probably because memory ran out"):
        list(ordered_map(os._exit, [9], 2))


def test_an_error_comes_back_as_it_is():
    with pytest.raises(ValueError, match="invalid literal"):
        list(ordered_map(int, ["1", "x"], 2))


def test_a_script_needs_no_guard(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    answer = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HOUSE)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.stdout == "[0, 3, 6, 9, 12]\n", answer.stderr
