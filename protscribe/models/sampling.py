"""Choosing the next residue of a protein that a language model writes.

Everything here works on logits alone. A generation loop asks the model for the logits behind what
is written so far, asks `Sampler.choose` for one token a row, and stops by `Sampler.is_over`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from protscribe.errors import InputError

CLOSED = "closed"
LENGTH = "length"
EMPTY = "empty"
FINISH_REASONS = (CLOSED, LENGTH, EMPTY)
"""How a protein ended: by its closing token, cut at the longest length, or without a residue."""


class Written(NamedTuple):
    """One generated protein.

    Parameters
    ----------
    residues
        Its token ids, the closing one not among them.
    tokens
        How many tokens were generated, the closing one among them.
    finish_reason
        One of `FINISH_REASONS`.
    """

    residues: list[int]
    tokens: int
    finish_reason: str


class Sampler:
    """Temperature, nucleus and repetition control behind a grammar of residues.

    Inside a protein only residues may follow, and from `min_residues` on also the closing token.
    It is never forced: a model that does not close its protein is left to write one token more
    than `max_residues`, and if that is no closing token either, the protein is cut and its finish
    reason is ``length``.

    A usual repetition penalty punishes tokens that stand there already. With twenty residues
    those are soon all of them, so here it is stretches of residues that are punished.

    Parameters
    ----------
    residue_ids
        Token ids of the residues that may be written, shape (residues,).
    close_id
        Token id that ends a protein.
    temperature
        Divides the logits; 0 takes the best token.
    top_p
        The nucleus: the fewest best tokens that hold this share of the probability (Holtzman et
        al., ICLR 2020).
    repetition_penalty
        Taken from the logit of a residue for each earlier place where the same
        `repetition_length` residues stand that it would complete. In natural log units, before
        the temperature.
    repetition_length
        Length of those stretches.
    max_run
        Longest run of one residue; None for no limit.
    min_residues, max_residues
        Fewest and most residues of a protein.

    Raises
    ------
    InputError
        If a setting is out of range, or the closing token is among the residues.
    """

    def __init__(
        self,
        residue_ids: Tensor,
        close_id: int,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        repetition_penalty: float = 0.0,
        repetition_length: int = 4,
        max_run: int | None = None,
        min_residues: int = 1,
        max_residues: int = 1000,
    ) -> None:
        residues = residue_ids.to(torch.int64).cpu().flatten()
        checks = (
            (len(residues) > 0, "there must be residue tokens"),
            (len(residues.unique()) == len(residues), "a residue token stands twice"),
            (close_id not in residues.tolist(), "the closing token is also a residue"),
            (0 <= temperature < float("inf"), f"temperature is {temperature}; it must be >= 0"),
            (0 < top_p <= 1, f"top_p is {top_p}; it must be above 0 and at most 1"),
            (
                0 <= repetition_penalty < float("inf"),
                f"repetition_penalty is {repetition_penalty}; it must be >= 0",
            ),
            (
                repetition_length >= 2,
                f"repetition_length is {repetition_length}; it must be at least 2",
            ),
            (
                max_run is None or (max_run >= 1 and len(residues) > 1),
                f"max_run is {max_run}; it must be at least 1, with two residues or more",
            ),
            (
                0 <= min_residues <= max_residues and max_residues >= 1,
                f"min_residues is {min_residues} and max_residues {max_residues}; "
                "set 0 <= min_residues <= max_residues and max_residues >= 1",
            ),
        )
        for fine, problem in checks:
            if not fine:
                raise InputError(f"sampling of proteins: {problem}")
        self.close_id = close_id
        self.temperature = temperature
        self.top_p = top_p
        self.repetition_penalty = repetition_penalty
        self.repetition_length = repetition_length
        self.max_run = max_run
        self.min_residues = min_residues
        self.max_residues = max_residues
        # The closing token comes last, so that leaving it out is a slice.
        self._candidates = torch.cat([residues, torch.tensor([close_id])])
        self._column = {int(token): i for i, token in enumerate(self._candidates)}

    def choose(
        self, logits: Tensor, generated: Tensor, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Choose the next token of each row.

        Each row draws exactly one number from its own generator, so that what is written depends
        neither on the rows beside it nor on their order. A row whose protein is closed draws
        nothing and gets the closing token again.

        Parameters
        ----------
        logits
            Shape (rows, vocabulary), of the position behind what is written.
        generated
            Token ids since the protein began, shape (rows, steps); may have no columns.
        generators
            One for each row.

        Returns
        -------
        Tensor
            Token ids, int64, shape (rows,), on the device of `logits`.

        Raises
        ------
        InputError
            If shapes do not fit, a token is no residue, a logit that counts is not finite, or
            the proteins are at their longest already.
        """
        rows, steps = self._check_shapes(logits, generated, generators)
        columns = self._columns(generated)
        last = len(self._candidates) - 1
        chosen = torch.full((rows,), self.close_id, dtype=torch.int64)
        open_rows = (columns != last).all(dim=1).nonzero().flatten()
        if not len(open_rows):
            return chosen.to(logits.device)
        width = last if steps < self.min_residues else last + 1
        candidates = self._candidates[:width].to(logits.device)
        # The device's part is the gathering; a few columns in double precision are cheap here and
        # the same on every device.
        scores = logits.index_select(1, candidates)[open_rows.to(logits.device)].double().cpu()
        if not torch.isfinite(scores).all():
            row = int(open_rows[(~torch.isfinite(scores)).any(dim=1).nonzero()[0, 0]])
            raise InputError(
                f"row {row}: the model gave a residue or the closing token a logit that is not a "
                "finite number; use float32 or bfloat16 instead of float16"
            )
        scores = self._discouraged(scores, columns[open_rows])
        picked = (
            scores.argmax(dim=1)
            if self.temperature == 0
            else self._draw(scores, [generators[int(row)] for row in open_rows])
        )
        chosen[open_rows] = self._candidates[picked]
        return chosen.to(logits.device)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return what tokens are drawn with, after temperature and nucleus.

        Parameters
        ----------
        scores
            Logits of the tokens that may follow, shape (rows, tokens), -inf for a residue that
            would make a run too long.

        Returns
        -------
        Tensor
            Shape (rows, tokens); each row sums to 1.
        """
        shares = torch.softmax(scores / self.temperature, dim=1)
        if self.top_p < 1:
            ranked, order = shares.sort(dim=1, descending=True, stable=True)
            # A token stays while those before it do not fill the nucleus; the first always does.
            before = ranked.cumsum(dim=1) - ranked
            ranked = ranked.masked_fill(before >= self.top_p, 0.0)
            shares = torch.zeros_like(shares).scatter_(1, order, ranked)
            shares = shares / shares.sum(dim=1, keepdim=True)
        return shares

    def is_over(self, generated: Tensor) -> bool:
        """Return whether no row can go on: each is closed or one token over the longest length."""
        if generated.shape[1] > self.max_residues:
            return True
        return bool((generated == self.close_id).any(dim=1).all())

    def finish(self, tokens: Sequence[int]) -> Written:
        """Cut what was generated in one row down to a protein and say how it ended.

        Parameters
        ----------
        tokens
            Token ids of the row since the protein began, with anything behind the closing token.
        """
        closed = self.close_id in tokens
        count = tokens.index(self.close_id) + 1 if closed else len(tokens)
        residues = list(tokens[: count - 1 if closed else count])[: self.max_residues]
        reason = LENGTH if not closed else CLOSED if residues else EMPTY
        return Written(residues, count, reason)

    def _check_shapes(
        self, logits: Tensor, generated: Tensor, generators: Sequence[torch.Generator]
    ) -> tuple[int, int]:
        rows = logits.shape[0]
        if logits.dim() != 2 or generated.dim() != 2 or generated.shape[0] != rows:
            raise InputError(
                f"logits {tuple(logits.shape)} and tokens {tuple(generated.shape)} do not fit; "
                "they must be (rows, vocabulary) and (rows, steps)"
            )
        if len(generators) != rows:
            raise InputError(f"{len(generators)} generators for {rows} rows; give each row one")
        if int(self._candidates.max()) >= logits.shape[1]:
            raise InputError(
                f"the model has {logits.shape[1]} logits and the residue tokens go up to "
                f"{int(self._candidates.max())}; resize the model's embeddings to its tokenizer"
            )
        if generated.shape[1] > self.max_residues:
            raise InputError(
                f"{generated.shape[1]} tokens are written and a protein may have "
                f"{self.max_residues} residues; stop by Sampler.is_over"
            )
        return rows, generated.shape[1]

    def _columns(self, generated: Tensor) -> Tensor:
        """Number tokens by their place among the candidates, shape (rows, steps)."""
        ids = generated.cpu()
        columns = torch.full_like(ids, -1)
        for token, column in self._column.items():
            columns[ids == token] = column
        if (columns < 0).any():
            wrong = int(ids[columns < 0][0])
            raise InputError(f"token {wrong} inside a protein is neither a residue nor its end")
        return columns

    def _discouraged(self, scores: Tensor, columns: Tensor) -> Tensor:
        """Return logits less what repeats cost, -inf for what `max_run` forbids."""
        steps, length = columns.shape[1], self.repetition_length
        scores = scores.clone()
        if self.repetition_penalty and steps >= length:
            windows = columns.unfold(1, length, 1)
            same = (windows[:, :, :-1] == columns[:, None, steps - length + 1 :]).all(dim=2)
            penalties = same.double() * self.repetition_penalty
            scores.scatter_add_(1, windows[:, :, -1], -penalties)
        if self.max_run and steps >= self.max_run:
            end = columns[:, steps - self.max_run :]
            full = (end == end[:, :1]).all(dim=1).nonzero().flatten()
            scores[full, end[full, 0]] = -torch.inf
        return scores

    def _draw(self, scores: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        shares = self.probabilities(scores)
        points = torch.stack(
            [torch.rand((), generator=g, dtype=torch.float64, device=g.device) for g in generators]
        ).cpu()
        totals = shares.cumsum(dim=1)
        # A share of 0 is never picked: its total equals the one before it.
        below = (totals <= points[:, None] * totals[:, -1:]).sum(dim=1)
        return below.clamp_max((shares > 0).cumsum(dim=1).argmax(dim=1))


def seeded_generators(seeds: Sequence[int], device: str = "cpu") -> list[torch.Generator]:
    """Return one generator for each seed; a design's seed is `protscribe.seeds.derive_seed`'s."""
    return [torch.Generator(device=device).manual_seed(seed) for seed in seeds]
