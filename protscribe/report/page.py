"""The results page: one HTML file that needs nothing beside itself."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from protscribe.atomic import atomic_path, read_json
from protscribe.errors import InputError
from protscribe.evaluation.bootstrap import MIN_CLUSTERS
from protscribe.evaluation.runs import ALL_STRATUM, DIFFERENCE_SUFFIX, PAIRED_WITH
from protscribe.report.plots import group_order, systems_first, words
from protscribe.tables import read_table

TEMPLATE = Path(__file__).parents[2] / "report" / "page.html.j2"
"""The page without its contents; lies outside the library because it holds no logic."""

# Precision and recall of BERTScore are left to metrics.tsv: the page is wide enough.
_COLUMNS = {
    "exact_match": "exact match",
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
    environment.filters |= {"words": words, "scalar": _scalar}
    rows = read_table(metrics, "metrics").to_pylist()
    found = read_json(audit)
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
        rejects=reject_summary(
            [row for path in rejects for row in read_table(path, "rejects").to_pylist()]
        ),
        provenance=read_json(provenance),
    )
    with atomic_path(output) as partial:
        partial.write_text(page, encoding="utf-8")


def result_tables(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Arrange metrics into one table per task, fold, condition and stratum.

    Parameters
    ----------
    rows
        Rows of the metrics table.

    Returns
    -------
    list of dict
        Each with its ``heading``, the numbers of proteins (``n``) and ``clusters``,
        ``small_sample``, column ``titles``, and ``lines`` of ``{predictor, examples, steps,
        seeds, cells, differences}``; a cell is the metrics row or None.
    """
    groups: dict[tuple[str, str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        key = (row["task"], row["fold"], row["condition"], row["stratum"])
        groups.setdefault(key, []).append(row)
    order = sorted(groups, key=lambda key: (group_order(key[:2]), key[2:]))
    tables = []
    for key in order:
        task, fold, condition, stratum = key
        cells = {(row["predictor"], row["metric"]): row for row in groups[key]}
        columns = [name for name in _COLUMNS if any(metric == name for _, metric in cells)]
        lines = []
        for predictor in systems_first(groups[key]):
            own = next(row for row in groups[key] if row["predictor"] == predictor)
            differences = [cells.get((predictor, name + DIFFERENCE_SUFFIX)) for name in columns]
            lines.append(
                {
                    "predictor": predictor,
                    "examples": own["training_examples"],
                    "steps": own["training_steps"],
                    "seeds": own["seeds"],
                    "cells": [cells.get((predictor, name)) for name in columns],
                    "differences": differences if any(differences) else [],
                }
            )
        parts = [words(fold), words(task), f"condition: {words(condition)}"]
        parts += [] if stratum == ALL_STRATUM else [words(stratum)]
        tables.append(
            {
                "heading": " · ".join(parts),
                "n": max(row["n"] for row in groups[key]),
                "clusters": max(row["clusters"] for row in groups[key]),
                "small_sample": any(row["small_sample"] for row in groups[key]),
                "titles": [_COLUMNS[name] for name in columns],
                "lines": lines,
            }
        )
    return tables


def reject_summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Count rejects by stage and reason, with the first keys of each."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((row["stage"], row["reason"] or "no reason given"), []).append(row["key"])
    return [
        {
            "stage": stage,
            "reason": reason,
            "count": len(keys),
            "keys": ", ".join(keys[:_SHOWN_REJECTS]) + (" …" if len(keys) > _SHOWN_REJECTS else ""),
        }
        for (stage, reason), keys in sorted(groups.items(), key=lambda i: (-len(i[1]), i[0]))
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
