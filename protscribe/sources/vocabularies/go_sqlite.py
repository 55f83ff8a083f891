"""The Gene Ontology as Debian carries it: ``GO.sqlite`` of the package ``r-bioc-go.db``.

Bioconductor's GO.db is made from go-basic.obo of the date in its table ``metadata``. It keeps
names, definitions, synonyms, alternative and obsolete ids, and the edges of go-basic; it does
not keep what replaces an obsolete term, nor the scope of a synonym.
"""

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from protscribe.atomic import atomic_path, sha256_file, write_json
from protscribe.errors import InputError
from protscribe.sources import debian
from protscribe.sources.vocabularies.ontology_graph import Edge, Ontology

PACKAGE = "r-bioc-go.db"
MEMBER = "usr/lib/R/site-library/GO.db/extdata/GO.sqlite"
SHA256 = "b36edf3e7ba7d5869e587651107421c4f5c4444037cb18e26cd2687698e4a0d0"
"""Of `MEMBER` in version 3.16.0 of the package: 43,559 terms of 2022-07-01."""
LICENCE = "CC BY 4.0 (Gene Ontology), Artistic-2.0 (GO.db)"
UNAVAILABLE = "unavailable"
"""Release of an ontology that could not be had and was not required."""
MAGIC = b"SQLite format 3\x00"

_RELATIONS = {
    "isa": "is_a",
    "part of": "part_of",
    "regulates": "regulates",
    "positively regulates": "positively_regulates",
    "negatively regulates": "negatively_regulates",
}
_ASPECTS = {"BP": "P", "MF": "F", "CC": "C"}


def get_packaged_ontology(
    output: Path, manifest: Path, *, work: Path, required: bool = True
) -> None:
    """Take GO.sqlite out of the Debian package.

    Parameters
    ----------
    output
        The SQLite file (86 MB).
    manifest
        JSON file: source, release, licence, checksums. Written last.
    work
        Folder for the package (12 MB); one that lies there already is not downloaded again.
    required
        If not, an empty file stands for an ontology that cannot be had, and the manifest says
        why: other versions of Debian, and other systems, have no such package.

    Raises
    ------
    InputError
        If the package cannot be had here or its file is not the pinned one, and it is required.
    """
    work.mkdir(parents=True, exist_ok=True)
    try:
        version = _take(output, work.resolve())
    except InputError as error:
        if required:
            raise
        print(f"warning: {error}; going on with an ontology without terms", file=sys.stderr)
        with atomic_path(output) as partial:
            partial.touch()
        write_json(manifest, _record(output, UNAVAILABLE, [str(error)]))
        return
    write_json(manifest, _record(output, version, []))


def _take(output: Path, work: Path) -> str:
    """Copy the pinned file out of the package; return its release."""
    found, reason = debian.download_packages([PACKAGE], work)
    if PACKAGE not in found:
        raise InputError(
            f"ontology.source packaged: {PACKAGE} is not available here ({reason}); use release "
            "or files"
        )
    with debian.unpacked(found[PACKAGE], work) as (version, folder):
        file = folder / MEMBER
        sha256 = sha256_file(file) if file.is_file() else "no such file"
        if sha256 != SHA256:
            raise InputError(
                f"{PACKAGE} {version}: {MEMBER} has the SHA-256 {sha256} instead of {SHA256}; "
                "version 3.16.0 has the right file; use ontology.source release or files"
            )
        with atomic_path(output) as partial:
            shutil.copyfile(file, partial)
    with _opened(output) as database:
        return _release(database)


def _record(output: Path, release: str, warnings: list[str]) -> dict[str, Any]:
    size = output.stat().st_size
    return {
        "source": "packaged",
        "release": release,
        "licence": LICENCE,
        "package": PACKAGE,
        "files": [{"name": output.name, "bytes": size, "sha256": sha256_file(output)}],
        "warnings": warnings,
    }


def is_sqlite(path: Path) -> bool:
    """Whether a file starts as SQLite files do."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_sqlite(path: Path) -> Ontology:
    """Read GO.sqlite.

    Raises
    ------
    InputError
        If the file is damaged or is not Bioconductor's GO.db.
    """
    try:
        with _opened(path) as database:
            return _read(database)
    except (sqlite3.Error, KeyError) as error:
        raise InputError(
            f"{path}: not the GO.sqlite of Bioconductor's GO.db ({error}); get it again"
        ) from None


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    # Immutable: nothing, not even a lock, is written beside the file.
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        yield database


def _release(database: sqlite3.Connection) -> str:
    return str(dict(database.execute("SELECT name, value FROM metadata"))["GOSOURCEDATE"])


def _read(database: sqlite3.Connection) -> Ontology:
    synonyms: dict[int, list[str]] = {}
    alternatives: dict[int, list[str]] = {}
    for number, synonym, secondary in database.execute(
        "SELECT _id, synonym, secondary FROM go_synonym ORDER BY _id, synonym"
    ):
        into = synonyms if secondary is None else alternatives
        into.setdefault(number, []).append(synonym)
    ids: dict[int, str] = {}
    terms = []
    for number, identifier, name, aspect, definition in database.execute(
        "SELECT _id, go_id, term, ontology, definition FROM go_term"
    ):
        if aspect == "universal":  # A root above the three, which GO itself does not have.
            continue
        ids[number] = identifier
        terms.append(
            _term(identifier, name, _ASPECTS[aspect], definition)
            | {
                "synonyms": [{"text": s, "scope": None} for s in synonyms.get(number, [])],
                "alternative_ids": alternatives.get(number, []),
            }
        )
    for identifier, name, aspect, definition in database.execute(
        "SELECT go_id, term, ontology, definition FROM go_obsolete"
    ):
        terms.append(
            _term(identifier, name, _ASPECTS[aspect], definition)
            | {"obsolete": True, "synonyms": [], "alternative_ids": []}
        )
    edges = set()
    for aspect in _ASPECTS:
        query = f"SELECT _id, _parent_id, relationship_type FROM go_{aspect.lower()}_parents"
        for child, parent, relation in database.execute(query):
            if parent in ids:
                edges.add(Edge(ids[child], _RELATIONS[relation], ids[parent]))
    return Ontology(_release(database), terms, edges)


def _term(identifier: str, name: str, aspect: str, definition: str | None) -> dict[str, object]:
    fixed = {"obsolete": False, "replaced_by": [], "consider": []}
    return {"id": identifier, "name": name, "aspect": aspect, "definition": definition, **fixed}
