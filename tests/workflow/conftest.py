"""One finished tiny run, which tests copy and then change or break."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tiny_runs import run, tiny_settings, write_settings


@dataclass
class TinyRun:
    """A folder in which the workflow has run, or may."""

    folder: Path
    config: Path
    settings: dict[str, Any]
    output: str = ""


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    """Entries, models and settings that all tiny runs share."""
    folder = tmp_path_factory.mktemp("inputs")
    settings = tiny_settings(folder)
    return write_settings(folder / "tiny.yaml", settings), settings


@pytest.fixture(scope="session")
def finished(inputs, tmp_path_factory) -> TinyRun:
    """A whole run; tests must not change it."""
    config, settings = inputs
    folder = tmp_path_factory.mktemp("finished")
    answer = run(folder, config)
    assert answer.returncode == 0, answer.stdout
    return TinyRun(folder, config, settings, answer.stdout)


@pytest.fixture
def copy(finished, tmp_path) -> TinyRun:
    """A copy of the whole run that a test may change."""
    folder = tmp_path / "run"
    # Modification times are kept: Snakemake goes by them.
    shutil.copytree(finished.folder, folder, symlinks=True)
    return TinyRun(folder, finished.config, finished.settings)
