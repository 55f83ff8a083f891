"""Losses of alignment, in float32 whatever the precision around them."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def paired_vectors(mean: Tensor, std: Tensor, pooling: Sequence[str], loss: str) -> list[Tensor]:
    """Turn pooled means and deviations into the unit vectors that each loss term compares.

    Parameters
    ----------
    mean, std
        Shape (rows, width) each.
    pooling
        Which of ``mean`` and ``std`` count.
    loss
        ``concat`` joins them into one vector and norms that, as the published code of
        Prot2Text-V2 does; ``two_term`` norms each for a term of its own, as its figure shows.

    Returns
    -------
    list of Tensor
        One tensor of unit rows per term.
    """
    parts = [{"mean": mean, "std": std}[part].float() for part in pooling]
    joined = [torch.cat(parts, dim=-1)] if loss == "concat" else parts
    return [F.normalize(vectors, dim=-1) for vectors in joined]


def info_nce(
    queries: Tensor,
    candidates: Tensor,
    targets: Tensor,
    temperature: Tensor | float,
    excluded: Tensor | None = None,
) -> Tensor:
    """InfoNCE of van den Oord et al. (2018), summed over the queries.

    Through `log_softmax`, so that it neither overflows nor underflows at cosine 1.

    Parameters
    ----------
    queries, candidates
        Unit vectors, shapes (n, width) and (m, width).
    targets
        Index of each query's partner among the candidates, shape (n,).
    temperature
        What cosines are divided by.
    excluded
        True where a candidate is to have no weight for a query, shape (n, m). A query's own
        partner always counts.

    Returns
    -------
    Tensor
        float32 scalar: the sum over queries of ``-log softmax(cosines / temperature)`` at
        the partner.
    """
    logits = queries.float() @ candidates.float().T / temperature
    if excluded is not None:
        partner = F.one_hot(targets, len(candidates)).bool()
        logits = logits.masked_fill(excluded & ~partner, float("-inf"))
    return F.cross_entropy(logits, targets, reduction="sum")
