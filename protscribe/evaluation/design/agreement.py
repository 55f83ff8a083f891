"""Do classifiers that never saw the generator's training data find what was asked for?

Two of them, both of held-out proteins whose clusters hold no training protein: one transfers
annotations along MMseqs2 hits, weighted by bit score (as in DeepGOPlus, Kulmanov and Hoehndorf
2020), one from the nearest profiles of k-mers, weighted by cosine similarity. A natural protein is
judged by proteins of other clusters than its own, as a design is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from protscribe.evaluation.design.carriers import Placed
from protscribe.evaluation.design.naturalness import RESIDUES
from protscribe.evaluation.design.novelty import search

CLASSIFIERS = ("homology", "knn")
THRESHOLD = 0.5
"""Share of the neighbours' weight that an annotation must have."""
_ROWS = 256
"""Queries whose similarities to all evidence are in memory at once."""


@dataclass(frozen=True)
class Evidence:
    """The proteins of the classifiers.

    Parameters
    ----------
    accessions
        Sorted.
    sequences, clusters
        Of each accession.
    labels
        Which requests' annotations each protein has, booleans (proteins, requests).
    reach
        How many neighbours decide on each request, int (requests,). Of a rare annotation not
        more than its carriers can outvote: with two carriers and five neighbours it would never
        be found.
    """

    accessions: Sequence[str]
    sequences: Sequence[str]
    clusters: Sequence[str]
    labels: np.ndarray
    reach: np.ndarray

    @classmethod
    def of(
        cls,
        placed: Placed,
        requests: Sequence[str],
        carriers: Mapping[str, set[str]],
        neighbours: int,
    ) -> "Evidence":
        """Collect the held-out proteins of clusters without training proteins."""
        accessions = placed.evidence
        labels = np.array(
            [[a in carriers[request] for request in requests] for a in accessions], dtype=bool
        ).reshape(len(accessions), len(requests))
        return cls(
            accessions,
            [placed.sequences[a] for a in accessions],
            [placed.clusters[a] for a in accessions],
            labels,
            np.clip(2 * labels.sum(axis=0) - 1, 1, neighbours),
        )


class Neighbours:
    """The nearest proteins of each query among the evidence, best first.

    Parameters
    ----------
    queries
        Number of queries.
    depth
        Most neighbours of one.
    """

    def __init__(self, queries: int, depth: int) -> None:
        self.places = np.zeros((queries, depth), dtype=np.int64)
        self.weights = np.zeros((queries, depth))

    def scores(self, evidence: Evidence) -> np.ndarray:
        """Return each request's share of the neighbours' weight, shape (queries, requests).

        0 where a query has no neighbour, NaN where no protein of the evidence has what is asked.
        """
        scores = np.zeros((len(self.places), evidence.labels.shape[1]))
        if not evidence.accessions:
            return np.full_like(scores, np.nan)
        for reach in np.unique(evidence.reach):
            columns = np.flatnonzero(evidence.reach == reach)
            weights = self.weights[:, :reach]
            having = np.zeros((len(scores), len(columns)))
            for rank in range(weights.shape[1]):
                labels = evidence.labels[np.ix_(self.places[:, rank], columns)]
                having += weights[:, rank, None] * labels
            total = weights.sum(axis=1)[:, None]
            scores[:, columns] = np.divide(having, total, where=total > 0, out=having)
        scores[:, ~evidence.labels.any(axis=0)] = np.nan
        return scores


def homology_neighbours(
    sequences: Sequence[str],
    own_clusters: Sequence[str | None],
    evidence: Evidence,
    *,
    depth: int,
    max_evalue: float,
    threads: int,
) -> Neighbours:
    """Find the best hits of each sequence, weighted by bit score.

    Parameters
    ----------
    sequences
        Queries.
    own_clusters
        Cluster that a query must not be judged by, None for designs.
    evidence
        Proteins to search.
    depth
        Most neighbours.
    max_evalue
        Largest E-value of a hit, relative to the evidence.
    threads
        CPU threads; no influence on the result.
    """
    distinct = {sequence: f"{i}" for i, sequence in enumerate(sorted(set(sequences)))}
    place = {a: i for i, a in enumerate(evidence.accessions)}
    targets = dict(zip(evidence.accessions, evidence.sequences, strict=True))
    queries = {name: sequence for sequence, name in distinct.items()}
    hits = search(queries, targets, max_evalue=max_evalue, threads=threads)
    found: dict[str, list[tuple[int, float]]] = {}
    columns = (hits[name].to_pylist() for name in ("query", "target", "bits"))
    for query, target, bits in zip(*columns, strict=True):
        found.setdefault(query, []).append((place[target], bits))
    result = Neighbours(len(sequences), depth)
    for row, (sequence, own) in enumerate(zip(sequences, own_clusters, strict=True)):
        near = [
            hit for hit in found.get(distinct[sequence], ()) if evidence.clusters[hit[0]] != own
        ]
        for rank, (target, bits) in enumerate(near[:depth]):
            result.places[row, rank], result.weights[row, rank] = target, bits
    return result


def profile_neighbours(
    sequences: Sequence[str],
    own_clusters: Sequence[str | None],
    evidence: Evidence,
    *,
    depth: int,
    length: int,
) -> Neighbours:
    """Find the most similar k-mer profiles of each sequence, weighted by cosine similarity.

    Parameters
    ----------
    sequences, own_clusters, evidence, depth
        As in `homology_neighbours`.
    length
        Residues of a k-mer.
    """
    result = Neighbours(len(sequences), depth)
    if not evidence.accessions:
        return result
    target = kmer_profiles(evidence.sequences, length)
    clusters = np.array(evidence.clusters)
    size = min(depth, len(clusters))
    for start in range(0, len(sequences), _ROWS):
        rows = slice(start, start + _ROWS)
        similar = (kmer_profiles(sequences[rows], length) @ target.T).toarray()
        for row, own in enumerate(own_clusters[rows]):
            if own is not None:
                similar[row, clusters == own] = 0.0
        # Sums of products in another order differ in their last digits; equal is then equal.
        best = np.argsort(-similar.round(12), axis=1, kind="stable")[:, :size]
        result.places[rows, :size] = best
        result.weights[rows, :size] = np.take_along_axis(similar, best, axis=1)
    return result


def kmer_profiles(sequences: Sequence[str], length: int) -> csr_array:
    """Return the square roots of k-mer shares, so that a product is a cosine (Hellinger).

    Parameters
    ----------
    sequences
        k-mers with letters other than the twenty residues are left out.
    length
        Residues of a k-mer.

    Returns
    -------
    scipy.sparse.csr_array
        Shape (sequences, 20**length); each row has length 1, or 0 without any k-mer.
    """
    lookup = np.full(256, -1, dtype=np.int64)
    lookup[np.frombuffer(RESIDUES.encode(), dtype=np.uint8)] = np.arange(len(RESIDUES))
    columns, values, bounds = [], [], [0]
    for sequence in sequences:
        numbers = lookup[np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)]
        if len(numbers) >= length:
            windows = np.lib.stride_tricks.sliding_window_view(numbers, length)
            windows = windows[(windows >= 0).all(axis=1)]
            places, counts = np.unique(
                windows @ (len(RESIDUES) ** np.arange(length)), return_counts=True
            )
            columns.append(places)
            values.append(np.sqrt(counts / max(counts.sum(), 1)))
        bounds.append(bounds[-1] + (len(columns[-1]) if len(numbers) >= length else 0))
    shape = (len(sequences), len(RESIDUES) ** length)
    empty = np.empty(0)
    parts = (np.concatenate([empty, *values]), np.concatenate([empty, *columns]).astype(np.int64))
    return csr_array((*parts, np.array(bounds)), shape=shape)


def mismatched(
    requests: Sequence[str], carriers: Mapping[str, set[str]], max_overlap: float
) -> np.ndarray:
    """Return which requests are mismatched to which.

    Parameters
    ----------
    requests
        Ids.
    carriers
        Proteins of all folds that have the annotation of each request.
    max_overlap
        Largest share of the proteins of B that also have A, for B to be mismatched to A: who
        asks for "zinc ion binding" gets "metal ion binding" too, and rightly.

    Returns
    -------
    numpy.ndarray
        Booleans; row A, column B.
    """
    numbers = {a: i for i, a in enumerate(sorted(set().union(*carriers.values())))}
    columns = [numbers[a] for request in requests for a in sorted(carriers[request])]
    counts = np.array([len(carriers[request]) for request in requests], dtype=np.int64)
    bounds = np.concatenate([[0], counts.cumsum()])
    shape = (len(requests), max(len(numbers), 1))
    table = csr_array((np.ones(len(columns)), np.array(columns, dtype=np.int64), bounds), shape)
    shared = (table @ table.T).toarray()
    return (shared <= max_overlap * counts[None, :]) & ~np.eye(len(requests), dtype=bool)
