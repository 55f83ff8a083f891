"""Metrics as tables of the page: one per task, fold and stratum, a line per predictor."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from protscribe.evaluation.examples import SEQUENCE_CONDITION
from protscribe.evaluation.runs import ALL_STRATUM, DIFFERENCE_SUFFIX
from protscribe.report.plots import group_order, systems_first, words

# Precision and recall of BERTScore are left to metrics.tsv: the page is wide enough.
TEXT_COLUMNS = {
    "exact_match": "exact match",
    "token_f1": "token F1",
    "content_f1": "content F1",
    "bleu_2": "BLEU-2",
    "bleu_4": "BLEU-4",
    "chrf": "chrF",
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
    "rouge_l": "ROUGE-L",
    "bertscore_f1": "BERTScore F1",
    "bertscore_f1_floor": "F1 of random pairs",
    "bertscore_f1_rescaled": "F1 rescaled",
}
"""Metrics of texts that the page shows, with their titles."""

OPTION_COLUMNS = {
    "accuracy": "accuracy",
    # By the correction for what is likely anyway, an answer without the protein is a guess; what
    # it is worth shows without it.
    "accuracy_sum": "accuracy, uncorrected",
    "macro_f1": "macro-F1",
    "aupr": "AUPR",
    "aupr_by_term": "AUPR, mean of terms",
    "ece": "calibration error",
}
"""Metrics of chosen options that the page shows, with their titles."""

FLOORS = {
    "majority": "the commonest class in training, a guess where options are asked evenly",
    "blind_prior": "how common each option is in training",
    "homology": "votes of the MMseqs2 hits among training proteins",
    "embedding_knn": "votes of the training proteins with the nearest embeddings",
}
"""What a system has to beat where options are given, and what each is."""

PUBLISHED_PREFIX = "published_"
"""Begins the name of a task whose questions were published by others."""

# A system's answer to the sequence stands above those to the same question with less to go on.
_CONDITIONS = (SEQUENCE_CONDITION, "shuffled", "blind")


def result_tables(
    rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Arrange metrics into one table per task, fold and stratum.

    Parameters
    ----------
    rows
        Rows of the metrics table.
    titles
        Metrics to show with their titles, those of texts and of options by default. A group with
        none of them gets no table; a metric that no row of a group has gets no column there.

    Returns
    -------
    list of dict
        Each with its ``heading``, the largest numbers of examples (``n``) and ``clusters``,
        ``small_sample`` (``all``, ``some`` or ``none`` of the lines), column ``titles``, and
        ``lines`` of ``{predictor, condition, n, small_sample, examples, steps, seeds, cells,
        differences}``, one per predictor and condition, those of a predictor together; a cell is
        the metrics row or None.
    """
    shown = titles if titles is not None else TEXT_COLUMNS | OPTION_COLUMNS
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["task"], row["fold"], row["stratum"]), []).append(row)
    tables = []
    for key in sorted(groups, key=lambda key: (group_order(key[:2]), key[2])):
        task, fold, stratum = key
        group = groups[key]
        names = {row["metric"] for row in group}
        columns = [name for name in shown if name in names]
        if not columns:
            continue
        lines = _lines(group, columns)
        parts = [words(fold), words(task), *([] if stratum == ALL_STRATUM else [words(stratum)])]
        tables.append(
            {
                "heading": " · ".join(parts),
                "n": max(row["n"] for row in group),
                "clusters": max(row["clusters"] for row in group),
                "small_sample": which(line["small_sample"] for line in lines),
                "titles": [shown[name] for name in columns],
                "lines": lines,
            }
        )
    return tables


def signatures(
    rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return how each metric was computed, by its title and in the order of titles."""
    found = {
        (titles[row["metric"]], row["signature"])
        for row in rows
        if row["metric"] in titles and row["signature"]
    }
    return sorted(found, key=lambda pair: (list(titles.values()).index(pair[0]), pair[1]))


def floors_present(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the floors that stand among some metrics, with what they are."""
    present = {row["predictor"] for row in rows}
    return [(name, what) for name, what in FLOORS.items() if name in present]


def which(marks: Iterable[bool]) -> str:
    """Return whether all, some or none of some lines bear a mark."""
    found = list(marks)
    return "all" if all(found) else "some" if any(found) else "none"


def _lines(group: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    own: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in group:
        own.setdefault((row["predictor"], row["condition"]), []).append(row)
    conditions = sorted({condition for _, condition in own}, key=_condition_order)
    return [
        _line(own[predictor, condition], columns)
        for predictor in systems_first(group)
        for condition in conditions
        if (predictor, condition) in own
    ]


def _line(own: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> dict[str, Any]:
    """Return the line of one predictor and condition."""
    cells = {row["metric"]: row for row in own}
    differences = [cells.get(name + DIFFERENCE_SUFFIX) for name in columns]
    return {
        "predictor": own[0]["predictor"],
        "condition": own[0]["condition"],
        "n": max(row["n"] for row in own),
        "small_sample": any(row["small_sample"] for row in own),
        "examples": own[0]["training_examples"],
        "steps": own[0]["training_steps"],
        "seeds": own[0]["seeds"],
        "cells": [cells.get(name) for name in columns],
        "differences": differences if any(differences) else [],
    }


def _condition_order(condition: str) -> tuple[int, str]:
    known = condition in _CONDITIONS
    return (_CONDITIONS.index(condition) if known else len(_CONDITIONS)), condition
