"""What predictors predicted and scored, read together and checked against each other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from protscribe.errors import InputError
from protscribe.tables import read_metadata, read_table

SIGNATURE_KEY = "signature:"
"""Starts the metadata key of a metric's signature in a table of scores."""

KEY = ("id", "task", "fold", "condition", "training_seed")
"""Columns that name a prediction within a predictor."""


PAIRED_WITH = "nearest_neighbour"
"""The predictor that every other one is compared with, resample by resample."""

DIFFERENCE_SUFFIX = f"_minus_{PAIRED_WITH}"
"""Ends the name of a metric's difference to that predictor."""

ALL_STRATUM = "all"
"""The stratum that holds every test protein of a fold."""


class Group(NamedTuple):
    """What a metric is about, beside its predictor."""

    task: str
    fold: str
    condition: str


@dataclass
class Run:
    """Everything about one predictor.

    Parameters
    ----------
    predictor
        Its name, from the file's metadata.
    path
        The table of predictions.
    rows
        Its rows.
    facts
        Its metadata.
    groups
        Positions of the rows of each group.
    values
        For each metric one value per row; NaN where a metric is not defined.
    signatures
        For each metric what makes it what it is.
    """

    predictor: str
    path: Path
    rows: list[dict[str, Any]]
    facts: dict[str, str]
    groups: dict[Group, list[int]] = field(default_factory=dict)
    values: dict[str, list[float | None]] = field(default_factory=dict)
    signatures: dict[str, str] = field(default_factory=dict)


def read_predictions(path: Path) -> Run:
    """Read a table of predictions.

    Raises
    ------
    InputError
        If the table is empty or a row lacks its protein, reference or prediction.
    """
    columns = [*KEY, "accession", "reference", "prediction"]
    rows = read_table(path, "predictions", columns).to_pylist()
    facts = read_metadata(path)
    if not rows:
        raise InputError(f"{path}: holds no prediction")
    for row in rows:
        for column in ("accession", "reference", "prediction"):
            if row[column] is None:
                raise InputError(f"{path}: {row['id']} has no {column}")
    return Run(facts.get("predictor", path.stem), path, rows, facts, by_group(rows))


def read_run(predictions: Path, scores: Path) -> Run:
    """Read the predictions of one predictor with their scores.

    Raises
    ------
    InputError
        If a score has no prediction or a prediction lacks a score.
    """
    run = read_predictions(predictions)
    position = {tuple(row[name] for name in KEY): i for i, row in enumerate(run.rows)}
    for row in read_table(scores, "scores").to_pylist():
        i = position.get(tuple(row[name] for name in KEY))
        if i is None or row["predictor"] != run.predictor:
            raise InputError(
                f"{scores}: {row['id']} of {row['predictor']} is not in {predictions}; "
                "score the predictions again"
            )
        column = run.values.setdefault(row["metric"], [None] * len(run.rows))
        column[i] = np.nan if row["value"] is None else row["value"]
    for metric, column in run.values.items():
        if None in column:
            lacking = run.rows[column.index(None)]["id"]
            raise InputError(f"{scores}: {lacking} has no {metric}; score the predictions again")
    if not run.values:
        raise InputError(f"{scores}: holds no score; score the predictions again")
    facts = read_metadata(scores)
    run.signatures = {
        key.removeprefix(SIGNATURE_KEY): text
        for key, text in facts.items()
        if key.startswith(SIGNATURE_KEY)
    }
    return run


def by_group(rows: Iterable[dict[str, Any]]) -> dict[Group, list[int]]:
    """Return the positions of the rows of each task, fold and condition."""
    groups: dict[Group, list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault(Group(row["task"], row["fold"], row["condition"]), []).append(i)
    return groups


def check_same_ids(runs: Sequence[Run]) -> None:
    """Check that all predictors and training seeds were tested on the same ids.

    Raises
    ------
    InputError
        If not; names the first id that differs.
    """
    # A task and condition that only some predictors can do is compared among those that do it.
    expected: dict[tuple[str, str], tuple[str, set[tuple[str, str]]]] = {}
    for run in runs:
        held: dict[tuple[str, str, int], set[tuple[str, str]]] = {}
        for row in run.rows:
            held.setdefault((row["task"], row["condition"], row["training_seed"]), set()).add(
                (row["fold"], row["id"])
            )
        for (task, condition, training_seed), ids in sorted(held.items()):
            who = f"{run.predictor} (training seed {training_seed})"
            first, theirs = expected.setdefault((task, condition), (who, ids))
            if ids != theirs:
                fold, name = sorted(ids ^ theirs)[0]
                has, lacks = (who, first) if (fold, name) in ids else (first, who)
                raise InputError(
                    f"{run.path}: predictors must be tested on the same ids, but {has} has "
                    f"{name} in {fold} ({task}, {condition}) and {lacks} has not; "
                    f"{len(ids ^ theirs)} ids differ; predict again"
                )


def training_count(run: Run, name: str) -> int:
    """Return a number that the predictor's file states, e.g. ``training_steps``.

    Raises
    ------
    InputError
        If it states none.
    """
    try:
        return int(run.facts[name])
    except (KeyError, ValueError):
        raise InputError(
            f"{run.path}: its metadata must say {name} as a whole number, "
            f"not {run.facts.get(name)!r}"
        ) from None
