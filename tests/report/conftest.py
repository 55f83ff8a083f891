"""Inputs of a small results page."""

import pytest

from helpers_report import METRICS
from protscribe.atomic import write_json
from protscribe.tables import write_table


@pytest.fixture
def inputs(tmp_path):
    write_table(tmp_path / "metrics.parquet", "metrics", METRICS)
    write_json(
        tmp_path / "audit.json",
        {"violations": [], "criterion": {"min_identity": 0.3}, "folds": {"train": 190}},
    )
    (tmp_path / "losses.png").write_bytes(b"\x89PNG\r\n\x1a\n....")
    write_json(
        tmp_path / "provenance.json",
        {"licences": {"entries": "CC BY 4.0"}, "versions": {"torch": "2"}, "seeds": {"seed": 0}},
    )
    rejects = [
        {"stage": "parse_entries", "key": f"Q{i}", "reason": "no function", "detail": None}
        for i in range(25)
    ]
    write_table(tmp_path / "rejects.parquet", "rejects", rejects)
    return [
        tmp_path / "metrics.parquet",
        tmp_path / "audit.json",
        [tmp_path / "losses.png"],
        tmp_path / "provenance.json",
        [tmp_path / "rejects.parquet"],
        tmp_path / "report.html",
    ]
