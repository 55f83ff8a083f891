"""Training proteins that are like a test protein, by alignment or by embedding."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from protscribe.embeddings.store import EmbeddingStore
from protscribe.evaluation.baselines import MAX_EVALUE
from protscribe.homology import kmers, mmseqs

NEIGHBOURS = 5
"""Neighbours that have a vote."""
HIT_WEIGHT = 50.0
"""Bits that count as much as what is known without a neighbour."""
COSINE_WEIGHT = 1.0
"""Cosine that counts as much as what is known without a neighbour."""
_BLOCK = 256


class Neighbour(NamedTuple):
    """A training protein and the weight of its vote, 1 being as much as the prior."""

    accession: str
    weight: float


Found = dict[str, list[Neighbour]]


class Alignments:
    """Hits of MMseqs2 among training proteins, searched once for all tasks.

    Parameters
    ----------
    queries, targets
        Accession (or any other name) to sequence.
    threads
        CPU threads; no influence on the result.
    """

    def __init__(
        self, queries: Mapping[str, str], targets: Mapping[str, str], *, threads: int
    ) -> None:
        every = mmseqs.aligns_every_pair(len(queries), len(targets))
        search = mmseqs.search if every else kmers.search_nearest
        hits = search(queries, targets, max_evalue=MAX_EVALUE, threads=threads)
        columns = (hits[name].to_pylist() for name in ("query", "target", "bits"))
        self._hits: Found = {}
        for query, target, bits in zip(*columns, strict=True):
            self._hits.setdefault(query, []).append(Neighbour(target, bits / HIT_WEIGHT))

    def of(self, queries: Sequence[str], holders: Sequence[str]) -> Found:
        """Return the best `NEIGHBOURS` hits of each query that have an answer to a task.

        Returns
        -------
        dict
            All queries; those without a hit with an empty list.
        """
        known = set(holders)
        return {
            query: [hit for hit in self._hits.get(query, ()) if hit.accession in known][:NEIGHBOURS]
            for query in queries
        }


class Embeddings:
    """Mean embeddings of proteins, compared by cosine.

    The mean of the training proteins is taken off first: embeddings of one model are nearly
    parallel, so that their cosines differ little.

    Parameters
    ----------
    folder
        A store of embeddings (`protscribe.embeddings.store`).
    training
        Training proteins; those outside the store are left out.
    threads
        CPU threads.

    Raises
    ------
    InputError
        If the store is missing or damaged.
    """

    def __init__(self, folder: Path, training: Sequence[str], *, threads: int) -> None:
        torch.set_num_threads(threads)
        self._store = EmbeddingStore(folder)
        kept = [accession for accession in training if accession in self._store]
        vectors = self._means(kept)
        self._centre = vectors.mean(axis=0) if kept else np.zeros(self._store.dim)
        self._units = _unit(vectors - self._centre)
        self._row = {accession: row for row, accession in enumerate(kept)}

    def __contains__(self, accession: object) -> bool:
        return accession in self._store

    def of(self, queries: Sequence[str], holders: Sequence[str]) -> Found:
        """Return the `NEIGHBOURS` nearest of the holders that are in the store to each query.

        Returns
        -------
        dict
            All queries, which must be in the store.
        """
        known = [accession for accession in holders if accession in self._row]
        found: Found = {query: [] for query in queries}
        if not known:
            return found
        units = self._units[[self._row[accession] for accession in known]]
        for start in range(0, len(queries), _BLOCK):
            block = queries[start : start + _BLOCK]
            asked = _unit(self._means(block) - self._centre)
            product = torch.from_numpy(asked) @ torch.from_numpy(units).T
            # Rounded, so that the order of equals does not depend on the order of additions.
            cosines = product.numpy().round(5)
            for query, row in zip(block, cosines, strict=True):
                nearest = np.argsort(-row, kind="stable")[:NEIGHBOURS]
                found[query] = [
                    Neighbour(known[i], max(float(row[i]), 0.0) / COSINE_WEIGHT) for i in nearest
                ]
        return found

    def _means(self, accessions: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(accessions), self._store.dim))
        for row, accession in enumerate(accessions):
            vectors[row] = self._store[accession].double().mean(dim=0).numpy()
        return vectors


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
