"""What a user gets to see when something is wrong: one clear line, and nothing half-done."""

import copy as copying
import gzip
import random

import pytest

from flat_entries import entry, random_protein
from tiny_runs import run, write_settings

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def with_entries(settings, path):
    settings = copying.deepcopy(settings)
    settings["source"]["paths"] = [str(path)]
    return settings


def errors(answer):
    assert answer.returncode != 0
    return [line for line in answer.stdout.splitlines() if "error: " in line or "Error" in line]


def test_typo_in_the_configuration(inputs, tmp_path):
    _, settings = inputs
    config = write_settings(tmp_path / "typo.yaml", {**settings, "sead": 1})
    answer = run(tmp_path, config)
    assert answer.returncode != 0
    assert "unknown key sead; did you mean seed; allowed: " in answer.stdout
    assert "Traceback" not in answer.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("case", ["html", "truncated", "gzip", "empty"])
def test_broken_entries(inputs, tmp_path, case):
    _, settings = inputs
    good = entry("P12345", random_protein(random.Random(0), 60), "Binds zinc")
    path = tmp_path / ("entries.dat.gz" if case == "gzip" else "entries.dat")
    if case == "html":
        path.write_text("<!DOCTYPE html><html>503</html>")
    elif case == "truncated":
        path.write_text(good + good.replace("P12345", "P12346")[:300])
    elif case == "gzip":
        path.write_bytes(gzip.compress((good * 50).encode())[:-20])
    else:
        path.write_text(entry("P12345", "MAAA", "Binds zinc"))
    config = write_settings(tmp_path / "c.yaml", with_entries(settings, path))
    answer = run(tmp_path, config, "data")
    assert answer.returncode != 0
    wanted = {
        "html": "entries.dat",
        "truncated": "P12346",
        "gzip": "entries.dat.gz",
        "empty": "min_length",
    }[case]
    lines = [line for line in answer.stdout.splitlines() if line.strip().startswith("error: ")]
    assert lines and wanted in lines[0], answer.stdout
    assert not (tmp_path / "results" / "tables" / "proteins.parquet").exists()


def test_a_home_that_takes_no_files_is_no_hindrance(inputs, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/proc/self/no-home")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    answer = run(tmp_path, inputs[0], "data")
    assert answer.returncode == 0, answer.stdout
    assert (tmp_path / "results" / "tables" / "proteins.parquet").exists()


def test_split_that_cannot_be_made(inputs, tmp_path):
    _, settings = inputs
    rng = random.Random(0)
    path = tmp_path / "entries.dat"
    path.write_text("".join(entry(f"P1234{i}", random_protein(rng, 60), "Binds") for i in range(3)))
    config = write_settings(tmp_path / "c.yaml", with_entries(settings, path))
    answer = run(tmp_path, config, "split")
    lines = [line for line in answer.stdout.splitlines() if line.strip().startswith("error: ")]
    assert answer.returncode != 0 and "cluster" in lines[0], answer.stdout
    assert not (tmp_path / "results" / "split" / "split.parquet").exists()


def test_model_that_is_not_there(inputs, tmp_path):
    _, settings = inputs
    settings = copying.deepcopy(settings)
    settings["models"]["tiny_esm"]["path"] = str(tmp_path / "nowhere")
    answer = run(tmp_path, write_settings(tmp_path / "c.yaml", settings), "models")
    lines = [line for line in answer.stdout.splitlines() if line.strip().startswith("error: ")]
    assert answer.returncode != 0 and "models.tiny_esm" in lines[0], answer.stdout
    assert not (tmp_path / "resources" / "models" / "tiny_esm" / "manifest.json").exists()
