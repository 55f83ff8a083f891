"""Length, residues and low complexity of sets of sequences."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from protscribe.evaluation.design.naturalness import RESIDUES

WINDOW = 12
"""Residues of a window, as in SEG (Wootton and Federhen, Computers and Chemistry 1993)."""
LOW_BITS = 2.2
"""Entropy up to which SEG takes a window for one of low complexity."""

EMPTY = "empty"
NOT_CLOSED = "not_closed"
LETTER = "letter"
SHORT = "short"
LONG = "long"
"""Why a design is not valid."""

_PLACES = np.full(256, -1)
_PLACES[np.frombuffer(RESIDUES.encode(), dtype=np.uint8)] = np.arange(len(RESIDUES))


def invalid_reason(
    sequence: str, *, closed: bool, min_residues: int, max_residues: int
) -> str | None:
    """Return the first reason why a design is no protein, None if it is one."""
    if not sequence:
        return EMPTY
    if not closed:
        return NOT_CLOSED
    if set(sequence) - set(RESIDUES):
        return LETTER
    if len(sequence) < min_residues:
        return SHORT
    return LONG if len(sequence) > max_residues else None


def window_entropy(sequence: str) -> tuple[float, float]:
    """Return the mean entropy of a sequence's 12-mers and its share of low complexity.

    Parameters
    ----------
    sequence
        Letters other than the twenty residues count as no residue.

    Returns
    -------
    float, float
        Bits, at most log2(12); and the share of residues in a window of at most `LOW_BITS`. NaN
        where the sequence is shorter than a window.
    """
    if len(sequence) < WINDOW:
        return float("nan"), float("nan")
    table = np.zeros((len(sequence) + 1, len(RESIDUES)))
    places = _numbers(sequence)
    known = np.flatnonzero(places >= 0)
    table[known + 1, places[known]] = 1
    sums = table.cumsum(axis=0)
    shares = (sums[WINDOW:] - sums[:-WINDOW]) / WINDOW
    logs = np.log2(shares, where=shares > 0, out=np.zeros_like(shares))
    entropy = -(shares * logs).sum(axis=1)
    low = np.zeros(len(sequence), dtype=bool)
    for start in np.flatnonzero(entropy <= LOW_BITS):
        low[start : start + WINDOW] = True
    return float(entropy.mean()), float(low.mean())


def composition(sequences: Sequence[str]) -> np.ndarray:
    """Return how often each of the twenty residues is in sequences, shape (20,)."""
    places = _numbers("".join(sequences))
    return np.bincount(places[places >= 0], minlength=len(RESIDUES)).astype(float)


def composition_distance(own: np.ndarray, other: np.ndarray) -> float:
    """Return the Jensen-Shannon divergence of two compositions, in bits from 0 to 1."""
    return float(jensenshannon(own, other, base=2) ** 2)


def length_distances(own: Sequence[int], other: Sequence[int]) -> tuple[float, float]:
    """Return Wasserstein's distance of two sets of lengths, in residues, and Kolmogorov's."""
    grid = np.union1d(own, other)
    shares = [np.searchsorted(np.sort(one), grid, side="right") / len(one) for one in (own, other)]
    return float(wasserstein_distance(own, other)), float(np.abs(shares[0] - shares[1]).max())


def _numbers(sequence: str) -> np.ndarray:
    return _PLACES[np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)]
