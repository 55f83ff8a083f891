"""What questions about the proteins of the test folds are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.errors import InputError
from protscribe.evaluation.classification import tasks
from protscribe.evaluation.classification.relatives import Relatives
from protscribe.evaluation.examples import TEST_PREFIX
from protscribe.seeds import unit_hash
from protscribe.tables import read_table

STAGE = "make_questions"
PROTEIN_COLUMNS = (
    "accession",
    "sequence",
    "subcellular_location",
    "features",
    "keywords",
    "cofactors",
)
"""What the tasks read of an entry."""

Row = tasks.Row


@dataclass(frozen=True)
class Benchmark:
    """What questions are made of, and what became of the rest.

    Parameters
    ----------
    proteins
        Columns `PROTEIN_COLUMNS` of the tested proteins, by accession.
    folds
        Sorted accessions of each fold.
    annotations
        By relation and accession the sorted ids of annotations.
    names
        Name of each annotation that has one.
    relatives
        Ancestors of the terms above.
    seed
        Seed of every choice.
    """

    proteins: dict[str, Row]
    folds: dict[str, list[str]]
    annotations: dict[str, dict[str, list[str]]]
    names: dict[str, str]
    relatives: Relatives
    seed: int
    rejects: list[Row] = field(default_factory=list)

    def of(self, relation: str, accession: str) -> list[str]:
        """Return the annotations of a protein by a relation."""
        return self.annotations.get(relation, {}).get(accession, [])

    def reject(self, key: str, reason: str, detail: str = "") -> None:
        """Keep account of what is not asked."""
        self.rejects.append({"stage": STAGE, "key": key, "reason": reason, "detail": detail})

    def question(self, task: str, fold: str, accession: str, key: str, words: Row) -> Row:
        """Return a row of table ``questions``."""
        return {"id": key, "task": task, "fold": fold, "accession": accession, **words}

    def by_hash(self, keys: Sequence[str], what: str) -> list[str]:
        """Return keys in an order that depends on each of them alone."""
        return sorted(keys, key=lambda key: (unit_hash(self.seed, f"{what}:{key}"), key))


def read_material(
    proteins: Path,
    split: Path,
    triples: Path,
    annotations: Path,
    closure: Path | None,
    limit: int | None,
    seed: int,
) -> Benchmark:
    """Read what questions about test proteins are made of.

    Parameters
    ----------
    proteins, split, triples, annotations, closure, seed
        As in `questions.make_questions`.
    limit
        Most proteins of a fold, those with the smallest hash; None for all.

    Raises
    ------
    InputError
        If nothing is in a test fold, or the tables do not belong together.
    """
    placed = read_table(split, "split", ["accession", "fold"])
    placed = placed.filter(pc.starts_with(placed["fold"], TEST_PREFIX))
    folds: dict[str, list[str]] = {}
    for row in placed.to_pylist():
        folds.setdefault(row["fold"], []).append(row["accession"])
    if not folds:
        raise InputError(f"{split}: no protein is in a test fold, so there is nothing to ask about")
    if limit is not None:
        folds = {
            fold: sorted(accessions, key=lambda one: (unit_hash(seed, one), one))[:limit]
            for fold, accessions in folds.items()
        }
    wanted = {one: fold for fold, accessions in folds.items() for one in accessions}
    asked = pa.array(sorted(wanted), pa.string())
    table = read_table(proteins, "proteins", PROTEIN_COLUMNS)
    entries = table.filter(pc.is_in(table["accession"], asked)).to_pylist()
    known = {row["accession"]: row for row in entries}
    if missing := sorted(wanted.keys() - known.keys()):
        raise InputError(
            f"{proteins}: lacks {missing[0]}, which is in {split}; make the split again"
        )

    graph = read_table(triples, "knowledge_triples")
    graph = graph.filter(pc.is_in(graph["accession"], asked))
    held: dict[str, dict[str, list[str]]] = {}
    for row in graph.to_pylist():
        if row["fold"] != wanted[row["accession"]]:
            raise InputError(
                f"{triples}: {row['accession']} is in fold {row['fold']}, but in {split} in "
                f"{wanted[row['accession']]}; build the graph again"
            )
        of = held.setdefault(row["relation"], {})
        of.setdefault(row["accession"], []).append(row["annotation"])
    words = read_table(annotations, "knowledge_annotations", ["id", "name"]).to_pylist()
    terms = {
        term
        for relation in tasks.ASPECTS.values()
        for of in held.get(relation, {}).values()
        for term in of
    }
    return Benchmark(
        known,
        {fold: sorted(accessions) for fold, accessions in folds.items()},
        {
            relation: {accession: sorted(set(ids)) for accession, ids in of.items()}
            for relation, of in held.items()
        },
        {row["id"]: row["name"] for row in words if row["name"]},
        Relatives(closure, terms),
        seed,
    )
