"""Which terms of the Gene Ontology lie above or below which."""

from collections.abc import Collection, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.tables import read_table

_NONE: frozenset[str] = frozenset()


class Relatives:
    """Ancestors of terms over is_a and part_of.

    Parameters
    ----------
    closure
        Table ``ontology_closure``; None where there is no ontology, and no term has ancestors.
    terms
        Terms whose ancestors are wanted.

    Raises
    ------
    InputError
        If the table is missing or unfit.
    """

    def __init__(self, closure: Path | None, terms: Collection[str]) -> None:
        self._ancestors: dict[str, frozenset[str]] = {}
        if closure is None:
            return
        table = read_table(closure, "ontology_closure", ["descendant", "ancestor"])
        wanted = pa.array(sorted(terms), pa.string())
        table = table.filter(pc.is_in(table["descendant"], wanted))
        grouped = table.group_by("descendant").aggregate([("ancestor", "list")])
        names, lists = grouped["descendant"].to_pylist(), grouped["ancestor_list"].to_pylist()
        self._ancestors = {
            name: frozenset(ancestors) for name, ancestors in zip(names, lists, strict=True)
        }

    def ancestors(self, term: str) -> frozenset[str]:
        """Return the ancestors of a term, which is not its own; empty for an unknown one."""
        return self._ancestors.get(term, _NONE)

    def with_ancestors(self, terms: Iterable[str]) -> set[str]:
        """Return some terms and all their ancestors."""
        found = set(terms)
        return found.union(*(self.ancestors(term) for term in list(found)))


class Annotated:
    """What a protein is annotated with, to tell which terms are related to it.

    Parameters
    ----------
    terms
        Its terms.
    relatives
        Ancestors of those terms and of all that will be asked about.
    """

    def __init__(self, terms: Collection[str], relatives: Relatives) -> None:
        self._terms = frozenset(terms)
        self._above = relatives.with_ancestors(terms)
        self._relatives = relatives

    def related(self, term: str) -> bool:
        """Return whether a term is one of the protein's, an ancestor or a descendant of one."""
        return term in self._above or not self._terms.isdisjoint(self._relatives.ancestors(term))
