"""The Gene Ontology: its files, and the tables of terms, ids, edges and closure.

Annotations may be carried up along is_a and part_of of go-basic.obo alone, which is acyclic
and stays within an aspect. The edges across aspects (a function that is part of a process)
stand only in the full go.obo.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastobo.term import TermFrame
from fastobo.typedef import TypedefFrame

from protscribe.atomic import read_json
from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.vocabularies.go_sqlite import UNAVAILABLE, is_sqlite, read_sqlite
from protscribe.sources.vocabularies.obo import read_header, read_stanzas
from protscribe.sources.vocabularies.ontology_graph import (
    CLOSED_RELATIONS,
    Edge,
    Ontology,
    closure,
    map_ids,
)
from protscribe.sources.vocabularies.static_files import get_files, table_facts
from protscribe.tables import write_table

LICENCE = "CC BY 4.0"
BASIC, FULL = "go-basic.obo", "go.obo"
ASPECTS = {"molecular_function": "F", "biological_process": "P", "cellular_component": "C"}
EDGE_TAGS = ("is_a", "relationship")
TERM_TAGS = (
    *("name", "namespace", "alt_id", "def", "synonym", "is_obsolete", "replaced_by", "consider"),
    *EDGE_TAGS,
)
BUILT_IN_RELATION = "is_a"


def get_ontology(
    folder: Path,
    manifest: Path,
    *,
    release: str,
    client: Client,
    full: bool = True,
    sha256: Mapping[str, str] | None = None,
) -> None:
    """Download a dated release of the Gene Ontology.

    Parameters
    ----------
    folder
        Where ``go-basic.obo`` (32 MB) and ``go.obo`` (35 MB) go.
    manifest
        JSON file: source, release, licence, checksums. Written last.
    release
        Date of the release's folder, YYYY-MM-DD.
    client
        Who fetches.
    full
        Whether to fetch go.obo too.
    sha256
        SHA-256 of the files by name, where they are pinned.

    Raises
    ------
    InputError
        If a file cannot be had, is not an OBO file, is younger than the release, or has not
        the pinned checksum.
    """

    def check(path: Path) -> str:
        version = version_of(path)
        # The ontology's own date is some days before that of the release that carries it.
        if not "0" < version <= release:
            raise InputError(
                f"{path.name}: its data-version is {version or 'missing'}, which cannot be the "
                f"one of release {release}"
            )
        return version

    paths = [f"{release}/ontology/{name}" for name in ((BASIC, FULL) if full else (BASIC,))]
    get_files(
        client,
        "go",
        paths,
        folder,
        manifest,
        release=release,
        licence=LICENCE,
        sha256=sha256,
        check=check,
    )


def version_of(path: Path) -> str:
    """Return the data-version of an OBO file: its date where it has one (YYYY-MM-DD)."""
    return read_header(path).get("data-version", "").removeprefix("releases/")


def parse_ontology(
    basic: Path, full: Path | None, manifest: Path, tables: Mapping[str, Path]
) -> None:
    """Make the tables of the Gene Ontology.

    Parameters
    ----------
    basic
        ``go-basic.obo``, plain or gzip-compressed, or the ``GO.sqlite`` of Bioconductor's
        GO.db.
    full
        ``go.obo`` of the same version, if there is one.
    manifest
        What `get_ontology`, `get_packaged_ontology` or `describe_files` wrote.
    tables
        Parquet files to write: ``ontology_terms``, ``ontology_ids``, ``ontology_edges``,
        ``ontology_closure`` and ``rejects``.

    Raises
    ------
    InputError
        If a file is damaged, truncated or of another kind; if is_a and part_of of go-basic
        lead to a term that is not there, or form a cycle; if the two files are of different
        versions.
    """
    rejects: list[dict[str, str]] = []
    if not basic.is_file():
        raise InputError(f"{basic}: no such file")
    if not basic.stat().st_size and read_json(manifest)["release"] == UNAVAILABLE:
        ontology = Ontology(UNAVAILABLE, [], [])
    else:
        ontology = read_sqlite(basic) if is_sqlite(basic) else _read_obo(basic, rejects)
    edges = _known_edges(ontology.edges, ontology, rejects, basic)
    more: set[Edge] = set()
    if full is not None:
        if (version := version_of(full)) != ontology.version:
            raise InputError(
                f"{full.name}: its data-version is {version}, that of {basic.name} is "
                f"{ontology.version}; take both from one release"
            )
        _, all_edges = _read_stanzas(full, EDGE_TAGS, rejects)
        more = _known_edges(all_edges - edges, ontology, rejects, full)
    facts = table_facts(manifest) | {"version": ontology.version}
    rows: dict[str, Any] = {
        "ontology_terms": ontology.terms,
        "ontology_ids": map_ids(ontology.terms),
        "ontology_edges": [edge._asdict() | {"basic": True} for edge in edges]
        + [edge._asdict() | {"basic": False} for edge in more],
        "ontology_closure": closure(edges, basic.name),
        "rejects": rejects,
    }
    for name, content in rows.items():
        write_table(tables[name], name, content, facts)


def _read_obo(path: Path, rejects: list[dict[str, str]]) -> Ontology:
    terms, edges = _read_stanzas(path, TERM_TAGS, rejects)
    kept = []
    for term in terms:
        if term["name"] and term["aspect"]:
            kept.append(term)
        else:
            key = f"{path.name} {term['id']}"
            rejects.append(_reject(key, "term without name or aspect", ""))
    if not kept:
        raise InputError(f"{path}: has no terms of the Gene Ontology")
    return Ontology(version_of(path), kept, edges)


def _read_stanzas(
    path: Path, tags: tuple[str, ...], rejects: list[dict[str, str]]
) -> tuple[list[dict[str, Any]], set[Edge]]:
    def refuse(place: str, detail: str) -> None:
        rejects.append(_reject(place, "line not in OBO format", detail))

    terms: dict[str, dict[str, Any]] = {}
    edges: set[Edge] = set()
    relations = {BUILT_IN_RELATION}
    for stanza in read_stanzas(path, tags, refuse):
        identifier = str(stanza.id)
        if isinstance(stanza, TypedefFrame):
            relations.add(identifier)
        elif isinstance(stanza, TermFrame):
            if identifier in terms:
                raise InputError(f"{path}: term {identifier} stands twice; download it again")
            terms[identifier] = _read_term(identifier, stanza, edges)
    # GO's files end with the definitions of their relations: without them the end is missing.
    if undefined := sorted({edge.relation for edge in edges} - relations):
        raise InputError(
            f"{path}: relation {', '.join(undefined)} is used but not defined: the file is "
            "truncated; download it again"
        )
    return list(terms.values()), edges


def _read_term(identifier: str, stanza: Any, edges: set[Edge]) -> dict[str, Any]:
    lists = ("synonyms", "replaced_by", "consider", "alternative_ids")
    term: dict[str, Any] = {"id": identifier, "name": None, "aspect": None, "definition": None}
    term |= {"obsolete": False} | {name: [] for name in lists}
    for clause in stanza:
        match clause.raw_tag():
            case "name":
                term["name"] = clause.name
            case "namespace":
                term["aspect"] = ASPECTS.get(str(clause.namespace))
            case "def":
                term["definition"] = str(clause.definition)
            case "synonym":
                synonym = clause.synonym
                term["synonyms"].append({"text": synonym.desc, "scope": synonym.scope})
            case "alt_id":
                term["alternative_ids"].append(str(clause.alt_id))
            case "is_obsolete":
                term["obsolete"] = clause.obsolete
            case "replaced_by" | "consider" as tag:
                term[tag].append(str(clause.term))
            case "is_a":
                edges.add(Edge(identifier, BUILT_IN_RELATION, str(clause.term)))
            case "relationship":
                edges.add(Edge(identifier, str(clause.typedef), str(clause.term)))
    return term


def _known_edges(
    edges: Iterable[Edge], ontology: Ontology, rejects: list[dict[str, str]], path: Path
) -> set[Edge]:
    """Return the edges between terms that are there; list the others, or refuse the file."""
    present = ontology.present()
    kept = set()
    for edge in sorted(edges):
        unknown = [end for end in (edge.child, edge.parent) if end not in present]
        if not unknown:
            kept.add(edge)
        elif edge.relation in CLOSED_RELATIONS and unknown[0].startswith("GO:"):
            raise InputError(
                f"{path}: {' '.join(edge)}: {unknown[0]} is not a current term of the ontology; "
                "the file is damaged or of another version; download it again"
            )
        else:
            rejects.append(
                _reject(f"{path.name} {' '.join(edge)}", "edge to an unknown term", unknown[0])
            )
    return kept


def _reject(key: str, reason: str, detail: str) -> dict[str, str]:
    return {"stage": "parse_ontology", "key": key, "reason": reason, "detail": detail}
