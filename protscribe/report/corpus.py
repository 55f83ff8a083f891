"""What the results page says of questions and answers: what they are, and what was dropped."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from protscribe.report.plots import FOLD_ORDER

WRITERS = ("language_model", "template", "imported")
"""Who can have written a pair; named inside the ids of pairs."""

EXAMPLES = 3
"""Examples shown of each reason."""

_STAGE_WRITERS = {"import_qa": "imported", "write_qa": "language_model"}
_UNKNOWN = "unknown"

_NUMBERS = {
    "pairs": "pairs",
    "proteins": "proteins",
    "publications": "publications",
    "pairs_without_publication": "pairs without a publication",
    "unique_questions": "different questions",
    "unique_answers": "different answers",
    "unique_pairs": "different pairs of question and answer",
}
_LENGTHS = {
    "sequence_length": "sequence, residues",
    "question_words": "question, words",
    "answer_words": "answer, words",
    "pairs_per_protein": "pairs of a protein",
}


def is_qa_stage(stage: str) -> bool:
    """Return whether a stage makes, filters or places questions and answers."""
    return "qa" in re.split(r"\W|_", stage)


def first_details(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the first few different details of some rejects, with their keys."""
    found: dict[str, str] = {}
    for row in rows:
        if row["detail"]:
            found.setdefault(row["detail"], row["key"])
        if len(found) == EXAMPLES:
            break
    return [f"{key}: {detail}" for detail, key in found.items()]


def drop_table(rows: Sequence[Mapping[str, Any]], statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Arrange what was dropped on the way to the corpus.

    Parameters
    ----------
    rows
        Rows of rejects tables of QA stages.
    statistics
        See `protscribe.corpora.qa.statistics.corpus_statistics`; says what was kept.

    Returns
    -------
    dict
        ``writers``; ``lines`` of ``{stage, reason, counts, count, examples}`` with one count per
        writer, stages together and frequent reasons first; and the counts ``dropped`` and
        ``kept`` of each writer with their sum at the end.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        key = row["stage"], row["reason"] or "no reason given"
        groups.setdefault(key, []).append(row)
    counts = {key: Counter(writer_of(row) for row in group) for key, group in groups.items()}
    dropped = sum(counts.values(), Counter[str]())
    kept = {writer: facts["pairs"] for writer, facts in statistics["writers"].items()}
    known = {*dropped, *kept}
    writers = [name for name in WRITERS if name in known] + sorted(known - {*WRITERS})
    order = sorted(groups, key=lambda key: (key[0], -len(groups[key]), key[1]))
    return {
        "writers": writers,
        "lines": [
            {
                "stage": stage,
                "reason": reason,
                "counts": [counts[stage, reason][writer] for writer in writers],
                "count": len(groups[stage, reason]),
                "examples": first_details(groups[stage, reason]),
            }
            for stage, reason in order
        ],
        "dropped": [*(dropped[writer] for writer in writers), dropped.total()],
        "kept": [*(kept.get(writer, 0) for writer in writers), sum(kept.values())],
    }


def writer_of(row: Mapping[str, Any]) -> str:
    """Return who wrote what a reject is about: named in its key, or known from its stage."""
    named = [part for part in row["key"].split(":") if part in WRITERS]
    return named[0] if named else _STAGE_WRITERS.get(row["stage"], _UNKNOWN)


def corpus_section(
    statistics: Mapping[str, Any], rejects: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Arrange the statistics and the dropped records of the corpus for the page.

    Parameters
    ----------
    statistics
        See `protscribe.corpora.qa.statistics.corpus_statistics`.
    rejects
        Rows of the rejects tables; those of other stages are left out.
    """
    placed = [fold for fold in FOLD_ORDER if fold in statistics["folds"]]
    parts = [("writer", name, facts) for name, facts in statistics["writers"].items()]
    parts += [("fold", name, statistics["folds"][name]) for name in placed]
    return {
        "numbers": [(title, statistics[key]) for key, title in _NUMBERS.items()],
        "concentration": statistics["concentration"],
        "lengths": [(title, statistics[key]) for key, title in _LENGTHS.items()],
        "parts": parts,
        "writers_by_fold": statistics["writers_by_fold"],
        "folds": placed,
        "categories": _by_writer(statistics["categories_by_writer"]),
        "blind": statistics["answered_blind"],
        "examples": statistics["examples"],
        "drops": drop_table([row for row in rejects if is_qa_stage(row["stage"])], statistics),
    }


def percent(share: float | None) -> str:
    """Return a share as a percentage with one digit, a dash where there is none."""
    return "–" if share is None else f"{100 * share:.1f}%"


def _by_writer(counts: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Turn counts of categories by writer into lines of a table, frequent ones first."""
    totals: Counter[str] = Counter()
    for named in counts.values():
        totals.update(named)
    order = sorted(totals, key=lambda name: (-totals[name], name))
    return {
        "writers": list(counts),
        "lines": [
            (name, [named.get(name, 0) for named in counts.values()], totals[name])
            for name in order
        ],
    }
