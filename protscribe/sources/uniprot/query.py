"""Entries by a query or by a list of accessions, from UniProt's REST service.

Whole entries as JSON, not chosen fields: which field brings what along is documented by UniProt
for its tables only. Pages that were fetched already come from the cache, so that a killed run goes
on where it stopped.
"""

import gzip
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from protscribe.atomic import atomic_path, sha256_file, write_json
from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.uniprot.accessions import AccessionList, fetch_accessions, read_accessions
from protscribe.sources.uniprot.pages import Entry, ReleaseChanged, Session
from protscribe.tables import write_table

STAGE = "query_uniprot"
LICENCE = "CC BY 4.0"
MOST_CLAUSES = 50
"""Clauses joined by OR that UniProt accepts in one query."""


def query_uniprot(
    output: Path,
    manifest: Path,
    rejects: Path,
    *,
    query: str | None,
    accessions: Path | None,
    release: str | None,
    client: Client,
) -> None:
    """Fetch entries and write them as JSON, one a line, gzip-compressed.

    Parameters
    ----------
    output
        The entries (``.jsonl.gz``), sorted by accession as UniProt sorts them; successors of
        listed accessions come last.
    manifest
        What was asked and what came: release and its date, entries, checksum, licence. Written
        last.
    rejects
        Table of the listed accessions that are not entries under that name. Those that have
        successors are kept under the successors' names.
    query
        In UniProt's query language, or None.
    accessions
        A file with one accession a line, or None; see `read_accessions`.
    release
        The release that must be served, such as 2026_02; None or ``current`` for any.
    client
        The network.

    Raises
    ------
    InputError
        If UniProt refuses the query, finds nothing, serves another release, changes it again and
        again, or sends pages that do not fit together.
    """
    if (query is None) == (accessions is None):
        raise InputError("UniProt: give either a query or a list of accessions, and not both")
    if query is not None:
        _check_clauses(query)
    for attempt in (1, 2):
        session = Session(client, None if release == "current" else release)
        listed = read_accessions(accessions) if accessions else AccessionList()
        try:
            with _jsonl(output) as (keep, count):
                if query is not None:
                    _fetch_query(session, query, keep)
                else:
                    _fetch_list(session, listed, keep)
                if not count():
                    raise InputError(f"UniProt has no entry for {query or accessions}: check it")
            break
        except ReleaseChanged as change:
            session.forget()
            if attempt == 2:
                raise InputError(
                    f"UniProt: {change}, for the second time in this run; run again later"
                ) from None
            print(f"UniProt: {change}; starting again from the first page", file=sys.stderr)
    reasons = dict(sorted(Counter(reason for reason, _ in listed.outcomes.values()).items()))
    rows = [
        {"stage": STAGE, "key": key, "reason": reason, "detail": detail}
        for key, (reason, detail) in listed.outcomes.items()
    ]
    write_table(rejects, "rejects", rows, {"release": session.release or "", "licence": LICENCE})
    told = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
    file = {
        "name": output.name,
        "bytes": output.stat().st_size,
        "sha256": sha256_file(output),
        "format": "uniprot_json",
    }
    asked = {"query": query} if accessions is None else {"accessions": accessions.name}
    write_json(
        manifest,
        {
            "source": "uniprot_query",
            **asked,
            "release": session.release,
            "release_date": session.release_date,
            "licence": LICENCE,
            "entries": count(),
            "files": [file],
            "mapped": reasons,
            "warnings": [f"lines of the list that are not just an entry: {told}"] if told else [],
        },
    )


def _fetch_query(session: Session, query: str, keep: Callable[[Entry], None]) -> None:
    # Sorted, so that the same release gives the same file.
    params = {"query": query, "sort": "accession asc"}
    for page in session.pages("uniprotkb/search", params):
        for entry in page:
            keep(entry)


def _fetch_list(session: Session, listed: AccessionList, keep: Callable[[Entry], None]) -> None:
    gone = fetch_accessions(session, listed.keys, keep)
    direct = [key for accession, key in listed.keys.items() if accession not in gone]
    listed.outcomes |= {listed.keys[accession]: outcome for accession, outcome in gone.items()}
    entries = sum(key not in listed.outcomes for key in direct)
    if entries + len(listed.outcomes) != listed.lines:
        raise RuntimeError(
            f"{listed.lines} lines, but {entries} entries and {len(listed.outcomes)} rejects"
        )


@contextmanager
def _jsonl(path: Path) -> Iterator[tuple[Callable[[Entry], None], Callable[[], int]]]:
    """Yield a function that writes an entry, and one that says how many it wrote."""
    written = 0
    with (
        atomic_path(path) as partial,
        partial.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as out,
    ):

        def keep(entry: Entry) -> None:
            nonlocal written
            text = json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            out.write(text.encode() + b"\n")
            written += 1

        yield keep, lambda: written


def _check_clauses(query: str) -> None:
    bare = re.sub(r'"[^"]*"', "", query)
    if (clauses := len(re.findall(r"\bOR\b", bare)) + 1) > MOST_CLAUSES:
        raise InputError(
            f"the query joins {clauses} clauses by OR, and UniProt takes {MOST_CLAUSES}; put "
            "accessions into a file and give it as a list of accessions instead"
        )
