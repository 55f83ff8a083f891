"""The one prompt builder, for training and for inference alike.

A conversation goes through the language model's own chat template. The protein stands in
the user turn as one placeholder id per connector output; the model replaces those ids by
the protein's embeddings and never looks them up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from protscribe.atomic import sha256_json
from protscribe.errors import InputError

PROTEIN_MARKER = "<protein_sequence>"
"""Stands for the protein in a user turn, as in the LLaVA-style files of the field."""

PLACEHOLDER_ID = -200
"""Stands for one protein embedding among token ids; negative, so no vocabulary has it."""

IGNORED_LABEL = -100
"""Label of a position that the loss leaves out (the convention of PyTorch's cross-entropy)."""


@dataclass(frozen=True)
class PromptStyle:
    """What surrounds the protein.

    Parameters
    ----------
    system_message
        Text of the system turn; empty for none.
    user_template
        Text of the user turn; must hold the marker ``<protein_sequence>`` once and may hold
        ``{name}`` and ``{taxon}``.
    """

    system_message: str
    user_template: str = PROTEIN_MARKER

    def __post_init__(self) -> None:
        if self.user_template.count(PROTEIN_MARKER) != 1:
            raise InputError(
                f"prompt.user_template must hold {PROTEIN_MARKER} exactly once: "
                f"{self.user_template!r}"
            )

    @property
    def hash(self) -> str:
        """SHA-256 of the style, recorded with every conversation made from it."""
        return sha256_json([self.system_message, self.user_template])

    def user_turn(self, name: str | None = None, taxon: str | None = None) -> str:
        """Fill the user template; a missing name or taxon becomes the word ``unknown``.

        Raises
        ------
        InputError
            If the template names a field that does not exist.
        """
        try:
            return self.user_template.format(name=name or "unknown", taxon=taxon or "unknown")
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(
                f"prompt.user_template may only hold {{name}} and {{taxon}}, not {error}"
            ) from None


@dataclass(frozen=True)
class Example:
    """Token ids of one conversation turn.

    Parameters
    ----------
    prompt_ids
        Ids up to where the assistant starts to write, placeholders included.
    answer_ids
        Ids of the answer and its end-of-turn; empty at inference.
    truncated
        Whether the answer was cut.
    """

    prompt_ids: list[int]
    answer_ids: list[int] = field(default_factory=list)
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.answer_ids)

    @property
    def input_ids(self) -> list[int]:
        """Prompt and answer."""
        return self.prompt_ids + self.answer_ids

    @property
    def labels(self) -> list[int]:
        """The answer where it is to be learned, `IGNORED_LABEL` elsewhere."""
        return [IGNORED_LABEL] * len(self.prompt_ids) + self.answer_ids


class PromptBuilder:
    """Turn conversations into token ids with a language model's own chat template.

    Parameters
    ----------
    tokenizer
        A transformers tokenizer with a chat template and an end-of-sequence token, which
        instruction-tuned models use as their end of turn.

    Raises
    ------
    InputError
        If the tokenizer lacks either.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise InputError(
                f"{tokenizer.name_or_path}: the tokenizer has no chat template; "
                "choose an instruction-tuned language model"
            )
        if tokenizer.eos_token_id is None:
            raise InputError(f"{tokenizer.name_or_path}: the tokenizer has no end-of-turn token")
        self.tokenizer = tokenizer
        self.end_of_turn_id: int = tokenizer.eos_token_id

    def prompt(self, turns: Sequence[Mapping[str, str]], protein_tokens: int) -> list[int]:
        """Return the ids of a conversation up to where the assistant is to write.

        Parameters
        ----------
        turns
            ``{"role", "content"}`` records, the last one from the user; the protein marker
            stands exactly once in all of them.
        protein_tokens
            Number of connector outputs for the protein.

        Returns
        -------
        list of int
            Token ids with `protein_tokens` times `PLACEHOLDER_ID`.

        Raises
        ------
        InputError
            If the marker does not stand exactly once.
        """
        text = self.tokenizer.apply_chat_template(
            [dict(turn) for turn in turns], tokenize=False, add_generation_prompt=True
        )
        pieces = text.split(PROTEIN_MARKER)
        if len(pieces) != 2:
            raise InputError(
                f"a conversation must hold {PROTEIN_MARKER} exactly once, "
                f"this one holds it {len(pieces) - 1} times: {text[:200]!r}"
            )
        # The pieces are tokenised apart, as they would be around a special token.
        before, after = (self._encode(piece) for piece in pieces)
        return before + [PLACEHOLDER_ID] * protein_tokens + after

    def answer(self, text: str, max_tokens: int | None = None) -> tuple[list[int], bool]:
        """Return the ids of an answer with its end-of-turn, and whether it was cut.

        Parameters
        ----------
        text
            The answer.
        max_tokens
            Most ids to keep, the end-of-turn included: a cut answer still ends, so that the
            model learns to stop.
        """
        ids = self._encode(text)
        truncated = max_tokens is not None and len(ids) + 1 > max_tokens
        if truncated:
            assert max_tokens is not None
            ids = ids[: max_tokens - 1]
        return [*ids, self.end_of_turn_id], truncated

    def example(
        self,
        turns: Sequence[Mapping[str, str]],
        protein_tokens: int,
        max_answer_tokens: int | None = None,
    ) -> Example:
        """Return the training example of a conversation whose last turn is the answer.

        The prompt ids equal those of `prompt` over the turns before the answer.

        Raises
        ------
        InputError
            If the last turn is not the assistant's.
        """
        if not turns or turns[-1]["role"] != "assistant":
            raise InputError("a training conversation must end with an assistant turn")
        answer, truncated = self.answer(turns[-1]["content"], max_answer_tokens)
        return Example(self.prompt(turns[:-1], protein_tokens), answer, truncated)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of generated ids, without special tokens."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True).strip()

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]
