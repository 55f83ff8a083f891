"""What the test folds hold, and whether accessions of a table belong to them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.corpora.qa.sentences import sentences_of
from protscribe.errors import InputError
from protscribe.homology.split import TRAIN, VALIDATION
from protscribe.tables import read_table

TRAINED_ON = (TRAIN, VALIDATION)
"""Folds that a model is trained on, or chosen by."""
_SHOWN = 3


@dataclass(frozen=True)
class Holdout:
    """Proteins and their folds: texts and sequences of the test folds, and who has them."""

    proteins: Path
    fold_of: Mapping[str, str | None]
    sequence_of: Mapping[str, str]
    test_sequences: Mapping[str, str]

    @classmethod
    def read(cls, proteins: Path, split: Path) -> "Holdout":
        """Read the tables, which have to hold the same proteins."""
        placed = read_table(split, "split", ["accession", "fold"]).to_pydict()
        fold_of = dict(zip(placed["accession"], placed["fold"], strict=True))
        facts = read_table(proteins, "proteins", ["accession", "sequence"]).to_pydict()
        sequence_of = dict(zip(facts["accession"], facts["sequence"], strict=True))
        if set(fold_of) != set(sequence_of):
            raise InputError(f"{split}: holds other proteins than {proteins}; make it again")
        tests: dict[str, str] = {}
        for accession in sorted(a for a, fold in fold_of.items() if is_test(fold)):
            tests.setdefault(sequence_of[accession], accession)
        return cls(proteins, fold_of, sequence_of, tests)

    def test_texts(self) -> dict[str, str]:
        """Return function statements of test proteins, and their sentences, by text."""
        table = read_table(self.proteins, "proteins", ["accession", "function"])
        found: dict[str, str] = {}
        for row in self.of_tests(table).to_pylist():
            text = " ".join((row["function"] or "").split())
            for part in (text, *(sentence.text for sentence in sentences_of(text))):
                if part:
                    found.setdefault(part, row["accession"])
        return found

    def of_tests(self, table: pa.Table) -> pa.Table:
        """Return the rows of test proteins."""
        tests = sorted(accession for accession, fold in self.fold_of.items() if is_test(fold))
        return table.filter(pc.is_in(table["accession"], pa.array(tests, pa.string())))

    def folds(self, path: Path, accessions: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the fold of each accession; those without one must not be in a corpus."""
        names = sorted(self.fold_of)
        at = pc.index_in(accessions, pa.array(names, pa.string()))
        folds = pa.array([self.fold_of[name] for name in names], pa.string())
        found = pc.take(folds, at)
        if strange := accessions.filter(pc.is_null(found)).unique().sort().to_pylist():
            refuse(path, f"{len(strange)} proteins have no fold in the split", strange)
        return found

    def trained_on(
        self, path: Path, table: pa.Table, what: str, *, with_sequence: bool = True
    ) -> pa.Table:
        """Check that what is trained on is of no test protein.

        Parameters
        ----------
        path, what
            Where the rows come from and what they are, for the error.
        table
            Rows with an accession.
        with_sequence
            Whether the protein's sequence goes with a row, so that it must be that of no test
            protein either. The split parts the two only by date.

        Returns
        -------
        pyarrow.Table
            The distinct accessions, and their folds.

        Raises
        ------
        InputError
            If one is of a test protein, or has no fold.
        """
        accessions = pa.chunked_array([table["accession"].unique()]).sort()
        folds = self.folds(path, accessions)
        names, places = accessions.to_pylist(), folds.to_pylist()
        if leaks := [f"{a} ({f})" for a, f in zip(names, places, strict=True) if is_test(f)]:
            refuse(path, f"{what} of {len(leaks)} test proteins", leaks)
        if with_sequence and (
            same := [
                f"{a} has the sequence of {test} ({self.fold_of[test]})"
                for a in names
                if (test := self.test_sequences.get(self.sequence_of[a]))
            ]
        ):
            what = f"{what} of {len(same)} proteins identical to a test protein"
            refuse(path, what, same, "make a split without split.temporal_after")
        return pa.table({"accession": accessions, "fold": folds})


def is_test(fold: str | None) -> bool:
    """Return whether a fold is for testing alone."""
    return fold is not None and fold not in TRAINED_ON


def refuse(
    path: Path,
    what: str,
    shown: Collection[str],
    remedy: str = "make the corpus again from this split",
) -> NoReturn:
    """Raise the error of an audit.

    Parameters
    ----------
    path
        The table that holds what it must not.
    what
        What that is, with its number.
    shown
        Examples, of which the first few are shown.
    remedy
        What to do.

    Raises
    ------
    InputError
        Always.
    """
    examples = "; ".join(list(shown)[:_SHOWN])
    more = "; ..." if len(shown) > _SHOWN else ""
    raise InputError(f"{path}: {what}: {examples}{more}; {remedy}")
