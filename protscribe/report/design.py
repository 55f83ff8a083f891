"""What the results page says of designed proteins."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from protscribe.report.results import which
from protscribe.tables import read_table

ALL = "all"
"""Names all requests, annotations and strata in table ``design_scores``."""

CONTROLS = {
    "shuffled": "a system's own designs with their residues in random order",
    "markov": "sequences of the same lengths from a Markov chain of training proteins",
    "fragment": "stretches of training proteins, of the same lengths",
}
"""Controls of one system, named ``SYSTEM:CONTROL``, and what each is."""

NATURAL = {
    "retrieval": "training proteins that have the annotation: nothing agrees more, nothing is new",
    "natural": "held-out proteins that have the annotation",
}
"""Controls that belong to no system, and what each is."""

SHOWN = 3
"""Requests whose first design of each system is shown."""


class DesignFiles(NamedTuple):
    """What a run leaves of its designs.

    Parameters
    ----------
    scores
        Table ``design_scores``.
    requests
        Table ``design_requests``.
    designs
        Tables ``designs``, one of each system.
    """

    scores: Path
    requests: Path
    designs: Sequence[Path]


class _Column(NamedTuple):
    metric: str
    title: str
    scale: float = 1.0
    digits: int = 2
    sign: bool = False

    def show(self, value: float, sign: bool = False) -> str:
        # Adding 0 turns a rounded -0 into 0.
        return f"{round(value * self.scale, self.digits) + 0:{'+' * sign}.{self.digits}f}"


COLUMNS = (
    _Column("valid", "valid, %", 100, 1),
    _Column("closed", "closed, %", 100, 1),
    _Column("length_ks", "length KS"),
    _Column("composition_js", "composition JS"),
    _Column("perplexity", "perplexity", digits=1),
    _Column("novelty_no_hit", "without a training hit, %", 100, 1),
    _Column("clusters_50", "diversity at 50% identity, %", 100, 1),
    _Column("homology_gain", "homology gain, points", 100, 1, True),
    _Column("knn_gain", "kNN gain, points", 100, 1, True),
)
"""Metrics that the page shows."""


def design_section(files: DesignFiles) -> dict[str, Any]:
    """Arrange the scores of designs and the first designs for the page.

    Parameters
    ----------
    files
        Tables of the run.

    Returns
    -------
    dict
        ``titles`` of the columns; ``lines`` of ``{predictor, designs, requests, seeds,
        small_sample, cells}``, systems before their controls and those before natural proteins; a
        cell is ``{value, interval}`` as text, or None; ``small_sample`` (``all``, ``some`` or
        ``none`` of the lines); ``missing``, why some columns have no number; ``controls`` that are
        present with what they are; ``requests``, how many proteins were asked for and how many of
        those requests training never saw; and ``examples`` of designs.
    """
    groups: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in read_table(files.scores, "design_scores").to_pylist():
        if row["relation"] == row["annotation"] == row["stratum"] == ALL:
            groups.setdefault(row["predictor"], {})[row["metric"]] = row
    lines = [_line(name, groups[name]) for name in sorted(groups, key=_order)]
    kinds = {name.rpartition(":")[2] for name in groups}
    asked = read_table(files.requests, "design_requests").to_pylist()
    return {
        "titles": [column.title for column in COLUMNS],
        "lines": lines,
        "small_sample": which(line["small_sample"] for line in lines),
        "missing": _missing(groups.values()),
        "controls": [(n, what) for n, what in (CONTROLS | NATURAL).items() if n in kinds],
        "requests": {"asked": len(asked), "unseen": sum(row["seen"] is False for row in asked)},
        "examples": _examples(files.designs, asked),
    }


def _order(predictor: str) -> tuple[int, str, int]:
    """Sort systems by name, each before its controls, and natural proteins last."""
    if predictor in NATURAL:
        return 1, "", list(NATURAL).index(predictor)
    system, _, control = predictor.rpartition(":")
    if control in CONTROLS:
        return 0, system, 1 + list(CONTROLS).index(control)
    return 0, predictor, 0


def _line(predictor: str, own: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    shown = [own[column.metric] for column in COLUMNS if column.metric in own]
    return {
        "predictor": predictor,
        "designs": max((row["n"] for row in shown), default=0),
        "requests": max((row["requests"] for row in shown), default=0),
        "seeds": max((row["seeds"] for row in shown), default=0),
        "small_sample": any(row["small_sample"] for row in shown),
        "cells": [_cell(column, own.get(column.metric)) for column in COLUMNS],
    }


def _cell(column: _Column, row: Mapping[str, Any] | None) -> dict[str, str] | None:
    if row is None or row["value"] is None:
        return None
    bounds = [row["low"], row["high"]]
    interval = "" if None in bounds else " to ".join(column.show(bound) for bound in bounds)
    return {"value": column.show(row["value"], column.sign), "interval": interval}


def _missing(groups: Collection[Mapping[str, Mapping[str, Any]]]) -> list[tuple[str, str]]:
    """Return columns that lack numbers, each with the different reasons."""
    found: dict[tuple[str, str], None] = {}
    for column in COLUMNS:
        for own in groups:
            row = own.get(column.metric)
            if row is not None and row["value"] is None and row["reason"]:
                found[column.title, row["reason"]] = None
    return list(found)


def _examples(paths: Sequence[Path], asked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the first design of the first requests, systems of a request beside each other."""
    designs: dict[str, dict[str, Mapping[str, Any]]] = {}
    for path in paths:
        # Sorted by id, so that a request's first design comes first, of the lowest seed.
        for row in read_table(path, "designs").to_pylist():
            designs.setdefault(row["request"], {}).setdefault(row["system"], row)
    return [
        {
            "system": system,
            "request": request["text"],
            "seen": request["seen"] is not False,
            "sequence": row["sequence"] or "",
            "residues": len(row["sequence"] or ""),
            "closed": row["finish_reason"] == "closed",
        }
        for request in [one for one in asked if one["id"] in designs][:SHOWN]
        for system, row in sorted(designs[request["id"]].items())
    ]
