"""Sorted runs on disk and their merging: sorting rows that do not fit into memory together.

A run holds rows of the proteins table in the order of their accession, in Arrow's IPC format.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from protscribe.schemas import TABLES

BLOCK_ROWS = 20_000
"""Rows of a block of the merged table."""

_BATCH_ROWS = 100
_SCHEMA = TABLES["proteins"].schema


def write_run(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write sorted rows."""
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(str(path), _SCHEMA, options=options) as out:
        out.write_table(pa.Table.from_pylist(list(rows), _SCHEMA), max_chunksize=_BATCH_ROWS)


def merge_runs(paths: Sequence[Path], order: pa.Table) -> Iterator[pa.Table]:
    """Read runs side by side, each once from its start to its end.

    Parameters
    ----------
    paths
        The runs.
    order
        One row for each row of all runs, in the order of the result: the number of its ``run``,
        and whether it is ``kept``.

    Yields
    ------
    pyarrow.Table
        `BLOCK_ROWS` rows, less those that are not kept.
    """
    cursors = [_Cursor(path) for path in paths]
    for start in range(0, order.num_rows, BLOCK_ROWS):
        block = order.slice(start, BLOCK_ROWS)
        run, kept = block["run"].to_numpy(), block["kept"].to_numpy()
        numbers, counts = np.unique(run, return_counts=True)
        parts = [
            cursors[number].take(count)
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
        ]
        # Row i of the parts belongs at place[i] of the block.
        place = np.argsort(run, kind="stable")
        whence = np.empty_like(place)
        whence[place] = np.arange(len(place))
        yield pa.concat_tables(parts).combine_chunks().take(whence[kept])


class _Cursor:
    """Reads a run some rows at a time."""

    def __init__(self, path: Path) -> None:
        self.path, self.batch = str(path), 0
        self.rest = _SCHEMA.empty_table()

    def take(self, count: int) -> pa.Table:
        """Return the next rows."""
        batches: list[pa.RecordBatch] = []
        missing = count - self.rest.num_rows
        # Opened each time: there may be more runs than files that may be open.
        with pa.ipc.open_file(self.path) as run:
            while missing > 0:
                batches.append(run.get_batch(self.batch))
                missing -= batches[-1].num_rows
                self.batch += 1
        rows = pa.concat_tables([self.rest, pa.Table.from_batches(batches, _SCHEMA)])
        self.rest = rows.slice(count)
        return rows.slice(0, count)
