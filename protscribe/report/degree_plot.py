"""How many triples the proteins and annotations of the knowledge graph have."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protscribe.errors import InputError
from protscribe.report.drawing import COLOURS, STYLE, save_figure
from protscribe.report.plots import words

SIDES = ("protein", "annotation")
"""One panel each."""

_COLUMNS = ("relation", "side", "degree", "count")
# With seven colours, every second round of relations needs another mark.
_MARKS = ("o", "^", "s", "v", "D")


def plot_degrees(degrees: Path, stem: Path) -> None:
    """Draw the degree distributions of the knowledge graph, both axes logarithmic.

    Parameters
    ----------
    degrees
        Tab-separated columns ``relation``, ``side`` (protein or annotation), ``degree`` (triples
        of the relation that one has) and ``count`` (how many have as many).
    stem
        Path of the figure without suffix; .png, .svg and .csv are added.

    Raises
    ------
    InputError
        If the file is missing, empty, or lacks a column.
    """
    rows = _read_degrees(degrees)
    relations = sorted({row["relation"] for row in rows})
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.8), layout="constrained")
        axes = figure.subplots(1, len(SIDES), sharey=True)
        for axis, side in zip(axes, SIDES, strict=True):
            for number, relation in enumerate(relations):
                points = [
                    (row["degree"], row["count"])
                    for row in rows
                    if row["side"] == side and row["relation"] == relation
                ]
                _mark(axis, points, number, relation)
            axis.set(
                title=f"{side}s",
                xlabel=f"triples of the relation that the {side} has",
                xscale="log",
                yscale="log",
            )
        axes[0].set_ylabel("how many have as many")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", title="relation")
        save_figure(figure, stem, _COLUMNS, rows)


def look(number: int) -> tuple[str, str]:
    """Return the colour and the mark of a relation, by its place among all."""
    return COLOURS[number % len(COLOURS)], _MARKS[number // len(COLOURS) % len(_MARKS)]


def _mark(axis: Axes, points: Sequence[tuple[int, int]], number: int, relation: str) -> None:
    colour, mark = look(number)
    # Drawn without points too, so that both panels name all relations in the same colours.
    axis.plot(
        [degree for degree, _ in points],
        [count for _, count in points],
        color=colour,
        marker=mark,
        ms=4,
        # A line would pass over degrees that none has.
        lw=0,
        alpha=0.7,
        label=words(relation),
    )


def _read_degrees(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [
                {
                    "relation": line["relation"],
                    "side": line["side"],
                    "degree": int(line["degree"]),
                    "count": int(line["count"]),
                }
                for line in csv.DictReader(file, delimiter="\t")
            ]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run build_knowledge_graph") from None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: needs the columns {', '.join(_COLUMNS)} with whole numbers ({error!r}); run "
            "build_knowledge_graph again"
        ) from None
    if not rows:
        raise InputError(f"{path}: holds no degree; run build_knowledge_graph again")
    if wrong := sorted({row["side"] for row in rows} - set(SIDES)):
        raise InputError(
            f"{path}: {wrong[0]!r} is no side; there are {' and '.join(SIDES)}; run "
            "build_knowledge_graph again"
        )
    return rows
