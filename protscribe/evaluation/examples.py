"""Test questions and training answers, as every predictor reads them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.errors import InputError
from protscribe.prompts import PROTEIN_MARKER
from protscribe.seeds import unit_hash
from protscribe.tables import read_table

TEST_PREFIX = "test_"
"""Starts the name of every fold that is tested on."""

TRAIN_FOLD = "train"
DESIGN_TASK = "design"
"""The task of conversations that ask for a protein."""
SEQUENCE_CONDITION = "sequence"
"""The condition under which a predictor sees the protein's sequence as it is.

Baselines have no other: they are compared with what systems say under this one.
"""
SHUFFLED_CONDITION = "shuffled"
"""The protein's residues are shuffled: composition and length stay, order goes."""
BLIND_CONDITION = "blind"
"""The protein is left out of the prompt."""
CONDITIONS = (SEQUENCE_CONDITION, SHUFFLED_CONDITION, BLIND_CONDITION)


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

    @property
    def asked(self) -> str:
        """What the last user turn asks beside the protein; empty where it holds only that."""
        turns = [turn["content"] for turn in self.question if turn["role"] == "user"]
        return turns[-1].replace(PROTEIN_MARKER, "").strip() if turns else ""

    def predicted(
        self,
        prediction: str,
        finish_reason: str,
        *,
        condition: str = SEQUENCE_CONDITION,
        training_seed: int = 0,
        prompt: str | None = None,
        reference: str | None = None,
        tokens: int | None = None,
    ) -> dict[str, Any]:
        """Return the row of table predictions for what a predictor says.

        Parameters
        ----------
        prediction, finish_reason, condition, training_seed, prompt, tokens
            As in the table.
        reference
            What to compare with; None for the whole answer.
        """
        return {
            "id": self.id,
            "task": self.task,
            "fold": self.fold,
            "condition": condition,
            "training_seed": training_seed,
            "accession": self.accession,
            "prompt": prompt,
            "reference": self.answer if reference is None else reference,
            "prediction": prediction,
            "finish_reason": finish_reason,
            "tokens": tokens,
            # Greedy decoding and copying draw no random number.
            "seed": None,
        }


def read_test(
    conversations: Sequence[Path], corpora: Sequence[str] | None = None
) -> list[AskedExample]:
    """Read the examples of the test folds, sorted by id.

    Parameters
    ----------
    conversations
        Tables of conversations.
    corpora
        Names of the corpora to read from the tables; None for all.

    Raises
    ------
    InputError
        If an id stands twice, a conversation does not end with an answer, a corpus is in none
        of the tables, or there is nothing to test on.
    """
    examples = _read(conversations, lambda fold: fold.startswith(TEST_PREFIX), corpora)
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
    examples = _read(conversations, lambda fold: fold == TRAIN_FOLD, None)
    if not examples:
        raise InputError(
            f"{_listed(conversations)}: no conversation is in the training fold; "
            "lower split.fractions or give more proteins"
        )
    return examples


def choose_controls(examples: Sequence[AskedExample], limit: int | None) -> list[AskedExample]:
    """Return the examples that a control is run on.

    Parameters
    ----------
    examples
        Test examples.
    limit
        Most examples of each task and fold; None for all. Those with the smallest hash of the
        id are taken, so that all systems with the same limit answer the same ones, and a
        larger limit only adds to them.
    """
    if limit is None:
        return list(examples)
    groups: dict[tuple[str, str], list[AskedExample]] = {}
    for example in examples:
        groups.setdefault((example.task, example.fold), []).append(example)
    chosen = {
        example.id
        for group in groups.values()
        for example in sorted(group, key=lambda one: (unit_hash(0, one.id), one.id))[:limit]
    }
    return [example for example in examples if example.id in chosen]


def _read(
    conversations: Sequence[Path],
    wanted: Callable[[str], bool],
    corpora: Sequence[str] | None,
) -> list[AskedExample]:
    columns = ["id", "accession", "corpus", "task", "fold", "turns"]
    examples: dict[str, AskedExample] = {}
    lacking = set(corpora or ())
    for path in conversations:
        table = read_table(path, "conversations", columns)
        if corpora is not None:
            lacking -= set(pc.unique(table["corpus"]).to_pylist())
            table = table.filter(pc.is_in(table["corpus"], pa.array(corpora, pa.string())))
        # Most rows are of other folds; their turns are never taken apart.
        folds = [fold for fold in pc.unique(table["fold"]).to_pylist() if fold and wanted(fold)]
        table = table.filter(pc.is_in(table["fold"], pa.array(folds, pa.string())))
        # The answer to these is a protein, and no text to compare with.
        table = table.filter(pc.not_equal(table["task"], DESIGN_TASK))
        for row in table.to_pylist():
            *question, last = row["turns"] or [{"role": "nobody"}]
            if last["role"] != "assistant":
                raise InputError(f"{path}: {row['id']} does not end with an assistant turn")
            if row["id"] in examples:
                raise InputError(f"{path}: {row['id']} was read already from another corpus")
            fields = {name: row[name] for name in ("id", "accession", "task", "fold")}
            examples[row["id"]] = AskedExample(
                **fields, question=tuple(question), answer=last["content"]
            )
    if lacking:
        raise InputError(
            f"{_listed(conversations)}: holds no conversation of corpus "
            f"{', '.join(sorted(lacking))}; see predict.corpora"
        )
    return [examples[name] for name in sorted(examples)]


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)
