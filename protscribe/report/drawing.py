"""What all figures share: colours, style, and the three files of each."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from protscribe.atomic import atomic_path

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999")
"""Okabe and Ito's colours, which colour-blind readers can tell apart."""

STYLE = {
    "svg.hashsalt": "protscribe",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "legend.frameon": False,
}
"""Settings of matplotlib."""


def save_figure(
    figure: Figure, stem: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write a figure as PNG, as SVG, and as a CSV of what is drawn.

    The files hold no dates and no random ids, so that equal results give equal bytes.

    Parameters
    ----------
    figure
        The figure.
    stem
        Path without suffix; .png, .svg and .csv are added.
    columns
        Columns of the CSV.
    rows
        Its rows; more columns are left out.
    """
    with atomic_path(stem.with_name(f"{stem.name}.png")) as partial:
        figure.savefig(partial, dpi=150, metadata={"Software": None})
    with atomic_path(stem.with_name(f"{stem.name}.svg")) as partial:
        figure.savefig(partial, metadata={"Date": None, "Creator": None})
    with (
        atomic_path(stem.with_name(f"{stem.name}.csv")) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            cells = [row[column] for column in columns]
            writer.writerow([f"{c:.6g}" if isinstance(c, float) else c for c in cells])
