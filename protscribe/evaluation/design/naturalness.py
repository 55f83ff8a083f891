"""How surprising a sequence is to a model of k-mers, and new sequences out of that model."""

from collections.abc import Sequence

import numpy as np

from protscribe.errors import InputError
from protscribe.seeds import unit_hash

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
"""The twenty residues that a designed protein may have."""
MAX_ORDER = 8
STRENGTHS = tuple(float(2**power) for power in range(25))
"""Strengths that a length of context may have; the last one all but switches it off."""
_ASIDE = 0.2
"""Share of the groups that strengths are chosen on."""
_OTHER = len(RESIDUES)
_START = _OTHER + 1
_SYMBOLS = _START + 1
_OUTCOMES = _OTHER + 1
_CHUNK = 4_000_000
"""Residues that are counted at once."""
Gram = tuple[np.ndarray, np.ndarray]
"""Numbers of stretches, sorted, and how often each was seen."""
_CODES = np.full(256, _OTHER, dtype=np.int64)
_CODES[np.frombuffer(RESIDUES.encode(), dtype=np.uint8)] = np.arange(len(RESIDUES))


class KmerModel:
    """An interpolated Markov model of protein sequences.

    A residue's probability given the `order` residues before it is mixed with that given one
    fewer, down to a uniform one, as in a hierarchical Dirichlet language model (MacKay and Peto,
    Natural Language Engineering 1995): with n counts after a context, p = (n(context, residue) +
    a p') / (n(context) + a). Thus a context that was seen often is trusted, and one that was never
    seen says nothing. The strength a of each length of context is the one that predicts best what
    was set aside: whole groups, since homologues in both parts would make long contexts look
    better than they are for new proteins. (Rules that take the strength from the counts alone,
    such as Witten and Bell's, trust rare contexts too much: on a few hundred proteins they predict
    worse than residue frequencies do.) All sequences are counted in the end.

    Contexts know where a protein begins. Letters other than the twenty residues count as one
    further residue.

    Parameters
    ----------
    sequences
        What to learn from.
    order
        Residues of a context, 0 to `MAX_ORDER`: 3 makes a model of 4-mers.
    groups
        Homology cluster of each sequence; by default each has its own.

    Raises
    ------
    InputError
        If there is nothing to learn from or the order is out of range.
    """

    def __init__(
        self, sequences: Sequence[str], order: int, groups: Sequence[str] | None = None
    ) -> None:
        if not 0 <= order <= MAX_ORDER:
            raise InputError(f"the order of a k-mer model is {order}; it must be 0 to {MAX_ORDER}")
        if not any(sequences):
            raise InputError("a k-mer model needs at least one training sequence")
        self.order = order
        names = [f"{i}" for i in range(len(sequences))] if groups is None else groups
        aside = [unit_hash(0, name) < _ASIDE for name in names]
        parts = {
            held: [s for s, out in zip(sequences, aside, strict=True) if out == held]
            for held in (False, True)
        }
        self._use(_count(parts[False], order))
        self.strengths = self._fit(parts[True])
        self._use(
            [_merged([*both]) for both in zip(self._grams, _count(parts[True], order), strict=True)]
        )

    def surprisal(self, sequences: Sequence[str]) -> np.ndarray:
        """Return the mean negative log-likelihood of each sequence's residues.

        Its exponential is the perplexity: 20 for residues drawn evenly, less for natural ones.

        Parameters
        ----------
        sequences
            Any letters.

        Returns
        -------
        numpy.ndarray
            Natural log units per residue, shape (sequences,); NaN for an empty sequence.
        """
        values = [np.empty(0)]
        for chunk in _chunks(sequences):
            stream, places = _stream(chunk, self.order)
            keys = [_keys(stream, places, length) for length in range(self.order + 1)]
            losses = -np.log(self._mixed(keys))
            lengths = np.array([len(sequence) for sequence in chunk])
            # Summed one by one, so that a sequence's value does not depend on those before it.
            ends = np.cumsum(lengths)
            sums = [losses[e - n : e].sum() for e, n in zip(ends, lengths, strict=True)]
            known = lengths > 0
            values.append(np.where(known, sums / np.where(known, lengths, 1), np.nan))
        return np.concatenate(values)

    def sample(self, lengths: Sequence[int], seeds: Sequence[int]) -> list[str]:
        """Draw sequences of given lengths from the twenty residues.

        Parameters
        ----------
        lengths, seeds
            Of each sequence; its residues depend on nothing else.
        """
        width = max(lengths, default=0)
        points = np.zeros((len(lengths), width))
        for row, (length, seed) in enumerate(zip(lengths, seeds, strict=True)):
            points[row, :length] = np.random.default_rng(seed).random(length)
        written = np.full((len(lengths), self.order + width), _START, dtype=np.int64)
        for step in range(width):
            before = written[:, step : step + self.order]
            shares = self._distributions(before)[:, : len(RESIDUES)].cumsum(axis=1)
            below = (shares <= points[:, step, None] * shares[:, -1:]).sum(axis=1)
            written[:, self.order + step] = np.minimum(below, len(RESIDUES) - 1)
        letters = np.frombuffer(RESIDUES.encode() + b"XX", dtype=np.uint8)[written[:, self.order :]]
        return [
            row[:length].tobytes().decode() for row, length in zip(letters, lengths, strict=True)
        ]

    def _distributions(self, before: np.ndarray) -> np.ndarray:
        """Return the probability of each outcome after contexts, shape (rows, outcomes)."""
        outcomes = np.arange(_OUTCOMES)
        keys = [
            _number(before[:, self.order - length :])[:, None] * _SYMBOLS + outcomes
            for length in range(self.order + 1)
        ]
        return self._mixed([part.ravel() for part in keys]).reshape(len(before), _OUTCOMES)

    def _use(self, grams: Sequence[Gram]) -> None:
        self._grams = grams
        self._contexts = [_contexts(*gram) for gram in grams]

    def _counts(self, length: int, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how often grams of `length` + 1 were seen, and their contexts."""
        numbers, totals = self._contexts[length]
        return _look_up(*self._grams[length], keys), _look_up(numbers, totals, keys // _SYMBOLS)

    def _mixed(self, keys: Sequence[np.ndarray]) -> np.ndarray:
        probability = np.full(len(keys[0]), 1 / _OUTCOMES)
        for length, (key, strength) in enumerate(zip(keys, self.strengths, strict=True)):
            count, total = self._counts(length, key)
            probability = (count + strength * probability) / (total + strength)
        return probability

    def _fit(self, sequences: Sequence[str]) -> list[float]:
        """Return the strength of each length of context, chosen on what was not counted."""
        chunk = next(iter(_chunks(sequences)), [])
        stream, places = _stream(chunk, self.order)
        if not len(places):
            return [float(_OUTCOMES)] * (self.order + 1)
        probability = np.full(len(places), 1 / _OUTCOMES)
        chosen = []
        for length in range(self.order + 1):
            count, total = self._counts(length, _keys(stream, places, length))
            found = [(count + a * probability) / (total + a) for a in STRENGTHS]
            best = int(np.argmax([np.log(one).sum() for one in found]))
            chosen.append(STRENGTHS[best])
            probability = found[best]
        return chosen


def _count(sequences: Sequence[str], order: int) -> list[Gram]:
    """Count all stretches of 1 to `order` + 1 symbols that end in a residue."""
    counted: list[list[Gram]] = [[] for _ in range(order + 1)]
    for chunk in _chunks(sequences):
        stream, places = _stream(chunk, order)
        for length in range(order + 1):
            keys = _keys(stream, places, length)
            counted[length].append(np.unique(keys, return_counts=True))
    return [_merged(parts) for parts in counted]


def _chunks(sequences: Sequence[str]) -> list[list[str]]:
    chunks: list[list[str]] = []
    size = _CHUNK
    for sequence in sequences:
        if size >= _CHUNK:
            chunks.append([])
            size = 0
        chunks[-1].append(sequence)
        size += len(sequence)
    return chunks


def _stream(sequences: Sequence[str], order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all sequences as numbers, `order` starts before each, and the residues' places."""
    pad = "\x00" * order
    # What is not Latin is one unknown letter, as any other that is no residue.
    text = pad + pad.join(sequences)
    raw = np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8)
    stream = np.where(raw == 0, _START, _CODES[raw])
    return stream, np.flatnonzero(raw)


def _keys(stream: np.ndarray, places: np.ndarray, length: int) -> np.ndarray:
    """Return one number for each residue together with the `length` symbols before it."""
    keys = np.zeros(len(places), dtype=np.int64)
    for back in range(length, -1, -1):
        keys = keys * _SYMBOLS + stream[places - back]
    return keys


def _number(symbols: np.ndarray) -> np.ndarray:
    numbers = np.zeros(len(symbols), dtype=np.int64)
    for column in range(symbols.shape[1]):
        numbers = numbers * _SYMBOLS + symbols[:, column]
    return numbers


def _merged(parts: Sequence[Gram]) -> Gram:
    keys = np.concatenate([np.empty(0, dtype=np.int64), *(part[0] for part in parts)])
    numbers, inverse = np.unique(keys, return_inverse=True)
    counts = np.zeros(len(numbers), dtype=np.int64)
    np.add.at(counts, inverse, np.concatenate([np.empty(0, np.int64), *(p[1] for p in parts)]))
    return numbers, counts


def _contexts(keys: np.ndarray, counts: np.ndarray) -> Gram:
    """Return contexts and how often each was seen before any residue."""
    numbers, first = np.unique(keys // _SYMBOLS, return_index=True)
    return numbers, np.add.reduceat(counts, first) if len(first) else counts


def _look_up(numbers: np.ndarray, counts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    if not len(numbers):
        return np.zeros(len(wanted), dtype=np.int64)
    place = np.minimum(np.searchsorted(numbers, wanted), len(numbers) - 1)
    return np.where(numbers[place] == wanted, counts[place], 0)
