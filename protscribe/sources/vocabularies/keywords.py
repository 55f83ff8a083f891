"""UniProt's vocabularies: keywords (keywlist.txt) and subcellular locations (subcell.txt).

Their line codes are explained in the head of each file. Both close with a copyright notice.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.vocabularies.line_codes import (
    Entry,
    go_ids,
    items,
    joined,
    read_entries,
    sentences,
)
from protscribe.sources.vocabularies.static_files import get_files, table_facts
from protscribe.tables import write_table

LICENCE = "CC BY 4.0"
KEYWORDS, LOCATIONS = "keywlist.txt", "subcell.txt"
FOLDER = "current_release/knowledgebase/complete/docs"
LOCATION_KINDS = {"ID": "location", "IT": "topology", "IO": "orientation"}

_RELEASE = re.compile(r"^Release:\s+(\S+)", re.MULTILINE)


def get_vocabularies(folder: Path, manifest: Path, *, release: str, client: Client) -> None:
    """Download both vocabularies.

    Parameters
    ----------
    folder
        Where ``keywlist.txt`` (0.7 MB) and ``subcell.txt`` (0.3 MB) go.
    manifest
        JSON file: source, release, licence, checksums. Written last.
    release
        UniProt's release, YYYY_MM, which must be the current one, or ``current``.
    client
        Who fetches.

    Raises
    ------
    InputError
        If a file cannot be had or is of another release.
    """
    get_files(
        client,
        "uniprot_files",
        [f"{FOLDER}/{name}" for name in (KEYWORDS, LOCATIONS)],
        folder,
        manifest,
        release=release,
        licence=LICENCE,
        metalink=f"{FOLDER}/RELEASE.metalink",
        check=lambda path: _read(path)[0],
    )


def parse_vocabularies(
    keywords: Path, locations: Path, manifest: Path, tables: Mapping[str, Path]
) -> None:
    """Make the tables of keywords and locations.

    Parameters
    ----------
    keywords, locations
        ``keywlist.txt`` and ``subcell.txt``.
    manifest
        What `get_vocabularies` or `describe_files` wrote.
    tables
        Parquet files to write: ``keywords``, ``locations`` and ``rejects``.

    Raises
    ------
    InputError
        If a file is damaged, truncated or of another kind.
    """
    rejects: list[dict[str, str]] = []
    facts = table_facts(manifest)
    for name, path, rows_of in (
        ("keywords", keywords, _keyword_rows),
        ("locations", locations, _location_rows),
    ):
        version, entries = _read(path)
        rows = rows_of(entries, rejects)
        write_table(tables[name], name, rows, facts | {"version": version})
    write_table(tables["rejects"], "rejects", rejects, facts)


def _read(path: Path) -> tuple[str, list[Entry]]:
    what = f"UniProt's {KEYWORDS} or {LOCATIONS}"
    head, entries = read_entries(path, ("IC", *LOCATION_KINDS), what, last="-----")
    release = _RELEASE.search(head)
    if release is None:
        raise InputError(f"{path}: names no release; {what} is needed")
    return release[1], entries


def _keyword_rows(entries: list[Entry], rejects: list[dict[str, str]]) -> list[dict[str, Any]]:
    ids = {_name(entry): entry["AC"][0] for entry in entries if "AC" in entry}
    rows = []
    for entry in _usable(entries, KEYWORDS, rejects):
        # "Ligand: Iron; Iron-sulfur; 2Fe-2S": category, then keywords from the widest on.
        paths = [items([path.partition(": ")[2]]) for path in sentences(entry.get("HI", []))]
        parents = [path[-2] for path in paths if len(path) > 1]
        rows.append(
            _common(entry)
            | {
                "category": next(sentences(entry.get("CA", [])), None),
                "parents": _ids_of("HI", parents, ids, entry, rejects),
            }
        )
    return rows


def _location_rows(entries: list[Entry], rejects: list[dict[str, str]]) -> list[dict[str, Any]]:
    ids = {_name(entry): entry["AC"][0] for entry in entries if "AC" in entry}
    rows = []
    for entry in _usable(entries, LOCATIONS, rejects):
        rows.append(
            _common(entry)
            | {
                "kind": next(kind for code, kind in LOCATION_KINDS.items() if code in entry),
                "keyword": next(iter(entry.get("KW", [])), None),
                "is_a": _ids_of("HI", sentences(entry.get("HI", [])), ids, entry, rejects),
                "part_of": _ids_of("HP", sentences(entry.get("HP", [])), ids, entry, rejects),
            }
        )
    return rows


def _usable(entries: list[Entry], name: str, rejects: list[dict[str, str]]) -> list[Entry]:
    for number, entry in enumerate(entries, 1):
        if "AC" not in entry:
            key = f"{name} entry {number}"
            rejects.append(_reject(key, "entry without accession", _name(entry)))
    return [entry for entry in entries if "AC" in entry]


def _name(entry: Entry) -> str:
    code = next(code for code in ("IC", *LOCATION_KINDS) if code in entry)
    return joined(entry[code]).removesuffix(".")


def _common(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry["AC"][0],
        "name": _name(entry),
        "definition": joined(entry.get("DE", [])) or None,
        "synonyms": items(entry.get("SY", [])),
        "go": go_ids(entry.get("GO", [])),
    }


def _ids_of(
    code: str,
    names: Iterable[str],
    ids: Mapping[str, str],
    entry: Entry,
    rejects: list[dict[str, str]],
) -> list[str]:
    found: dict[str, None] = {}
    for name in dict.fromkeys(names):
        if name in ids:
            found[ids[name]] = None
        else:
            rejects.append(
                _reject(f"{entry['AC'][0]} {code} {name}", "parent is not in the file", name)
            )
    return list(found)


def _reject(key: str, reason: str, detail: str) -> dict[str, str]:
    return {"stage": "parse_vocabularies", "key": key, "reason": reason, "detail": detail}
