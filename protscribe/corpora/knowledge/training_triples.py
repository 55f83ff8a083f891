"""The triples that may be learned from: those of the training fold, and nothing else."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.errors import InputError
from protscribe.tables import read_table

TRAINING_FOLD = "train"
TRIPLE = ("accession", "relation", "annotation")
"""Columns that make a triple, in the order by which triples are sorted."""
_SHOWN = 3


def read_training_triples(triples: Path, split: Path | None = None) -> pa.Table:
    """Read the triples of the training fold.

    Parameters
    ----------
    triples
        Table ``knowledge_triples``, of all folds.
    split
        Table ``split``. Where given, every protein with a training triple has to be in its
        training fold.

    Returns
    -------
    pyarrow.Table
        Columns of `TRIPLE`, sorted by them, whatever the order of the rows in the file.

    Raises
    ------
    InputError
        If there is no such triple, a triple stands twice, a protein has triples in two folds, or
        the split puts one elsewhere.
    """
    table = read_table(triples, "knowledge_triples")
    training = pc.fill_null(pc.equal(table["fold"], TRAINING_FOLD), False)
    chosen, others = table.filter(training), table.filter(pc.invert(training))
    if chosen.num_rows == 0:
        raise InputError(
            f"{triples}: no triple of the training fold among {table.num_rows}; "
            "add relations or proteins, or leave knowledge.writers empty"
        )
    accessions = chosen["accession"].unique()
    both = (
        others["accession"]
        .unique()
        .filter(pc.is_in(others["accession"].unique(), value_set=accessions))
    )
    _refuse(triples, both, "have triples in the training fold and in another")
    if split is not None:
        folds = read_table(split, "split", ["accession", "fold"])
        allowed = folds.filter(pc.equal(folds["fold"], TRAINING_FOLD))["accession"]
        astray = accessions.filter(pc.invert(pc.is_in(accessions, value_set=allowed)))
        _refuse(triples, astray, f"are not in the training fold of {split}")
    chosen = chosen.select(TRIPLE).sort_by([(column, "ascending") for column in TRIPLE])
    _refuse_repeats(triples, chosen)
    return chosen


def _refuse(triples: Path, accessions: pa.Array, what: str) -> None:
    if len(accessions):
        shown = ", ".join(sorted(accessions.to_pylist())[:_SHOWN])
        raise InputError(
            f"{triples}: {len(accessions)} proteins {what}: {shown}"
            f"{', ...' if len(accessions) > _SHOWN else ''}; make the graph again from this split"
        )


def _refuse_repeats(triples: Path, rows: pa.Table) -> None:
    """Refuse triples that stand twice, which would be counted and drawn twice."""
    first, second = rows.slice(0, rows.num_rows - 1), rows.slice(1)
    same = pa.array([True] * first.num_rows, pa.bool_())
    for column in TRIPLE:
        same = pc.and_(same, pc.equal(first[column], second[column]))
    position = pc.index(same, True).as_py()
    if position >= 0:
        row = rows.slice(position, 1).to_pylist()[0]
        raise InputError(f"{triples}: the triple {row} stands more than once; make the graph again")
