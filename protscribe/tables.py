"""The only code that writes or reads a table.

Tables are Parquet files, sorted by their key and checked against the schema both when they
are written and when they are read. Release, licence and checksums of what a table was made
from travel in the file's metadata.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from protscribe.atomic import atomic_path
from protscribe.errors import InputError
from protscribe.schemas import TABLES


def write_table(
    path: Path | str,
    name: str,
    rows: pa.Table | Sequence[Mapping[str, Any]],
    metadata: Mapping[str, str] | None = None,
) -> pa.Table:
    """Check rows against a table's schema and write them, sorted by key, atomically.

    Parameters
    ----------
    path
        The Parquet file.
    name
        A key of `protscribe.schemas.TABLES`.
    rows
        The rows, as an Arrow table or as dictionaries; column order does not matter.
    metadata
        Facts that travel with the file (release, licence, checksums).

    Returns
    -------
    pyarrow.Table
        The table as written.

    Raises
    ------
    InputError
        If columns are missing, unknown or of a wrong type, a key is null or stands twice.
    """
    spec = TABLES[name]
    if isinstance(rows, pa.Table):
        table = rows
    else:
        _check_columns(path, name, set().union(*rows) if rows else set(spec.schema.names))
        try:
            table = pa.Table.from_pylist(list(rows), schema=spec.schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InputError(f"{path}: a row does not fit table {name}: {error}") from None
    table = _conform(path, name, table).sort_by([(c, "ascending") for c in spec.key])
    with table_writer(path, name, metadata) as write:
        return write(table)


@contextmanager
def table_writer(
    path: Path | str, name: str, metadata: Mapping[str, str] | None = None
) -> Iterator[Callable[[pa.Table], pa.Table]]:
    """Write a table piece by piece, in the order of its key, atomically.

    Parameters
    ----------
    path, name, metadata
        As in `write_table`.

    Yields
    ------
    Callable
        Checks and writes one piece and returns it as written. Each piece becomes a row group, so
        that the bytes of the file depend on where pieces end.

    Raises
    ------
    InputError
        From the callable: if columns are missing, unknown or of a wrong type, a key is null or
        stands twice.
    """
    facts = {key: str(value) for key, value in sorted((metadata or {}).items())}
    schema = TABLES[name].schema.with_metadata(facts)
    keys = TABLES[name].key
    before = schema.empty_table().select(keys)
    with atomic_path(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as out:

        def write(rows: pa.Table) -> pa.Table:
            nonlocal before
            table = _conform(path, name, rows).replace_schema_metadata(facts)
            key = pa.concat_tables([before, table.select(keys)])
            _check_order(path, name, key)
            before = key.slice(max(key.num_rows - 1, 0))
            out.write_table(table)
            return table

        yield write


def read_table(path: Path | str, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table and check it against its schema.

    Parameters
    ----------
    path
        The Parquet file.
    name
        A key of `protscribe.schemas.TABLES`.
    columns
        Columns to read; all by default.

    Raises
    ------
    InputError
        If the file is missing, is not Parquet or does not have the table's columns.
    """
    try:
        present = pq.read_schema(path).names
        _check_columns(path, name, set(present))
        table = pq.read_table(path, columns=list(columns) if columns else None)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the rule that makes table {name}") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a Parquet file ({error}); delete it and run again") from None
    return _conform(path, name, table, columns)


def read_metadata(path: Path | str) -> dict[str, str]:
    """Return the facts that `write_table` stored with a file."""
    raw = pq.read_schema(path).metadata or {}
    return {k.decode(): v.decode() for k, v in raw.items() if k != b"ARROW:schema"}


def _check_columns(path: Path | str, name: str, present: set[str]) -> None:
    expected = set(TABLES[name].schema.names)
    if missing := sorted(expected - present):
        raise InputError(f"{path}: table {name} lacks column {', '.join(missing)}")
    if unknown := sorted(present - expected):
        raise InputError(f"{path}: table {name} has no column {', '.join(unknown)}")


def _conform(
    path: Path | str, name: str, table: pa.Table, columns: Sequence[str] | None = None
) -> pa.Table:
    schema = TABLES[name].schema
    if columns is not None:
        schema = pa.schema([schema.field(column) for column in columns])
    else:
        _check_columns(path, name, set(table.column_names))
    table = table.select(schema.names)
    for column in set(TABLES[name].key) & set(schema.names):
        if table[column].null_count:
            raise InputError(f"{path}: table {name} has a row without {column}")
    try:
        return table.cast(schema).replace_schema_metadata(table.schema.metadata)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise InputError(f"{path}: a column does not fit table {name}: {error}") from None


def _check_order(path: Path | str, name: str, key: pa.Table) -> None:
    """Check that each row's key is greater than the one before it."""
    greater = pa.array([False] * max(key.num_rows - 1, 0), pa.bool_())
    for column in reversed(key.columns):
        first, second = column[:-1], column[1:]
        greater = pc.or_(pc.greater(second, first), pc.and_(pc.equal(second, first), greater))
    wrong = pc.index(greater, False).as_py()
    if wrong < 0:
        return
    row, following = (key.slice(i, 1).to_pylist()[0] for i in (wrong, wrong + 1))
    if row == following:
        raise InputError(f"{path}: table {name} has the key {row} more than once")
    raise RuntimeError(f"{path}: table {name} has {following} after {row}")


def write_tsv(path: Path, name: str, rows: pa.Table) -> None:
    """Write a table of flat columns as tab-separated values, numbers to four digits.

    Parameters
    ----------
    path
        The file.
    name
        Name of the table, whose columns are written in order.
    rows
        The table; null becomes ``NA``.
    """
    columns = TABLES[name].schema.names

    def cell(value: Any) -> str:
        if value is None:
            return "NA"
        if isinstance(value, bool):
            return str(value).lower()
        # Adding 0 turns a rounded -0 into 0.
        return f"{round(value, 4) + 0.0:.4f}" if isinstance(value, float) else str(value)

    lines = ["\t".join(columns)]
    lines += ["\t".join(cell(row[column]) for column in columns) for row in rows.to_pylist()]
    with atomic_path(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
