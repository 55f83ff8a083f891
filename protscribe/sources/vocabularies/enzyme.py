"""ENZYME, the nomenclature of enzymes: names, reactions, and what became of old numbers."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.vocabularies.line_codes import Entry, joined, read_entries, sentences
from protscribe.sources.vocabularies.static_files import get_files, table_facts
from protscribe.tables import write_table

LICENCE = "CC BY 4.0"
FILE = "enzyme.dat"

_RELEASE = re.compile(r"Release (?:of )?(\d{1,2}-[A-Z][a-z]{2}-\d{4})")
_EC = re.compile(r"\d+\.\d+\.\d+\.n?\d+")
_TRANSFERRED, _DELETED = "Transferred entry:", "Deleted entry"


def get_enzymes(folder: Path, manifest: Path, *, release: str, client: Client) -> None:
    """Download enzyme.dat.

    Parameters
    ----------
    folder
        Where ``enzyme.dat`` (9 MB) goes.
    manifest
        JSON file: source, release, licence, checksums. Written last.
    release
        Date in the head of the file, such as 02-Sep-2026, or ``current``. The server keeps the
        current release alone.
    client
        Who fetches.

    Raises
    ------
    InputError
        If the file cannot be had or is of another release.
    """

    def check(path: Path) -> str:
        found = _read(path)[0]
        if release not in ("current", found):
            raise InputError(
                f"{FILE}: the server has the release of {found}, not {release}, and no older "
                f"ones; set the release to {found}, or give your own file"
            )
        return found

    get_files(
        client, "enzyme", [FILE], folder, manifest, release=release, licence=LICENCE, check=check
    )


def parse_enzymes(enzymes: Path, manifest: Path, tables: Mapping[str, Path]) -> None:
    """Make the table of enzymes.

    Parameters
    ----------
    enzymes
        ``enzyme.dat``, plain or gzip-compressed.
    manifest
        What `get_enzymes` or `describe_files` wrote.
    tables
        Parquet files to write: ``enzymes`` and ``rejects``.

    Raises
    ------
    InputError
        If the file is damaged, truncated or of another kind.
    """
    release, entries = _read(enzymes)
    rows: dict[str, dict[str, Any]] = {}
    rejects = []
    for number, entry in enumerate(entries, 1):
        row = _row(entry)
        if not _EC.fullmatch(row["ec"]) or row["ec"] in rows:
            reason = "entry stands twice" if row["ec"] in rows else "not an EC number"
            key = f"{row['ec']} (entry {number})"
            rejects.append(
                {"stage": "parse_enzymes", "key": key, "reason": reason, "detail": row["name"]}
            )
        else:
            rows[row["ec"]] = row
    facts = table_facts(manifest) | {"version": release}
    write_table(tables["enzymes"], "enzymes", list(rows.values()), facts)
    write_table(tables["rejects"], "rejects", rejects, facts)


def _read(path: Path) -> tuple[str, list[Entry]]:
    head, entries = read_entries(path, ("ID",), "ENZYME's enzyme.dat")
    release = _RELEASE.search(head)
    if release is None:
        raise InputError(f"{path}: names no release; ENZYME's enzyme.dat is needed")
    return release[1], entries


def _row(entry: Entry) -> dict[str, Any]:
    name = joined(entry.get("DE", [])).removesuffix(".")
    transferred = _EC.findall(name) if name.startswith(_TRANSFERRED) else []
    gone = bool(transferred) or name == _DELETED
    return {
        "ec": entry["ID"][0],
        "name": None if gone else name,
        "alternative_names": list(sentences(entry.get("AN", []))),
        "reactions": _reactions(joined(entry.get("CA", []))),
        "cofactors": _cofactors(joined(entry.get("CF", []))),
        "transferred_to": transferred,
        "deleted": name == _DELETED,
    }


def _reactions(text: str) -> list[str]:
    """Cut "(1) A = B. (2) C = D." at the numbers that count up from 1."""
    if not text.startswith("(1) "):
        return [text.removesuffix(".")] if text else []
    reactions = []
    number, rest = 1, text.removeprefix("(1) ")
    while rest:
        number += 1
        reaction, _, rest = rest.partition(f" ({number}) ")
        reactions.append(reaction.removesuffix("."))
    return reactions


def _cofactors(text: str) -> list[str]:
    parts = re.split(r"; | or ", text.removesuffix("."))
    return [part.strip() for part in parts if part.strip()]
