"""What predictors predicted and scored, read together and checked against each other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.errors import InputError
from protscribe.evaluation.examples import SEQUENCE_CONDITION
from protscribe.tables import read_metadata, read_table

SIGNATURE_KEY = "signature:"
"""Starts the metadata key of a metric's signature in a table of scores."""

KEY = ("id", "task", "fold", "condition", "training_seed")
"""Columns that name a prediction within a predictor."""


PAIRED_WITH = "nearest_neighbour"
"""The predictor that every other one is compared with, resample by resample."""

DIFFERENCE_SUFFIX = f"_minus_{PAIRED_WITH}"
"""Ends the name of a metric's difference to that predictor under `SEQUENCE_CONDITION`."""

CONTROL_SUFFIX = f"_minus_{SEQUENCE_CONDITION}"
"""Ends the name of a metric's difference, under another condition, to the same predictor's under
`SEQUENCE_CONDITION`: what is lost with the order of residues, or with the protein."""

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
        Its rows, sorted by `KEY`.
    facts
        Its metadata.
    groups
        Positions of the rows of each group.
    values
        For each metric one value per row, float64; NaN where a metric is not defined.
    signatures
        For each metric what makes it what it is.
    """

    predictor: str
    path: Path
    rows: list[dict[str, Any]]
    facts: dict[str, str]
    groups: dict[Group, list[int]] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    signatures: dict[str, str] = field(default_factory=dict)


def read_predictions(path: Path) -> Run:
    """Read a table of predictions.

    Raises
    ------
    InputError
        If the table is empty or a row lacks its protein, reference or prediction.
    """
    columns = [*KEY, "accession", "reference", "prediction"]
    table = read_table(path, "predictions", columns)
    rows = table.sort_by([(name, "ascending") for name in KEY]).to_pylist()
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
    table = read_table(scores, "scores").sort_by([(name, "ascending") for name in KEY])
    _check_scores(table, run, predictions, scores)
    # A table of scores has a row per prediction and metric, so nothing here runs once per row.
    for metric in sorted(pc.unique(table["metric"]).to_pylist()):
        column = table.filter(pc.equal(table["metric"], metric))["value"]
        run.values[metric] = column.to_numpy().astype(np.float64)
    if not run.values:
        raise InputError(f"{scores}: holds no score; score the predictions again")
    facts = read_metadata(scores)
    run.signatures = {
        key.removeprefix(SIGNATURE_KEY): text
        for key, text in facts.items()
        if key.startswith(SIGNATURE_KEY)
    }
    return run


def _check_scores(table: pa.Table, run: Run, predictions: Path, scores: Path) -> None:
    """Check that each metric scores exactly the predictions."""
    again = "score the predictions again"
    keys = {name: pa.chunked_array([[row[name] for row in run.rows]]) for name in KEY}
    for metric in sorted(pc.unique(table["metric"]).to_pylist()):
        part = table.filter(pc.equal(table["metric"], metric))
        named = pc.all(pc.equal(part["predictor"], run.predictor)).as_py()
        if named and all(part[name].equals(column) for name, column in keys.items()):
            continue
        wanted = {tuple(row[name] for name in KEY) for row in run.rows}
        found = set()
        for row in part.select([*KEY, "predictor"]).to_pylist():
            key = tuple(row[name] for name in KEY)
            if key not in wanted or row["predictor"] != run.predictor:
                raise InputError(
                    f"{scores}: {row['id']} of {row['predictor']} is not in {predictions}; {again}"
                )
            found.add(key)
        if lacking := sorted(wanted - found):
            raise InputError(f"{scores}: {lacking[0][0]} has no {metric}; {again}")
        raise InputError(f"{scores}: holds {metric} of a prediction more than once; {again}")


def by_group(rows: Iterable[dict[str, Any]]) -> dict[Group, list[int]]:
    """Return the positions of the rows of each task, fold and condition."""
    groups: dict[Group, list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault(Group(row["task"], row["fold"], row["condition"]), []).append(i)
    return groups


def check_same_ids(runs: Sequence[Run]) -> None:
    """Check that all predictors and training seeds were tested on the same ids.

    A task or condition that only some predictors can do is compared among those that do it. A
    control, which is a condition other than `SEQUENCE_CONDITION`, may be run on some of the ids
    alone, though on the same ones by all.

    Raises
    ------
    InputError
        If not; names the first id that differs.
    """
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
                remedy = "predict again"
                if condition != SEQUENCE_CONDITION:
                    remedy += " with the same predict.control_examples for all systems"
                raise InputError(
                    f"{run.path}: predictors must be tested on the same ids, but {has} has "
                    f"{name} in {fold} ({task}, {condition}) and {lacks} has not; "
                    f"{len(ids ^ theirs)} ids differ; {remedy}"
                )
    for (task, condition), (who, ids) in sorted(expected.items()):
        _, asked = expected.get((task, SEQUENCE_CONDITION), (who, ids))
        if more := sorted(ids - asked):
            raise InputError(
                f"{who} has {more[0][1]} in {more[0][0]} ({task}, {condition}), which nothing "
                f"predicts under the condition {SEQUENCE_CONDITION}; predict again"
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
