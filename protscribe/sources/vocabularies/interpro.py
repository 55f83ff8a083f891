"""InterPro: its entries (entry.list, short_names.dat) and their GO terms (interpro2go)."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.text_files import open_text
from protscribe.sources.vocabularies.static_files import get_files, table_facts
from protscribe.tables import read_table, write_table

LICENCE = "CC0 1.0"
ENTRIES, SHORT_NAMES, TO_GO = "entry.list", "short_names.dat", "interpro2go"
ENTRIES_HEAD = "ENTRY_AC\tENTRY_TYPE\tENTRY_NAME"
SHORT_NAMES_HEAD, TO_GO_HEAD = "IPR", "!"

_ENTRY = re.compile(r"(IPR\d{6})\t([^\t]+)\t([^\t]+)")
_SHORT_NAME = re.compile(r"(IPR\d{6})\t(\S+)")
# The name before the last " > GO:" may hold such signs itself.
_TO_GO = re.compile(r"InterPro:(IPR\d{6}) .* > GO:.* ; (GO:\d{7})")


def get_interpro(folder: Path, manifest: Path, *, release: str, client: Client) -> None:
    """Download InterPro's lists.

    Parameters
    ----------
    folder
        Where ``entry.list`` (3 MB), ``short_names.dat`` (1 MB) and ``interpro2go`` (3 MB) go.
    manifest
        JSON file: source, release, licence, checksums. Written last.
    release
        Release such as 109.0.
    client
        Who fetches.

    Raises
    ------
    InputError
        If a file cannot be had or is of another kind.
    """
    heads = {ENTRIES: ENTRIES_HEAD, SHORT_NAMES: SHORT_NAMES_HEAD, TO_GO: TO_GO_HEAD}

    def check(path: Path) -> str:
        next(_lines(path, heads[path.name]))
        return release

    paths = [f"releases/{release}/{name}" for name in heads]
    get_files(
        client, "interpro", paths, folder, manifest, release=release, licence=LICENCE, check=check
    )


def parse_interpro(
    entries: Path,
    short_names: Path | None,
    interpro2go: Path,
    manifest: Path,
    *,
    ontology_terms: Path,
    ontology_ids: Path,
    tables: Mapping[str, Path],
) -> None:
    """Make the tables of InterPro entries and of their GO terms.

    Parameters
    ----------
    entries, short_names, interpro2go
        InterPro's files; short names may be missing.
    manifest
        What `get_interpro` or `describe_files` wrote.
    ontology_terms, ontology_ids
        Tables of the Gene Ontology. An alternative or replaced GO id becomes the present one;
        a row whose id leads to no present term is left out and listed. Names are the
        ontology's.
    tables
        Parquet files to write: ``interpro_entries``, ``interpro2go`` and ``rejects``.

    Raises
    ------
    InputError
        If a file is damaged or of another kind.
    """
    rejects: list[dict[str, str]] = []
    names = {}
    if short_names is not None:
        for _, found in _matched(short_names, SHORT_NAMES_HEAD, _SHORT_NAME, rejects):
            names[found[1]] = found[2]
    rows: dict[str, dict[str, Any]] = {}
    for place, found in _matched(entries, ENTRIES_HEAD, _ENTRY, rejects):
        identifier, kind, name = found.groups()
        if identifier in rows:
            rejects.append(_reject(place, "entry stands twice", identifier))
        else:
            rows[identifier] = {"id": identifier, "type": kind, "name": name}
            rows[identifier]["short_name"] = names.get(identifier)
    present = {
        row["id"]: row["term"] for row in read_table(ontology_ids, "ontology_ids").to_pylist()
    }
    terms = read_table(ontology_terms, "ontology_terms", ["id", "name"])
    term_names = dict(zip(terms["id"].to_pylist(), terms["name"].to_pylist(), strict=True))
    pairs: dict[tuple[str, str], dict[str, Any]] = {}
    for place, found in _matched(interpro2go, TO_GO_HEAD, _TO_GO, rejects):
        identifier, go_id = found.groups()
        if identifier not in rows:
            rejects.append(_reject(place, "InterPro entry is not in the list", identifier))
        elif (term := present.get(go_id)) is None:
            reason = "GO id is obsolete" if go_id in present else "GO id is unknown"
            rejects.append(_reject(place, reason, f"{identifier} {go_id}"))
        elif (identifier, term) in pairs:
            rejects.append(_reject(place, "pair stands twice", f"{identifier} {term}"))
        else:
            names_of_pair = {"go_id": term, "go_name": term_names[term]}
            pairs[identifier, term] = {"interpro_id": identifier, **names_of_pair}
    facts = table_facts(manifest)
    write_table(tables["interpro_entries"], "interpro_entries", list(rows.values()), facts)
    write_table(tables["interpro2go"], "interpro2go", list(pairs.values()), facts)
    write_table(tables["rejects"], "rejects", rejects, facts)


def _lines(path: Path, head: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a file that must begin in a certain way."""
    started = False
    with open_text(path) as lines:
        for number, raw in enumerate(lines, 1):
            line = raw.rstrip("\r\n")
            if not started and not line.startswith(head):
                raise InputError(
                    f"{path}: starts with {line[:40]!r} instead of {head!r}; it is not InterPro's "
                    "file of that name (an error page, or a release before 61.0)"
                )
            started = True
            yield number, line
    if not started:
        raise InputError(f"{path}: the file is empty; download it again")


def _matched(
    path: Path, head: str, pattern: re.Pattern[str], rejects: list[dict[str, str]]
) -> Iterator[tuple[str, re.Match[str]]]:
    """Yield the place and match of each line of data; list the lines that do not match."""
    rows = 0
    for number, line in _lines(path, head):
        if not line.strip() or line.startswith("!") or line == ENTRIES_HEAD:
            continue
        place = f"{path.name}:{number}"
        if found := pattern.fullmatch(line):
            rows += 1
            yield place, found
        else:
            rejects.append(_reject(place, "line not in the file's format", line[:200]))
    if not rows:
        raise InputError(f"{path}: has no entries; download it again")


def _reject(key: str, reason: str, detail: str) -> dict[str, str]:
    return {"stage": "parse_interpro", "key": key, "reason": reason, "detail": detail}
