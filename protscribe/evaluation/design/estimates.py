"""From properties of single designs to numbers with intervals."""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from protscribe.evaluation import bootstrap


class Estimate(NamedTuple):
    """A number, its interval and what it was made from; NaN where it cannot be had.

    Parameters
    ----------
    value, low, high
        The number and its 95% interval.
    n
        Designs in it.
    requests
        Requests in it.
    """

    value: float
    low: float
    high: float
    n: int
    requests: int


def mean_of_designs(
    values: np.ndarray,
    membership: np.ndarray,
    draws: np.ndarray | None,
    *,
    resamples: int,
    seed: int,
    exponential: bool = False,
) -> Estimate:
    """Return the mean over designs.

    Parameters
    ----------
    values
        Of each design, NaN where it has none.
    membership
        Number of each design's request.
    draws
        How often each request is in each resample, shape (resamples, requests). None draws the
        designs themselves, for the number of one request.
    resamples, seed
        Of draws of designs.
    exponential
        Whether to give the exponential of the mean, which makes a perplexity of surprisals.
    """
    known = np.isfinite(values)
    values, membership = values[known], membership[known]
    requests = len(np.unique(membership))
    if not len(values):
        return Estimate(np.nan, np.nan, np.nan, 0, 0)
    if draws is None:
        membership = np.arange(len(values))
        draws = _draws(len(values), resamples, seed)
    units = draws.shape[1]
    table = np.column_stack([values, np.ones(len(values))])
    sums = bootstrap.resampled_sums(draws, bootstrap.cluster_sums(table, membership, units))
    means, value = _ratio(sums[:, 0], sums[:, 1]), float(values.mean())
    if exponential:
        means, value = np.exp(means), float(np.exp(value))
    several = len(np.unique(membership)) > 1
    return Estimate(value, *_interval(means, several), len(values), requests)


def mean_of_requests(values: np.ndarray, counts: np.ndarray, draws: np.ndarray) -> Estimate:
    """Return the mean over requests of numbers that are had for a whole request.

    Parameters
    ----------
    values
        Of each request, NaN where it has none.
    counts
        Designs of each request.
    draws
        How often each request is in each resample, shape (resamples, requests).
    """
    known = np.isfinite(values)
    if not known.any():
        return Estimate(np.nan, np.nan, np.nan, 0, 0)
    table = np.column_stack([np.where(known, values, 0.0), known.astype(float)])
    sums = bootstrap.resampled_sums(draws, table)
    means = _ratio(sums[:, 0], sums[:, 1])
    low, high = _interval(means, known.sum() > 1)
    value = float(values[known].mean())
    return Estimate(value, low, high, int(counts[known].sum()), int(known.sum()))


class Rates:
    """How often designs of one request are found to have what another one asks for.

    Parameters
    ----------
    hits
        Shape (designs, requests): 1 where a classifier finds it, NaN where it cannot.
    membership
        Number of the request that each design answers.
    mismatched
        Booleans: row A, column B, as from `agreement.mismatched`.
    """

    def __init__(self, hits: np.ndarray, membership: np.ndarray, mismatched: np.ndarray) -> None:
        requests = len(mismatched)
        self.hits, self.membership = hits, membership
        self.counts = np.bincount(membership, minlength=requests)
        sums = np.zeros((requests, requests))
        np.add.at(sums, membership, np.nan_to_num(hits))
        # Row A, column B: the rate of A among designs that answer B.
        self.table = (sums / np.maximum(self.counts, 1)[:, None]).T
        judged = np.isfinite(hits).all(axis=0) if len(hits) else np.zeros(requests, dtype=bool)
        self.others = mismatched & (self.counts > 0)[None, :]
        self.usable = judged & (self.counts > 0) & self.others.any(axis=1)

    def over(self, members: Iterable[int], draws: np.ndarray) -> dict[str, Estimate]:
        """Return requested, mismatched and gained rates over some requests.

        Each request counts once, whatever the number of its designs. Its mismatched rate is the
        mean over the requests mismatched to it.

        Parameters
        ----------
        members
            Numbers of the requests.
        draws
            How often each of all requests is in each resample; it counts both for what is asked
            and for what it is compared with.
        """
        chosen = np.array([i for i in members if self.usable[i]], dtype=int)
        if not len(chosen):
            return _nothing()
        others = self.others[chosen].astype(float)
        own = self.table[chosen, chosen]
        mismatch = (others * self.table[chosen]).sum(axis=1) / others.sum(axis=1)
        weights = draws.astype(float)
        sums = np.einsum("rb,ab->ra", weights, others * self.table[chosen], optimize=False)
        drawn = _ratio(sums, np.einsum("rb,ab->ra", weights, others, optimize=False))
        # A request that is drawn without any that it could be compared with says nothing.
        used = weights[:, chosen] * np.isfinite(drawn)
        total = used.sum(axis=1)
        requested = _ratio((used * own).sum(axis=1), total)
        compared = _ratio((used * np.nan_to_num(drawn)).sum(axis=1), total)
        n, several = int(self.counts[chosen].sum()), len(chosen) > 1
        parts = {
            "requested": (own.mean(), requested),
            "mismatched": (mismatch.mean(), compared),
            "gain": (own.mean() - mismatch.mean(), requested - compared),
        }
        return {
            name: Estimate(float(value), *_interval(resampled, several), n, len(chosen))
            for name, (value, resampled) in parts.items()
        }

    def of(self, request: int, *, resamples: int, seed: int) -> dict[str, Estimate]:
        """Return the rates of one request, resampling its designs and the mismatched requests."""
        if not self.usable[request]:
            return _nothing()
        hits = self.hits[self.membership == request, request]
        others = np.flatnonzero(self.others[request])
        rates = self.table[request, others]
        drawn = _resampled_mean(hits, resamples, seed)
        compared = _resampled_mean(rates, resamples, seed + 1)
        parts = {
            "requested": (hits.mean(), drawn, len(hits) > 1),
            "mismatched": (rates.mean(), compared, len(others) > 1),
            "gain": (hits.mean() - rates.mean(), drawn - compared, len(hits) > 1),
        }
        return {
            name: Estimate(float(value), *_interval(resampled, several), len(hits), 1)
            for name, (value, resampled, several) in parts.items()
        }


@functools.lru_cache(maxsize=16)
def _draws(units: int, resamples: int, seed: int) -> np.ndarray:
    # All metrics of a request share them.
    return bootstrap.draw_clusters(units, resamples, seed)


def _resampled_mean(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    draws = _draws(len(values), resamples, seed)
    return bootstrap.resampled_sums(draws, values[:, None])[:, 0] / len(values)


def _nothing() -> dict[str, Estimate]:
    none = Estimate(np.nan, np.nan, np.nan, 0, 0)
    return dict.fromkeys(("requested", "mismatched", "gain"), none)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    empty = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, where=denominator > 0, out=empty)


def _interval(resampled: np.ndarray, several: bool) -> tuple[float, float]:
    """Return the interval; none from a single unit, which says nothing about others."""
    known = resampled[np.isfinite(resampled)]
    return bootstrap.interval(known) if several and len(known) else (np.nan, np.nan)
