"""Intervals that know that proteins of one family are not independent.

Whole homology clusters are drawn with replacement (the cluster or block bootstrap), and an
interval is cut from the percentiles of the resampled values. Every predictor of a fold sees
the same draws, so that differences between predictors are paired.
"""

import numpy as np

from protscribe.errors import InputError

LEVEL = 0.95
"""Share of the resampled values inside an interval."""

MIN_CLUSTERS = 30
"""With fewer clusters an interval is too unsure to conclude from."""


def draw_clusters(clusters: int, resamples: int, seed: int) -> np.ndarray:
    """Return how often each cluster is in each resample.

    Parameters
    ----------
    clusters
        Number of clusters; each resample draws as many.
    resamples
        Number of resamples.
    seed
        Seed of the draws.

    Returns
    -------
    numpy.ndarray
        Integers of shape (resamples, clusters); each row sums to `clusters`.

    Raises
    ------
    InputError
        If there is nothing to draw from.
    """
    if clusters < 1 or resamples < 1:
        raise InputError(
            f"cannot draw {resamples} resamples of {clusters} clusters: both must be at least 1"
        )
    rng = np.random.default_rng(seed)
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)


def cluster_sums(values: np.ndarray, membership: np.ndarray, clusters: int) -> np.ndarray:
    """Add up the rows of each cluster.

    Parameters
    ----------
    values
        Shape (rows, columns).
    membership
        Cluster number of each row, shape (rows,).
    clusters
        Number of clusters.

    Returns
    -------
    numpy.ndarray
        Shape (clusters, columns), of the type of `values`.
    """
    sums = np.zeros((clusters, values.shape[1]), dtype=values.dtype)
    np.add.at(sums, membership, values)
    return sums


def resampled_sums(draws: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Return the column sums of each resample, shape (resamples, columns)."""
    # Not a BLAS product: its order of summation depends on the number of threads.
    return np.einsum("rc,ck->rk", draws, sums, optimize=False)


def resampled_means(
    draws: np.ndarray, values: np.ndarray, membership: np.ndarray, clusters: int
) -> np.ndarray:
    """Return the mean over the drawn rows in each resample, shape (resamples, columns)."""
    with_count = np.column_stack([values, np.ones(len(values))])
    sums = resampled_sums(draws, cluster_sums(with_count, membership, clusters))
    return sums[:, :-1] / sums[:, -1:]


def interval(resampled: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval of resampled values, shape (resamples,)."""
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)
