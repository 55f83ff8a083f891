"""Token ids of conversations, for training and for inference alike.

A conversation goes through the language model's own chat template. A protein that an encoder
read stands in the user turn as one placeholder id per connector output; the model replaces
those ids by the protein's embeddings and never looks them up. A protein in residue tokens is
their ids, in a user turn to be read or in an answer to be written.

What the template writes and what people wrote are tokenised apart, turn by turn. So the ids
up to any answer are the same whatever comes after it, and text that looks like a control
token stays text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, zip_longest
from typing import Any

from protscribe.errors import InputError
from protscribe.prompts.conversation import (
    IGNORED_LABEL,
    PROTEIN_MARKER,
    check_turns,
)
from protscribe.prompts.frames import ChatFrames
from protscribe.prompts.residues import Residues


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
        Whether an answer was cut, or a protein in it.
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
    residues
        Ids of residue tokens, for systems that have them.

    Raises
    ------
    InputError
        If the tokenizer lacks a template or an end, or its ids reach into those of residues.
    """

    def __init__(self, tokenizer: Any, residues: Residues | None = None) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise InputError(
                f"{tokenizer.name_or_path}: the tokenizer has no chat template; "
                "choose an instruction-tuned language model, or prompt.format instruction"
            )
        if tokenizer.eos_token_id is None:
            raise InputError(f"{tokenizer.name_or_path}: the tokenizer has no end-of-turn token")
        if residues is not None and len(tokenizer) > residues.first_id:
            raise InputError(
                f"{tokenizer.name_or_path}: the tokenizer has {len(tokenizer)} ids, the language "
                f"model embeddings for {residues.first_id}; the two do not belong together"
            )
        self.tokenizer = tokenizer
        self.residues = residues
        self.end_of_turn_id: int = tokenizer.eos_token_id
        self._frames = ChatFrames(tokenizer)
        added = tokenizer.added_tokens_decoder
        self._controls = {key: str(token) for key, token in added.items() if token.special}
        self._controls.pop(tokenizer.unk_token_id, None)

    def prompt(
        self,
        turns: Sequence[Mapping[str, str]],
        protein: Sequence[int],
        max_answer_tokens: int | None = None,
    ) -> list[int]:
        """Return the ids of a conversation up to where the assistant is to write.

        They are the first ids of every `example` that goes on from there, if
        `max_answer_tokens` is the same.

        Parameters
        ----------
        turns
            As for `check_turns`, the last one from the user.
        protein
            Ids that stand for the protein: `PLACEHOLDER_ID` once per connector output, or
            residue tokens. None at all leaves the protein out.
        max_answer_tokens
            As for `answer`, for the answers so far.

        Returns
        -------
        list of int
            Token ids.

        Raises
        ------
        InputError
            As for `check_turns`, or if the chat template does not suit.
        """
        check_turns(turns, last="user", designs=self.residues is not None)
        return self._join(turns, turns, protein, max_answer_tokens).input_ids

    def example(
        self,
        turns: Sequence[Mapping[str, str]],
        protein: Sequence[int],
        max_answer_tokens: int | None = None,
    ) -> Example:
        """Return the training example of a conversation whose last turn is an answer.

        Every assistant turn is learned, each with its end-of-turn. One that writes a protein
        without its closing id ends there: the protein was cut, and so goes on unseen.
        Parameters and errors are those of `prompt`.
        """
        check_turns(turns, last="assistant", designs=self.residues is not None)
        return self._join(turns, turns[:-1], protein, max_answer_tokens)

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

    def opened(self, turns: Sequence[Mapping[str, str]], lead_in: str) -> list[int]:
        """Return a prompt that asks for a protein, up to and with the id that opens it.

        Parameters
        ----------
        turns
            As for `prompt`, without the marker.
        lead_in
            The answer as it begins, up to the marker.

        Raises
        ------
        InputError
            If there are no residue tokens.
        """
        if self.residues is None:
            raise InputError("this system has no residue tokens and writes no proteins")
        return [*self.prompt(turns, ()), *self._text_ids(lead_in), self.residues.open_id]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of generated ids, without special tokens; residues as letters."""
        parts = []
        for mine, run in groupby(
            ids, lambda i: self.residues is not None and self.residues.holds(i)
        ):
            if mine:
                assert self.residues is not None
                parts.append(self.residues.decode(list(run)))
            else:
                parts.append(self.tokenizer.decode(list(run), skip_special_tokens=True))
        return "".join(parts).strip()

    def designed(
        self, text: str, protein: Sequence[int], max_tokens: int | None = None
    ) -> tuple[list[int], bool]:
        """Return the ids of an answer that holds a protein, and whether one of them was cut.

        Parameters
        ----------
        text
            The answer, with the marker.
        protein
            Residue tokens.
        max_tokens
            As for `answer`, for what stands after the protein.
        """
        before, _, after = text.strip().partition(PROTEIN_MARKER)
        ids = [*self._text_ids(before), *protein]
        if self.residues is None or not protein or protein[-1] != self.residues.close_id:
            return ids, True
        rest, truncated = self.answer(after, max_tokens)
        return ids + rest, truncated

    def _join(
        self,
        turns: Sequence[Mapping[str, str]],
        asked: Sequence[Mapping[str, str]],
        protein: Sequence[int],
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
                text = turn["content"]
                if PROTEIN_MARKER in text:
                    answer, cut = self.designed(text, protein, max_answer_tokens)
                else:
                    answer, cut = self.answer(text, max_answer_tokens)
                truncated |= cut
                ids += answer
                labels += answer
            else:
                ids += self._content_ids(turn["content"], protein, frame.trims[number])
        return Example(ids, labels + [IGNORED_LABEL] * (len(ids) - len(labels)), truncated)

    def _content_ids(
        self, text: str, protein: Sequence[int], trims: tuple[bool, bool]
    ) -> list[int]:
        if PROTEIN_MARKER in text and not protein:
            # The line break between protein and question goes with the protein.
            text = text.replace(PROTEIN_MARKER, "").strip()
        left, right = trims
        text = text.lstrip() if left else text
        text = text.rstrip() if right else text
        before, marker, after = text.partition(PROTEIN_MARKER)
        # The parts are tokenised apart, as they would be around a special token.
        return self._text_ids(before) + list(protein if marker else ()) + self._text_ids(after)

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
