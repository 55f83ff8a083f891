"""Tables as text, with tabs or commas: found out, checked and cut into pieces of rows."""

import codecs
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from protscribe.errors import InputError
from protscribe.sources.formats.uniprot_table import NEEDED, columns_of

DELIMITERS = "\t,;|"


@dataclass(frozen=True)
class Rows:
    """Some rows of a table and what each of their fields holds (see `columns_of`)."""

    columns: tuple[str, ...]
    rows: list[list[str]]


def cut(file: IO[bytes], name: str | Path, size: int) -> Iterator[Rows]:
    """Cut a table into pieces.

    Fields may be quoted as in CSV and then hold line ends; files with tabs may be so, too.

    Parameters
    ----------
    file
        The file's bytes, not compressed.
    name
        What to call the file in an error.
    size
        Bytes of a piece, about.

    Yields
    ------
    Rows
        Rows in their order, the header left out.

    Raises
    ------
    InputError
        If the text is not UTF-8, the header lacks a needed column or is ambiguous, quotes do not
        match, or the last line ends early.
    """
    csv.field_size_limit(sys.maxsize)
    lines = _Lines(file, name)
    header = next((line for line in lines if line.strip()), "")
    delimiter, columns = read_header(header, name)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    length = 0
    try:
        for row in reader:
            if not row:
                continue
            rows.append(row)
            length += sum(map(len, row))
            if length >= size:
                yield Rows(columns, rows)
                rows, length = [], 0
    except csv.Error as error:
        raise InputError(
            f"{name}: line {lines.number}: {error}; fields with quotes inside need CSV's quoting"
        ) from None
    if rows and len(rows[-1]) < len(columns) and not lines.ended:
        raise InputError(
            f"{name}: the file is truncated: its last line has {len(rows[-1])} of "
            f"{len(columns)} columns; download it again"
        )
    if rows:
        yield Rows(columns, rows)


def read_header(line: str, name: str | Path) -> tuple[str, tuple[str, ...]]:
    """Return the delimiter of a header line and what each column holds.

    Raises
    ------
    InputError
        If a needed column is missing or stands twice; lists the columns found.
    """
    splits = {d: next(csv.reader([line], delimiter=d), []) for d in DELIMITERS}
    delimiter = max(
        splits, key=lambda d: (len(set(columns_of(splits[d])) & NEEDED), len(splits[d]))
    )
    found = splits[delimiter]
    columns = columns_of(found)
    for column in sorted(NEEDED):
        if columns.count(column) != 1:
            wrong = "no column" if column not in columns else "more than one column"
            raise InputError(
                f"{name}: {wrong} for the {column}; needed are an accession (Entry), a sequence "
                "(Sequence) and a text (Function [CC] or text); columns found: "
                f"{', '.join(found)}"
            )
    twice = sorted({c for c in columns if c and columns.count(c) > 1})
    if twice:
        raise InputError(
            f"{name}: more than one column for the {', '.join(twice)}; leave one of them; "
            f"columns found: {', '.join(found)}"
        )
    return delimiter, columns


class _Lines:
    """The lines of a file, decoded one by one, so that a wrong letter has a line number."""

    def __init__(self, file: IO[bytes], name: str | Path) -> None:
        self.file, self.name, self.number, self.ended = file, name, 0, True

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            self.number += 1
            self.ended = line.endswith(b"\n")
            if self.number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            try:
                yield line.decode()
            except UnicodeDecodeError:
                raise InputError(
                    f"{self.name}: line {self.number}: not UTF-8 text; save the file as UTF-8"
                ) from None
