"""Negatives by swaps that keep degrees: every protein and every term as often as in the positives.

The benchmarks of InstructProtein draw negative terms from the whole ontology, so that a term that
is frequent at all is nearly always the right one. Here the negatives are another bipartite graph
of the same proteins and terms with the same degrees, reached from the positives by double-edge
swaps (Maslov and Sneppen, Science 2002): (p, t) and (q, u) become (p, u) and (q, t). Whatever is
said by the term alone, or by the protein's number of questions, is then as often wrong as right.
"""

from collections.abc import Callable, Sequence

import numpy as np

_TRIES = 2000
"""Partners that are tried for an edge before it is given up."""


def swap_negatives(
    proteins: Sequence[str],
    terms: Sequence[str],
    forbidden: Callable[[str, str], bool],
    *,
    seed: int,
) -> list[str | None]:
    """Return a negative term for each positive pair of protein and term.

    A swap is made only if both new pairs may be asked, so pairs that were never swapped are
    positives of their own: to drop such a positive keeps all degrees equal.

    Parameters
    ----------
    proteins, terms
        The positive pairs; each pair stands there once.
    forbidden
        Whether a protein may not have a term as a negative; true for all positive pairs.
    seed
        Seed of the partners.

    Returns
    -------
    list of str or None
        For each pair the negative term of its protein, None where no swap was found. Over the
        others, each term is a negative exactly as often as a positive.
    """
    count = len(proteins)
    current: list[str] = list(terms)
    swapped = [False] * count
    # A protein must not be asked twice about a term.
    held = set(zip(proteins, terms, strict=True))
    rng = np.random.default_rng(seed)

    def allowed(protein: str, term: str) -> bool:
        return (protein, term) not in held and not forbidden(protein, term)

    for first in rng.permutation(count).tolist():
        if swapped[first]:
            continue
        for second in _partners(rng, count):
            one, other = proteins[first], proteins[second]
            old, new = current[first], current[second]
            if one == other or old == new or not allowed(one, new) or not allowed(other, old):
                continue
            held -= {(one, old), (other, new)}
            held |= {(one, new), (other, old)}
            current[first], current[second] = new, old
            swapped[first] = swapped[second] = True
            break
    return [term if done else None for term, done in zip(current, swapped, strict=True)]


def _partners(rng: np.random.Generator, count: int) -> list[int]:
    """Return partners to try, in random order: all of a few, some of many."""
    if count <= _TRIES:
        return rng.permutation(count).tolist()
    return rng.integers(0, count, size=_TRIES).tolist()
