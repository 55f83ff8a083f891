"""Likelihoods of options as arrays, checked against the questions that they belong to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from protscribe.errors import InputError
from protscribe.evaluation.classification import tasks
from protscribe.tables import read_metadata

Row = Mapping[str, Any]


class Group(NamedTuple):
    """What metrics are about."""

    predictor: str
    task: str
    fold: str
    condition: str


class Options(NamedTuple):
    """Likelihoods of a group's questions for one training seed, sorted by id.

    Arrays have the shape (questions, options), NaN where a question has fewer options.
    """

    questions: list[Row]
    likelihoods: np.ndarray
    tokens: np.ndarray
    priors: np.ndarray | None


def training_facts(path: Path) -> dict[str, int]:
    """Return the numbers of training examples and steps that a table's metadata state.

    Raises
    ------
    InputError
        If one is missing or no whole number.
    """
    facts = read_metadata(path) if path.is_file() else {}
    found = {}
    for name in ("training_examples", "training_steps"):
        if not facts.get(name, "").isdecimal():
            raise InputError(
                f"{path}: its metadata must say {name} as a whole number, not {facts.get(name)!r}; "
                "score again"
            )
        found[name] = int(facts[name])
    return found


def by_group(table: pa.Table) -> dict[Group, dict[int, list[int]]]:
    """Return the positions of the rows of each group and training seed, sorted by id."""
    names = ("predictor", "task", "fold", "condition", "training_seed", "id")
    found: dict[Group, dict[int, list[int]]] = {}
    columns = [table[name].to_pylist() for name in names]
    for place, (*key, training_seed, _) in enumerate(zip(*columns, strict=True)):
        found.setdefault(Group(*key), {}).setdefault(training_seed, []).append(place)
    ids = columns[-1]
    for by_seed in found.values():
        for places in by_seed.values():
            places.sort(key=lambda place: ids[place])
    return found


def read_options(
    path: Path, table: pa.Table, places: list[int], group: Group, known: Mapping[str, Row]
) -> Options:
    """Return the likelihoods of a group for one training seed.

    Parameters
    ----------
    path
        Where the table was read, for messages.
    table
        Table ``option_scores``, its columns in one piece each.
    places
        Positions of the rows, sorted by id.
    group
        The group.
    known
        Questions by id.

    Raises
    ------
    InputError
        If a row has no question, as many numbers as options, or a number is missing or not finite.
    """
    part = table.take(pa.array(places, pa.int64()))
    questions = []
    for name in part["id"].to_pylist():
        row = known.get(name)
        if row is None or (row["task"], row["fold"]) != (group.task, group.fold):
            raise InputError(
                f"{path}: {name} is no question of {group.task} in {group.fold}; score again"
            )
        questions.append(row)
    counts = np.array([len(row["options"]) for row in questions])
    arrays = {name: _padded(path, part, name, counts) for name in ("log_likelihoods", "tokens")}
    if np.nanmin(arrays["tokens"]) < 1:
        raise InputError(f"{path}: an option of {group.task} has no token; score again")
    priors: np.ndarray | None
    empty = part["prior_log_likelihoods"].null_count
    if empty == 0:
        priors = _padded(path, part, "prior_log_likelihoods", counts)
    elif tasks.is_pairing(group.task):
        priors = np.zeros(arrays["tokens"].shape)
    elif empty == part.num_rows:
        priors = None
    else:
        raise InputError(
            f"{path}: {empty} of {part.num_rows} questions of {group.task} ({group.predictor}) "
            "lack prior_log_likelihoods; compute them for all or for none"
        )
    return Options(questions, arrays["log_likelihoods"], arrays["tokens"], priors)


def _padded(path: Path, part: pa.Table, column: str, counts: np.ndarray) -> np.ndarray:
    """Return a column of lists as an array, NaN behind the end of shorter lists."""
    lists = part[column].combine_chunks()
    lengths = lists.value_lengths().fill_null(-1).to_numpy(zero_copy_only=False)
    if (wrong := np.flatnonzero(lengths != counts)).size:
        name = part["id"][int(wrong[0])].as_py()
        raise InputError(
            f"{path}: {name} has {counts[wrong[0]]} options, but {max(lengths[wrong[0]], 0)} "
            f"{column}; score again"
        )
    values = lists.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
    padded = np.full((len(counts), int(counts.max())), np.nan)
    inside = np.arange(padded.shape[1]) < counts[:, None]
    padded[inside] = values
    if not np.isfinite(values).all():
        name = part["id"][int(np.argmax((~np.isfinite(padded) & inside).any(axis=1)))].as_py()
        raise InputError(f"{path}: {name} has a {column} that is no finite number; score again")
    return padded
