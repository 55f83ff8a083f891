"""How near designs are to training proteins, by MMseqs2."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.homology import kmers, mmseqs
from protscribe.homology.criterion import first_rows

NO_HIT = "no_hit"
BINS = (NO_HIT, "<30", "30-50", "50-70", "70-90", ">=90")
"""Bins of the largest identity to a training protein, in percent; the upper bound is outside."""
_BOUNDS = (0.3, 0.5, 0.7, 0.9)


class Nearness(NamedTuple):
    """The most similar training protein of a design.

    Parameters
    ----------
    identity
        Of the local alignment, a fraction.
    coverage
        Share of the design that is aligned.
    accession
        The training protein.
    """

    identity: float
    coverage: float
    accession: str


def search(
    queries: Mapping[str, str], targets: Mapping[str, str], *, max_evalue: float, threads: int
) -> pa.Table:
    """Search by `mmseqs.search`, or by its k-mer stage where there are too many pairs to align."""
    every = mmseqs.aligns_every_pair(len(queries), len(targets))
    find = mmseqs.search if every else kmers.search_nearest
    return find(queries, targets, max_evalue=max_evalue, threads=threads)


def find_nearest(
    sequences: Sequence[str],
    training: Mapping[str, str],
    *,
    max_evalue: float,
    min_coverage: float,
    threads: int,
) -> dict[str, Nearness]:
    """Find the training protein with the largest identity to each sequence.

    A short stretch is soon identical, so only hits over enough of the design count. An identical
    training protein is found whatever MMseqs2 says, which is blind for short or simple sequences.

    Parameters
    ----------
    sequences
        Sequences; equal ones are searched once.
    training
        Accession to sequence.
    max_evalue
        Largest E-value of a hit, relative to all training proteins.
    min_coverage
        Least share of the design in the alignment.
    threads
        CPU threads; no influence on the result.

    Returns
    -------
    dict
        By sequence; one without a hit is missing.
    """
    distinct = sorted(set(sequences))
    names = {f"{i}": sequence for i, sequence in enumerate(distinct)}
    hits = search(names, training, max_evalue=max_evalue, threads=threads)
    hits = hits.filter(pc.greater_equal(hits["query_coverage"], min_coverage))
    order = [("query", "ascending"), ("identity", "descending"), ("bits", "descending")]
    best = first_rows(hits.sort_by([*order, ("target", "ascending")]), "query").to_pylist()
    found = {
        names[hit["query"]]: Nearness(hit["identity"], hit["query_coverage"], hit["target"])
        for hit in best
    }
    wanted = set(distinct)
    for accession in sorted(training, reverse=True):
        if training[accession] in wanted:
            found[training[accession]] = Nearness(1.0, 1.0, accession)
    return found


def novelty_bin(nearest: Nearness | None) -> str:
    """Return the bin of `BINS` that a design falls into."""
    if nearest is None:
        return NO_HIT
    return BINS[1 + sum(nearest.identity >= bound for bound in _BOUNDS)]
