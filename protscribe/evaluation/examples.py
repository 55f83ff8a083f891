"""Test questions and training answers, as every predictor reads them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from protscribe.errors import InputError
from protscribe.tables import read_table

TEST_PREFIX = "test_"
"""Starts the name of every fold that is tested on."""

TRAIN_FOLD = "train"
SEQUENCE_CONDITION = "sequence"
"""The condition under which a predictor sees the protein's sequence as it is."""


@dataclass(frozen=True)
class AskedExample:
    """A conversation cut into what is asked and what is to be answered.

    Parameters
    ----------
    id, accession, task, fold
        As in the conversations table.
    question
        ``{"role", "content"}`` records of the turns before the answer.
    answer
        Text of the last turn, whole.
    """

    id: str
    accession: str
    task: str
    fold: str
    question: tuple[Mapping[str, str], ...]
    answer: str


def read_test(conversations: Sequence[Path]) -> list[AskedExample]:
    """Read the examples of the test folds, sorted by id.

    Raises
    ------
    InputError
        If an id stands twice, a conversation does not end with an answer, or there is
        nothing to test on.
    """
    examples = _read(conversations, lambda fold: fold.startswith(TEST_PREFIX))
    if not examples:
        raise InputError(
            f"{_listed(conversations)}: no conversation is in a test fold; "
            "raise split.fractions or split.minimum, or give more proteins"
        )
    return examples


def read_training(conversations: Sequence[Path]) -> list[AskedExample]:
    """Read the examples of the training fold, sorted by id.

    Raises
    ------
    InputError
        As `read_test`, for training.
    """
    examples = _read(conversations, lambda fold: fold == TRAIN_FOLD)
    if not examples:
        raise InputError(
            f"{_listed(conversations)}: no conversation is in the training fold; "
            "lower split.fractions or give more proteins"
        )
    return examples


def _read(conversations: Sequence[Path], wanted: Callable[[str], bool]) -> list[AskedExample]:
    columns = ["id", "accession", "task", "fold", "turns"]
    examples: dict[str, AskedExample] = {}
    for path in conversations:
        for row in read_table(path, "conversations", columns).to_pylist():
            if not wanted(row["fold"] or ""):
                continue
            *question, last = row["turns"] or [{"role": "nobody"}]
            if last["role"] != "assistant":
                raise InputError(f"{path}: {row['id']} does not end with an assistant turn")
            if row["id"] in examples:
                raise InputError(f"{path}: {row['id']} was read already from another corpus")
            fields = {name: row[name] for name in ("id", "accession", "task", "fold")}
            examples[row["id"]] = AskedExample(
                **fields, question=tuple(question), answer=last["content"]
            )
    return [examples[name] for name in sorted(examples)]


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)
