"""Proteins with shuffled residues: what is left of a prediction when the order is gone."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.atomic import sha256_text
from protscribe.errors import InputError
from protscribe.evaluation.examples import TEST_PREFIX
from protscribe.schemas import TABLES
from protscribe.seeds import derive_seed
from protscribe.tables import read_metadata, read_table, write_table


def shuffle_sequences(proteins: Path, split: Path, output: Path, *, seed: int) -> None:
    """Write the test proteins with their residues in random order.

    Length and composition stay. The order depends on the seed and the accession alone, so that
    a protein is shuffled the same way whatever else is in the table.

    Parameters
    ----------
    proteins, split
        The tables; proteins of the test folds are taken.
    output
        A proteins table with the accession, the shuffled sequence, its length and its hash.
        All else is null: a shuffled protein has no name, no function and no sites.
    seed
        Seed of the orders.

    Raises
    ------
    InputError
        If no protein is in a test fold, or one of them is not in `proteins`.
    """
    placed = read_table(split, "split", ["accession", "fold"])
    test = placed.filter(pc.starts_with(placed["fold"], TEST_PREFIX))["accession"]
    if not len(test):
        raise InputError(f"{split}: no protein is in a test fold, so there is nothing to shuffle")
    table = read_table(proteins, "proteins", ["accession", "sequence"])
    table = table.filter(pc.is_in(table["accession"], test.combine_chunks()))
    if missing := sorted(set(test.to_pylist()) - set(table["accession"].to_pylist())):
        raise InputError(f"{proteins}: lacks {missing[0]}, which {split} holds; split again")
    shuffled = [
        _shuffled(row["sequence"], derive_seed(seed, "shuffled sequence", row["accession"]))
        for row in table.to_pylist()
    ]
    columns = {
        "accession": table["accession"],
        "sequence": shuffled,
        "length": [len(sequence) for sequence in shuffled],
        "sequence_hash": [sha256_text(sequence) for sequence in shuffled],
    }
    rows = pa.table(
        {
            field.name: columns.get(field.name, pa.nulls(len(shuffled), field.type))
            for field in TABLES["proteins"].schema
        }
    )
    write_table(output, "proteins", rows, read_metadata(proteins) | {"shuffle_seed": str(seed)})
    same = sum(map(str.__eq__, shuffled, table["sequence"].to_pylist()))
    print(
        f"{len(shuffled)} test proteins shuffled; {same} of them look as before, "
        "being too short or too simple",
        file=sys.stderr,
    )


def _shuffled(sequence: str, seed: int) -> str:
    order = np.random.default_rng(seed).permutation(len(sequence))
    return "".join(sequence[i] for i in order)
