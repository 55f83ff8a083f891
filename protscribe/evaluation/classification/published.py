"""InstructProtein's published benchmarks as questions, in their words and with their labels.

They are kept beside our own because others report them, not because they are sound: their negative
terms are known by their rarity alone, their wrong folds likewise, and nothing prunes our training
proteins against theirs.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.evaluation.classification import tasks
from protscribe.evaluation.classification.benchmark_files import (
    read_fold_names,
    read_folds,
    read_metal,
    read_terms,
)
from protscribe.evaluation.classification.localisation_files import read_localisation
from protscribe.seeds import unit_hash
from protscribe.tables import read_table, write_table

STAGE = "read_benchmarks"
_MEMBRANE_WORDS = {"plasma membrane", "endoplasmic reticulum", "golgi", "vacuole"}
"""Compartments that the published code takes for membrane-bound; all others are soluble to it."""

Row = tasks.Row
Reject = Callable[[str, str, str], None]


def read_benchmarks(
    files: Sequence[tuple[str, Path]],
    output: Path,
    rejects: Path,
    *,
    terms: Path | None = None,
    ids: Path | None = None,
    fold_names: Path | None = None,
    max_proteins: int | None = None,
    questions_per_protein: int | None = None,
    seed: int = 0,
) -> None:
    """Read published files as questions.

    The two-class files are read as ``location_2``, whose options are the two classes, or as
    ``location_2_words``, as published: the options are the ten compartments, four of which count
    as membrane-bound. There a model that knows every compartment is right in 88% of questions.

    Parameters
    ----------
    files
        Task (`tasks.PUBLISHED_TASKS`) and file; several files of a task are joined.
    output, rejects
        Tables ``questions`` and ``rejects`` to write.
    terms, ids
        Tables ``ontology_terms`` and ``ontology_ids``; needed for GO files. A term without a
        present name is rejected.
    fold_names
        SCOPe's ``dir.des.scope`` file; without it the options name folds by their ids.
    max_proteins
        Most proteins of a file, those with the smallest hash; None for all.
    questions_per_protein
        Most questions about a protein, half of them positive; None for all.
    seed
        Seed of both choices.

    Raises
    ------
    InputError
        If a task is unknown, a table is missing, or a file is not of its format.
    """
    rejected: list[Row] = []
    rows: list[Row] = []
    names: dict[str, str] = {}
    if any(task in tasks.ASPECTS for task, _ in files):
        names = _term_names(terms, ids)
    folds = None if fold_names is None else read_fold_names(fold_names)
    pairs = None if questions_per_protein is None else max(1, questions_per_protein // 2)
    for number, (task, path) in enumerate(files):

        def reject(key: str, reason: str, detail: str) -> None:
            rejected.append({"stage": STAGE, "key": key, "reason": reason, "detail": detail})

        name = f"{tasks.PUBLISHED_PREFIX}{task}"
        start = f"{name}:{number}"
        if task in tasks.ASPECTS:
            found = _terms(path, start, names, pairs, seed, reject)
        elif task == tasks.PAIRING:
            found = _folds(path, start, folds, reject)
        elif task == tasks.METAL:
            found = _metal(path, start)
        elif task in tasks.PUBLISHED_TASKS:
            found = _locations(path, start, task)
        else:
            raise InputError(
                f"classification.published: {task} is no task; choose among "
                f"{', '.join(tasks.PUBLISHED_TASKS)}"
            )
        shared = {"task": name, "fold": tasks.PUBLISHED_FOLD, "accession": None}
        rows += _chosen([shared | row for row in found], max_proteins, seed)
    if not rows:
        raise InputError("classification.published: no file holds a question that can be asked")
    tasks.check_questions(output, rows)
    facts = {f"sha256:{task}:{path.name}": _checksum(path) for task, path in files}
    write_table(output, "questions", rows, facts)
    write_table(rejects, "rejects", rejected)
    for task, count in sorted(Counter(row["task"] for row in rows).items()):
        print(f"{task}: {count} questions", file=sys.stderr)
    print(f"{len(rejected)} things are not asked; see {rejects}", file=sys.stderr)


def _terms(
    path: Path, start: str, names: Mapping[str, str], pairs: int | None, seed: int, reject: Reject
) -> Iterator[Row]:
    for record in read_terms(path):
        protein = f"{start}:{record.number:06d}"
        times = Counter([*record.labels, *record.negatives])
        for ids, positive in ((record.labels, True), (record.negatives, False)):
            named = []
            for term in dict.fromkeys(ids):
                if times[term] > 1:
                    if positive or term not in record.labels:
                        reject(f"{protein}:{term}", "twice", "it stands in the record again")
                elif term in names:
                    named.append(term)
                else:
                    reject(f"{protein}:{term}", "no_name", "the ontology has no such term today")
            named.sort(key=lambda term: (unit_hash(seed, f"{protein}:{term}"), term))
            for term in named[:pairs]:
                # The published code writes names in small letters.
                words = tasks.term_words(record.sequence, term, names[term].lower(), positive)
                yield {"id": f"{protein}:{term}", **words}


def _folds(
    path: Path, start: str, names: Mapping[str, str] | None, reject: Reject
) -> Iterator[Row]:
    for record in read_folds(path):
        key = f"{start}:{record.number:06d}:{record.name}"
        options = [record.fold, *record.negatives]
        called = {one: one for one in options} if names is None else names
        if lacking := [one for one in options if one not in called]:
            reject(key, "no_name", f"{lacking[0]} is not among the folds' names")
            continue
        words = tasks.pairing_words(record.sequence, record.fold, record.negatives, called, key=key)
        yield {"id": key, **words}


def _metal(path: Path, start: str) -> Iterator[Row]:
    for number, sequence, label in read_metal(path):
        words = tasks.term_words(sequence, tasks.METAL_TERM, tasks.METAL_NAME, label == 1)
        yield {"id": f"{start}:{number:06d}", **words}


def _locations(path: Path, start: str, task: str) -> Iterator[Row]:
    classes = len(tasks.LOCATIONS if task == tasks.LOCATION_10 else tasks.BINDINGS)
    for number, (sequence, label) in enumerate(read_localisation(path, classes)):
        if task == tasks.LOCATION_10:
            words = tasks.location_words(sequence, [label])
        elif task == tasks.LOCATION_2:
            words = tasks.binding_words(sequence, label)
        else:
            words = tasks.location_words(sequence, _counted_as(label))
        yield {"id": f"{start}:{number:06d}", **words}


def _counted_as(label: int) -> list[int]:
    """Return the compartments that the published code counts as a class."""
    bound = label == tasks.MEMBRANE
    return [i for i, name in enumerate(tasks.LOCATIONS) if (name in _MEMBRANE_WORDS) == bound]


def _chosen(rows: list[Row], limit: int | None, seed: int) -> list[Row]:
    if limit is None:
        return rows
    sequences = sorted({row["sequence"] for row in rows}, key=lambda s: (unit_hash(seed, s), s))
    kept = set(sequences[:limit])
    return [row for row in rows if row["sequence"] in kept]


def _term_names(terms: Path | None, ids: Path | None) -> dict[str, str]:
    """Return the present name of every id that leads to a present term."""
    if terms is None or ids is None:
        raise InputError(
            "classification.published: GO files need the ontology for the names of terms; "
            "configure a source of it"
        )
    present = {
        row["id"]: row["name"]
        for row in read_table(terms, "ontology_terms", ["id", "name", "obsolete"]).to_pylist()
        if row["name"] and not row["obsolete"]
    }
    leads = read_table(ids, "ontology_ids", ["id", "term"]).to_pylist()
    return {row["id"]: present[row["term"]] for row in leads if row["term"] in present}


def _checksum(path: Path) -> str:
    return sha256_file(path / "data.mdb" if path.is_dir() else path)
