"""A run that is killed in any rule is taken up again and ends with the same results."""

import shutil

import pytest

from protscribe.driver import survivors
from tiny_runs import TARGETS, differing, kill_in, result_files, run

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

OUTPUTS = {
    "prune_train": ["results/split/split.parquet"],
    "tune": ["results/systems/prot2text_v2/0/tune", "results/systems/prot2text_v2/0/model"],
    "predict": [],
}
# Without these, all that leads to them is wanted again.
LAST = [
    "results/predictions/prot2text_v2.parquet",
    "results/scores/prot2text_v2.parquet",
    "results/metrics.tsv",
    "results/metrics.parquet",
]


@pytest.mark.parametrize("rule", OUTPUTS)
def test_kill_and_run_again(copy, finished, rule):
    for output in OUTPUTS[rule] + LAST:
        path = copy.folder / output
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    kill_in(copy.folder, copy.config, rule)
    # All stages are asked for: a killed rule's output may be gone, and if its inputs turn out
    # unchanged, nothing else in `all` needs it.
    answer = run(copy.folder, copy.config, *sorted(TARGETS))
    assert answer.returncode == 0, answer.stdout
    assert differing(finished.folder, copy.folder) == []
    assert survivors(copy.folder) == []
    assert result_files(copy.folder)
