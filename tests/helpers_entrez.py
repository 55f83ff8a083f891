"""What tests of PubMed's search and fetch share."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers_data import protein_row
from protscribe.sources.client import Network
from protscribe.tables import read_table, write_table
from servers.eutils import Eutils
from servers.loopback import LoopbackServer, Request

EMAIL = "keeper@protein-lab.org"
KEY = "5ecre7a11e0f5ecre7a11e0f5ecre7a11e0f"


@contextmanager
def serving(app: Eutils) -> Iterator[LoopbackServer]:
    """Serve the stand-in, and see that it never had to refuse us for our rate."""
    with LoopbackServer(app) as server:
        yield server
    assert app.refused == 0


def quick(records: Mapping[str, str], **settings: Any) -> Eutils:
    """Return a stand-in with a rate that no test exceeds."""
    return Eutils(records, rate=10_000, key_rate=10_000, keys=[KEY], **settings)


def network(server: LoopbackServer, folder: Path, **settings: Any) -> Network:
    """Return settings that point at a server, quick ones unless told otherwise."""
    return Network(
        **{
            "urls": {"ncbi": server.url},
            "rates": {"ncbi": 500.0},
            "cache": folder / "http",
            "backoff_seconds": 0.01,
            "tries": 4,
            **settings,
        }
    )


def network_variable(settings: Network) -> dict[str, str]:
    """Return the environment of a process that reads these settings from there."""
    facts = {**vars(settings), "cache": str(settings.cache)}
    return {**os.environ, "PROTSCRIBE_NETWORK": json.dumps(facts)}


def set_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say who we are to NCBI."""
    monkeypatch.setenv("NCBI_EMAIL", EMAIL)
    monkeypatch.setenv("NCBI_API_KEY", KEY)


def asked(server: LoopbackServer, path: str = "") -> list[Request]:
    """Return the requests that the server answered under a path."""
    return [request for request in server.requests if request.path.startswith(path)]


def fetched_ids(server: LoopbackServer) -> list[str]:
    """Return all ids for which efetch was asked, repeated ones too."""
    return [i for request in asked(server, "/efetch") for i in request.form["id"].split(",")]


def write_named(path: Path, proteins: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write a proteins table; all that matters here is names and references."""
    rows = [
        protein_row(
            accession,
            "MKV",
            **{"alternative_names": [], "gene_names": [], "function_evidence": [], **facts},
        )
        for accession, facts in proteins.items()
    ]
    write_table(path, "proteins", rows)
    return path


def write_candidates(path: Path, ids: list[str]) -> Path:
    """Write a candidates table with so many publications of one protein."""
    rows = [
        {"accession": "P1", "pubmed_id": i, "route": "curated", "scope": None, "rank": rank}
        for rank, i in enumerate(ids, start=1)
    ]
    write_table(path, "candidates", rows)
    return path


def rejected(path: Path) -> dict[str, str]:
    """Return key and reason of all rejects."""
    return {row["key"]: row["reason"] for row in read_table(path, "rejects").to_pylist()}
