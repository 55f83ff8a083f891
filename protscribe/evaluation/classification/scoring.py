"""Metrics of answers by likelihood, for a sample and for many weighted resamples of it at once.

Everything here is computed from arrays of one row per question and one column per option, padded
with NaN where a question has fewer options.
"""

from typing import NamedTuple

import numpy as np

from protscribe.evaluation import bootstrap

SUM, AVERAGE, PMI = "sum", "average", "pmi"
METHODS = (SUM, AVERAGE, PMI)
DEFAULT_METHOD = PMI
"""The method whose metrics have no suffix.

A language model likes some words better than others whatever it is asked about: "yes" better than
"no", "nucleus" better than "peroxisome", short options better than long ones. PMI (Holtzman et al.,
EMNLP 2021) takes off the log-likelihood of the same option after the same question without the
protein, so that what is left comes from the protein. It is what contextual calibration (Zhao et
al., ICML 2021) does to the order of options if its empty input is the prompt without a protein.
Where classes differ in frequency it also takes off what the model rightly knows of that, which the
averages beside it keep.
"""
BINS = 15
"""Bins of equal width for the calibration error."""
_DECIMALS = 6
"""Decimals of a score: what differs by less is a tie."""
_CELLS = 20_000_000


class Resamples(NamedTuple):
    """Draws of clusters; see `protscribe.evaluation.bootstrap`.

    Parameters
    ----------
    membership
        Cluster number of each question, shape (questions,).
    draws
        How often each cluster is in each resample, shape (resamples, clusters).
    """

    membership: np.ndarray
    draws: np.ndarray

    @property
    def clusters(self) -> int:
        """Number of clusters."""
        return self.draws.shape[1]

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return column sums over the sample (row 0) and each resample (the rows after it)."""
        of_cluster = bootstrap.cluster_sums(values, self.membership, self.clusters)
        return np.vstack([of_cluster.sum(axis=0), bootstrap.resampled_sums(self.draws, of_cluster)])


def method_scores(
    method: str, likelihoods: np.ndarray, tokens: np.ndarray, priors: np.ndarray | None
) -> np.ndarray | None:
    """Return what options are compared by, shape (questions, options).

    Parameters
    ----------
    method
        `SUM` of the log-likelihoods of an option's tokens, their `AVERAGE`, or `PMI`, the sum
        less that of the same option without the protein.
    likelihoods, tokens, priors
        As in table ``option_scores``, shape (questions, options); priors may be None.

    Returns
    -------
    numpy.ndarray or None
        None for PMI without priors.
    """
    if method == PMI:
        return None if priors is None else (likelihoods - priors).round(_DECIMALS)
    return (likelihoods / tokens if method == AVERAGE else likelihoods).round(_DECIMALS)


def chosen(scores: np.ndarray) -> np.ndarray:
    """Return how much of the choice falls to each option: equal shares to the best ones."""
    best = scores == np.nanmax(scores, axis=1, keepdims=True)
    return best / best.sum(axis=1, keepdims=True)


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Return the softmax over the options of each question; 0 where there is no option."""
    weights = np.exp(scores - np.nanmax(scores, axis=1, keepdims=True))
    weights = np.where(np.isnan(weights), 0.0, weights)
    return weights / weights.sum(axis=1, keepdims=True)


def accuracy(scores: np.ndarray, truth: np.ndarray, resamples: Resamples) -> np.ndarray:
    """Return the share of questions answered rightly, shape (1 + resamples,).

    Of k equally good options, each counts as chosen one k-th; any of several true ones is right.

    Parameters
    ----------
    scores
        Shape (questions, options).
    truth
        Which options are right, of the same shape.
    resamples
        Draws.
    """
    right = (chosen(scores) * truth).sum(axis=1)
    sums = resamples.sums(np.column_stack([right, np.ones(len(right))]))
    return sums[:, 0] / sums[:, 1]


def macro_f1(scores: np.ndarray, truth: np.ndarray, resamples: Resamples) -> np.ndarray:
    """Return the mean F1 of the options that are ever right, shape (1 + resamples,).

    With several true options a right answer misses none of them, and a wrong one misses them all;
    an option that was neither found nor missed nor wrongly chosen is left out. Parameters are those
    of `accuracy`.
    """
    picked = chosen(scores)
    right = (picked * truth).sum(axis=1, keepdims=True)
    hits = resamples.sums(picked * truth)
    false = resamples.sums(picked * ~truth)
    missed = resamples.sums(truth * (1 - right))
    denominators = 2 * hits + false + missed
    # A class that no resampled question has says nothing there.
    present = (resamples.sums(truth.astype(float)) > 0) & (denominators > 0)
    f1 = np.divide(2 * hits, denominators, out=np.zeros_like(hits), where=denominators > 0)
    return (f1 * present).sum(axis=1) / present.sum(axis=1)


def calibration_error(scores: np.ndarray, truth: np.ndarray, resamples: Resamples) -> np.ndarray:
    """Return the expected calibration error, shape (1 + resamples,).

    The confidence of an answer is the softmax of its score; the mean of the gaps between
    confidence and accuracy in `BINS` bins of equal width is weighted by the bins' questions (Guo
    et al., ICML 2017). Parameters are those of `accuracy`.
    """
    confidence = probabilities(scores).max(axis=1)
    right = (chosen(scores) * truth).sum(axis=1)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.zeros((len(bins), BINS))
    gaps[np.arange(len(bins)), bins] = right - confidence
    sums = resamples.sums(np.column_stack([gaps, np.ones(len(bins))]))
    return np.abs(sums[:, :-1]).sum(axis=1) / sums[:, -1]


def average_precision(
    scores: np.ndarray,
    positive: np.ndarray,
    resamples: Resamples,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Return the area under the precision-recall curve, shape (1 + resamples,).

    It is the step-wise one (average precision): the precision at each distinct score, weighted by
    the positives that have it. Equal scores stand at one place of the ranking.

    Parameters
    ----------
    scores
        Higher means likelier positive, shape (questions,).
    positive
        Which are, shape (questions,).
    resamples
        Draws.
    groups
        Number of each question's group: then the areas of the groups that have positives and
        negatives are averaged. By default all questions are one group.

    Returns
    -------
    numpy.ndarray
        NaN where no group has both.
    """
    groups = np.zeros(len(scores), dtype=int) if groups is None else groups
    order = np.lexsort((-scores, groups))
    scores, positive, groups = scores[order], positive[order], groups[order]
    membership = resamples.membership[order]
    new_group = np.diff(groups) != 0
    # The last question of each run of equal scores, and the first run of each group.
    ends = np.flatnonzero(np.append(new_group | (np.diff(scores) != 0), True))
    starts = np.flatnonzero(np.append(True, np.diff(groups[ends]) != 0))
    run_group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(ends))))
    # Small integers: sums of 100,000 questions in 1,000 resamples are bound by memory.
    draws = np.vstack([np.ones(resamples.clusters), resamples.draws]).astype(np.int32)
    step = max(1, _CELLS // len(scores))
    areas = []
    for first in range(0, len(draws), step):
        weights = draws[first : first + step].take(membership, axis=1)
        hits = np.cumsum(weights * positive, axis=1, dtype=np.int32)
        seen = np.cumsum(weights, axis=1, dtype=np.int32)
        if len(ends) < len(scores):
            hits, seen = hits.take(ends, axis=1), seen.take(ends, axis=1)
        gained = np.diff(hits, axis=1, prepend=0)
        if len(starts) > 1:
            # Counts of a group begin after the last of the group before.
            for counts in (hits, seen):
                before = np.where(starts > 0, counts.take(starts - 1, axis=1), 0)
                counts -= before.take(run_group, axis=1)
        precision = np.divide(hits, seen, out=np.zeros(hits.shape), where=seen > 0)
        area = np.add.reduceat(gained * precision, starts, axis=1)
        last = np.append(starts[1:], len(ends)) - 1
        both = (hits[:, last] > 0) & (seen[:, last] > hits[:, last])
        area = np.divide(area, hits[:, last], out=np.zeros_like(area), where=both)
        count = both.sum(axis=1)
        areas.append(
            np.divide(area.sum(axis=1), count, out=np.full(len(area), np.nan), where=count > 0)
        )
    return np.concatenate(areas)
