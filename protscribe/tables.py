"""The schema of every table, and the only code that writes or reads one.

Tables are Parquet files, sorted by their key and checked against the schema both when they
are written and when they are read. Release, licence and checksums of what a table was made
from travel in the file's metadata.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from protscribe.atomic import atomic_path
from protscribe.errors import InputError

TEXT = pa.string()
TEXTS = pa.list_(pa.string())
COUNT = pa.int64()
NUMBER = pa.float64()
VECTOR = pa.list_(pa.float32())


def _records(**fields: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct(list(fields.items())))


@dataclass(frozen=True)
class TableSpec:
    """Columns of a table and the columns that identify a row."""

    schema: pa.Schema
    key: tuple[str, ...]


def _spec(key: str, /, **columns: pa.DataType) -> TableSpec:
    names = tuple(key.split())
    fields = [pa.field(name, kind, nullable=name not in names) for name, kind in columns.items()]
    return TableSpec(pa.schema(fields), names)


TABLES: dict[str, TableSpec] = {
    "proteins": _spec(
        "accession",
        accession=TEXT,
        entry_name=TEXT,
        protein_name=TEXT,
        alternative_names=TEXTS,
        gene_names=TEXTS,
        organism=TEXT,
        taxon_id=COUNT,
        lineage=TEXTS,
        sequence=TEXT,
        length=COUNT,
        fragment=pa.bool_(),
        function=TEXT,
        function_evidence=_records(statement=TEXT, eco=TEXT, pubmed_id=TEXT),
        catalytic_activity=TEXTS,
        subcellular_location=TEXTS,
        cofactors=TEXTS,
        pathway=TEXTS,
        family=TEXT,
        domains=_records(db=TEXT, id=TEXT, name=TEXT),
        features=_records(type=TEXT, start=COUNT, end=COUNT, note=TEXT),
        keywords=TEXTS,
        ec=TEXTS,
        go=_records(id=TEXT, aspect=TEXT, evidence=TEXT),
        references=_records(pubmed_id=TEXT, scope=TEXT),
        entry_created=pa.date32(),
        sequence_version=COUNT,
        text_hash=TEXT,
        sequence_hash=TEXT,
    ),
    "rejects": _spec("stage key", stage=TEXT, key=TEXT, reason=TEXT, detail=TEXT),
    "clusters": _spec("accession", accession=TEXT, cluster=TEXT),
    "folds": _spec("accession", accession=TEXT, cluster=TEXT, fold=TEXT),
    "split": _spec(
        "accession",
        accession=TEXT,
        cluster=TEXT,
        fold=TEXT,
        dropped_reason=TEXT,
        max_train_identity=NUMBER,
        max_train_coverage=NUMBER,
        nearest_train_accession=TEXT,
    ),
    "conversations": _spec(
        "id",
        id=TEXT,
        accession=TEXT,
        corpus=TEXT,
        task=TEXT,
        fold=TEXT,
        context=TEXT,
        turns=_records(role=TEXT, content=TEXT),
        evidence_span=TEXT,
        pubmed_id=TEXT,
        licence=TEXT,
        writer=TEXT,
        writer_revision=TEXT,
        prompt_hash=TEXT,
        seed=COUNT,
    ),
    "embedding_index": _spec(
        "accession",
        accession=TEXT,
        sequence_hash=TEXT,
        shard=TEXT,
        start=COUNT,
        length=COUNT,
        residues_cut=COUNT,
    ),
    "text_vectors": _spec("text_hash", text_hash=TEXT, mean=VECTOR, std=VECTOR),
    "predictions": _spec(
        "id task fold condition training_seed",
        id=TEXT,
        task=TEXT,
        fold=TEXT,
        condition=TEXT,
        training_seed=COUNT,
        accession=TEXT,
        prompt=TEXT,
        reference=TEXT,
        prediction=TEXT,
        finish_reason=TEXT,
        tokens=COUNT,
        seed=COUNT,
    ),
    "scores": _spec(
        "predictor id task fold condition training_seed metric",
        predictor=TEXT,
        id=TEXT,
        task=TEXT,
        fold=TEXT,
        condition=TEXT,
        training_seed=COUNT,
        metric=TEXT,
        value=NUMBER,
    ),
    "metrics": _spec(
        "predictor task fold condition stratum metric",
        predictor=TEXT,
        task=TEXT,
        fold=TEXT,
        condition=TEXT,
        stratum=TEXT,
        metric=TEXT,
        value=NUMBER,
        low=NUMBER,
        high=NUMBER,
        n=COUNT,
        clusters=COUNT,
        seeds=COUNT,
        small_sample=pa.bool_(),
        training_examples=COUNT,
        training_steps=COUNT,
        signature=TEXT,
    ),
}


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
        A key of `TABLES`.
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
    table = _conform(path, name, table)
    table = table.sort_by([(column, "ascending") for column in spec.key])
    _check_key(path, name, table)
    facts = {key: str(value) for key, value in sorted((metadata or {}).items())}
    table = table.replace_schema_metadata(facts)
    with atomic_path(path) as partial:
        pq.write_table(table, partial, compression="zstd")
    return table


def read_table(path: Path | str, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table and check it against its schema.

    Parameters
    ----------
    path
        The Parquet file.
    name
        A key of `TABLES`.
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


def _check_key(path: Path | str, name: str, table: pa.Table) -> None:
    key = list(TABLES[name].key)
    if table.num_rows == 0:
        return
    counts = table.group_by(key).aggregate([([], "count_all")])
    twice = counts.filter(pc.greater(counts["count_all"], 1))
    if twice.num_rows:
        first = {column: twice[column][0].as_py() for column in key}
        raise InputError(f"{path}: table {name} has the key {first} more than once")
