"""What the processes that a run starts inherit."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NETWORK = "PROTSCRIBE_NETWORK"
"""Variable that carries the configuration's `network` to whatever asks a provider."""


def prepare_children() -> None:
    """Let scripts and the processes that they start find the library and share the cores.

    Scripts alone would see what Snakemake puts on their path; what they start would not.
    Idle threads of torch are told to sleep instead of spin: jobs run side by side, and two
    that spin on the same cores slow each other down many times over.
    """
    house = str(Path(__file__).parents[1])
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([house, *(p for p in known if p and p != house)])
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def share_network(network: Mapping[str, Any], *, cache: Path) -> None:
    """Tell scripts how to ask providers, past the parameters that re-run rules.

    Parameters
    ----------
    network
        See ``network`` in ``config/schema.yaml``.
    cache
        Folder of the raw answers.
    """
    os.environ[NETWORK] = json.dumps({**network, "cache": str(cache)}, sort_keys=True)
