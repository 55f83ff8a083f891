"""A language model that reads a protein inside its prompt and answers in text."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.nn import functional as F

from protscribe.errors import InputError
from protscribe.models.connectors import Connector, pad_states
from protscribe.prompts import IGNORED_LABEL, PLACEHOLDER_ID

Generated = tuple[list[int], str]
"""Token ids of an answer, without its end-of-turn, and ``stop`` or ``length``."""

_SCALED_LOGITS = ("final_logit_softcapping", "logit_scale", "logits_scaling")


class Captioner(nn.Module):
    """A decoder-only language model and, if it is to read proteins, a connector.

    Wherever the prompt holds `PLACEHOLDER_ID`, the decoder gets one connector token instead
    of a word embedding, row by row and in order (the fusion of Prot2Text-V2).

    Parameters
    ----------
    language_model
        A transformers causal language model, bare or with peft adapters.
    connector
        Its output width must be the language model's embedding width. None for a language
        model that reads no protein.
    end_of_turn_id
        The id that ends an answer.

    Raises
    ------
    InputError
        If the widths differ, or if the language model changes its logits after the output
        layer, which the loss here does not do.
    """

    connector: Connector | None

    def __init__(
        self, language_model: Any, connector: Connector | None, end_of_turn_id: int
    ) -> None:
        super().__init__()
        self.language_model = language_model
        self.connector = connector
        self.end_of_turn_id = end_of_turn_id
        config = self.causal_model.config
        for key in _SCALED_LOGITS:
            if getattr(config, key, None) not in (None, 1, 1.0):
                raise InputError(
                    f"the language model's config.json sets {key}, which training does not "
                    "support; choose a model without it"
                )
        width = self.causal_model.get_input_embeddings().weight.shape[1]
        if connector is not None and connector.output_size != width:
            raise InputError(
                f"the connector gives {connector.output_size} numbers a token, the language "
                f"model reads {width}: the two do not belong together"
            )

    @property
    def causal_model(self) -> Any:
        """The transformers model; adapters, if any, sit inside its layers."""
        model: Any = self.language_model
        return model.get_base_model() if isinstance(model, PeftModel) else model

    @property
    def device(self) -> torch.device:
        """Where the language model lies."""
        return self.causal_model.get_input_embeddings().weight.device

    def embed(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        protein_states: Sequence[Tensor] | None,
    ) -> Tensor:
        """Return what the decoder reads: word embeddings, and connector tokens at placeholders.

        Parameters
        ----------
        input_ids
            Shape (rows, positions), with `PLACEHOLDER_ID` where the protein stands.
        attention_mask
            1 where a position is real, same shape.
        protein_states
            Encoder states of each row's protein, shape (its length, encoder width). None for
            prompts without a protein.

        Returns
        -------
        Tensor
            Shape (rows, positions, embedding width), in the type of the embeddings.

        Raises
        ------
        InputError
            If a row has not exactly as many placeholders as connector tokens, or there are
            proteins but no connector; found out before the connector or the decoder runs.
        """
        placeholder = (input_ids == PLACEHOLDER_ID) & attention_mask.bool()
        self._check_placeholders(placeholder.sum(dim=1).tolist(), protein_states)
        # No vocabulary has the placeholder's id, nor need padding have an id of its own.
        words = self.causal_model.get_input_embeddings()(input_ids.clamp(min=0))
        if self.connector is None or protein_states is None:
            return words
        tokens, real = self.connector(*pad_states(protein_states, words.device))
        embedded = words.clone()
        embedded[placeholder] = tokens[real].to(words.dtype)
        return embedded

    def answer_loss(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        protein_states: Sequence[Tensor] | None,
    ) -> tuple[Tensor, int]:
        """Return the cross-entropy of the answers, summed, and how many ids it covers.

        Logits are computed only at the positions that predict a label.

        Parameters
        ----------
        input_ids, attention_mask, protein_states
            As for `embed`.
        labels
            Ids to be predicted, `IGNORED_LABEL` where none is; same shape as `input_ids`.

        Returns
        -------
        loss_sum, count
            float32 scalar and the number of labels.
        """
        hidden = self.causal_model.get_decoder()(
            inputs_embeds=self.embed(input_ids, attention_mask, protein_states),
            attention_mask=attention_mask,
            use_cache=False,
        ).last_hidden_state
        # The state at one position predicts the id at the next.
        wanted = labels[:, 1:] != IGNORED_LABEL
        logits = self.causal_model.get_output_embeddings()(hidden[:, :-1][wanted])
        loss = F.cross_entropy(logits.float(), labels[:, 1:][wanted], reduction="sum")
        return loss, int(wanted.sum())

    @torch.inference_mode()
    def generate(
        self,
        input_ids: Sequence[Sequence[int]],
        protein_states: Sequence[Tensor] | None,
        max_new_tokens: int,
    ) -> list[Generated]:
        """Answer a batch of prompts greedily.

        Parameters
        ----------
        input_ids
            Prompts of any lengths, with placeholders; padded on the left here.
        protein_states
            As for `embed`.
        max_new_tokens
            Most ids of an answer, its end-of-turn included.

        Returns
        -------
        list of (ids, finish reason)
            In the order of the prompts: ids without the end-of-turn, and ``stop`` if the
            model ended its turn or ``length`` if it was cut.

        Raises
        ------
        InputError
            As for `embed`.
        """
        if not input_ids:
            return []
        ids, mask = self._left_padded(input_ids)
        with self._autocast():
            inputs: dict[str, Tensor] = {"inputs_embeds": self.embed(ids, mask, protein_states)}
            # Positions count real tokens only, so that padding does not change an answer.
            positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
            cache = None
            finished = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
            steps: list[Tensor] = []
            while len(steps) < max_new_tokens:
                output = self.causal_model(
                    **inputs,
                    attention_mask=mask,
                    position_ids=positions,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                )
                cache = output.past_key_values
                chosen = output.logits[:, -1].float().argmax(dim=-1)
                chosen = chosen.masked_fill(finished, self.end_of_turn_id)
                steps.append(chosen)
                finished |= chosen == self.end_of_turn_id
                if bool(finished.all()):
                    break
                inputs = {"input_ids": chosen.unsqueeze(1)}
                mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
                positions = positions[:, -1:] + 1
        return [self._finish(row) for row in torch.stack(steps, dim=1).tolist()]

    def _check_placeholders(
        self, placeholders: Sequence[int], protein_states: Sequence[Tensor] | None
    ) -> None:
        if protein_states is None:
            if any(placeholders):
                raise InputError("the prompt has a place for a protein, but there is no protein")
            return
        if self.connector is None:
            raise InputError("this language model has no connector and reads no proteins")
        if len(protein_states) != len(placeholders):
            raise InputError(f"{len(placeholders)} prompts but {len(protein_states)} proteins")
        for row, (found, states) in enumerate(zip(placeholders, protein_states, strict=True)):
            wanted = self.connector.token_count(len(states))
            if found != wanted:
                raise InputError(
                    f"row {row}: the prompt has {found} placeholders, the connector gives "
                    f"{wanted} tokens for its protein; build the prompt with token_count"
                )

    def _finish(self, row: list[int]) -> Generated:
        if self.end_of_turn_id in row:
            return row[: row.index(self.end_of_turn_id)], "stop"
        return row, "length"

    def _left_padded(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        longest = max(len(prompt) for prompt in prompts)
        ids = torch.zeros(len(prompts), longest, dtype=torch.long)
        mask = torch.zeros(len(prompts), longest, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        return ids.to(self.device), mask.to(self.device)

    def _autocast(self) -> AbstractContextManager[Any]:
        # As in training, where frozen bfloat16 weights mean autocast.
        half = self.causal_model.dtype == torch.bfloat16
        return torch.autocast(self.device.type, torch.bfloat16, enabled=half)
