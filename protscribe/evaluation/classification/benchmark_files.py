"""Published text files of InstructProtein's benchmarks (Wang et al., ACL 2024).

``gene_ontology/*.lm.json`` and ``scope_fold_rank/*.lm.json`` hold one JSON object a line,
``metal_ion_binding/*.txt`` a sequence, a tab and 0 or 1.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from protscribe.errors import InputError


class TermRecord(NamedTuple):
    """A protein, its terms, and as many that are not its own."""

    number: int
    sequence: str
    labels: list[str]
    negatives: list[str]


class FoldRecord(NamedTuple):
    """A domain of SCOPe, its fold, and nine others."""

    number: int
    name: str
    sequence: str
    fold: str
    negatives: list[str]


def read_terms(path: Path) -> Iterator[TermRecord]:
    """Read a file of GO terms: keys ``sequence``, ``label`` and ``negative_labels``.

    Raises
    ------
    InputError
        If the file is missing, empty or not of this format; names the line.
    """
    for number, row in _objects(path, {"sequence", "label", "negative_labels"}):
        labels = _texts(path, number, row, "label")
        negatives = _texts(path, number, row, "negative_labels")
        yield TermRecord(number, _sequence(path, number, row["sequence"]), labels, negatives)


def read_folds(path: Path) -> Iterator[FoldRecord]:
    """Read a file of folds: keys ``name``, ``sequence``, ``fold`` and ``negative_labels``.

    Raises
    ------
    InputError
        As `read_terms`; also if the fold is among the negatives.
    """
    for number, row in _objects(path, {"name", "sequence", "fold", "negative_labels"}):
        if not all(isinstance(row[key], str) and row[key] for key in ("name", "fold")):
            raise InputError(f"{path}: line {number} needs texts for name and fold")
        negatives = _texts(path, number, row, "negative_labels")
        if not negatives or row["fold"] in negatives:
            raise InputError(f"{path}: line {number} needs negatives, and not the fold among them")
        sequence = _sequence(path, number, row["sequence"])
        yield FoldRecord(number, row["name"], sequence, row["fold"], negatives)


def read_metal(path: Path) -> Iterator[tuple[int, str, int]]:
    """Read lines of a sequence and a label, and yield them with their numbers.

    Raises
    ------
    InputError
        As `read_terms`; also if a label is not 0 or 1.
    """
    for number, line in _lines(path):
        fields = line.split("\t")
        if len(fields) != 2:
            raise InputError(
                f"{path}: line {number} has {len(fields)} columns, not a sequence and a label "
                "with a tab in between"
            )
        sequence, label = fields
        if label not in ("0", "1"):
            raise InputError(f"{path}: line {number} has the label {label!r}, not 0 or 1")
        yield number, _sequence(path, number, sequence), int(label)


def read_fold_names(path: Path) -> dict[str, str]:
    """Read the names of folds from SCOPe's ``dir.des.scope`` file.

    Its columns, with tabs in between, are a number, the level (``cf`` for folds), the
    classification (``a.1``), a short name and the description. Lines that start with # are notes.

    Raises
    ------
    InputError
        If the file is missing, has a line with fewer columns, or no fold.
    """
    names = {}
    for number, line in _lines(path):
        if line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) < 5:
            raise InputError(f"{path}: line {number} has {len(fields)} columns, not 5")
        if fields[1] == "cf":
            names[fields[2]] = fields[4].strip()
    if not names:
        raise InputError(f"{path}: names no fold (level cf); is it a dir.des.scope file?")
    return names


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that are not blank, with their numbers from 1."""
    empty = True
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    empty = False
                    yield number, line.rstrip("\r\n")
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file; see classification.published") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file ({error})") from None
    if empty:
        raise InputError(f"{path}: the file is empty; get it again")


def _objects(path: Path, keys: set[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: line {number} is not JSON ({error})") from None
        if not isinstance(row, dict) or set(row) != keys:
            found = ", ".join(sorted(row)) if isinstance(row, dict) else type(row).__name__
            raise InputError(
                f"{path}: line {number} must have the keys {', '.join(sorted(keys))}, not {found}"
            )
        yield number, row


def _texts(path: Path, number: int, row: dict[str, Any], key: str) -> list[str]:
    values = row[key]
    if not isinstance(values, list) or not all(isinstance(one, str) and one for one in values):
        raise InputError(f"{path}: line {number} needs a list of texts for {key}")
    return values


def one_letter_sequence(where: str, value: Any) -> str:
    """Return a sequence in capitals.

    Raises
    ------
    InputError
        If it is anything but letters; says where.
    """
    if not isinstance(value, str) or not value.isascii() or not value.isalpha():
        raise InputError(f"{where} has no sequence of one-letter residues")
    return value.upper()


def _sequence(path: Path, number: int, value: Any) -> str:
    return one_letter_sequence(f"{path}: line {number}", value)
