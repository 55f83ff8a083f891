"""What `make` says on a machine that lacks something."""

import os
import shutil
import subprocess

import pytest

from conftest import HOUSE

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


def make(tmp_path, *arguments):
    return subprocess.run(
        ["make", "setup", f"VENV={tmp_path / 'venv'}", *arguments],
        cwd=HOUSE,
        capture_output=True,
        text=True,
    )


def fake_python(tmp_path, lacking):
    """Return a Python that behaves like the real one but cannot import one module."""
    path = tmp_path / "python"
    path.write_text(
        f'#!/bin/sh\ncase "$2" in *{lacking}*) exit 1;; esac\nexec {shutil.which("python3")} "$@"\n'
    )
    path.chmod(0o755)
    return path


def test_missing_python_is_named(tmp_path):
    answer = make(tmp_path, "PYTHON=python-that-is-not-there")
    assert answer.returncode != 0
    assert "apt-get install python3 python3-venv" in answer.stderr


def test_missing_venv_is_named(tmp_path):
    answer = make(tmp_path, f"PYTHON={fake_python(tmp_path, 'ensurepip')}")
    assert answer.returncode != 0
    assert "error: Python's venv is missing; run: apt-get install python3-venv" in answer.stderr
    assert not (tmp_path / "venv").exists()


def test_old_python_is_named(tmp_path):
    answer = make(tmp_path, f"PYTHON={fake_python(tmp_path, 'version_info')}")
    assert answer.returncode != 0
    assert "Python 3.11 or newer is needed" in answer.stderr


@pytest.mark.slow
def test_failed_installation_is_not_taken_for_whole(tmp_path):
    answer = make(tmp_path, "PIP_ARGS=--no-index --find-links=/nowhere")
    assert answer.returncode != 0
    assert not (tmp_path / "venv" / ".run").exists()
    assert os.path.exists(tmp_path / "venv" / "bin" / "python")
