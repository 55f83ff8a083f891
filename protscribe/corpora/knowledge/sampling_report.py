"""How evenly a way of sampling treats terms, relations and clusters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Numbers = np.ndarray
_DIGITS = 6


def describe_sampling(
    chances: Mapping[str, Numbers],
    drawn: Numbers,
    annotation_of: Numbers,
    relation_of: Numbers,
    *,
    annotations: Sequence[str],
    relations: Sequence[str],
    cluster_sizes: Numbers,
) -> dict[str, Any]:
    """Describe ways to sample triples, exactly from their probabilities, and one sample.

    Parameters
    ----------
    chances
        Name of a way to the probability of each triple, float64 (triples).
    drawn
        How often the chosen way drew each triple, int64 (triples).
    annotation_of, relation_of
        Number of each triple's annotation and relation, int64 (triples).
    annotations, relations
        Their names.
    cluster_sizes
        Proteins in each cluster, int64 (clusters).

    Returns
    -------
    dict
        Counts of triples, annotations, proteins and draws; ``clusters`` with the distribution of
        sizes; ``methods``, name to what is expected of as many draws; ``drawn``, the same for the
        sample. What is expected or found is given ``overall`` and by relation under
        ``relations``: ``share`` of the draws, ``entropy`` of the terms in bits, the commonest
        term as ``top_term`` with ``top_share``, both within the relation, ``distinct_terms`` and
        ``distinct_triples``, how many come up at all.
    """
    draws = int(drawn.sum())
    terms = len(annotations)
    relation_of_term = np.zeros(terms, np.int64)
    relation_of_term[annotation_of] = relation_of

    def by_relation(term: Numbers, term_seen: Numbers, triple_seen: Numbers) -> dict[str, Any]:
        def summary(chosen: Numbers, chosen_triples: Numbers) -> dict[str, Any]:
            return {
                **_spread(term[chosen], [annotations[i] for i in np.flatnonzero(chosen).tolist()]),
                "share": _rounded(term[chosen].sum() / term.sum()),
                "distinct_terms": _rounded(term_seen[chosen].sum()),
                "distinct_triples": _rounded(triple_seen[chosen_triples].sum()),
            }

        return {
            "overall": summary(np.ones(terms, bool), np.ones(len(drawn), bool)),
            "relations": {
                name: summary(relation_of_term == number, relation_of == number)
                for number, name in enumerate(relations)
            },
        }

    methods = {}
    for name, chance in chances.items():
        term = np.bincount(annotation_of, weights=chance, minlength=terms)
        methods[name] = by_relation(term, _seen(term, draws), _seen(chance, draws))
    counts = np.bincount(annotation_of, weights=drawn, minlength=terms)
    return {
        "triples": len(drawn),
        "annotations": terms,
        "proteins": int(cluster_sizes.sum()),
        "draws": draws,
        "clusters": _sizes(cluster_sizes),
        "methods": methods,
        "drawn": by_relation(counts, counts > 0, drawn > 0),
    }


def _spread(weights: Numbers, names: Sequence[str]) -> dict[str, Any]:
    """Return the entropy of a distribution over terms and its commonest term."""
    total = weights.sum()
    if total <= 0:
        return {"entropy": 0.0, "top_term": None, "top_share": 0.0}
    shares = weights / total
    present = shares[shares > 0]
    # Of equally common terms the first by name, whatever the last bit of a sum says.
    top = int(np.flatnonzero(np.isclose(shares, shares.max(), rtol=1e-9, atol=0))[0])
    return {
        "entropy": _rounded(-(present * np.log2(present)).sum()),
        "top_term": names[top],
        "top_share": _rounded(shares[top]),
    }


def _seen(chances: Numbers, draws: int) -> Numbers:
    """Return the probability that each item comes up at least once."""
    with np.errstate(divide="ignore"):
        # A chance of 1 has a logarithm of minus infinity, and comes up for certain.
        return -np.expm1(draws * np.log1p(-np.minimum(chances, 1.0)))


def _sizes(sizes: Numbers) -> dict[str, Any]:
    return {
        "count": len(sizes),
        "of_one": int((sizes == 1).sum()),
        "mean": _rounded(sizes.mean()),
        "median": _rounded(np.median(sizes)),
        "largest": int(sizes.max()),
        "proteins_in_largest_tenth": _rounded(
            np.sort(sizes)[::-1][: -(-len(sizes) // 10)].sum() / sizes.sum()
        ),
    }


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS) + 0.0
