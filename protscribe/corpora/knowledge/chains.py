"""Chains from what a protein is to what it does, where, along edges of the knowledge graph.

After the knowledge causal modelling of InstructProtein (Wang et al. 2024): a domain or family
brings a molecular function, that is part of a process, and this occurs in a component. A chain is
context for the triple that it ends in.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.corpora.knowledge.relations import LEVELS
from protscribe.errors import InputError
from protscribe.schemas import TABLES
from protscribe.tables import read_metadata, read_table, table_writer

MAX_CHAINS = 3
"""Most chains of one triple."""

DOWNWARD_RELATIONS = frozenset({"has_part"})
"""Relations that lead from a whole to its parts, against the direction of cause."""

PREFERRED_RELATIONS = ("interpro2go", "is_a", "part_of")
"""Which relation is named where several link the same annotations; then the first by letters."""

_PIECE = 20_000

Steps = tuple[int, ...]


@dataclass(frozen=True)
class Chain:
    """A path between two annotations and the set of levels it touches, as bits."""

    levels: int
    steps: Steps


class Paths:
    """The shortest paths between annotations, found once for each start.

    Parameters
    ----------
    parents
        Annotations that each one leads to, in ascending order; none has a lower level.
    levels
        Level of each annotation (`relations.LEVELS`).
    max_steps
        Most annotations of a path.
    """

    def __init__(
        self, parents: Mapping[int, Sequence[int]], levels: Sequence[int | None], max_steps: int
    ) -> None:
        self._parents = parents
        self._levels = levels
        self._max_steps = max_steps
        self._found: dict[int, dict[int, list[Chain]]] = {}

    def of(self, start: int) -> dict[int, list[Chain]]:
        """Return the chains from a start to each annotation of a higher level.

        There is one for each set of levels that can be passed through on the way: the shortest
        and, of equally long ones, the first by ids.
        """
        if start not in self._found:
            self._found[start] = self._search(start)
        return self._found[start]

    def _search(self, start: int) -> dict[int, list[Chain]]:
        found: dict[int, list[Chain]] = {}
        lowest = 1 << self._level(start)
        seen = {(start, lowest)}
        ahead = [Chain(lowest, (start,))]
        for _ in range(self._max_steps - 1):
            # Ascending paths whose ends are tried in ascending order come out ascending.
            reached = []
            for chain in ahead:
                for parent in self._parents.get(chain.steps[-1], ()):
                    levels = chain.levels | 1 << self._level(parent)
                    if (parent, levels) in seen or parent in chain.steps:
                        continue
                    seen.add((parent, levels))
                    longer = Chain(levels, (*chain.steps, parent))
                    reached.append(longer)
                    if levels > lowest:
                        found.setdefault(parent, []).append(longer)
            ahead = reached
        return found

    def _level(self, annotation: int) -> int:
        level = self._levels[annotation]
        assert level is not None
        return level


def chain_knowledge(
    triples: Path, annotations: Path, edges: Path, output: Path, *, max_steps: int
) -> None:
    """Find the chains of every protein.

    A chain starts at a triple of the protein whose relation is of level 0 (family, superfamily,
    domain, repeat, site) and ends at one of a higher level (molecular function, biological
    process, cellular component). It goes along any edges but those of `DOWNWARD_RELATIONS`, never
    to a lower level, and touches no annotation twice. Where no such chain leads to a triple, those
    are taken that start at a molecular function of the protein.

    Of the chains to one triple that touch the same levels, the shortest is kept (of equally long
    ones, the first by ids); of these, at most `MAX_CHAINS`, those first that touch more levels.

    Parameters
    ----------
    triples, annotations, edges
        Tables of the graph.
    output
        Table ``knowledge_chains``; ids are ``{accession}:{annotation}:{number}``.
    max_steps
        Most annotations of a chain.

    Raises
    ------
    InputError
        If `max_steps` is below 2, or the tables do not belong together.
    """
    if max_steps < 2:
        raise InputError(
            f"knowledge.chains.max_steps is {max_steps}; a chain has 2 annotations at least"
        )
    nodes = read_table(annotations, "knowledge_annotations", ["id", "kind"])
    ids = nodes["id"].combine_chunks()
    levels = [LEVELS.get(kind) for kind in nodes["kind"].to_pylist()]
    relation_of = _links(edges, ids, levels, annotations)
    parents: dict[int, list[int]] = {}
    for child, parent in sorted(relation_of):
        parents.setdefault(child, []).append(parent)
    paths = Paths(parents, levels, max_steps)
    names: list[str] = ids.to_pylist()
    counts: Counter[int] = Counter()
    proteins = targets = 0
    with table_writer(output, "knowledge_chains", read_metadata(triples)) as write:
        for piece in _pieces(triples, ids, annotations):
            rows: list[dict[str, Any]] = []
            for accession, fold, own in piece:
                found = _chains_of_protein(own, levels, paths)
                proteins += bool(found)
                targets += len(found)
                for target, chains in found.items():
                    counts.update(chain.levels for chain in chains)
                    rows += [
                        {
                            "id": f"{accession}:{names[target]}:{number}",
                            "accession": accession,
                            "fold": fold,
                            "annotation": names[target],
                            "steps": [names[step] for step in chain.steps],
                            "relations": [relation_of[step] for step in pairwise(chain.steps)],
                        }
                        for number, chain in enumerate(chains, 1)
                    ]
            rows.sort(key=lambda row: row["id"])
            write(pa.Table.from_pylist(rows, TABLES["knowledge_chains"].schema))
    print(f"{counts.total()} chains to {targets} triples of {proteins} proteins", file=sys.stderr)
    for touched, number in sorted(counts.items()):
        print(f"{number} chains {_route(touched)}", file=sys.stderr)


def _links(
    edges: Path, ids: pa.Array, levels: Sequence[int | None], annotations: Path
) -> dict[tuple[int, int], str]:
    """Return the relation of each edge, by the numbers of its ends, that a chain can go along."""
    table = read_table(edges, "knowledge_edges", ["child", "relation", "parent"])
    ends = [pc.index_in(table[name], ids) for name in ("child", "parent")]
    if any(end.null_count for end in ends):
        raise InputError(f"{edges}: links other annotations than {annotations} has; make it again")
    relation_of: dict[tuple[int, int], str] = {}
    columns = (*(end.to_pylist() for end in ends), table["relation"].to_pylist())
    for child, parent, relation in zip(*columns, strict=True):
        lower, higher = levels[child], levels[parent]
        if lower is None or higher is None or lower > higher or child == parent:
            continue
        if relation in DOWNWARD_RELATIONS:
            continue
        other = relation_of.get((child, parent), relation)
        relation_of[child, parent] = min(other, relation, key=_preference)
    return relation_of


def _preference(relation: str) -> tuple[int, str]:
    order = PREFERRED_RELATIONS
    return (order.index(relation) if relation in order else len(order)), relation


def _pieces(
    triples: Path, ids: pa.Array, annotations: Path
) -> Iterator[list[tuple[str, str, list[int]]]]:
    """Yield accession, fold and annotations of proteins, in the order of their chains' ids."""
    table = read_table(triples, "knowledge_triples")
    numbers = pc.index_in(table["annotation"], ids)
    if numbers.null_count:
        raise InputError(f"{triples}: has other annotations than {annotations}; make it again")
    own = numbers.to_numpy().astype(np.int64)
    accessions = table["accession"].combine_chunks().dictionary_encode()
    # The table is sorted by accession, so that each protein's triples are one run.
    codes = accessions.indices.to_numpy()
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    ends = np.append(starts[1:], len(codes))
    folds = table["fold"].take(pa.array(starts)).to_pylist()
    names = accessions.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda number: f"{names[number]}:")
    for at in range(0, len(order), _PIECE):
        yield [
            (names[n], folds[n], own[starts[n] : ends[n]].tolist()) for n in order[at : at + _PIECE]
        ]


def _chains_of_protein(
    own: Sequence[int], levels: Sequence[int | None], paths: Paths
) -> dict[int, list[Chain]]:
    """Return the chains to each annotation of a protein that has any."""
    targets = {annotation for annotation in own if levels[annotation]}
    found: dict[int, list[Chain]] = {}
    for level in (0, 1):
        reached: dict[int, dict[int, Chain]] = {}
        for start in own:
            if levels[start] != level:
                continue
            ends = paths.of(start)
            for target in ends.keys() & targets:
                shortest = reached.setdefault(target, {})
                for chain in ends[target]:
                    other = shortest.setdefault(chain.levels, chain)
                    if _length_first(chain) < _length_first(other):
                        shortest[chain.levels] = chain
        targets -= reached.keys()
        for target, shortest in reached.items():
            ranked = sorted(
                shortest.values(), key=lambda c: (-c.levels.bit_count(), *_length_first(c))
            )
            found[target] = ranked[:MAX_CHAINS]
    return found


def _length_first(chain: Chain) -> tuple[int, Steps]:
    return len(chain.steps), chain.steps


def _route(touched: int) -> str:
    names = {0: "structure"} | {level: name for name, level in LEVELS.items() if level}
    return " -> ".join(names[level] for level in sorted(names) if touched >> level & 1)
