"""The knowledge graph of the training fold as numbers, as an embedding wants it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.corpora.knowledge.training_triples import read_training_triples
from protscribe.errors import InputError
from protscribe.tables import read_table

HEAD_TO_TAIL = ["head", "relation", "tail"]


@dataclass(frozen=True)
class KnowledgeGraph:
    """Triples as numbers.

    `proteins`, `annotations` and `relations` are sorted names; the number of an entity is its
    place in proteins and then annotations, that of a relation its place in `relations`. `triples`
    holds head, relation and tail in the columns of an int64 array (triples x 3), each triple once.
    """

    proteins: list[str]
    annotations: list[str]
    relations: list[str]
    triples: np.ndarray

    @property
    def entities(self) -> int:
        """How many entities there are."""
        return len(self.proteins) + len(self.annotations)


def read_graph(triples: Path, edges: Path | None) -> KnowledgeGraph:
    """Number the training fold's triples and the edges above their annotations.

    Raises
    ------
    InputError
        If there is no training triple, or an id stands for a protein and an annotation.
    """
    table = read_training_triples(triples)
    own = table.rename_columns(HEAD_TO_TAIL)
    above = own.slice(0, 0) if edges is None else _edges_above(table["annotation"], edges)
    joined = pa.concat_tables([own, above])
    proteins = _sorted(table["accession"])
    annotations = _sorted(table["annotation"], above["head"], above["tail"])
    if both := sorted(set(proteins) & set(annotations)):
        raise InputError(f"{triples}: {both[0]} is both a protein and an annotation")
    relations = _sorted(joined["relation"])
    numbers = [
        pc.index_in(joined[column], value_set=pa.array(names, pa.string())).to_numpy()
        for column, names in (
            ("head", proteins + annotations),
            ("relation", relations),
            ("tail", proteins + annotations),
        )
    ]
    rows = np.unique(np.stack(numbers, axis=1).astype(np.int64), axis=0)
    return KnowledgeGraph(proteins, annotations, relations, rows)


def _edges_above(annotations: pa.ChunkedArray, edges: Path) -> pa.Table:
    """Return the edges that can be reached from annotations by going upwards, once each."""
    table = read_table(edges, "knowledge_edges", ["child", "relation", "parent"])
    reached = annotations.unique()
    while True:
        found = table.filter(pc.is_in(table["child"], value_set=reached))
        wider = pa.chunked_array([reached, *found["parent"].chunks], pa.string()).unique()
        if len(wider) == len(reached):
            return found.rename_columns(HEAD_TO_TAIL)
        reached = wider


def _sorted(*columns: pa.ChunkedArray) -> list[str]:
    """Return the distinct values of columns."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    return sorted(pa.chunked_array(chunks, pa.string()).unique().to_pylist())
