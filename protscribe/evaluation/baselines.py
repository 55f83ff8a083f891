"""Predictors that train nothing; every result stands beside theirs.

Copying the text of the nearest training protein beats published language models on their own
test sets, so a result without that column means little.
"""

import functools
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.errors import InputError
from protscribe.evaluation.examples import (
    AskedExample,
    read_test,
    read_training,
)
from protscribe.evaluation.tokens import count_tokens, overlap_f1
from protscribe.homology.criterion import nearest_hits
from protscribe.tables import read_table, write_table

MAX_EVALUE = 10.0
"""Largest E-value of a hit that is copied: a poor neighbour is still better than none."""

HIT = "hit"
NO_HIT = "no_hit"
SAME_QUESTION = "same_question"
CONSTANT = "constant"
"""How a baseline came to its answer, in the column ``finish_reason``."""


def predict_nearest_neighbour(
    proteins: Path, conversations: Sequence[Path], output: Path, *, threads: int
) -> None:
    """Answer with the text of the training protein that MMseqs2 finds nearest.

    Nearest is, among the training proteins that have an answer to the task, the one with the
    best bit score (ties: the smaller E-value, then the accession) at E-values up to
    `MAX_EVALUE`. Of its answers that to the most similar question is copied: the highest token
    F1 of the two questions, ties by id. A test protein without any hit gets what
    `FrequentAnswers` has for its question, and its ``finish_reason`` says ``no_hit``.

    Parameters
    ----------
    proteins
        The proteins table, for the sequences.
    conversations
        Tables of conversations; training and test folds are read from them.
    output
        Table of predictions to write.
    threads
        CPU threads of MMseqs2.

    Raises
    ------
    InputError
        If there is nothing to train or test on, or a protein is not in `proteins`.
    """
    training, test = read_training(conversations), read_test(conversations)
    sequences = _sequences(proteins, {example.accession for example in training + test})
    frequent = FrequentAnswers.of(training)
    rows = []
    for task in sorted({example.task for example in test}):
        asked = [example for example in test if example.task == task]
        known: dict[str, list[AskedExample]] = {}
        for example in training:
            if example.task == task:
                known.setdefault(example.accession, []).append(example)
        nearest = nearest_hits(
            {example.accession: sequences[example.accession] for example in asked},
            {accession: sequences[accession] for accession in known},
            max_evalue=MAX_EVALUE,
            threads=threads,
        )
        for example in asked:
            hit = nearest.get(example.accession)
            if hit is None:
                rows.append(example.predicted(frequent.answer(example)[0], NO_HIT))
            else:
                copied = most_similar(example, known[hit["target"]]).answer
                rows.append(example.predicted(copied, HIT))
    missed = sum(row["finish_reason"] == NO_HIT for row in rows)
    print(
        f"nearest neighbour: {missed} of {len(rows)} test examples have no hit at "
        f"E <= {MAX_EVALUE:g} and get the most frequent training text",
        file=sys.stderr,
    )
    _write(output, "nearest_neighbour", rows, training)


def predict_most_frequent(conversations: Sequence[Path], output: Path) -> None:
    """Answer each question with the answer that is most frequent in training.

    Parameters
    ----------
    conversations
        Tables of conversations; training and test folds are read from them.
    output
        Table of predictions to write; ``finish_reason`` says whether the answer is that to
        the ``same_question`` or the task's ``constant``.

    Raises
    ------
    InputError
        If there is nothing to train or test on.
    """
    training = read_training(conversations)
    frequent = FrequentAnswers.of(training)
    rows = [example.predicted(*frequent.answer(example)) for example in read_test(conversations)]
    _write(output, "most_frequent", rows, training)


@dataclass(frozen=True)
class FrequentAnswers:
    """The most frequent training answers; of equally frequent ones the first by letters.

    Parameters
    ----------
    by_question
        By task and the text of the question.
    by_task
        By task, whatever was asked.
    """

    by_question: Mapping[tuple[str, str], str]
    by_task: Mapping[str, str]

    @classmethod
    def of(cls, training: Sequence[AskedExample]) -> "FrequentAnswers":
        """Count the answers of training examples."""
        questions: dict[tuple[str, str], Counter[str]] = {}
        tasks: dict[str, Counter[str]] = {}
        for example in training:
            tasks.setdefault(example.task, Counter())[example.answer] += 1
            # A bare protein asks what all of its task ask.
            if example.asked:
                key = example.task, example.asked
                questions.setdefault(key, Counter())[example.answer] += 1
        return cls(
            {key: _most_frequent(counts) for key, counts in questions.items()},
            {task: _most_frequent(counts) for task, counts in tasks.items()},
        )

    def answer(self, example: AskedExample) -> tuple[str, str]:
        """Return the answer to the same question, else to the task, and which it is.

        Raises
        ------
        InputError
            If no training example has the task.
        """
        if (example.task, example.asked) in self.by_question:
            return self.by_question[example.task, example.asked], SAME_QUESTION
        if example.task not in self.by_task:
            raise InputError(
                f"{example.id}: no training conversation has task {example.task}, so there is "
                "nothing to copy"
            )
        return self.by_task[example.task], CONSTANT


def most_similar(example: AskedExample, known: Sequence[AskedExample]) -> AskedExample:
    """Return the one of some examples whose question is most like another's, ties by id."""
    if len(known) == 1:
        return known[0]
    asked = _question_tokens(example.asked)
    return min(known, key=lambda one: (-overlap_f1(asked, _question_tokens(one.asked)), one.id))


def _most_frequent(counts: Counter[str]) -> str:
    return min(counts, key=lambda text: (-counts[text], text))


@functools.lru_cache(maxsize=10_000)
def _question_tokens(text: str) -> Counter[str]:
    # The questions about a protein are compared with each one that is asked of its neighbours.
    return count_tokens(text)


def _sequences(proteins: Path, accessions: set[str]) -> dict[str, str]:
    table = read_table(proteins, "proteins", ["accession", "sequence"])
    table = table.filter(pc.is_in(table["accession"], pa.array(sorted(accessions), pa.string())))
    columns = (table[name].to_pylist() for name in ("accession", "sequence"))
    sequences = dict(zip(*columns, strict=True))
    if missing := sorted(accessions - sequences.keys()):
        raise InputError(
            f"{proteins}: lacks {missing[0]}, which a conversation is about; "
            "make the conversations again"
        )
    return sequences


def _write(
    output: Path,
    predictor: str,
    rows: Sequence[Mapping[str, Any]],
    training: Sequence[AskedExample],
) -> None:
    facts = {
        "predictor": predictor,
        "training_examples": str(len(training)),
        "training_steps": "0",
    }
    write_table(output, "predictions", rows, facts)
