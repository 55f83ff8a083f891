"""Planned instructions as rows of table conversations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protscribe.corpora.knowledge import wording
from protscribe.corpora.knowledge.facts import Chains, Facts
from protscribe.corpora.knowledge.phrasing import STYLES, Item
from protscribe.corpora.knowledge.tasks import DESIGN, EXPLAIN, TASKS, Plan
from protscribe.prompts import PROTEIN_MARKER
from protscribe.seeds import unit_hash

CORPUS = "knowledge"
STEP_MARK = " > "
"""Between the ids of a chain in the column evidence_span."""

_WORDINGS = 1 << 20


@dataclass(frozen=True)
class Author:
    """Who wrote a text: the last columns of a conversation."""

    writer: str
    writer_revision: str
    prompt_hash: str | None = None
    seed: int | None = None


def items_of(plan: Plan, facts: Facts, chains: Chains) -> list[tuple[Item, tuple[str, ...]]]:
    """Return what each instruction is to say, with the ids of its annotations.

    Parameters
    ----------
    plan
        Some instructions; negative ones ask about an annotation that the protein lacks.
    facts, chains
        The graph. Each draw of a triple takes the next of its chains.
    """
    places = {name: place for place, name in enumerate(facts.ids)}
    explained = np.flatnonzero(plan.task == EXPLAIN)
    chosen = iter(
        chains.take(plan.protein[explained], plan.annotation[explained], plan.number[explained] - 1)
    )
    styles = np.minimum((plan.chance[:, 2] * len(STYLES)).astype(int), len(STYLES) - 1)
    items = []
    columns = (plan.task, plan.asked, plan.positive, styles)
    for task, asked, positive, style in zip(*(column.tolist() for column in columns), strict=True):
        ids, relations = next(chosen) if task == EXPLAIN else ([facts.ids[asked]], [])
        steps = tuple((facts.kinds[places[id_]], facts.names[places[id_]]) for id_ in ids)
        items.append((Item(TASKS[task], steps, tuple(relations), positive, style), tuple(ids)))
    return items


def phrase(item: Item, number: int) -> tuple[str, str]:
    """Return a question and its answer in the words of our own templates.

    Parameters
    ----------
    item
        What is to be said.
    number
        Which wording.
    """
    kind, name = item.steps[-1]
    # Question and answer go through their wordings at different paces.
    other = number // 7 + number
    match item.task:
        case "design":
            return (
                wording.design_request(kind, name, number),
                wording.design_answer(kind, name, other),
            )
        case "annotate":
            return (
                wording.annotate_question(kind, number),
                wording.annotate_answer(kind, name, other),
            )
        case "verify":
            return (
                wording.verify_question(kind, name, number),
                wording.verify_answer(kind, name, item.positive),
            )
        case _:
            return (
                wording.explain_question(kind, number),
                wording.explain_answer(item.steps, item.relations, other),
            )


def published_phrase(item: Item) -> tuple[str, str] | None:
    """Return a question and its answer as InstructProtein words them, if it does.

    It has one wording for requests, one for yes-or-no questions and one for locations; none is
    published for other annotations, nor for chains.
    """
    kind, name = item.steps[-1]
    match item.task:
        case "design":
            lead_in = wording.PUBLISHED_DESIGN_LEAD_IN
            return wording.published_design_request(name), wording.with_protein(lead_in)
        case "verify":
            return (
                wording.published_verify_question(name),
                wording.published_verify_answer(item.positive),
            )
        case "annotate" if kind in ("location", "cellular_component"):
            return wording.PUBLISHED_LOCATION_QUESTION, wording.published_location_answer(name)
        case _:
            return None


def wording_numbers(plan: Plan, facts: Facts, seed: int) -> list[int]:
    """Return which wording each instruction gets: draws of a triple get different ones."""
    columns = (plan.protein, plan.annotation, plan.number)
    return [
        int(unit_hash(seed, f"wording\x1f{facts.accessions[p]}\x1f{facts.ids[a]}") * _WORDINGS) + n
        for p, a, n in zip(*(column.tolist() for column in columns), strict=True)
    ]


def turns_of(task: str, question: str, answer: str) -> list[dict[str, str]]:
    """Return the turns of an instruction; the protein is shown unless it is to be designed."""
    asked = question if task == TASKS[DESIGN] else f"{PROTEIN_MARKER}\n{question}"
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]


def conversation(
    identifier: str,
    accession: str,
    fold: str,
    item: Item,
    ids: Sequence[str],
    text: tuple[str, str],
    author: Author,
    licence: str,
) -> dict[str, Any]:
    """Return a row of table conversations.

    Its ``context`` is the relation asked about, its ``evidence_span`` the id of the annotation
    asked about, of a chain the ids of all steps with `STEP_MARK` between them.
    """
    return {
        "id": identifier,
        "accession": accession,
        "corpus": CORPUS,
        "task": item.task,
        "fold": fold,
        "context": item.steps[-1][0],
        "turns": turns_of(item.task, *text),
        "evidence_span": STEP_MARK.join(ids),
        "pubmed_id": None,
        "licence": licence,
        "writer": author.writer,
        "writer_revision": author.writer_revision,
        "prompt_hash": author.prompt_hash,
        "seed": author.seed,
    }
