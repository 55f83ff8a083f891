"""Negatives that keep every degree."""

import random
from collections import Counter

from protscribe.evaluation.classification.swaps import swap_negatives


def zipf_pairs(proteins, terms, each, seed=0):
    rng = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(terms)]
    pairs = {
        (f"P{protein}", f"T{term}")
        for protein in range(proteins)
        for term in rng.choices(range(terms), weights, k=each)
    }
    return sorted(pairs)


def swap(pairs, seed=0, forbidden=None):
    known = set(pairs)
    return swap_negatives(
        [protein for protein, _ in pairs],
        [term for _, term in pairs],
        forbidden or (lambda protein, term: (protein, term) in known),
        seed=seed,
    )


def test_degrees_are_kept_and_nothing_is_asked_twice():
    pairs = zipf_pairs(300, 200, 5)
    found = swap(pairs)
    kept = [(pair, term) for pair, term in zip(pairs, found, strict=True) if term is not None]
    assert len(kept) > 0.9 * len(pairs)
    assert Counter(term for (_, term), _ in kept) == Counter(term for _, term in kept)
    negatives = [(protein, term) for (protein, _), term in kept]
    assert len(set(negatives)) == len(negatives)
    assert not set(negatives) & set(pairs)


def test_what_is_forbidden_is_no_negative():
    pairs = zipf_pairs(100, 50, 3)
    known = set(pairs)

    def forbidden(protein, term):
        return (protein, term) in known or (int(protein[1:]) + int(term[1:])) % 3 == 0

    found = swap(pairs, forbidden=forbidden)
    assert sum(term is not None for term in found) > 100
    assert not any(
        term is not None and forbidden(protein, term)
        for (protein, _), term in zip(pairs, found, strict=True)
    )


def test_a_pair_without_a_partner_is_given_up():
    # Everybody has T0, so nobody can have it as a negative.
    pairs = sorted({(f"P{i}", "T0") for i in range(6)} | {(f"P{i}", f"T{i}") for i in range(1, 6)})
    found = dict(zip(pairs, swap(pairs), strict=True))
    assert all(found[f"P{i}", "T0"] is None for i in range(6))
    assert sum(term is not None for term in found.values()) >= 4
    assert swap([]) == []


def test_the_seed_decides():
    pairs = zipf_pairs(100, 50, 3)
    assert swap(pairs, seed=1) == swap(pairs, seed=1) != swap(pairs, seed=2)


def test_many_pairs_are_swapped_by_trying_some_partners():
    pairs = zipf_pairs(1500, 800, 3)
    assert len(pairs) > 2000
    found = swap(pairs)
    assert sum(term is not None for term in found) > 0.95 * len(pairs)
