"""Whether a text says what the graph says: all of it, and nothing else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from protscribe.corpora.knowledge.name_index import (
    DENIALS,
    NameIndex,
    Span,
    Words,
    maximal_places,
    places_of,
    split_words,
    words_around,
    words_of,
)
from protscribe.corpora.knowledge.plain_words import (
    IN_A_PLACE,
    PLACES,
    QUESTION_WORDS,
    REQUESTS,
    SUBJECTS,
)
from protscribe.prompts import PROTEIN_MARKER

EMPTY = "no question or no answer"
FORM = "no question, or no answer to one"
MARKER = "marker not where it is due"
MISSING = "a named entity is missing"
ORDER = "steps out of order"
INVENTED = "something is named that the fact does not hold"
MORE = "more is said than the fact"
MISMATCH = "asked or said of another kind"
LEAK = "the question names its answer"
POLARITY = "wrong polarity"
REASONS = (EMPTY, MARKER, FORM, LEAK, INVENTED, MISSING, ORDER, MISMATCH, POLARITY, MORE)
"""Why a text is not faithful."""

_RESIDUES = re.compile(r"[ACDEFGHIKLMNPQRSTVWY]{8,}")


@dataclass(frozen=True)
class Fact:
    """What a text is to say.

    Parameters
    ----------
    task
        One of `protscribe.corpora.knowledge.tasks.TASKS`.
    kind
        Kind of the annotation that is asked.
    names
        Names of the annotations: that which is asked, or the steps of a chain to it.
    positive
        Whether the protein has it.
    """

    task: str
    kind: str
    names: tuple[str, ...]
    positive: bool = True


def fault_of(fact: Fact, question: str, answer: str, index: NameIndex) -> tuple[str, str] | None:
    """Return why a question and its answer are not faithful to a fact, or None if they are.

    Parameters
    ----------
    fact
        What they are to say.
    question, answer
        The texts, without the marker of the protein but for the answer to a design request,
        which holds it once.
    index
        All names of annotations.

    Returns
    -------
    tuple of str or None
        One of `REASONS` and a detail.
    """
    due = int(fact.task == "design")
    if not question.strip() or not answer.replace(PROTEIN_MARKER, " ").strip():
        return EMPTY, ""
    counts = question.count(PROTEIN_MARKER), answer.count(PROTEIN_MARKER)
    if counts != (0, due):
        return MARKER, f"{counts[0]} in the question, {counts[1]} in the answer"
    answer = answer.replace(PROTEIN_MARKER, " ")
    target = fact.names[-1]
    spans = {text: maximal_places(text, fact.names) for text in (question, answer)}
    if problem := _wrong_form(fact, question, answer):
        return problem
    if fact.task in ("annotate", "explain"):
        if places_of(question, target):
            return LEAK, target
        if not SUBJECTS[fact.kind] & set(words_of(question)):
            return MISMATCH, f"{fact.kind}: {question[:100]}"
    for text in (question, answer):
        own = [span for span, _ in spans[text]]
        if others := [*index.others(text, own), *_stray(text, own, fact)]:
            return INVENTED, "; ".join(dict.fromkeys(others))
    named_in = question if fact.task in ("design", "verify") else answer
    present = {words for _, words in spans[named_in]}
    for name in fact.names:
        if tuple(words_of(name)) not in present:
            return MISSING, name
    if fact.task == "explain" and (late := _out_of_order(fact.names, spans[answer])):
        return ORDER, late
    stated = question if fact.task == "design" else answer
    words = words_around(stated, [span for span, _ in spans[stated]])
    secreted = fact.names[-1].lower().startswith("secreted")
    if fact.kind in PLACES and not secreted and not IN_A_PLACE & set(words):
        return MISMATCH, f"{fact.kind}: {stated[:100]}"
    if problem := _wrong_polarity(fact, question, answer, spans):
        return problem
    for text in (question, answer):
        if more := index.more(text, [span for span, _ in spans[text]], fact.names):
            return MORE, ", ".join(dict.fromkeys(more))
    return None


def _wrong_form(fact: Fact, question: str, answer: str) -> tuple[str, str] | None:
    first = words_of(question)[:1]
    if "?" not in question and not REQUESTS & set(first):
        return FORM, question[:100]
    if fact.task == "design" and (
        "this protein" in question.lower() or not (REQUESTS - QUESTION_WORDS) & set(first)
    ):
        return FORM, question[:100]
    return (FORM, answer[:100]) if answer.rstrip().endswith("?") else None


def _wrong_polarity(
    fact: Fact, question: str, answer: str, spans: dict[str, list[tuple[Span, Words]]]
) -> tuple[str, str] | None:
    around = {text: words_around(text, [span for span, _ in spans[text]]) for text in spans}
    said = around[answer]
    if fact.task == "verify":
        expected, other = ("yes", "no") if fact.positive else ("no", "yes")
        if said[:1] != [expected] or other in said:
            return POLARITY, f"the answer is {expected}: {answer[:100]}"
        if not fact.positive:
            if not DENIALS & set(said[1:]):
                return POLARITY, f"a no that denies nothing: {answer[:100]}"
            said = []
    asked = around[question]
    if asked[:3] == ["yes", "or", "no"]:
        asked = asked[3:]
    for text, words in ((question, asked), (answer, said)):
        if denied := sorted(DENIALS & set(words)):
            return POLARITY, f"{denied[0]!r} in {text[:100]!r}"
    return None


def _out_of_order(names: Sequence[str], found: Sequence[tuple[Span, Words]]) -> str | None:
    """Return the first name that does not stand after the one before it."""
    position = -1
    for name in names:
        words = tuple(words_of(name))
        starts = [span[0] for span, own in found if own == words and span[0] > position]
        if not starts:
            return name
        position = min(starts)
    return None


def _stray(text: str, own: Sequence[Span], fact: Fact) -> list[str]:
    """Return numbers and residues outside the names; steps may be counted."""
    spelled = split_words(text)[0]
    inside = {place for start, end in own for place in range(start, end)}
    steps = {str(number + 1) for number in range(len(fact.names))}
    counted = steps if fact.task == "explain" else set()
    return [
        word
        for place, word in enumerate(spelled)
        if place not in inside
        and word not in counted
        and (any(map(str.isdigit, word)) or _RESIDUES.fullmatch(word))
    ]
