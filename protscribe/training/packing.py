"""Token sequences of any length in rows of one length: next to no padding, nothing lost.

Documents of a row do not see each other: attention is block-diagonal, positions restart, and the
first token of a document is no label, because nothing of its own stands before it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from protscribe.errors import InputError
from protscribe.seeds import derive_seed

IGNORED = -100
"""Label of a position without a loss, as transformers and torch have it."""
WINDOW = 131_072
"""Pieces that are packed together: enough to fill rows, few enough to stay fast."""


class Piece(NamedTuple):
    """Tokens ``start`` to ``end`` (exclusive) of a document, as they stand together in a row."""

    document: int
    start: int
    end: int


class PackedBatch(NamedTuple):
    """What a causal language model of transformers takes, under its own names.

    All are of shape (rows, width), but the mask, true where a position may look, is of shape
    (rows, 1, width, width).
    """

    input_ids: torch.Tensor
    labels: torch.Tensor
    position_ids: torch.Tensor
    attention_mask: torch.Tensor


class Epoch(NamedTuple):
    """Documents of several corpora in one order, and how often each corpus is gone through.

    A corpus with 2.5 passes is repeated, and half of its tokens come a third time; one with 0.4
    is cut.
    """

    order: list[tuple[str, int]]
    passes: dict[str, float]


def windows(length: int, width: int) -> list[tuple[int, int]]:
    """Cut a document into pieces of `width` tokens and a shorter last one.

    A last piece of a single token would hold no label, so it gets a second one from the piece
    before it.

    Parameters
    ----------
    length
        Tokens of the document.
    width
        Most tokens of a piece.

    Returns
    -------
    list of tuple of int
        Start and end (exclusive) of each piece, in order; every token is in exactly one.

    Raises
    ------
    InputError
        If rows are too narrow to hold a token and its label.
    """
    if width < 2:
        raise InputError(f"rows of {width} tokens predict nothing; they need at least 2")
    edges = [*range(0, length, width), length]
    if length > width > 2 and length % width == 1:
        edges[-2] -= 1
    return list(pairwise(edges))


def pack(
    lengths: Sequence[int], width: int, *, seed: int, window: int = WINDOW
) -> list[list[Piece]]:
    """Put documents into rows by best fit, the longest first.

    Each piece goes to the row that it fills best (best-fit decreasing, whose rows are at most 11/9
    of the fewest possible). A bit for each amount of free room makes that a matter of
    constant time, so that the sorting costs most: n log n.

    Parameters
    ----------
    lengths
        Tokens of each document; one longer than `width` is cut by `windows`, one without tokens
        is left out.
    width
        Tokens of a row.
    seed
        Of the order of rows, and of which documents come together.
    window
        Pieces that are packed together.

    Returns
    -------
    list of list of Piece
        Rows of at most `width` tokens; every token of every document in exactly one.

    Raises
    ------
    InputError
        If rows are too narrow.
    """
    pieces = [
        Piece(document, start, end)
        for document, length in enumerate(lengths)
        for start, end in windows(length, width)
    ]
    rng = np.random.default_rng(derive_seed(seed, "pack"))
    order = rng.permutation(len(pieces))
    sizes = np.asarray([piece.end - piece.start for piece in pieces], dtype=np.int64)
    rows: list[list[Piece]] = []
    for first in range(0, len(order), window):
        chosen = order[first : first + window]
        chosen = chosen[np.argsort(-sizes[chosen], kind="stable")]
        rows += _best_fit([pieces[i] for i in chosen.tolist()], width)
    return [rows[i] for i in rng.permutation(len(rows)).tolist()]


def efficiency(rows: Sequence[Sequence[Piece]], lengths: Sequence[int], width: int) -> float:
    """Return the share of the rows' positions that hold one of the documents' tokens."""
    return sum(lengths) / (len(rows) * width) if rows else 0.0


def mix(
    lengths: Mapping[str, Sequence[int]],
    shares: Mapping[str, float],
    *,
    seed: int,
    tokens: int | None = None,
) -> Epoch:
    """Order the documents of one epoch so that each corpus has its share of the tokens.

    A corpus too small for its share is gone through several times, one too large is cut to whole
    documents that the seed picks; `Epoch.passes` says which. Shares are met to within half a
    document.

    Parameters
    ----------
    lengths
        Tokens of each document, by corpus.
    shares
        Share of the tokens of each corpus; they need not sum to 1. A corpus of share 0 is left
        out.
    seed
        Of the order and of what is cut; a new one for each epoch.
    tokens
        Tokens of the epoch; None for as many as the corpora with a share have together.

    Raises
    ------
    InputError
        If the shares name other corpora, are negative or all 0, or a corpus with a share is empty.
    """
    if set(shares) != set(lengths):
        raise InputError(
            f"shares are given for {', '.join(sorted(shares)) or 'nothing'}, but the corpora are "
            f"{', '.join(sorted(lengths)) or 'none'}"
        )
    if any(share < 0 for share in shares.values()) or not sum(shares.values()) > 0:
        raise InputError("shares of corpora must be at least 0, and one of them above")
    used = sorted(name for name, share in shares.items() if share > 0)
    sizes = {name: np.asarray(lengths[name], dtype=np.int64) for name in used}
    for name in used:
        if not sizes[name].sum():
            raise InputError(f"corpus {name} has a share of {shares[name]} but no tokens")
    wanted = sum(int(sizes[name].sum()) for name in used) if tokens is None else tokens
    scale = wanted / sum(shares[name] for name in used)
    order: list[tuple[str, int]] = []
    passes: dict[str, float] = {}
    for name in used:
        rng = np.random.default_rng(derive_seed(seed, "mix", name))
        chosen = _draw(sizes[name], shares[name] * scale, rng)
        passes[name] = float(sizes[name][chosen].sum() / sizes[name].sum())
        order += [(name, index) for index in chosen.tolist()]
    rng = np.random.default_rng(derive_seed(seed, "mix"))
    return Epoch([order[i] for i in rng.permutation(len(order)).tolist()], passes)


def collate(
    rows: Sequence[Sequence[Piece]],
    documents: Sequence[Sequence[int]],
    width: int,
    *,
    pad_id: int,
) -> PackedBatch:
    """Return rows as the tensors that a causal language model takes.

    The mask is boolean and of four dimensions, which transformers hands on as it is; it serves the
    attention of torch (``sdpa``), not one that adds its mask (``eager``). Padding looks at padding,
    since a position that looks nowhere has no softmax.

    Parameters
    ----------
    rows
        From `pack`, of at most `width` tokens each.
    documents
        Token ids by number of the document.
    width
        Positions of a row.
    pad_id
        Token id of positions that hold none.
    """
    shape = (len(rows), width)
    input_ids = np.full(shape, pad_id, dtype=np.int64)
    labels = np.full(shape, IGNORED, dtype=np.int64)
    position_ids = np.zeros(shape, dtype=np.int64)
    owners = np.full(shape, -1, dtype=np.int64)
    for row, pieces in enumerate(rows):
        at = 0
        for number, (document, start, end) in enumerate(pieces):
            to = at + end - start
            tokens = np.asarray(documents[document][start:end], dtype=np.int64)
            input_ids[row, at:to] = tokens
            labels[row, at + 1 : to] = tokens[1:]
            position_ids[row, at:to] = np.arange(end - start)
            owners[row, at:to] = number
            at = to
    owner = torch.from_numpy(owners)
    same = owner[:, None, :, None] == owner[:, None, None, :]
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    return PackedBatch(
        torch.from_numpy(input_ids),
        torch.from_numpy(labels),
        torch.from_numpy(position_ids),
        same & causal,
    )


def _best_fit(pieces: Sequence[Piece], width: int) -> list[list[Piece]]:
    """Put pieces, longest first, each into the fullest row with room for it."""
    rows: list[list[Piece]] = []
    by_room: list[list[int]] = [[] for _ in range(width)]
    # Bit r is set where a row has room for exactly r tokens.
    rooms = 0
    for piece in pieces:
        size = piece.end - piece.start
        fitting = rooms >> size
        if fitting:
            room = size + (fitting & -fitting).bit_length() - 1
            row = by_room[room].pop()
            if not by_room[room]:
                rooms ^= 1 << room
            rows[row].append(piece)
        else:
            room, row = width, len(rows)
            rows.append([piece])
        if left := room - size:
            by_room[left].append(row)
            rooms |= 1 << left
    return rows


def _draw(sizes: np.ndarray, tokens: float, rng: np.random.Generator) -> np.ndarray:
    """Return indices of documents with about so many tokens: whole passes, then some of them."""
    whole, rest = divmod(tokens, int(sizes.sum()))
    some = rng.permutation(len(sizes))
    ends = np.concatenate([[0], np.cumsum(sizes[some])])
    count = int(np.argmin(np.abs(ends - rest)))
    return np.concatenate([np.tile(np.arange(len(sizes)), int(whole)), some[:count]])
