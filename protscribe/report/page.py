"""The results page: one HTML file that needs nothing beside itself."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from protscribe.atomic import atomic_path, read_json
from protscribe.errors import InputError
from protscribe.evaluation.bootstrap import MIN_CLUSTERS
from protscribe.evaluation.examples import SEQUENCE_CONDITION
from protscribe.evaluation.runs import ALL_STRATUM, DIFFERENCE_SUFFIX, PAIRED_WITH
from protscribe.report.corpus import corpus_section, first_details, is_qa_stage, percent
from protscribe.report.plots import group_order, systems_first, words
from protscribe.tables import read_table

TEMPLATE = Path(__file__).parents[2] / "report" / "page.html.j2"
"""The page without its contents; lies outside the library because it holds no logic."""

# Precision and recall of BERTScore are left to metrics.tsv: the page is wide enough.
_COLUMNS = {
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
_SHOWN_REJECTS = 20

# A system's answer to the sequence stands above those to the same question with less to go on.
_CONDITIONS = (SEQUENCE_CONDITION, "shuffled", "blind")


def write_report(
    metrics: Path,
    audit: Path,
    figures: Sequence[Path],
    provenance: Path,
    rejects: Sequence[Path],
    output: Path,
    *,
    title: str,
    note: str,
    statistics: Path | None = None,
) -> None:
    """Write the results page.

    Parameters
    ----------
    metrics
        The metrics table.
    audit
        ``audit.json`` of the split.
    figures
        PNG files, put into the page itself.
    provenance
        ``provenance.json`` of the run.
    rejects
        The rejects tables of the rules that leave records out.
    output
        The HTML file. It refers to no other file and no address.
    title
        What the run is called.
    note
        The first line of the page; empty for none.
    statistics
        Statistics of the corpus of questions and answers; None where the run has none, and then
        the page says nothing of it.

    Raises
    ------
    InputError
        If a file is missing or a figure is not a PNG.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": words, "scalar": _scalar, "percent": percent}
    rows = read_table(metrics, "metrics").to_pylist()
    found = read_json(audit)
    left_out = [row for path in rejects for row in read_table(path, "rejects").to_pylist()]
    corpus = None
    if statistics is not None:
        corpus = corpus_section(read_json(statistics), left_out)
        left_out = [row for row in left_out if not is_qa_stage(row["stage"])]
    page = environment.get_template(TEMPLATE.name).render(
        title=title,
        note=note.strip(),
        folds=result_tables(rows),
        paired_with=PAIRED_WITH,
        signatures=_signatures(rows),
        min_clusters=MIN_CLUSTERS,
        figures=[_figure(path) for path in figures],
        audit=found,
        violations=_count(found.get("violations", [])),
        corpus=corpus,
        rejects=reject_summary(left_out),
        provenance=read_json(provenance),
    )
    with atomic_path(output) as partial:
        partial.write_text(page, encoding="utf-8")


def result_tables(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Arrange metrics into one table per task, fold and stratum.

    Parameters
    ----------
    rows
        Rows of the metrics table.

    Returns
    -------
    list of dict
        Each with its ``heading``, the largest numbers of examples (``n``) and ``clusters``,
        ``small_sample`` (``all``, ``some`` or ``none`` of the lines), column ``titles``, and
        ``lines`` of ``{predictor, condition, n, small_sample, examples, steps, seeds, cells,
        differences}``, one per predictor and condition, those of a predictor together; a cell is
        the metrics row or None.
    """
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["task"], row["fold"], row["stratum"]), []).append(row)
    tables = []
    for key in sorted(groups, key=lambda key: (group_order(key[:2]), key[2])):
        task, fold, stratum = key
        group = groups[key]
        names = {row["metric"] for row in group}
        columns = [name for name in _COLUMNS if name in names]
        conditions = sorted({row["condition"] for row in group}, key=_condition_order)
        lines = []
        for predictor in systems_first(group):
            for condition in conditions:
                own = [
                    row
                    for row in group
                    if row["predictor"] == predictor and row["condition"] == condition
                ]
                if own:
                    lines.append(_line(own, columns))
        small = [line["small_sample"] for line in lines]
        parts = [words(fold), words(task), *([] if stratum == ALL_STRATUM else [words(stratum)])]
        tables.append(
            {
                "heading": " · ".join(parts),
                "n": max(row["n"] for row in group),
                "clusters": max(row["clusters"] for row in group),
                "small_sample": "all" if all(small) else "some" if any(small) else "none",
                "titles": [_COLUMNS[name] for name in columns],
                "lines": lines,
            }
        )
    return tables


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


def reject_summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Count rejects by stage and reason, with the first keys and examples of each."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["stage"], row["reason"] or "no reason given"), []).append(row)
    return [
        {
            "stage": stage,
            "reason": reason,
            "count": len(group),
            "keys": ", ".join(row["key"] for row in group[:_SHOWN_REJECTS])
            + (" …" if len(group) > _SHOWN_REJECTS else ""),
            "examples": first_details(group),
        }
        for (stage, reason), group in sorted(groups.items(), key=lambda i: (-len(i[1]), i[0]))
    ]


def _signatures(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    found = {
        (_COLUMNS[row["metric"]], row["signature"])
        for row in rows
        if row["metric"] in _COLUMNS and row["signature"]
    }
    return sorted(found, key=lambda pair: (list(_COLUMNS.values()).index(pair[0]), pair[1]))


def _figure(path: Path) -> dict[str, str]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such figure; run plot_results") from None
    if not data.startswith(b"\x89PNG"):
        raise InputError(f"{path}: not a PNG file; run plot_results again")
    return {"name": path.stem, "data": base64.b64encode(data).decode("ascii")}


def _count(value: Any) -> int:
    return value if isinstance(value, int) else len(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
