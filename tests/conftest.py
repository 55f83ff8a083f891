"""What all tests share."""

import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# Shells start background jobs with interrupts ignored, and what tests start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)

HOUSE = Path(__file__).parents[1]
SHARED = HOUSE.parent / "shared"
"""Real data and reference numbers that lie beside the project for its developers."""


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder with reference numbers of the published code."""
    folder = SHARED / "golden" / "dev"
    if not folder.is_dir():
        pytest.skip("needs the reference numbers beside the project (shared/golden/dev)")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real entries and abstracts."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("needs the real data beside the project (shared/data)")
    return folder
