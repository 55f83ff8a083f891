"""A run whose questions are written by a real OpenAI-compatible server on loopback."""

import copy as copying

import pytest

from protscribe.tables import read_table
from servers.chat import llama_server
from tiny_gguf import write_gguf
from tiny_models import write_tiny_language_model
from tiny_runs import planned, run, write_settings

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

SECRET = "a-key-for-the-writer-alone"


def test_a_run_with_a_server(copy, tmp_path, monkeypatch):
    model = write_tiny_language_model(tmp_path / "tiny", hidden=64)
    settings = copying.deepcopy(copy.settings)
    monkeypatch.setenv("PROTSCRIBE_WRITER_KEY", SECRET)
    with llama_server(write_gguf(model, tmp_path / "tiny.gguf")) as (url, _):
        settings["qa"]["language_model"] |= {
            "type": "server",
            "url": url,
            "model": "tiny",
            "revision": "r1",
            "shards": 1,
            "tries": 2,
            "timeout": 60,
            "concurrency": 2,
        }
        config = write_settings(tmp_path / "server.yaml", settings)
        assert {"write_qa", "filter_qa", "tune"} <= planned(copy.folder, config)
        answer = run(copy.folder, config)
    assert answer.returncode == 0, answer.stdout
    results = copy.folder / "results"
    written = read_table(results / "qa" / "written" / "0.parquet", "written_answers").to_pylist()
    assert len(written) == settings["qa"]["language_model"]["max_contexts"]
    assert {row["writer_revision"] for row in written} == {"r1"}
    assert any(row["tokens"] for row in written)
    assert (results / "report.html").exists()
    files = [path for path in copy.folder.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in files)
    # What the server wrote is kept: the run needs it no more.
    assert planned(copy.folder, config) == set()
