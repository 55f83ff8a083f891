"""What a writer wrote about a text, read into pairs of question and answer."""

import json
import re
from collections.abc import Mapping
from typing import Any

from protscribe.corpora.qa.categories import category_of
from protscribe.sources.formats.record import Reject

NO_ANSWER = "the writer gave no answer"
NOT_JSON = "the answer is not whole JSON"
NO_PAIRS = "the writer found nothing to ask"
ANSWER_REASONS = (NO_ANSWER, NOT_JSON, NO_PAIRS)
"""Why an answer as a whole gives no pair."""

_PARTS = ("question", "answer", "evidence")


def parse_answer(answer: Mapping[str, Any], context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read one answer.

    Parameters
    ----------
    answer
        Row of table written_answers. Its text is JSON of the form
        `protscribe.corpora.qa.instructions.answer_schema` describes; white space and the marks of
        a code block may stand around it. Nothing is salvaged from any other text.
    context
        Row of table contexts that the answer was written from.

    Returns
    -------
    list of dict
        Rows of table qa_pairs in the order written, numbered from 1. White space in questions
        and answers is single spaces. ``evidence_span`` is the slice of the context's text if the
        evidence stands there, otherwise what the writer gave, with offsets None. A part that is
        missing or not text is an empty text.

    Raises
    ------
    Reject
        With one of `ANSWER_REASONS`, if there is no pair.
    """
    text = answer["answer"]
    if text is None or not text.strip():
        raise Reject(NO_ANSWER, answer["finish_reason"] or "")
    found = _load(text)
    items = found.get("pairs") if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise Reject(NOT_JSON, f"no object with a list of pairs: {text[:100]}")
    if not items:
        raise Reject(NO_PAIRS)
    return [_row(answer, context, number, item) for number, item in enumerate(items, start=1)]


def locate(evidence: str, text: str) -> tuple[int, int] | None:
    """Find a passage in a text, white space aside.

    Parameters
    ----------
    evidence
        The passage.
    text
        The text.

    Returns
    -------
    tuple of int or None
        Start and end in characters of its first place. The slice differs from the passage in
        white space alone.
    """
    words = evidence.split()
    if not words:
        return None
    start = text.find(" ".join(words))
    if start >= 0:
        return start, start + len(" ".join(words))
    match = re.search(r"\s+".join(map(re.escape, words)), text)
    return match.span() if match else None


def _load(text: str) -> Any:
    block = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", text, re.DOTALL)
    try:
        return json.loads(block.group(1) if block else text)
    # A ValueError that is no JSONDecodeError: an integer of more digits than Python reads.
    except (ValueError, RecursionError) as error:
        raise Reject(NOT_JSON, f"{str(error)[:80]}: {text[-100:]}") from None


def _row(
    answer: Mapping[str, Any], context: Mapping[str, Any], number: int, item: Any
) -> dict[str, Any]:
    question, reply, evidence = (_text(item, part) for part in _PARTS)
    place = locate(evidence, context["text"])
    start, end = place or (None, None)
    return {
        "id": f"{answer['context_id']}:{answer['writer']}:{number}",
        "accession": context["accession"],
        "context_id": answer["context_id"],
        "context": context["context"],
        "category": category_of(question),
        "question": question,
        "answer": reply,
        "evidence_span": context["text"][start:end] if place else evidence,
        "span_start": start,
        "span_end": end,
        "pubmed_id": context["pubmed_id"],
        "licence": context["licence"],
        "writer": answer["writer"],
        "writer_revision": answer["writer_revision"],
        "prompt_hash": answer["prompt_hash"],
        "seed": answer["seed"],
    }


def _text(item: Any, part: str) -> str:
    value = item.get(part) if isinstance(item, dict) else None
    return " ".join(value.split()) if isinstance(value, str) else ""
