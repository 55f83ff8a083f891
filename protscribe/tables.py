"""The schema of every table, and the only code that writes or reads one.

Tables are Parquet files, sorted by their key and checked against the schema both when they
are written and when they are read. Release, licence and checksums of what a table was made
from travel in the file's metadata.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
        reviewed=pa.bool_(),
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
        function_class=TEXT,
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
    "publications": _spec(
        "pubmed_id",
        pubmed_id=TEXT,
        pmcid=TEXT,
        doi=TEXT,
        title=TEXT,
        abstract=TEXT,
        journal=TEXT,
        year=COUNT,
        licence=TEXT,
        retracted=pa.bool_(),
        source=TEXT,
        mesh_terms=TEXTS,
    ),
    "candidates": _spec(
        "accession pubmed_id route",
        accession=TEXT,
        pubmed_id=TEXT,
        route=TEXT,
        scope=TEXT,
        rank=COUNT,
    ),
    "mentions": _spec(
        "accession pubmed_id route",
        accession=TEXT,
        pubmed_id=TEXT,
        route=TEXT,
        matched_name=TEXT,
        field=TEXT,
        offset=COUNT,
        scope=TEXT,
        species_match=pa.bool_(),
    ),
    "licences": _spec(
        "pmcid",
        pmcid=TEXT,
        version=COUNT,
        licence=TEXT,
        open_access=pa.bool_(),
        manuscript=pa.bool_(),
        retracted=pa.bool_(),
    ),
    "contexts": _spec(
        "id",
        id=TEXT,
        accession=TEXT,
        context=TEXT,
        text=TEXT,
        pubmed_id=TEXT,
        licence=TEXT,
        source=TEXT,
    ),
    "ontology_terms": _spec(
        "id",
        id=TEXT,
        name=TEXT,
        aspect=TEXT,
        definition=TEXT,
        synonyms=_records(text=TEXT, scope=TEXT),
        obsolete=pa.bool_(),
        replaced_by=TEXTS,
        consider=TEXTS,
        alternative_ids=TEXTS,
    ),
    "ontology_ids": _spec("id", id=TEXT, term=TEXT, kind=TEXT),
    "ontology_edges": _spec(
        "child relation parent", child=TEXT, relation=TEXT, parent=TEXT, basic=pa.bool_()
    ),
    "ontology_closure": _spec(
        "descendant ancestor", descendant=TEXT, ancestor=TEXT, distance=COUNT
    ),
    "interpro_entries": _spec("id", id=TEXT, type=TEXT, name=TEXT, short_name=TEXT),
    "interpro2go": _spec("interpro_id go_id", interpro_id=TEXT, go_id=TEXT, go_name=TEXT),
    "uniref_clusters": _spec(
        "cluster",
        cluster=TEXT,
        identity=COUNT,
        representative=TEXT,
        name=TEXT,
        members=COUNT,
        taxon_id=COUNT,
        sequence=TEXT,
        length=COUNT,
    ),
    "uniref_members": _spec(
        "accession", accession=TEXT, uniref100=TEXT, uniref90=TEXT, uniref50=TEXT
    ),
    "keywords": _spec(
        "id",
        id=TEXT,
        name=TEXT,
        category=TEXT,
        definition=TEXT,
        synonyms=TEXTS,
        go=TEXTS,
        parents=TEXTS,
    ),
    "locations": _spec(
        "id",
        id=TEXT,
        name=TEXT,
        kind=TEXT,
        definition=TEXT,
        synonyms=TEXTS,
        keyword=TEXT,
        go=TEXTS,
        is_a=TEXTS,
        part_of=TEXTS,
    ),
    "enzymes": _spec(
        "ec",
        ec=TEXT,
        name=TEXT,
        alternative_names=TEXTS,
        reactions=TEXTS,
        cofactors=TEXTS,
        transferred_to=TEXTS,
        deleted=pa.bool_(),
    ),
    "chemicals": _spec("id", id=TEXT, name=TEXT, synonyms=TEXTS, formula=TEXT),
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
