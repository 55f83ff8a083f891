"""Made-up triples for tests of what is learned and drawn from the knowledge graph."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from helpers_data import write_split
from protscribe.tables import write_table


def write_triples(
    path: Path,
    terms: Mapping[str, Sequence[str]],
    folds: Mapping[str, str] | None = None,
    relation_of: Mapping[str, str] | None = None,
) -> Path:
    """Write a table of triples; proteins are of the training fold unless `folds` says otherwise."""
    rows = [
        {
            "accession": accession,
            "relation": (relation_of or {}).get(term, "keyword"),
            "annotation": term,
            "fold": (folds or {}).get(accession, "train"),
        }
        for accession, annotations in terms.items()
        for term in annotations
    ]
    write_table(path, "knowledge_triples", rows)
    return path


def write_training_split(path: Path, accessions: Sequence[str]) -> Path:
    """Write a split that has all these proteins in the training fold."""
    return write_split(path, dict.fromkeys(accessions, "train"))


def write_clusters(path: Path, cluster_of: Mapping[str, str]) -> Path:
    """Write a table of clusters."""
    write_table(path, "clusters", [{"accession": a, "cluster": c} for a, c in cluster_of.items()])
    return path


def write_vectors(
    path: Path, vectors: Mapping[str, Sequence[float]], kind: str = "protein"
) -> Path:
    """Write a table of vectors, all of one kind."""
    numbers = [np.asarray(vector, np.float32) for vector in vectors.values()]
    table = pa.table(
        {
            "id": list(vectors),
            "kind": [kind] * len(numbers),
            "vector": pa.array(numbers, pa.list_(pa.float32())),
        }
    )
    write_table(path, "knowledge_vectors", table)
    return path
