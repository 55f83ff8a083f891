"""What follows from an ontology's terms and edges: its closure, and where each id leads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import pyarrow as pa

from protscribe.errors import InputError

CLOSED_RELATIONS = ("is_a", "part_of")
"""Relations along which an annotation holds for all ancestors too."""


class Edge(NamedTuple):
    """One statement: child, relation, parent."""

    child: str
    relation: str
    parent: str


@dataclass(frozen=True)
class Ontology:
    """Terms (rows of table ``ontology_terms``) and edges of one version of the Gene Ontology."""

    version: str
    terms: Sequence[Mapping[str, Any]]
    edges: Iterable[Edge]

    def present(self) -> set[str]:
        """Return the ids of the terms that are not obsolete."""
        return {term["id"] for term in self.terms if not term["obsolete"]}


def closure(edges: Iterable[Edge], name: str) -> pa.Table:
    """Return all pairs of a term and its ancestors over is_a and part_of.

    Parameters
    ----------
    edges
        Edges of an acyclic graph; those with other relations are passed over.
    name
        What to call the source in an error.

    Returns
    -------
    pyarrow.Table
        Table ``ontology_closure``: `distance` is the smallest number of edges in between; a
        term is not its own ancestor.

    Raises
    ------
    InputError
        If the edges form a cycle; names its terms.
    """
    parents: dict[str, set[str]] = {}
    for edge in edges:
        if edge.relation in CLOSED_RELATIONS:
            parents.setdefault(edge.child, set()).add(edge.parent)
    try:
        order = list(TopologicalSorter(parents).static_order())
    except CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        raise InputError(
            f"{name}: is_a and part_of form a cycle ({cycle}); use go-basic.obo, which has none"
        ) from None
    ancestors: dict[str, dict[str, int]] = {}
    for term in order:
        found: dict[str, int] = {}
        for parent in parents.get(term, ()):
            found[parent] = 1
        for parent in parents.get(term, ()):
            for ancestor, distance in ancestors[parent].items():
                if distance + 1 < found.get(ancestor, distance + 2):
                    found[ancestor] = distance + 1
        ancestors[term] = found
    return pa.table(
        {
            "descendant": pa.array(
                (term for term, found in ancestors.items() for _ in found), pa.string()
            ),
            "ancestor": pa.array(
                (ancestor for found in ancestors.values() for ancestor in found), pa.string()
            ),
            "distance": pa.array(
                (distance for found in ancestors.values() for distance in found.values()),
                pa.int64(),
            ),
        }
    )


def map_ids(terms: Iterable[Mapping[str, Any]]) -> list[dict[str, str | None]]:
    """Return where every id leads: rows of table ``ontology_ids``.

    ``term`` is the id itself for a current term, the main term for an alternative id, and the
    end of the chain of ``replaced_by`` for an obsolete one. It is null where there is no such
    end, or more than one: an obsolete term that was split has no single successor.
    """
    current: set[str] = set()
    main: dict[str, set[str]] = {}
    replaced: dict[str, set[str]] = {}
    for term in terms:
        if term["obsolete"]:
            replaced[term["id"]] = set(term["replaced_by"])
        else:
            current.add(term["id"])
            for alternative in term["alternative_ids"]:
                main.setdefault(alternative, set()).add(term["id"])

    def ends(identifier: str, seen: frozenset[str]) -> set[str]:
        if identifier in current:
            return {identifier}
        if identifier in seen:
            return set()
        ahead = main.get(identifier) or replaced.get(identifier, set())
        return set().union(*(ends(other, seen | {identifier}) for other in ahead))

    rows: list[dict[str, str | None]] = []
    for identifier in sorted(current | main.keys() | replaced.keys()):
        found = ends(identifier, frozenset())
        end = found.pop() if len(found) == 1 else None
        if identifier in current:
            kind = "current"
        elif identifier in main:
            kind = "alternative"
        else:
            kind = "replaced" if end else "obsolete"
        rows.append({"id": identifier, "term": end, "kind": kind})
    return rows
