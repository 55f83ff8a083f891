"""Published benchmark files, as they are, through the rule that scores them."""

import copy as copying

import pytest

from protscribe.tables import read_table
from tiny_runs import run, write_settings

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

METAL = ["MKALSTTWHHC", "MSALWWYYKKR", "MALSLLLPPQG", "MTTSALKKRRW"]


def test_published_files_give_numbers(copy, tmp_path):
    file = tmp_path / "test.txt"
    file.write_text("".join(f"{s}\t{n % 2}\n" for n, s in enumerate(METAL)))
    settings = copying.deepcopy(copy.settings)
    published = [{"task": "metal_ion_binding", "path": str(file)}]
    settings["evaluation"]["classification"]["published"] = published
    config = write_settings(tmp_path / "published.yaml", settings)
    answer = run(copy.folder, config, "score_classification")
    assert answer.returncode == 0, answer.stdout
    table = copy.folder / "results" / "classification" / "metrics.parquet"
    rows = [
        row
        for row in read_table(table, "metrics").to_pylist()
        if row["task"] == "published_metal_ion_binding" and row["metric"] == "accuracy_sum"
    ]
    # With an encoder or without, every system reads proteins that are in none of its tables.
    found = {row["predictor"]: row["n"] for row in rows if row["condition"] == "sequence"}
    systems = ("prot2text_v2", "protein2text", "instructprotein")
    assert all(found[name] == len(METAL) for name in systems)
    assert "language_model_tiny_llama" in found
    assert all(row["small_sample"] for row in rows)
