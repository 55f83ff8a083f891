"""The one way that sequences, texts and examples are put into batches."""

from collections.abc import Sequence

import numpy as np

from protscribe.errors import InputError


def token_budget_batches(
    lengths: Sequence[int],
    *,
    max_tokens: int,
    max_items: int | None = None,
    shuffle_seed: int | None = None,
) -> list[list[int]]:
    """Group items of like length so that no padded batch exceeds a token budget.

    Items are sorted by length, longest first, so that the first batch shows at once
    whether the memory suffices. With a seed, items of nearly equal length change places
    (lengths are jittered by up to 10%) and the batches come in random order.

    Parameters
    ----------
    lengths
        Tokens of each item.
    max_tokens
        Largest allowed ``items * longest item`` of a batch.
    max_items
        Largest allowed number of items in a batch.
    shuffle_seed
        Seed of the order; None keeps the order by length.

    Returns
    -------
    list of list of int
        Indices into `lengths`; each index exactly once, whatever the budget.

    Raises
    ------
    InputError
        If one item alone exceeds the budget.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    if len(sizes) == 0:
        return []
    if max_tokens < sizes.max():
        raise InputError(
            f"an item of {sizes.max()} tokens does not fit into batches of {max_tokens}: "
            "raise the token budget or lower the maximum length"
        )
    rng = None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
    key = sizes.astype(np.float64)
    if rng is not None:
        key = key * rng.uniform(0.9, 1.0, len(sizes))
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = 0
    for index in np.argsort(-key, kind="stable").tolist():
        longest_with = max(longest, int(sizes[index]))
        full = max_items is not None and len(batch) >= max_items
        if batch and (full or longest_with * (len(batch) + 1) > max_tokens):
            batches.append(batch)
            batch, longest_with = [], int(sizes[index])
        batch.append(index)
        longest = longest_with
    batches.append(batch)
    if rng is not None:
        batches = [batches[i] for i in rng.permutation(len(batches))]
    return batches


def padding_fraction(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """Return the share of positions that are padding when each batch is padded to its longest."""
    used = sum(lengths[i] for batch in batches for i in batch)
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    return 1 - used / padded if padded else 0.0
