"""Facts of the graph phrased by a language model, and what it wrote checked against them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from protscribe.atomic import sha256_json
from protscribe.corpora.knowledge import templates, wording
from protscribe.corpora.knowledge.faithfulness import Fact, fault_of
from protscribe.corpora.knowledge.name_index import NameIndex
from protscribe.corpora.qa.pairs import NO_ANSWER, NOT_JSON
from protscribe.llm.writers import Answer
from protscribe.prompts import PROTEIN_MARKER
from protscribe.sources.formats.record import Reject

VERSION = 1
"""Raised with every change of the words or the schema; the hash tells them apart as well."""

MAX_CHARACTERS = {"question": 500, "answer": 1500}
"""Longest strings; without a bound, a weak model never ends one."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        name: {"type": "string", "maxLength": most} for name, most in MAX_CHARACTERS.items()
    },
    "required": list(MAX_CHARACTERS),
    "additionalProperties": False,
}
"""JSON Schema of what is written: the question comes first."""

SYSTEM_MESSAGE = """\
You turn one fact about a protein into a question and its answer. The reader of the question sees \
the protein's sequence, and nothing else.
- {rule}
- Copy every name of the fact word for word. Name nothing else: no other function, place, family, \
number, organism or gene.
- Call it "this protein".
Return JSON: {{"question": "...", "answer": "..."}}"""

RULES = {
    "design": "The question asks for a protein of which the fact is true. The answer is one short "
    "sentence that announces such a protein; the sequence is put after it.",
    "annotate": "The question asks for what the fact states and does not name it. The answer is "
    "one sentence that states the fact.",
    "verify": "The question asks whether the statement is true and names what it is about. The "
    "answer is one sentence that begins with Yes or No, as the fact says.",
    "explain": "The question asks for the last step and for the reasoning, and names no step. The "
    "answer goes through all steps in their order and ends with the last one.",
}
"""What each task asks of the writer."""

WANTED = {
    "design": "a request for a protein, and what announces it",
    "annotate": "a question about the {noun}, and its answer",
    "verify": "a yes-or-no question about the {noun}, and its answer",
    "explain": "a question about the {noun}, and its answer step by step",
}
"""What the writer is asked for with each fact."""

STYLES = ("plain", "polite", "brief", "formal")
"""How it is to sound. Each fact is phrased in each style once, whatever proteins it is about."""

_Facts = tuple[tuple[str, str], ...]
_EXAMPLES: dict[str, tuple[tuple[_Facts, tuple[str, ...], bool, str, str], ...]] = {
    "design": (
        ((("molecular_function", "heme binding"),), (), True,
         "Could you design a protein whose molecular function is heme binding?",
         "Here is a protein whose molecular function is heme binding:"),
        ((("cofactor", "biotin"),), (), True,
         "I need a protein that works with the cofactor biotin.",
         "This protein works with the cofactor biotin:"),
        ((("family", "globin family"),), (), True,
         "Make me a new member of the globin family.",
         "A new member of the globin family is the following:"),
    ),
    "annotate": (
        ((("biological_process", "glycogen catabolic process"),), (), True,
         "Which biological process does this protein take part in?",
         "This protein takes part in the glycogen catabolic process."),
        ((("location", "peroxisome"),), (), True,
         "Where would one look for this protein?",
         "One would look for this protein in the peroxisome."),
        ((("domain", "SH3 domain"),), (), True,
         "Please name a domain of this protein.",
         "This protein contains the SH3 domain."),
    ),
    "verify": (
        ((("cellular_component", "proteasome complex"),), (), True,
         "Is this protein found in the proteasome complex?",
         "Yes, this protein is found in the proteasome complex."),
        ((("keyword", "Ion transport"),), (), False,
         "Does the keyword Ion transport suit this protein?",
         "No, the keyword Ion transport is not known to suit this protein."),
        ((("molecular_function", "chitin binding"),), (), False,
         "Can chitin binding be counted among the functions of this protein?",
         "No, chitin binding is not among the functions known of this protein."),
    ),
    "explain": (
        ((("domain", "chitinase domain"), ("molecular_function", "chitinase activity"),
          ("biological_process", "chitin catabolic process")), ("interpro2go", "part_of"), True,
         "Which biological process does this protein take part in, and how can one tell?",
         "This protein contains the chitinase domain, which points to chitinase activity. That is "
         "a step of the chitin catabolic process, in which this protein therefore takes part."),
        ((("family", "aquaporin family"), ("molecular_function", "water channel activity")),
         ("interpro2go",), True,
         "What does this protein do, and what is the evidence for it?",
         "As a member of the aquaporin family, this protein has water channel activity."),
        ((("molecular_function", "DNA helicase activity"),
          ("biological_process", "DNA duplex unwinding"), ("cellular_component", "replisome")),
         ("part_of", "occurs_in"), True,
         "Explain step by step where this protein is located.",
         "This protein has DNA helicase activity. That is part of DNA duplex unwinding, which "
         "occurs in the replisome, so this protein is located in the replisome."),
    ),
}  # fmt: skip
"""Three examples of each task, of our own."""

_NOTHING_ELSE = "Name nothing else."


@dataclass(frozen=True)
class Item:
    """One fact to phrase.

    Parameters
    ----------
    task
        One of `RULES`.
    steps
        Kind and name of what is asked, or of each step of a chain to it.
    relations
        Names of the edges between steps.
    positive
        Whether the protein has it.
    style
        Place in `STYLES`.
    """

    task: str
    steps: tuple[tuple[str, str], ...]
    relations: tuple[str, ...]
    positive: bool
    style: int


def phrasing_turns(item: Item) -> list[dict[str, str]]:
    """Return the conversation that asks for one question and answer.

    Nothing in it is about a single protein, so that proteins share what is written.

    Returns
    -------
    list of dict
        A system turn, three examples as user and assistant turns, and the user turn to answer.
    """
    turns = [{"role": "system", "content": SYSTEM_MESSAGE.format(rule=RULES[item.task])}]
    for place, (steps, relations, positive, question, answer) in enumerate(_EXAMPLES[item.task]):
        example = Item(item.task, steps, relations, positive, place)
        said = json.dumps({"question": question, "answer": answer})
        turns.append({"role": "user", "content": _user_message(example)})
        turns.append({"role": "assistant", "content": said})
    return [*turns, {"role": "user", "content": _user_message(item)}]


def prompt_hash() -> str:
    """Return the SHA-256 of the instructions, recorded with every text written to them."""
    return sha256_json(
        [VERSION, SYSTEM_MESSAGE, RULES, WANTED, STYLES, _EXAMPLES, templates.NOUNS, SCHEMA]
    )


def read_answer(item: Item, answer: Answer, index: NameIndex) -> tuple[str, str]:
    """Return the question and the answer that a model wrote, if they are faithful.

    Parameters
    ----------
    item
        What it was to phrase.
    answer
        What it wrote.
    index
        All names of annotations.

    Returns
    -------
    tuple of str
        Question and answer with single spaces; that to a design request ends with the marker of
        the protein.

    Raises
    ------
    Reject
        With a reason of `protscribe.corpora.qa.pairs.ANSWER_REASONS` or of
        `protscribe.corpora.knowledge.faithfulness.REASONS`.
    """
    if answer.text is None or not answer.text.strip():
        raise Reject(NO_ANSWER, answer.detail or answer.finish_reason)
    question, reply = _parts(answer.text)
    if item.task == "design" and PROTEIN_MARKER not in reply and reply:
        reply = wording.with_protein(reply)
    names = tuple(name for _, name in item.steps)
    fact = Fact(item.task, item.steps[-1][0], names, item.positive)
    if fault := fault_of(fact, question, reply, index):
        raise Reject(*fault)
    return question, reply


def _parts(text: str) -> tuple[str, str]:
    try:
        found = json.loads(text)
    # A ValueError that is no JSONDecodeError: an integer of more digits than Python reads.
    except (ValueError, RecursionError) as error:
        raise Reject(NOT_JSON, f"{str(error)[:80]}: {text[-100:]}") from None
    values = [found.get(name) if isinstance(found, dict) else None for name in MAX_CHARACTERS]
    if not all(isinstance(value, str) for value in values):
        raise Reject(NOT_JSON, f"no object with a question and an answer: {text[:100]}")
    question, reply = (" ".join(str(value).split()) for value in values)
    return question, reply


def _user_message(item: Item) -> str:
    noun = templates.NOUNS[item.steps[-1][0]].removeprefix("the ")
    lines = [
        f"Write: {WANTED[item.task].format(noun=noun)}",
        f"Style: {STYLES[item.style % len(STYLES)]}",
        f"Fact: {_statement(item)}",
    ]
    if item.relations:
        lines += _chain(item.steps, item.relations)
    if item.task == "verify":
        lines.append(f"Answer: {'Yes' if item.positive else 'No'}")
    return "\n".join([*lines, f"Names to copy: {_names(item.steps)}. {_NOTHING_ELSE}"])


def _statement(item: Item) -> str:
    kind, name = item.steps[-1]
    if item.task == "verify":
        return wording.verify_answer(kind, name, item.positive)
    return wording.annotate_answer(kind, name, 0)


def _chain(steps: Sequence[tuple[str, str]], relations: Sequence[str]) -> list[str]:
    lines = [f"Step 1: {templates.NOUNS[steps[0][0]]} {steps[0][1]}"]
    for place, ((kind, name), relation) in enumerate(zip(steps[1:], relations, strict=True)):
        link = relation.replace("_", " ")
        lines.append(f"Step {place + 2} ({link}): {templates.NOUNS[kind]} {name}")
    return lines


def _names(steps: Sequence[tuple[str, str]]) -> str:
    return "; ".join(name for _, name in steps)
