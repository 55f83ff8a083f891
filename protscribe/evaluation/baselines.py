"""Predictors that train nothing; every result stands beside theirs.

Copying the text of the nearest training protein beats published language models on their own
test sets, so a result without that column means little.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protscribe.errors import InputError
from protscribe.evaluation.examples import (
    SEQUENCE_CONDITION,
    AskedExample,
    read_test,
    read_training,
)
from protscribe.homology.mmseqs import search
from protscribe.tables import read_table, write_table

MAX_EVALUE = 10.0
"""Largest E-value of a hit that is copied: a poor neighbour is still better than none."""

HIT = "hit"
NO_HIT = "no_hit"
CONSTANT = "constant"


def predict_nearest_neighbour(
    proteins: Path, conversations: Sequence[Path], output: Path, *, threads: int
) -> None:
    """Answer with the text of the training protein that MMseqs2 finds nearest.

    Nearest is the best bit score (ties: the smaller E-value, then the accession) at E-values up
    to `MAX_EVALUE`. A test protein without any hit gets the most frequent training text, and
    its ``finish_reason`` says ``no_hit``. Of a training protein with several answers to a task
    the one with the first id is copied.

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
    sequences = dict(_sequences(proteins, {example.accession for example in training + test}))
    frequent = most_frequent_texts(training)
    rows = []
    for task in sorted({example.task for example in test}):
        asked = [example for example in test if example.task == task]
        # Sorted by id, so the first answer of a protein wins.
        answers: dict[str, str] = {}
        for example in training:
            if example.task == task:
                answers.setdefault(example.accession, example.answer)
        nearest = _nearest(
            {example.accession: sequences[example.accession] for example in asked},
            {accession: sequences[accession] for accession in answers},
            threads,
        )
        for example in asked:
            target = nearest.get(example.accession)
            found = target is not None
            text = answers[target] if target is not None else _for_task(frequent, example)
            rows.append(_row(example, text, HIT if found else NO_HIT))
    missed = sum(row["finish_reason"] == NO_HIT for row in rows)
    print(
        f"nearest neighbour: {missed} of {len(rows)} test examples have no hit at "
        f"E <= {MAX_EVALUE:g} and get the most frequent training text",
        file=sys.stderr,
    )
    _write(output, "nearest_neighbour", rows, training)


def predict_most_frequent(conversations: Sequence[Path], output: Path) -> None:
    """Answer every question of a task with the text that is most frequent in training.

    Parameters
    ----------
    conversations
        Tables of conversations; training and test folds are read from them.
    output
        Table of predictions to write.

    Raises
    ------
    InputError
        If there is nothing to train or test on.
    """
    training = read_training(conversations)
    frequent = most_frequent_texts(training)
    rows = [
        _row(example, _for_task(frequent, example), CONSTANT)
        for example in read_test(conversations)
    ]
    _write(output, "most_frequent", rows, training)


def most_frequent_texts(training: Sequence[AskedExample]) -> dict[str, str]:
    """Return each task's most frequent answer; of equally frequent ones the first by letters."""
    counts: dict[str, Counter[str]] = {}
    for example in training:
        counts.setdefault(example.task, Counter())[example.answer] += 1
    return {
        task: min(texts, key=lambda text: (-texts[text], text)) for task, texts in counts.items()
    }


def _for_task(frequent: Mapping[str, str], example: AskedExample) -> str:
    if example.task not in frequent:
        raise InputError(
            f"{example.id}: no training conversation has task {example.task}, so there is "
            "nothing to copy"
        )
    return frequent[example.task]


def _sequences(proteins: Path, accessions: set[str]) -> Mapping[str, str]:
    rows = read_table(proteins, "proteins", ["accession", "sequence"]).to_pylist()
    sequences = {row["accession"]: row["sequence"] for row in rows}
    if missing := sorted(accessions - sequences.keys()):
        raise InputError(
            f"{proteins}: lacks {missing[0]}, which a conversation is about; "
            "make the conversations again"
        )
    return sequences


def _nearest(
    queries: Mapping[str, str], targets: Mapping[str, str], threads: int
) -> dict[str, str]:
    hits = search(queries, targets, max_evalue=MAX_EVALUE, threads=threads).to_pylist()
    nearest: dict[str, str] = {}
    for hit in sorted(hits, key=lambda hit: (-hit["bits"], hit["evalue"], hit["target"])):
        nearest.setdefault(hit["query"], hit["target"])
    return nearest


def _row(example: AskedExample, text: str, finish_reason: str) -> dict[str, Any]:
    return {
        "id": example.id,
        "task": example.task,
        "fold": example.fold,
        "condition": SEQUENCE_CONDITION,
        "training_seed": 0,
        "accession": example.accession,
        "prompt": None,
        "reference": example.answer,
        "prediction": text,
        "finish_reason": finish_reason,
        "tokens": None,
        "seed": None,
    }


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
