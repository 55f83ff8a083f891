"""The table of requests."""

import csv

import pytest

from helpers_network import start_python
from protscribe.sources.http.request_log import COLUMNS, RequestLog

WRITER = """
import sys
from pathlib import Path
from protscribe.sources.http.request_log import RequestLog
log = RequestLog(Path(sys.argv[1]))
for number in range(200):
    with log.row(provider=sys.argv[2], url="x" * 500, attempt=number):
        pass
"""


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_no_file_no_log():
    with RequestLog(None).row(provider="a") as row:
        row["status"] = 200


def test_rows_are_appended_under_one_header(tmp_path):
    path = tmp_path / "logs" / "requests.tsv"
    for name in "ab":
        with RequestLog(path).row(provider=name, url="u\tv\nw") as row:
            row["status"] = 200
    rows = rows_of(path)
    assert [(row["provider"], row["url"], row["status"]) for row in rows] == [
        ("a", "u v w", "200"),
        ("b", "u v w", "200"),
    ]
    assert tuple(rows[0]) == COLUMNS


def test_rows_hold_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("NCBI_EMAIL", "ada@engines.ac.uk")
    path = tmp_path / "requests.tsv"
    with RequestLog(path).row(url="u?api_key=abc&id=1") as row:
        row["problem"] = "who is ada@engines.ac.uk?"
    assert rows_of(path)[0]["url"] == "u?api_key=***&id=1"
    assert rows_of(path)[0]["problem"] == "who is ***?"


def test_failures_are_rows_too(tmp_path):
    path = tmp_path / "requests.tsv"
    with pytest.raises(KeyboardInterrupt), RequestLog(path).row(provider="a"):
        raise KeyboardInterrupt
    assert rows_of(path)[0]["problem"] == "KeyboardInterrupt"


def test_processes_may_share_a_file(tmp_path):
    path = tmp_path / "requests.tsv"
    writers = [start_python(WRITER, path, name) for name in "abc"]
    for writer in writers:
        assert writer.wait(60) == 0, writer.stderr.read()
    rows = [row for row in rows_of(path) if row["provider"] != "provider"]
    assert sorted((row["provider"], int(row["attempt"])) for row in rows) == [
        (name, number) for name in "abc" for number in range(200)
    ]
    assert {row["url"] for row in rows} == {"x" * 500}
