"""Writing token by token, a batch of prompts at a time."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor

Generated = tuple[list[int], str]
"""Token ids of an answer, without the one that ended it, and ``stop`` or ``length``."""

Choose = Callable[[Tensor, Tensor], Tensor]
"""From logits (rows, vocabulary) and the ids chosen so far (rows, steps) to the next ids (rows)."""


class Decoder(Protocol):
    """What writing needs of a model; `protscribe.models.captioner.Captioner` has it."""

    @property
    def device(self) -> torch.device:
        """Where the model lies."""

    @property
    def causal_model(self) -> Any:
        """The transformers model."""

    def embed(
        self, input_ids: Tensor, attention_mask: Tensor, protein_states: Sequence[Tensor] | None
    ) -> Tensor:
        """Return what the decoder reads."""

    def logits(self, hidden: Tensor) -> Tensor:
        """Return logits over the whole vocabulary."""

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which the decoder runs."""


def write(
    model: Decoder,
    input_ids: Sequence[Sequence[int]],
    protein_states: Sequence[Tensor] | None,
    max_new_tokens: int,
    choose: Choose,
    end_id: int,
) -> list[Generated]:
    """Go on from each prompt until it ends or grows too long.

    Parameters
    ----------
    model
        What writes.
    input_ids
        Prompts of any lengths; padded on the left here.
    protein_states
        Encoder states of each prompt's protein, None for prompts without one.
    max_new_tokens
        Most ids to choose, the one that ends included.
    choose
        Picks the next id of each row.
    end_id
        The id that ends a row.

    Returns
    -------
    list of (ids, finish reason)
        In the order of the prompts.
    """
    if not input_ids:
        return []
    ids, mask = _left_padded(input_ids, model.device)
    with model.autocast():
        embedded = model.embed(ids, mask, protein_states)
        # Positions count real tokens only, so that padding does not change an answer.
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        cache = None
        finished = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
        steps = ids.new_zeros(len(ids), 0)
        while steps.shape[1] < max_new_tokens:
            output = model.causal_model.get_decoder()(
                inputs_embeds=embedded,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
            )
            cache = output.past_key_values
            chosen = choose(model.logits(output.last_hidden_state[:, -1]), steps)
            chosen = chosen.masked_fill(finished, end_id)
            steps = torch.cat([steps, chosen.unsqueeze(1)], dim=1)
            finished |= chosen == end_id
            if bool(finished.all()):
                break
            latest = chosen.unsqueeze(1)
            embedded = model.embed(latest, torch.ones_like(latest), None)
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            positions = positions[:, -1:] + 1
    return [_finish(row, end_id) for row in steps.tolist()]


def _left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask = torch.zeros(len(prompts), longest, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    return ids.to(device), mask.to(device)


def _finish(row: list[int], end_id: int) -> Generated:
    if end_id in row:
        return row[: row.index(end_id)], "stop"
    return row, "length"
