"""Fetching the records of candidate publications, each once for all runs."""

import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from protscribe.atomic import write_json
from protscribe.errors import InputError
from protscribe.sources.client import Client, Network
from protscribe.sources.literature.candidates import candidate_ids
from protscribe.sources.literature.entrez import efetch
from protscribe.sources.literature.ncbi_jobs import THREADS, Threads, announce
from protscribe.sources.literature.pubmed_store import PubmedStore
from protscribe.tables import write_table

STAGE = "fetch_publications"
_POLL_SECONDS = 0.2


def fetch_publications(
    candidates: Path,
    folder: Path,
    manifest: Path,
    rejects: Path,
    *,
    network: Network,
    log: Path | None = None,
    batch: int = 200,
) -> None:
    """Fetch the records of all candidates that are not in the folder yet.

    Several processes may do this at once in one folder: each id is fetched by one of them, the
    others wait for it.

    Parameters
    ----------
    candidates
        The table.
    folder
        Raw answers, shared by all runs; see `PubmedStore`.
    manifest
        JSON file: the answers that hold wanted records, with their path from the manifest's own
        folder, SHA-256 and wanted ids, each id in one of them; and all wanted ids that there
        are. Written last.
    rejects
        The table to write, with the ids for which PubMed has no record. Wanted ids = ids in the
        manifest + rejects.
    network, log
        As for `Client`.
    batch
        Records in one request.

    Raises
    ------
    InputError
        If `batch` is not 1 to 500, an id is not one, or from the client.
    """
    if not 1 <= batch <= 500:
        raise InputError(f"publications.batch: {batch} is not between 1 and 500")
    ids = candidate_ids(candidates)
    if strange := sorted(i for i in ids if not re.fullmatch(r"[1-9]\d*", i)):
        raise InputError(f"{candidates}: {strange[0]!r} is not a PubMed id")
    wanted = sorted(ids, key=int)
    store = PubmedStore(folder)
    store.scan(wanted)
    ahead = len(store.missing(wanted))
    print(f"{len(wanted)} publications, {len(wanted) - ahead} of them here", file=sys.stderr)
    if ahead:
        announce(-(-ahead // batch), "fetch", network.rate("ncbi"))
        with Threads(network, log, THREADS) as threads:
            _fetch(store, wanted, batch, threads)
    held = store.held(wanted)
    there = sorted((i for ids in held.values() for i in ids), key=int)
    absent = sorted(set(wanted) - set(there), key=int)
    if len(there) + len(absent) != len(wanted):
        raise RuntimeError(f"{len(wanted)} ids, but {len(there)} + {len(absent)} came out")
    print(f"{len(there)} publications; not returned by PubMed: {len(absent)}", file=sys.stderr)
    write_table(
        rejects,
        "rejects",
        [
            {
                "stage": STAGE,
                "key": pubmed_id,
                "reason": "not returned by PubMed",
                "detail": "deleted, or merged into another record",
            }
            for pubmed_id in absent
        ],
    )
    write_json(manifest, _manifest(store, held, there, manifest.parent))


def _fetch(store: PubmedStore, wanted: Sequence[str], batch: int, threads: Threads) -> None:
    def fetch(client: Client, ids: Sequence[str]) -> int:
        store.keep(ids, *efetch(client, ids))
        return len(ids)

    ahead = len(store.missing(wanted))
    with tqdm(total=ahead, desc="fetch", unit=" records", mininterval=5) as progress:
        while store.missing(wanted):
            with store.claim(wanted) as mine:
                parts = [mine[start : start + batch] for start in range(0, len(mine), batch)]
                for count in threads.map(fetch, parts):
                    progress.update(count)
            if not mine:
                time.sleep(_POLL_SECONDS)  # Another process fetches the rest.
            store.scan(wanted)


def _manifest(
    store: PubmedStore, held: dict[str, list[str]], there: list[str], beside: Path
) -> dict[str, Any]:
    # Both ends resolved: ".." after a symbolic link would lead elsewhere.
    way = Path(os.path.relpath(store.folder.resolve(), beside.resolve()))
    return {
        "source": "entrez",
        "files": [
            {
                "name": str(way / store.file(name).name),
                "sha256": store.facts[name]["sha256"],
                "bytes": store.facts[name]["bytes"],
                "pubmed_ids": ids,
            }
            for name, ids in held.items()
        ],
        "wanted": there,
        "warnings": [],
    }
