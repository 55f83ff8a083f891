"""Edges between annotations, and the wider annotations that they lead to."""

from collections.abc import Callable, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.corpora.knowledge.annotations import Annotation, Edge, Mention
from protscribe.corpora.knowledge.relations import ASPECT_RELATIONS
from protscribe.corpora.knowledge.vocabularies import Vocabularies
from protscribe.errors import InputError

CLOSED_RELATIONS = ("is_a", "part_of")
"""Relations along which an annotation holds for what is wider: these may form no cycle."""

TABLE_OF = {
    "ontology": "ontology_edges",
    "interpro2go": "interpro2go",
    "keywords": "keywords",
    "locations": "locations",
}
"""The table that edges of a source come from; those of ``entry`` and ``enzyme`` have none."""


def add_wider(
    annotations: dict[str, Annotation], vocabularies: Vocabularies
) -> tuple[set[Edge], dict[str, str]]:
    """Add the ancestors of annotations, and return the edges between them all.

    Parameters
    ----------
    annotations
        The annotations of proteins by id; their ancestors are added: those of the ontology's
        closure, and of keywords and locations.
    vocabularies
        The vocabularies at hand.

    Returns
    -------
    tuple
        The edges of the ontology, of InterPro2GO, of keywords and of locations whose both ends are
        annotations or ancestors; and the ancestors that are left out for want of a name, with the
        number of their descendants among the annotations.
    """
    unnamed = _add_terms(annotations, vocabularies)
    edges = _climb(annotations, "keyword", "keywords", vocabularies.keyword_parents, "id")
    edges |= _climb(annotations, "location", "locations", vocabularies.place_parents, "name")
    known = pa.array(sorted(annotations), pa.string())
    if (table := vocabularies.table("ontology_edges")) is not None:
        for row in _between(table, ("child", "parent"), known).to_pylist():
            edges.add(Edge(row["child"], row["relation"], row["parent"], "ontology"))
    if (table := vocabularies.table("interpro2go")) is not None:
        for row in _between(table, ("interpro_id", "go_id"), known).to_pylist():
            edges.add(Edge(row["interpro_id"], "interpro2go", row["go_id"], "interpro2go"))
    return edges, unnamed


def check_acyclic(edges: Iterable[Edge], paths: Mapping[str, Path]) -> None:
    """Check that no annotation is, or is part of, something narrower.

    Parameters
    ----------
    edges
        All edges.
    paths
        Tables of vocabularies by name, for the error.

    Raises
    ------
    InputError
        If is_a and part_of form a cycle; names its annotations and the tables to mend.
    """
    sources: dict[str, dict[str, str]] = {}
    for edge in sorted(edges):
        if edge.relation in CLOSED_RELATIONS:
            sources.setdefault(edge.child, {})[edge.parent] = edge.source
    try:
        TopologicalSorter(sources).prepare()
    except CycleError as error:
        cycle = list(reversed(error.args[1]))
        found = {sources[child][parent] for child, parent in pairwise(cycle)}
        names = [TABLE_OF.get(source, "") for source in sorted(found)]
        places = [str(paths[name]) for name in names if name in paths] or ["the proteins table"]
        raise InputError(
            f"{', '.join(places)}: is_a and part_of form a cycle ({' -> '.join(cycle)}); mend or "
            "replace the vocabulary that these edges come from"
        ) from None


def _add_terms(annotations: dict[str, Annotation], vocabularies: Vocabularies) -> dict[str, str]:
    closure = vocabularies.table("ontology_closure")
    if closure is None:
        return {}
    terms = [a.id for a in annotations.values() if a.kind in ASPECT_RELATIONS.values()]
    above = closure.filter(pc.is_in(closure["descendant"], pa.array(sorted(terms), pa.string())))
    unnamed = {}
    for row in above["ancestor"].value_counts().to_pylist():
        identifier = row["values"]
        if identifier in annotations:
            continue
        if mention := vocabularies.go_term(identifier):
            annotations[identifier] = _annotation(mention)
        else:
            unnamed[identifier] = f"the term has no name; {row['counts']} terms are below it"
    return unnamed


def _climb(
    annotations: dict[str, Annotation],
    kind: str,
    source: str,
    parents: Callable[[str], list[tuple[str, Mention]]],
    field: str,
) -> set[Edge]:
    """Add what is wider than the annotations of a kind, up to the top."""
    edges = set()
    ahead = [annotation for annotation in annotations.values() if annotation.kind == kind]
    while ahead:
        child = ahead.pop()
        for relation, mention in parents(getattr(child, field)):
            parent = _annotation(mention)
            edges.add(Edge(child.id, relation, parent.id, source))
            if parent.id not in annotations:
                annotations[parent.id] = parent
                ahead.append(parent)
    return edges


def _annotation(mention: Mention) -> Annotation:
    identifier = mention.id or f"{mention.kind}:{mention.name}"
    return Annotation(identifier, mention.kind, mention.name, mention.source)


def _between(table: pa.Table, columns: tuple[str, str], known: pa.Array) -> pa.Table:
    """Return the rows of a table that lead from one annotation to another."""
    ends = [pc.is_in(table[name], known) for name in columns]
    return table.filter(pc.and_(*ends))
