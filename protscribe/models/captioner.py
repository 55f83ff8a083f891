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
from protscribe.models.decoding import Generated, write
from protscribe.models.residue_rows import ResidueRows
from protscribe.models.sampling import Sampler, Written
from protscribe.prompts import IGNORED_LABEL, PLACEHOLDER_ID

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
        model that reads no embedded protein.
    end_of_turn_id
        The id that ends an answer.
    residues
        Rows for residue tokens, if proteins are read or written residue by residue (the
        fusion of InstructProtein).

    Raises
    ------
    InputError
        If the widths differ, or if the language model changes its logits after the output
        layer, which the loss here does not do.
    """

    connector: Connector | None

    def __init__(
        self,
        language_model: Any,
        connector: Connector | None,
        end_of_turn_id: int,
        residues: ResidueRows | None = None,
    ) -> None:
        super().__init__()
        self.language_model = language_model
        self.connector = connector
        self.residues = residues
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
        table = self.causal_model.get_input_embeddings()
        words = table(input_ids.clamp(min=0, max=len(table.weight) - 1))
        if self.residues is not None:
            words = self.residues.place(words, input_ids)
        if self.connector is None or protein_states is None:
            return words
        tokens, real = self.connector(*pad_states(protein_states, words.device))
        embedded = words.clone()
        embedded[placeholder] = tokens[real].to(words.dtype)
        return embedded

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits of words and, after them, of residue tokens, in float32.

        Parameters
        ----------
        hidden
            Last states of the decoder, shape (..., embedding width).
        """
        words = self.causal_model.get_output_embeddings()(hidden).float()
        if self.residues is None:
            return words
        return torch.cat([words, self.residues.logits(hidden)], dim=-1)

    def answer_loss(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        protein_states: Sequence[Tensor] | None,
        position_ids: Tensor | None = None,
    ) -> tuple[Tensor, int]:
        """Return the cross-entropy of the answers, summed, and how many ids it covers.

        Logits are computed only at the positions that predict a label.

        Parameters
        ----------
        input_ids, attention_mask, protein_states
            As for `embed`.
            A mask may also say which position sees which, shape (rows, 1, positions,
            positions).
        labels
            Ids to be predicted, `IGNORED_LABEL` where none is; same shape as `input_ids`.
        position_ids
            Where in its text each position stands; None to count from the left.

        Returns
        -------
        loss_sum, count
            float32 scalar and the number of labels.
        """
        losses = self.token_losses(input_ids, attention_mask, labels, protein_states, position_ids)
        return losses.sum(), len(losses)

    def token_losses(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        protein_states: Sequence[Tensor] | None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Return the cross-entropy at each label, row by row; parameters of `answer_loss`."""
        # A mask of two dimensions says which positions are real; one of four, what they see.
        real = attention_mask if attention_mask.ndim == 2 else torch.ones_like(input_ids)
        hidden = self.causal_model.get_decoder()(
            inputs_embeds=self.embed(input_ids, real, protein_states),
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=False,
        ).last_hidden_state
        # The state at one position predicts the id at the next.
        wanted = labels[:, 1:] != IGNORED_LABEL
        logits = self.logits(hidden[:, :-1][wanted])
        return F.cross_entropy(logits, labels[:, 1:][wanted], reduction="none")

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

        def choose(logits: Tensor, chosen: Tensor) -> Tensor:
            if self.residues is not None:
                # An answer is words; a protein is asked for with `design`.
                logits = logits[:, : self.residues.residues.first_id]
            return logits.argmax(dim=-1)

        return write(self, input_ids, protein_states, max_new_tokens, choose, self.end_of_turn_id)

    @torch.inference_mode()
    def design(
        self,
        input_ids: Sequence[Sequence[int]],
        protein_states: Sequence[Tensor] | None,
        sampler: Sampler,
        generators: Sequence[torch.Generator],
    ) -> list[Written]:
        """Sample one protein after each prompt, residue by residue.

        Parameters
        ----------
        input_ids
            Prompts up to and with the id that opens the protein.
        protein_states
            As for `embed`.
        sampler
            Says which residues may follow and draws one.
        generators
            Random numbers of each row, so that what is drawn does not depend on its company.

        Returns
        -------
        list of Written
            In the order of the prompts.

        Raises
        ------
        InputError
            If the model has no residue tokens, and as for `embed`.
        """
        if self.residues is None:
            raise InputError("this model has no residue tokens and writes no proteins")

        def choose(logits: Tensor, chosen: Tensor) -> Tensor:
            return sampler.choose(logits, chosen, generators)

        # One more step, in which a protein of the greatest length may still be closed.
        steps, close = sampler.max_residues + 1, sampler.close_id
        rows = write(self, input_ids, protein_states, steps, choose, close)
        return [sampler.finish([*ids, close] if reason == "stop" else ids) for ids, reason in rows]

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

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which the decoder runs."""
        # As in training, where frozen bfloat16 weights mean autocast.
        half = self.causal_model.dtype == torch.bfloat16
        return torch.autocast(self.device.type, torch.bfloat16, enabled=half)
