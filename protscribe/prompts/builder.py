"""Token ids of conversations, for training and for inference alike.

A conversation goes through the language model's own chat template. The protein stands in
the user turn as one placeholder id per connector output; the model replaces those ids by
the protein's embeddings and never looks them up.

What the template writes and what people wrote are tokenised apart, turn by turn. So the ids
up to any answer are the same whatever comes after it, and text that looks like a control
token stays text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any

from protscribe.errors import InputError
from protscribe.prompts.conversation import (
    IGNORED_LABEL,
    PLACEHOLDER_ID,
    PROTEIN_MARKER,
    check_turns,
)
from protscribe.prompts.frames import ChatFrames


@dataclass(frozen=True)
class Example:
    """Token ids of a conversation.

    Parameters
    ----------
    input_ids
        Ids of all turns, placeholders included.
    labels
        The ids of each answer and its end-of-turn, `IGNORED_LABEL` elsewhere.
    truncated
        Whether an answer was cut.
    """

    input_ids: list[int]
    labels: list[int]
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.input_ids)

    @cached_property
    def label_count(self) -> int:
        """How many ids are to be learned."""
        return sum(label != IGNORED_LABEL for label in self.labels)


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
        self._frames = ChatFrames(tokenizer)
        added = tokenizer.added_tokens_decoder
        self._controls = {key: str(token) for key, token in added.items() if token.special}
        self._controls.pop(tokenizer.unk_token_id, None)

    def prompt(
        self,
        turns: Sequence[Mapping[str, str]],
        protein_tokens: int,
        max_answer_tokens: int | None = None,
    ) -> list[int]:
        """Return the ids of a conversation up to where the assistant is to write.

        They are the first ids of every `example` that goes on from there, if
        `max_answer_tokens` is the same.

        Parameters
        ----------
        turns
            As for `check_turns`, the last one from the user.
        protein_tokens
            Number of connector outputs for the protein; 0 leaves the protein out.
        max_answer_tokens
            As for `answer`, for the answers so far.

        Returns
        -------
        list of int
            Token ids with `protein_tokens` times `PLACEHOLDER_ID`.

        Raises
        ------
        InputError
            As for `check_turns`, or if the chat template does not suit.
        """
        check_turns(turns, last="user")
        return self._join(turns, turns, protein_tokens, max_answer_tokens).input_ids

    def example(
        self,
        turns: Sequence[Mapping[str, str]],
        protein_tokens: int,
        max_answer_tokens: int | None = None,
    ) -> Example:
        """Return the training example of a conversation whose last turn is an answer.

        Every assistant turn is learned, each with its end-of-turn. Parameters and errors are
        those of `prompt`.
        """
        check_turns(turns, last="assistant")
        return self._join(turns, turns[:-1], protein_tokens, max_answer_tokens)

    def answer(self, text: str, max_tokens: int | None = None) -> tuple[list[int], bool]:
        """Return the ids of an answer with its end-of-turn, and whether it was cut.

        Parameters
        ----------
        text
            The answer; its outer white space is left out.
        max_tokens
            Most ids to keep, the end-of-turn included: a cut answer still ends, so that the
            model learns to stop.
        """
        ids = self._text_ids(text.strip())
        truncated = max_tokens is not None and len(ids) + 1 > max_tokens
        if truncated:
            assert max_tokens is not None
            ids = ids[: max_tokens - 1]
        return [*ids, self.end_of_turn_id], truncated

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of generated ids, without special tokens."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True).strip()

    def _join(
        self,
        turns: Sequence[Mapping[str, str]],
        asked: Sequence[Mapping[str, str]],
        protein_tokens: int,
        max_answer_tokens: int | None,
    ) -> Example:
        """Put turns between the pieces of the template; `asked` are those without a last answer."""
        frame = self._frames.of(tuple(turn["role"] for turn in asked))
        ids: list[int] = []
        labels: list[int] = []
        truncated = False
        for number, (piece, turn) in enumerate(zip_longest(frame.pieces, turns)):
            ids += self._encode(piece, plain=False)
            if turn is None:
                # The last piece of a prompt, after which the model is to write.
                break
            labels += [IGNORED_LABEL] * (len(ids) - len(labels))
            if turn["role"] == "assistant":
                answer, cut = self.answer(turn["content"], max_answer_tokens)
                truncated |= cut
                ids += answer
                labels += answer
            else:
                ids += self._content_ids(turn["content"], protein_tokens, frame.trims[number])
        return Example(ids, labels + [IGNORED_LABEL] * (len(ids) - len(labels)), truncated)

    def _content_ids(self, text: str, protein_tokens: int, trims: tuple[bool, bool]) -> list[int]:
        if PROTEIN_MARKER in text and not protein_tokens:
            # The line break between protein and question goes with the protein.
            text = text.replace(PROTEIN_MARKER, "").strip()
        left, right = trims
        text = text.lstrip() if left else text
        text = text.rstrip() if right else text
        before, marker, after = text.partition(PROTEIN_MARKER)
        # The parts are tokenised apart, as they would be around a special token.
        placeholders = [PLACEHOLDER_ID] * protein_tokens if marker else []
        return self._text_ids(before) + placeholders + self._text_ids(after)

    def _text_ids(self, text: str) -> list[int]:
        """Tokenise what people or models wrote: nothing in it is a control token."""
        ids = self._encode(text, plain=True)
        if found := [self._controls[i] for i in ids if i in self._controls]:
            raise InputError(
                f"{self.tokenizer.name_or_path}: this tokenizer takes {found[0]!r} for a control "
                f"token also where it is plain text; drop or change the text {text[:200]!r}"
            )
        return ids

    def _encode(self, text: str, *, plain: bool) -> list[int]:
        if not text:
            return []
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=plain)
        return encoded["input_ids"]
