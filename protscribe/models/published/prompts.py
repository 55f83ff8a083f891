"""The prompts that published models were trained on, behind our prompt builder's interface."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from protscribe.errors import InputError
from protscribe.prompts import (
    IGNORED_LABEL,
    PROTEIN_MARKER,
    Example,
    PromptBuilder,
    Residues,
    check_turns,
)

QUESTION = "What is the function of this protein?"
"""What Protein2Text is asked where a conversation holds the bare protein."""

SYSTEM_MESSAGE = (
    "You are a scientific assistant specialized in protein function predictions. Given the "
    "sequence embeddings and other information of a protein, describe its function clearly and "
    "concisely in professional language. "
)
"""The system turn that Prot2Text-V2 was trained with (its commit 0d75d46 and its model card)."""

PROTEIN_FIELD = "Sequence embeddings: "
"""What stands before the protein in the user turn of Prot2Text-V2."""

_INDENT = " " * 12


class Protein2TextPrompts(PromptBuilder):
    """The prompt of Protein2Text's inference script (commit 421e888).

    The protein stands first, outside the user turn, and the indentation of the script's source
    is part of the prompt. There is no system turn and one question alone.
    """

    def prompt(
        self,
        turns: Sequence[Mapping[str, str]],
        protein: Sequence[int],
        max_answer_tokens: int | None = None,
    ) -> list[int]:
        """Return the ids of a question about a protein; see `PromptBuilder.prompt`.

        Raises
        ------
        InputError
            If there is anything but one user turn with the protein marker in it once, the
            question holds a control token, or the tokenizer has no begin-of-text token.
        """
        check_turns(turns, last="user")
        if len(turns) > 1:
            raise InputError(
                "prompt.format protein2text takes one question and nothing else: leave "
                "prompt.system_message empty, and take conversations of one question"
            )
        begin = self.tokenizer.bos_token_id
        if begin is None:
            raise InputError(
                f"{self.tokenizer.name_or_path}: the tokenizer has no begin-of-text token, with "
                "which prompt.format protein2text opens"
            )
        content = turns[0]["content"]
        question = content.replace(PROTEIN_MARKER + "\n", "").replace(PROTEIN_MARKER, "")
        # Question and headers are tokenised together, as published: a tokenizer may join the
        # indentation with the first word. So control tokens are looked for beforehand.
        if found := [token for token in self._controls.values() if token in question]:
            raise InputError(f"a question must not hold the control token {found[0]}: {question}")
        lines = (
            "\n\n",
            f"{_INDENT}<|start_header_id|>user<|end_header_id|>\n",
            f"{_INDENT}{question or QUESTION}\n",
            f"{_INDENT}<|eot_id|>\n",
            f"{_INDENT}<|start_header_id|>assistant<|end_header_id|>\n",
            f"{_INDENT}\n",
        )
        text = self._encode("".join(lines), plain=False)
        return [begin, *protein, *text]

    def example(
        self,
        turns: Sequence[Mapping[str, str]],
        protein: Sequence[int],
        max_answer_tokens: int | None = None,
    ) -> Example:
        """Return a question and its answer; see `PromptBuilder.example`."""
        check_turns(turns, last="assistant")
        prompt = self.prompt(turns[:-1], protein)
        answer, truncated = self.answer(turns[-1]["content"], max_answer_tokens)
        return Example(prompt + answer, [IGNORED_LABEL] * len(prompt) + answer, truncated)


class Prot2TextV2Prompts(PromptBuilder):
    """The prompt of Prot2Text-V2 (commit 0d75d46) in LLaMA-3.1's chat template.

    The conversation's user turn becomes the published one; a system turn of its own replaces
    the published one. Name and taxon of a protein, which the published evaluation shows and
    ours does not, come from a ``prompt.user_template`` of ``Protein name: {name};
    Taxon: {taxon}; <protein_sequence>``.
    """

    def prompt(
        self,
        turns: Sequence[Mapping[str, str]],
        protein: Sequence[int],
        max_answer_tokens: int | None = None,
    ) -> list[int]:
        """Return the ids of a conversation; see `PromptBuilder.prompt`."""
        return super().prompt(_published_turns(turns), protein, max_answer_tokens)

    def example(
        self,
        turns: Sequence[Mapping[str, str]],
        protein: Sequence[int],
        max_answer_tokens: int | None = None,
    ) -> Example:
        """Return the training example of a conversation; see `PromptBuilder.example`."""
        return super().example(_published_turns(turns), protein, max_answer_tokens)


def _published_turns(turns: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    own = [dict(turn) for turn in turns]
    if not own or own[0]["role"] != "system":
        own.insert(0, {"role": "system", "content": SYSTEM_MESSAGE})
    field = PROTEIN_FIELD + PROTEIN_MARKER
    for turn in own:
        if field not in turn["content"]:
            turn["content"] = turn["content"].replace(PROTEIN_MARKER, field)
    return own


INSTRUCTION = "instruction"
"""The format of InstructProtein, for language models that have no chat template of their own."""

INSTRUCTION_TEMPLATE = (
    "{% for turn in messages %}"
    "{% if turn.role == 'assistant' %}{{ turn.content }}{{ eos_token }}"
    "{% elif turn.role == 'system' %}{{ turn.content }}\n\n"
    "{% else %}Instruction: {{ turn.content }}\n\nOutput:\n{% endif %}"
    "{% endfor %}"
)
"""As in the published instructions, with an end after the answer, which those lack."""

FORMATS: dict[str, type[PromptBuilder]] = {
    "chat": PromptBuilder,
    INSTRUCTION: PromptBuilder,
    "protein2text": Protein2TextPrompts,
    "prot2text_v2": Prot2TextV2Prompts,
}
"""Builders by ``prompt.format`` of a system."""


def format_for(tokenizer: Any) -> str:
    """Return the prompt format of a language model as it is: its own, if it has one."""
    return "chat" if getattr(tokenizer, "chat_template", None) else INSTRUCTION


def prompt_builder(
    prompt: Mapping[str, Any], tokenizer: Any, residues: Residues | None = None
) -> PromptBuilder:
    """Return the builder of a system's prompts.

    Parameters
    ----------
    prompt
        ``prompt`` of a system; its ``format`` is ``chat`` unless it says otherwise.
    tokenizer
        The language model's tokenizer.
    residues
        Ids of residue tokens, for systems that have them.

    Raises
    ------
    InputError
        If there is no such format, or the tokenizer lacks what it needs.
    """
    name = prompt.get("format", "chat")
    if name not in FORMATS:
        raise InputError(f"prompt.format is {name!r}; allowed: {', '.join(FORMATS)}")
    if name == INSTRUCTION:
        tokenizer = deepcopy(tokenizer)
        # A prompt opens as every text of this tokenizer does, in pretraining too.
        start = tokenizer("", add_special_tokens=True)["input_ids"][:1]
        tokenizer.chat_template = tokenizer.decode(start) + INSTRUCTION_TEMPLATE
    return FORMATS[name](tokenizer, residues)
