"""What a schema is made of."""

from dataclasses import dataclass

import pyarrow as pa

TEXT = pa.string()
TEXTS = pa.list_(pa.string())
COUNT = pa.int64()
NUMBER = pa.float64()
VECTOR = pa.list_(pa.float32())


def records(**fields: pa.DataType) -> pa.DataType:
    """Return the type of a list of records with these fields."""
    return pa.list_(pa.struct(list(fields.items())))


@dataclass(frozen=True)
class TableSpec:
    """Columns of a table and the columns that identify a row."""

    schema: pa.Schema
    key: tuple[str, ...]


def spec(key: str, /, **columns: pa.DataType) -> TableSpec:
    """Return a table's columns and key; only columns of the key may not be null."""
    names = tuple(key.split())
    fields = [pa.field(name, kind, nullable=name not in names) for name, kind in columns.items()]
    return TableSpec(pa.schema(fields), names)
