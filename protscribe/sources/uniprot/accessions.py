"""Lists of accessions: reading them, and finding what became of those that are gone.

UniProt never uses an accession again. An entry that is merged into another leaves its accession
there as a secondary one; one that is taken apart leaves it in several; one that is deleted leaves
a note. Nothing of that is silent here: every line of a list ends as an entry or in the rejects.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protscribe.errors import InputError
from protscribe.sources.formats.uniprot_json import inactive_detail
from protscribe.sources.uniprot.pages import Entry, Session

BATCH = 500
"""Accessions a request: of the 1,000 allowed, so many that the address stays below 8 KB."""
RESOLVED = 25
"""Accessions a query: two clauses each, and 50 clauses joined by OR are allowed."""

_ACCESSION = re.compile(
    r"([OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2})(-\d+)?"
)


@dataclass
class AccessionList:
    """The lines of a list, and what became of each.

    Parameters
    ----------
    lines
        Number of lines that are neither empty nor comments.
    keys
        Accession to the text of its line.
    outcomes
        Text of a line to the reason and detail why it is not just an entry of that name.
    """

    lines: int = 0
    keys: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, tuple[str, str]] = field(default_factory=dict)


def read_accessions(path: Path) -> AccessionList:
    """Read a list of accessions, one a line.

    Empty lines and what follows a ``#`` are left out, lower case is accepted, and the number of
    an isoform (``P12345-2``) is taken off and noted.

    Raises
    ------
    InputError
        If the file is missing, is not text, or holds no accession.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a list with one accession a line") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file; give one accession a line") from None
    listed = AccessionList()
    for number, line in enumerate(text.splitlines(), start=1):
        key = line.partition("#")[0].strip()
        if not key:
            continue
        listed.lines += 1
        match = _ACCESSION.fullmatch(key.upper())
        accession = match.group(1) if match else ""
        taken = key in listed.outcomes or key in listed.keys.values()
        name = f"{key} (line {number})" if taken else key
        if not match:
            listed.outcomes[name] = (
                "not an accession",
                "UniProt's have 6 or 10 letters and digits",
            )
        elif accession in listed.keys:
            listed.outcomes[name] = ("duplicate", f"{accession} stands in the list before")
        else:
            listed.keys[accession] = name
            if match.group(2):
                detail = f"{accession} is kept, with the sequence of its canonical isoform"
                listed.outcomes[name] = ("isoform", detail)
    if not listed.keys:
        raise InputError(f"{path}: holds no accession; give one a line, such as P12345")
    return listed


def fetch_accessions(
    session: Session, accessions: Iterable[str], keep: Callable[[Entry], None]
) -> dict[str, tuple[str, str]]:
    """Fetch the entries of accessions, or of their successors, each once.

    Parameters
    ----------
    session
        The network.
    accessions
        What is asked for; each once.
    keep
        Called with each entry.

    Returns
    -------
    dict
        Accession to reason and detail, of those that are not active entries.
    """
    wanted = sorted(accessions)
    kept: set[str] = set()

    def keep_once(entry: Entry) -> None:
        if entry["primaryAccession"] not in kept:
            kept.add(entry["primaryAccession"])
            keep(entry)

    for entry in _by_accession(session, wanted):
        keep_once(entry)
    missing = [accession for accession in wanted if accession not in kept]
    notes: dict[str, Entry] = {}
    successors: dict[str, set[str]] = {accession: set() for accession in missing}
    for batch in _batches(missing, RESOLVED):
        query = " OR ".join(f"accession:{a} OR sec_acc:{a}" for a in batch)
        params = {"query": query, "sort": "accession asc"}
        for page in session.pages("uniprotkb/search", params):
            for entry in page:
                accession = entry["primaryAccession"]
                if not _is_active(entry):
                    notes[accession] = entry
                    continue
                former = {accession, *entry.get("secondaryAccessions", [])} & set(batch)
                for name in former:
                    successors[name].add(accession)
                if former:
                    keep_once(entry)
    for accession, note in notes.items():
        into = note.get("inactiveReason", {}).get("mergeDemergeTo", [])
        successors.setdefault(accession, set()).update(into)
    further = sorted(set().union(*successors.values()) - kept) if successors else []
    for entry in _by_accession(session, further):
        keep_once(entry)
    asked = set(wanted)
    return {
        accession: _outcome(notes.get(accession), sorted(successors[accession] & kept), asked)
        for accession in missing
        if accession not in kept
    }


def _batches(accessions: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (accessions[start : start + size] for start in range(0, len(accessions), size))


def _by_accession(session: Session, accessions: Sequence[str]) -> Iterator[Entry]:
    """Yield the active entries with these primary accessions."""
    for batch in _batches(accessions, BATCH):
        for page in session.pages("uniprotkb/accessions", {"accessions": ",".join(batch)}):
            for entry in page:
                if _is_active(entry) and entry["primaryAccession"] in batch:
                    yield entry


def _is_active(entry: Entry) -> bool:
    return entry.get("entryType") != "Inactive"


def _outcome(note: Any, successors: list[str], asked: set[str]) -> tuple[str, str]:
    kind = note.get("inactiveReason", {}).get("inactiveReasonType") if note else None
    if not successors:
        if note:
            return "obsolete accession", inactive_detail(note)
        return "unknown accession", "UniProt has no entry of this name, and none that had it"
    reason = "secondary accession"
    if kind == "DEMERGED" or len(successors) > 1:
        reason = "demerged accession"
    elif kind == "MERGED":
        reason = "merged accession"
    detail = f"now {', '.join(successors)}"
    listed = [name for name in successors if name in asked]
    return reason, detail + (f"; {', '.join(listed)} is in the list too" if listed else "")
