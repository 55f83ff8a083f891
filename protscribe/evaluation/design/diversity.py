"""How many different proteins there are among designs, by MMseqs2."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pyarrow.compute as pc

from protscribe.evaluation.design.controls import Candidate
from protscribe.homology import mmseqs

Group = TypeVar("Group", bound=Hashable)

CLUSTERS = {"clusters_50": 0.5, "clusters_70": 0.7}
"""Metrics that count clusters, and the least identity in each."""
CLUSTER_COVERAGE = 0.8
"""Coverage of both that members of a cluster share."""
ALIGNED = 400
"""Most different sequences that are all aligned with each other: two seconds of one core."""


def diversity(
    candidates: Sequence[Candidate],
    valid: Sequence[bool],
    requests: Mapping[str, int],
    *,
    threads: int,
) -> dict[str, dict[str, np.ndarray]]:
    """Count the clusters among each predictor's valid designs of a request.

    Designs of two training seeds are not put together, lest more seeds look like less diversity.

    Parameters
    ----------
    candidates
        Designs and controls.
    valid
        Whether each of them is valid.
    requests
        Number of each request, by id.
    threads
        CPU threads of MMseqs2; no influence on the result.

    Returns
    -------
    dict
        By predictor and by name of `CLUSTERS`: clusters of each request, shape (requests,).
    """
    groups: dict[tuple[str, int, int], list[str]] = {}
    found: dict[str, dict[str, np.ndarray]] = {}
    for one, usable in zip(candidates, valid, strict=True):
        names = {name: np.zeros(len(requests)) for name in CLUSTERS}
        found.setdefault(one.predictor, names)
        if usable:
            key = one.predictor, requests[one.request], one.training_seed
            groups.setdefault(key, []).append(one.sequence)
    for name, identity in CLUSTERS.items():
        counts = count_clusters(groups, identity, threads=threads)
        for (predictor, request, _), count in counts.items():
            found[predictor][name][request] += count
    return found


def count_clusters(
    groups: Mapping[Group, Sequence[str]], identity: float, *, threads: int
) -> dict[Group, int]:
    """Count the homology clusters in each group of sequences.

    MMseqs2 clusters all groups in one call. That takes seconds even for a handful of sequences, so
    up to `ALIGNED` of them are all aligned with each other instead and each group is clustered by
    itself, by set cover as in MMseqs2: the sequence that matches most others takes them all, then
    the one that matches most of the rest.

    Parameters
    ----------
    groups
        Sequences by group.
    identity
        Least identity of a member to its cluster's representative, over `CLUSTER_COVERAGE` of
        both.
    threads
        CPU threads; no influence on the result.
    """
    distinct = sorted({sequence for members in groups.values() for sequence in members})
    if len(distinct) > ALIGNED:
        found = mmseqs.cluster(
            {sequence: sequence for sequence in distinct},
            min_identity=identity,
            min_coverage=CLUSTER_COVERAGE,
            threads=threads,
        )
        return {
            group: len({found[member] for member in members}) for group, members in groups.items()
        }
    alike = _alike(distinct, identity, threads)
    return {group: _greedy(members, alike) for group, members in groups.items()}


def _alike(sequences: Sequence[str], identity: float, threads: int) -> set[tuple[str, str]]:
    """Return the pairs of sequences that may share a cluster, in both orders."""
    named = {sequence: sequence for sequence in sequences}
    hits = mmseqs.search(named, named, threads=threads)
    for column, least in (
        ("identity", identity),
        ("query_coverage", CLUSTER_COVERAGE),
        ("target_coverage", CLUSTER_COVERAGE),
    ):
        hits = hits.filter(pc.greater_equal(hits[column], least))
    pairs = zip(hits["query"].to_pylist(), hits["target"].to_pylist(), strict=True)
    return {pair for one, other in pairs for pair in ((one, other), (other, one))}


def _greedy(members: Sequence[str], alike: set[tuple[str, str]]) -> int:
    """Count clusters by set cover: the sequence that matches most others comes first."""
    left = sorted(set(members), key=lambda s: (-len(s), s))
    clusters = 0
    while left:
        matches = {one: [o for o in left if o == one or (one, o) in alike] for one in left}
        # Of equals the longest, which stands first.
        best = max(left, key=lambda one: len(matches[one]))
        covered = set(matches[best])
        left = [one for one in left if one not in covered]
        clusters += 1
    return clusters
