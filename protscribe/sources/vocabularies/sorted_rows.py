"""Rows of a table, sorted by its key in memory that does not grow with their number."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

from protscribe.schemas import TABLES

AT_ONCE = 100_000
"""Rows that are held at once."""
MERGED_AT_ONCE = 200
"""Files that are open at once; systems often allow 1,024 to a process."""
_READ_AT_ONCE = 500

Row = Mapping[str, Any]


def sorted_pieces(rows: Iterable[Row], name: str, work: Path) -> Iterator[pa.Table]:
    """Sort rows: by parts in memory, which are then merged from files.

    Parameters
    ----------
    rows
        Rows of the table in any order.
    name
        A key of `TABLES`.
    work
        Folder for files that together are as large as the result, or somewhat more.

    Yields
    ------
    pyarrow.Table
        The next `AT_ONCE` rows in the order of the table's key.
    """
    schema, key = TABLES[name].schema, itemgetter(*TABLES[name].key)
    names = (work / f"{number}.arrow" for number in count())

    def pieces(source: Iterable[Row]) -> Iterator[list[Row]]:
        iterator = iter(source)
        while piece := list(islice(iterator, AT_ONCE)):
            yield piece

    def merged(some: list[Path]) -> Iterator[pa.Table]:
        for piece in pieces(heapq.merge(*map(_rows, some), key=key)):
            yield pa.Table.from_pylist(piece, schema=schema)

    parts: list[Path] = []
    for piece in pieces(rows):
        parts.append(next(names))
        _write(parts[-1], schema, [pa.Table.from_pylist(sorted(piece, key=key), schema=schema)])
    while len(parts) > MERGED_AT_ONCE:
        some, parts = parts[:MERGED_AT_ONCE], [*parts[MERGED_AT_ONCE:], next(names)]
        _write(parts[-1], schema, merged(some))
        for path in some:
            path.unlink()
    yield from merged(parts)


def _write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(str(path), schema, options=options) as out:
        for table in tables:
            # Small batches: a merge holds one of every file.
            out.write_table(table, max_chunksize=_READ_AT_ONCE)


def _rows(path: Path) -> Iterator[Row]:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as batches:
        for batch in batches:
            yield from batch.to_pylist()
