"""Benchmarks made from our own tables: questions about the proteins of the test folds."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from protscribe.corpora.knowledge.relations import ROOTS, UNINFORMATIVE
from protscribe.errors import InputError
from protscribe.evaluation.classification import tasks
from protscribe.evaluation.classification.families import pairing_questions
from protscribe.evaluation.classification.location import binding_of, locations_of
from protscribe.evaluation.classification.material import Benchmark, read_material
from protscribe.evaluation.classification.metal import binds_metal
from protscribe.evaluation.classification.relatives import Annotated
from protscribe.evaluation.classification.swaps import swap_negatives
from protscribe.seeds import derive_seed
from protscribe.tables import read_metadata, write_table

Row = tasks.Row


def make_questions(
    proteins: Path,
    split: Path,
    triples: Path,
    annotations: Path,
    closure: Path | None,
    output: Path,
    rejects: Path,
    *,
    chosen: Sequence[str] = tasks.OWN_TASKS,
    questions_per_protein: int | None = None,
    proteins_per_fold: int | None = None,
    options: int = 10,
    seed: int = 0,
) -> None:
    """Make questions about the proteins of the test folds.

    Locations come from the entry's own statement, functions and families from the knowledge
    graph. Terms are asked with as many negatives as positives for each protein and each term
    (`swaps`), metal ion binding of as many proteins that bind as that do not, and a family
    stands against others that are as frequent (`families`).

    Parameters
    ----------
    proteins, split, triples, annotations, closure
        Tables ``proteins``, ``split``, ``knowledge_triples``, ``knowledge_annotations`` and
        ``ontology_closure`` (None without an ontology).
    output, rejects
        Tables ``questions`` and ``rejects`` to write.
    chosen
        Tasks to make.
    questions_per_protein
        Most questions of a task about a protein; None for all. Terms are asked in pairs of a
        positive and a negative, at least one of them. Those with the smallest hash are taken.
    proteins_per_fold
        Most proteins of a fold, those with the smallest hash; None for all.
    options
        Instructions that a protein is paired with.
    seed
        Seed of every choice.

    Raises
    ------
    InputError
        If a task is unknown, a number is too small, the tables do not belong together, or no
        question is left.
    """
    if unknown := sorted(set(chosen) - set(tasks.OWN_TASKS)):
        raise InputError(
            f"classification.tasks: {unknown[0]} is no task; choose among "
            f"{', '.join(tasks.OWN_TASKS)}"
        )
    limits = [one for one in (questions_per_protein, proteins_per_fold) if one is not None]
    if options < 2 or any(limit < 1 for limit in limits):
        raise InputError("classification: options must be 2 or more, limits 1 or more (or null)")
    material = read_material(
        proteins, split, triples, annotations, closure, proteins_per_fold, seed
    )
    rows: list[Row] = []
    for task in sorted(set(chosen)):
        for fold, accessions in sorted(material.folds.items()):
            if task == tasks.LOCATION_10:
                rows += _locations(material, fold, accessions)
            elif task == tasks.LOCATION_2:
                rows += _bindings(material, fold, accessions)
            elif task == tasks.METAL:
                rows += _metals(material, fold, accessions)
            elif task == tasks.PAIRING:
                rows += pairing_questions(material, fold, accessions, options)
            else:
                pairs = (
                    None if questions_per_protein is None else max(1, questions_per_protein // 2)
                )
                rows += _terms(material, task, fold, accessions, pairs)
    if not rows:
        raise InputError(
            f"{triples}: no test protein has an annotation to ask about; see {rejects}"
        )
    tasks.check_questions(output, rows)
    write_table(output, "questions", rows, read_metadata(proteins))
    write_table(rejects, "rejects", material.rejects)
    for (task, fold), number in sorted(Counter((r["task"], r["fold"]) for r in rows).items()):
        print(f"{task}: {number} questions in {fold}", file=sys.stderr)
    print(f"{len(material.rejects)} things are not asked; see {rejects}", file=sys.stderr)


def _locations(material: Benchmark, fold: str, accessions: Sequence[str]) -> Iterator[Row]:
    for accession in accessions:
        protein = material.proteins[accession]
        key = f"{tasks.LOCATION_10}:{accession}"
        if truth := locations_of(protein["subcellular_location"] or []):
            words = tasks.location_words(protein["sequence"], truth)
            yield material.question(tasks.LOCATION_10, fold, accession, key, words)
        else:
            material.reject(key, "no_class", "; ".join(protein["subcellular_location"] or []))


def _bindings(material: Benchmark, fold: str, accessions: Sequence[str]) -> Iterator[Row]:
    for accession in accessions:
        protein = material.proteins[accession]
        key = f"{tasks.LOCATION_2}:{accession}"
        truth = binding_of(protein)
        if truth is None:
            material.reject(key, "undecided", "; ".join(protein["subcellular_location"] or []))
        else:
            words = tasks.binding_words(protein["sequence"], truth)
            yield material.question(tasks.LOCATION_2, fold, accession, key, words)


def _metals(material: Benchmark, fold: str, accessions: Sequence[str]) -> Iterator[Row]:
    answers: dict[int, list[str]] = {tasks.YES: [], tasks.NO: []}
    for accession in accessions:
        functions = material.of("molecular_function", accession)
        found = binds_metal(
            material.proteins[accession], material.relatives.with_ancestors(functions)
        )
        if found is None:
            material.reject(f"{tasks.METAL}:{accession}", "undecided")
        else:
            answers[found].append(accession)
    # With as many of either answer, one answer to all is right half the time.
    number = min(map(len, answers.values()))
    for answer, members in answers.items():
        for place, accession in enumerate(material.by_hash(members, tasks.METAL)):
            key = f"{tasks.METAL}:{accession}"
            if place >= number:
                material.reject(key, "not_balanced", f"{tasks.ANSWERS[answer]} has more proteins")
                continue
            words = tasks.term_words(
                material.proteins[accession]["sequence"],
                tasks.METAL_TERM,
                tasks.METAL_NAME,
                answer == tasks.YES,
            )
            yield material.question(tasks.METAL, fold, accession, key, words)


def _terms(
    material: Benchmark, task: str, fold: str, accessions: Sequence[str], pairs: int | None
) -> Iterator[Row]:
    positives: list[tuple[str, str]] = []
    for accession in accessions:
        named = []
        for term in material.of(tasks.ASPECTS[task], accession):
            if term in UNINFORMATIVE or term in ROOTS:
                # That an entry does not say it is no sign that it is not so.
                material.reject(f"{task}:{accession}:{term}", "uninformative")
            elif term in material.names:
                named.append(term)
            else:
                material.reject(f"{task}:{accession}:{term}", "no_name")
        kept = material.by_hash(named, f"{task}:{accession}")[:pairs]
        positives += [(accession, term) for term in sorted(kept)]
    annotated = {
        accession: Annotated(
            [
                one
                for relation in tasks.ASPECTS.values()
                for one in material.of(relation, accession)
            ],
            material.relatives,
        )
        for accession in accessions
    }
    negatives = swap_negatives(
        [accession for accession, _ in positives],
        [term for _, term in positives],
        lambda accession, term: annotated[accession].related(term),
        seed=derive_seed(material.seed, "negatives", task, fold),
    )
    for (accession, term), negative in zip(positives, negatives, strict=True):
        if negative is None:
            detail = "no other protein can give its term for this one"
            material.reject(f"{task}:{accession}:{term}", "no_negative", detail)
            continue
        for one, positive in ((term, True), (negative, False)):
            words = tasks.term_words(
                material.proteins[accession]["sequence"], one, material.names[one], positive
            )
            key = f"{task}:{accession}:{one}"
            yield material.question(task, fold, accession, key, words)
