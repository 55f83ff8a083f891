"""Mean and standard deviation over tokens: the one readout of proteins and texts alike."""

import torch
from torch import Tensor

VARIANCE_EPSILON = 1e-12
"""Added to the variance: keeps the gradient of the root finite where all tokens are equal.

It moves a standard deviation by at most 1e-6, and one above 1e-3 by less than float32 resolves.
"""


def pooled(hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the population standard deviation over the tokens of each row.

    This is the readout of H-SCALE in Prot2Text-V2, whose published code has no epsilon and
    therefore a NaN gradient at zero variance. Differentiable; computed in float32 whatever
    the type of `hidden`.

    Parameters
    ----------
    hidden
        Token vectors, shape (rows, tokens, dimensions).
    mask
        True or 1 where a token counts, shape (rows, tokens). Values elsewhere never matter,
        not even where they are NaN. A row without tokens gives zeros.

    Returns
    -------
    mean, std
        float32, shape (rows, dimensions) each.
    """
    keep = mask.to(torch.bool).unsqueeze(-1)
    hidden = hidden.float().masked_fill(~keep, 0.0)
    count = keep.sum(dim=1).clamp(min=1)
    mean = hidden.sum(dim=1) / count
    deviation = (hidden - mean.unsqueeze(1)).masked_fill(~keep, 0.0)
    variance = deviation.square().sum(dim=1) / count
    return mean, (variance + VARIANCE_EPSILON).sqrt()
