"""What a system has to beat: answers without the sequence, and answers copied from neighbours.

Each floor gives every option a probability; its logarithm stands where a system has the
log-likelihood of the option. Floors have no words that could be likely in themselves, so their
likelihoods without the protein are all alike (0), and every way of scoring gives the same.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from protscribe.errors import InputError
from protscribe.evaluation.classification import tasks
from protscribe.evaluation.classification.labels import TaskLabels, TrainingAnnotations
from protscribe.evaluation.classification.neighbours import Alignments, Embeddings, Neighbour
from protscribe.evaluation.examples import SEQUENCE_CONDITION
from protscribe.tables import write_table

MAJORITY = "majority"
BLIND_PRIOR = "blind_prior"
HOMOLOGY = "homology"
EMBEDDING_KNN = "embedding_knn"
FLOORS = (MAJORITY, BLIND_PRIOR, HOMOLOGY, EMBEDDING_KNN)

Row = Mapping[str, Any]
Answer = Callable[[Row, TaskLabels], np.ndarray]


def answer_floors(
    questions: Sequence[Path],
    proteins: Path,
    split: Path,
    triples: Path,
    annotations: Path,
    closure: Path | None,
    terms: Path | None,
    outputs: Mapping[str, Path],
    *,
    embeddings: Path | None = None,
    threads: int = 1,
) -> None:
    """Answer questions by what the annotations of training proteins say.

    - ``majority``: one answer to all questions of a task, the most frequent class in training.
      Terms and families are asked about evenly, so that it has none for them.
    - ``blind_prior``: the frequency of the class, term or family in training.
    - ``homology``: votes of the best hits by MMseqs2, weighted by bit score.
    - ``embedding_knn``: votes of the nearest mean embeddings, weighted by cosine; of proteins in
      the store alone.

    Questions that training has no annotations for, such as folds of SCOPe, are left out.

    Parameters
    ----------
    questions
        Tables ``questions``, our own and published.
    proteins, split, triples, annotations, closure, terms
        As in `labels.TrainingAnnotations`.
    outputs
        Table ``option_scores`` to write for each floor that is wanted.
    embeddings
        A store of embeddings, for ``embedding_knn``.
    threads
        CPU threads.

    Raises
    ------
    InputError
        If a floor is unknown, embeddings are missing, or the tables do not belong together.
    """
    if unknown := sorted(set(outputs) - set(FLOORS)):
        raise InputError(f"{unknown[0]} is no floor; choose among {', '.join(FLOORS)}")
    asked = tasks.read_questions(questions)
    training = TrainingAnnotations(proteins, split, triples, annotations, closure, terms)
    by_task: dict[str, list[Row]] = {}
    for question in asked:
        by_task.setdefault(tasks.base_task(question["task"]), []).append(question)
    answered: dict[str, list[dict[str, Any]]] = {floor: [] for floor in outputs}
    sources = _sources(outputs, asked, training, embeddings, threads)
    for task, rows in sorted(by_task.items()):
        labels = training.of(task, rows)
        if labels is None:
            print(f"{task}: training has no annotation for it; no floor answers", file=sys.stderr)
            continue
        for floor in sorted(outputs):
            for row, options in _answers(floor, rows, labels, sources):
                answered[floor].append(_scores(floor, row, options))
    facts = {"training_examples": str(len(training.accessions)), "training_steps": "0"}
    for floor, path in outputs.items():
        write_table(path, "option_scores", answered[floor], {"predictor": floor, **facts})
        print(f"{floor}: {len(answered[floor])} of {len(asked)} questions", file=sys.stderr)


Sources = dict[str, Alignments | Embeddings]


def _sources(
    outputs: Mapping[str, Path],
    asked: Sequence[Row],
    training: TrainingAnnotations,
    embeddings: Path | None,
    threads: int,
) -> Sources:
    found: Sources = {}
    if HOMOLOGY in outputs:
        # Published proteins have no accession, and a protein has many questions.
        sequences = {row["sequence"]: row["sequence"] for row in asked}
        found[HOMOLOGY] = Alignments(sequences, training.sequences, threads=threads)
    if EMBEDDING_KNN in outputs:
        if embeddings is None:
            raise InputError(f"{EMBEDDING_KNN} needs a store of embeddings; configure an encoder")
        found[EMBEDDING_KNN] = Embeddings(embeddings, training.accessions, threads=threads)
    return found


def _answers(
    floor: str, rows: Sequence[Row], labels: TaskLabels, sources: Sources
) -> Iterator[tuple[Row, np.ndarray]]:
    """Yield questions with the probabilities of their options."""
    if floor in (MAJORITY, BLIND_PRIOR):
        answer = majority if floor == MAJORITY else blind_prior
        for row in rows:
            yield row, answer(row, labels)
        return
    source = sources[floor]
    name = "sequence" if floor == HOMOLOGY else "accession"
    if isinstance(source, Embeddings):
        rows = [row for row in rows if row[name] in source]
    neighbours = source.of(sorted({row[name] for row in rows}), labels.holders)
    for row in rows:
        yield row, vote(row, labels, neighbours[row[name]])


def majority(row: Row, labels: TaskLabels) -> np.ndarray:
    """Return the probabilities of options that are the same for all questions of a task."""
    task = tasks.base_task(row["task"])
    if task in tasks.ASPECTS or task == tasks.PAIRING:
        return np.full(len(row["options"]), 1 / len(row["options"]))
    return blind_prior(row, labels)


def blind_prior(row: Row, labels: TaskLabels) -> np.ndarray:
    """Return the probabilities of options by what training has most of, shape (options,)."""
    if row["kind"] == tasks.YES_NO:
        rate = labels.rate(row["group"])
        odds = labels.odds.get(row["group"], rate / (1 - rate))
        return _yes_no(odds)
    rates = np.array([labels.rate(option) for option in row["options"]])
    return rates / rates.sum()


def vote(row: Row, labels: TaskLabels, neighbours: Sequence[Neighbour]) -> np.ndarray:
    """Return the probabilities of options by the labels of neighbours, shape (options,).

    The share of a label among the neighbours is smoothed with its rate in training, which weighs
    as much as one neighbour of weight 1. A choice between classes takes that share itself. Of a
    term or family, half of the questions (or one option in ten) are right whatever its rate, so
    there it is the share over the rate that counts; without a neighbour nothing is known.
    """
    held = [labels.labels(neighbour.accession) for neighbour in neighbours]
    total = 1 + sum(neighbour.weight for neighbour in neighbours)

    def share(label: str) -> float:
        votes = (n.weight for n, own in zip(neighbours, held, strict=True) if label in own)
        return (labels.rate(label) + sum(votes)) / total

    if row["kind"] == tasks.YES_NO:
        rate, found = labels.rate(row["group"]), share(row["group"])
        return _yes_no(found / (1 - found) * (1 - rate) / rate)
    shares = np.array([share(option) for option in row["options"]])
    if tasks.is_pairing(row["task"]):
        shares /= np.array([labels.rate(option) for option in row["options"]])
    return shares / shares.sum()


def _yes_no(odds: float) -> np.ndarray:
    # Rounding must not make one of two equal answers the better one.
    yes = round(odds / (1 + odds), 12)
    return np.clip([yes, 1 - yes], 1e-12, 1.0)


def _scores(floor: str, row: Row, probabilities: np.ndarray) -> dict[str, Any]:
    options = len(row["options"])
    # Rounding makes equals of options that differ by the order of additions alone.
    values = np.log(probabilities).round(10).tolist()
    return {
        "predictor": floor,
        "id": row["id"],
        "task": row["task"],
        "fold": row["fold"],
        "condition": SEQUENCE_CONDITION,
        "training_seed": 0,
        "accession": row["accession"],
        "log_likelihoods": values,
        "tokens": [1] * options,
        "prior_log_likelihoods": [0.0] * options,
    }
