"""Figures of losses, metrics and the split."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protscribe.errors import InputError
from protscribe.evaluation.bootstrap import MIN_CLUSTERS
from protscribe.evaluation.examples import SEQUENCE_CONDITION
from protscribe.evaluation.runs import ALL_STRATUM
from protscribe.report.drawing import COLOURS, STYLE, save_figure
from protscribe.tables import read_table

HEADLINE = {
    "bleu_4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "chrf": "chrF",
    "bertscore_f1_rescaled": "BERTScore, 0 = unrelated",
}
"""The metrics in the bar chart, with their titles."""

FOLD_ORDER = (
    "train",
    "validation",
    "test_in_distribution",
    "test_low_homology",
    "test_temporal",
)


def plot_losses(losses: Mapping[str, Path], stem: Path) -> None:
    """Draw the training and validation loss of each training.

    Parameters
    ----------
    losses
        ``losses.tsv`` of each training by its label; needs the columns step, split and loss.
    stem
        Path of the figure without suffix; .png, .svg and .csv are added.

    Raises
    ------
    InputError
        If a file is missing, empty, or lacks a column.
    """
    rows = [row for label, path in losses.items() for row in _read_losses(label, path)]
    width = min(2, max(1, len(losses)))
    height = max(1, math.ceil(len(losses) / width))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.2 * width, 2.7 * height), layout="constrained")
        axes = figure.subplots(height, width, squeeze=False).ravel()
        for axis, label in zip(axes, losses, strict=False):
            splits = sorted({row["split"] for row in rows if row["training"] == label})
            for colour, split in zip(COLOURS, splits, strict=False):
                points = [
                    (row["step"], row["loss"])
                    for row in rows
                    if row["training"] == label and row["split"] == split
                ]
                # Few points, such as one validation per epoch, need a mark to be seen.
                mark = "o" if len(points) < 50 else ""
                steps, values = zip(*points, strict=True)
                axis.plot(steps, values, color=colour, marker=mark, ms=3, lw=1.2, label=split)
            axis.set(title=label, xlabel="step", ylabel="loss")
            axis.legend()
        for axis in axes[len(losses) :]:
            axis.set_axis_off()
        save_figure(figure, stem, ["training", "step", "split", "loss"], rows)


def plot_metrics(metrics: Path, stem: Path) -> None:
    """Draw the headline metrics of every predictor and fold with their 95% intervals.

    Parameters
    ----------
    metrics
        The metrics table.
    stem
        Path of the figure without suffix; .png, .svg and .csv are added.

    Raises
    ------
    InputError
        If the table holds none of the headline metrics.
    """
    rows = [
        row
        for row in read_table(metrics, "metrics").to_pylist()
        if row["metric"] in HEADLINE
        and row["stratum"] == ALL_STRATUM
        and row["condition"] == SEQUENCE_CONDITION
    ]
    if not rows:
        raise InputError(f"{metrics}: holds none of {', '.join(HEADLINE)}; score again")
    groups = sorted({(row["task"], row["fold"]) for row in rows}, key=group_order)
    predictors = systems_first(rows)
    with matplotlib.rc_context(STYLE):
        size = (2.3 * len(HEADLINE) + 1.4, (0.3 * len(predictors) + 0.9) * len(groups))
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(len(groups), len(HEADLINE), squeeze=False, sharex="col", sharey=True)
        for axis, title in zip(axes[0], HEADLINE.values(), strict=True):
            axis.set_title(title)
        for line, group in zip(axes, groups, strict=True):
            for axis, metric in zip(line, HEADLINE, strict=True):
                _bars(axis, rows, group, metric, predictors)
            few = any(row["small_sample"] for row in rows if _group(row) == group)
            note = f"\n(under {MIN_CLUSTERS} clusters)" if few else ""
            line[0].set_ylabel(_fold_title(*group, len({task for task, _ in groups}) > 1) + note)
        columns = ["predictor", "task", "fold", "metric", "value", "low", "high", "n", "clusters"]
        save_figure(figure, stem, columns, rows)


def plot_split(split: Path, stem: Path) -> None:
    """Draw the size of each fold and how near its proteins are to the training fold.

    Parameters
    ----------
    split
        The split table.
    stem
        Path of the figure without suffix; .png, .svg and .csv are added.

    Raises
    ------
    InputError
        If no protein has a fold.
    """
    columns = ["accession", "fold", "max_train_identity"]
    proteins = read_table(split, "split", columns).to_pylist()
    found = {row["fold"] for row in proteins if row["fold"]}
    if not found:
        raise InputError(f"{split}: no protein has a fold")
    folds = [fold for fold in FOLD_ORDER if fold in found] + sorted(found - set(FOLD_ORDER))
    bars = [(fold, sum(row["fold"] == fold for row in proteins)) for fold in folds]
    if dropped := sum(not row["fold"] for row in proteins):
        bars.append(("dropped", dropped))
    rows: list[dict[str, Any]] = [
        {"panel": "size", "fold": fold, "identity": None, "proteins": count} for fold, count in bars
    ]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        drawn = left.barh([_fold_title("", fold) for fold, _ in bars], [n for _, n in bars])
        left.bar_label(drawn, padding=2)
        left.invert_yaxis()
        left.set(title="proteins in each fold", xlabel="proteins")
        left.margins(x=0.15)
        for colour, fold in zip(COLOURS, [f for f in folds if f != "train"], strict=False):
            # A protein without any hit counts as 0% identical.
            nearest = sorted(
                100 * (row["max_train_identity"] or 0.0) for row in proteins if row["fold"] == fold
            )
            counts = list(range(1, len(nearest) + 1))
            shares = [100 * count / len(nearest) for count in counts]
            right.step(
                [0, *nearest, 100],
                [0, *shares, 100],
                where="post",
                color=colour,
                label=_fold_title("", fold),
            )
            rows += [
                {"panel": "identity", "fold": fold, "identity": identity, "proteins": count}
                for identity, count in zip(nearest, counts, strict=True)
            ]
        right.set(
            title="identity to the nearest training protein",
            xlabel="% identity of the best hit (0: no hit)",
            ylabel="% of the fold, cumulative",
        )
        if right.get_legend_handles_labels()[0]:
            right.legend()
        save_figure(figure, stem, ["panel", "fold", "identity", "proteins"], rows)


def systems_first(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the predictors of some metrics, those that were trained before the baselines."""
    # Baselines train for no step.
    steps = {row["predictor"]: row["training_steps"] or 0 for row in rows}
    return sorted(steps, key=lambda name: (steps[name] == 0, name))


def group_order(group: tuple[str, str]) -> tuple[str, int, str]:
    """Return the place of a task and fold among others, for sorting."""
    task, fold = group
    known = FOLD_ORDER.index(fold) if fold in FOLD_ORDER else len(FOLD_ORDER)
    return task, known, fold


def words(name: str) -> str:
    """Return a name of the tables as it is written for readers."""
    return name.replace("_", " ")


def _read_losses(label: str, path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file, delimiter="\t"))
        rows = [
            {
                "training": label,
                "step": int(line["step"]),
                "split": line["split"],
                "loss": float(line["loss"]),
            }
            for line in lines
        ]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; train again") from None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: needs the columns step, split and loss with numbers ({error!r}); train again"
        ) from None
    if not rows:
        raise InputError(f"{path}: holds no loss; train again")
    return rows


def _bars(
    axis: Axes,
    rows: Sequence[Mapping[str, Any]],
    group: tuple[str, str],
    metric: str,
    predictors: Sequence[str],
) -> None:
    for position, predictor in enumerate(predictors):
        for row in rows:
            named = row["predictor"] == predictor and row["metric"] == metric
            if not named or _group(row) != group or row["value"] is None:
                continue
            colour = COLOURS[position % len(COLOURS)]
            axis.barh(position, row["value"], height=0.7, color=colour)
            if row["low"] is not None:
                axis.plot([row["low"], row["high"]], [position] * 2, color="black", lw=1)
    axis.set_yticks(range(len(predictors)), predictors)
    axis.set_ylim(len(predictors) - 0.5, -0.5)
    axis.axvline(0, color="black", lw=0.6)


def _group(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["task"], row["fold"]


def _fold_title(task: str, fold: str, with_task: bool = False) -> str:
    return f"{words(task)}:\n{words(fold)}" if with_task else words(fold)
