import datetime

import pyarrow as pa
import pytest

from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.schemas import TABLES
from protscribe.tables import read_metadata, read_table, table_writer, write_table

CLUSTERS = [{"accession": "P2", "cluster": "P1"}, {"accession": "P1", "cluster": "P1"}]


def test_rows_are_sorted_by_key_and_round_trip(tmp_path):
    path = tmp_path / "clusters.parquet"
    write_table(path, "clusters", CLUSTERS, {"release": "2026_01"})
    assert read_table(path, "clusters").to_pylist() == CLUSTERS[::-1]
    assert read_table(path, "clusters", ["cluster"]).column_names == ["cluster"]
    assert read_metadata(path) == {"release": "2026_01"}


def test_same_rows_give_the_same_bytes(tmp_path):
    one, two = tmp_path / "1.parquet", tmp_path / "2.parquet"
    write_table(one, "clusters", CLUSTERS, {"a": "1", "b": "2"})
    write_table(two, "clusters", CLUSTERS[::-1], {"b": "2", "a": "1"})
    assert sha256_file(one) == sha256_file(two)


def test_every_table_can_be_empty_and_read_back(tmp_path):
    for name, spec in TABLES.items():
        path = tmp_path / f"{name}.parquet"
        write_table(path, name, [])
        assert read_table(path, name).schema.names == spec.schema.names


def test_nested_columns_and_dates(tmp_path):
    row = dict.fromkeys(TABLES["proteins"].schema.names) | {
        "accession": "P1",
        "entry_created": datetime.date(1990, 1, 1),
        "go": [{"id": "GO:0005515", "aspect": "F", "evidence": "IPI"}],
    }
    write_table(tmp_path / "p.parquet", "proteins", [row])
    (back,) = read_table(tmp_path / "p.parquet", "proteins").to_pylist()
    assert back == row


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"accession": "P1"}], "lacks column cluster"),
        ([{"accession": "P1", "cluster": "P1", "clustre": "P1"}], "has no column clustre"),
        ([{"accession": None, "cluster": "P1"}], "a row without accession"),
        ([{"accession": "P1", "cluster": 3.5}], "does not fit table clusters"),
        ([CLUSTERS[0], CLUSTERS[0]], r"'accession': 'P2'.* more than once"),
    ],
)
def test_bad_rows_are_named_and_nothing_is_written(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        write_table(tmp_path / "clusters.parquet", "clusters", rows)
    assert list(tmp_path.iterdir()) == []


def test_bad_files_are_named(tmp_path):
    path = tmp_path / "clusters.parquet"
    with pytest.raises(InputError, match="no such file"):
        read_table(path, "clusters")
    path.write_text("<html>")
    with pytest.raises(InputError, match="not a Parquet file"):
        read_table(path, "clusters")
    write_table(tmp_path / "folds.parquet", "folds", [])
    with pytest.raises(InputError, match="has no column fold"):
        read_table(tmp_path / "folds.parquet", "clusters")


def test_arrow_tables_are_checked_too(tmp_path):
    table = pa.table({"cluster": ["P1"], "accession": ["P1"]})
    write_table(tmp_path / "c.parquet", "clusters", table)
    with pytest.raises(InputError, match="lacks column"):
        write_table(tmp_path / "c.parquet", "clusters", table.drop_columns(["cluster"]))


def clusters(*accessions):
    return pa.table({"accession": accessions, "cluster": ["P1"] * len(accessions)})


def test_a_table_can_be_written_piece_by_piece(tmp_path):
    path = tmp_path / "clusters.parquet"
    with table_writer(path, "clusters", {"release": "x"}) as write:
        for piece in (clusters("P1", "P2"), clusters()[:0].cast(TABLES["clusters"].schema)):
            write(piece)
        write(clusters("P3"))
        assert not path.exists()
    assert read_table(path, "clusters")["accession"].to_pylist() == ["P1", "P2", "P3"]
    assert read_metadata(path) == {"release": "x"}


@pytest.mark.parametrize(
    ("second", "error", "message"),
    [
        (["P2"], InputError, r"'accession': 'P2'.* more than once"),
        (["P3", "P3"], InputError, r"'accession': 'P3'.* more than once"),
        (["P1"], RuntimeError, "'P1'} after {'accession': 'P2'}"),
        (["P4", "P3"], RuntimeError, "'P3'} after"),
        ([None], InputError, "a row without accession"),
    ],
)
def test_pieces_must_follow_one_another(tmp_path, second, error, message):
    path = tmp_path / "clusters.parquet"
    with pytest.raises(error, match=message), table_writer(path, "clusters") as write:
        write(clusters("P1", "P2"))
        write(clusters(*second))
    assert list(tmp_path.iterdir()) == []


def test_keys_of_several_columns_are_compared_in_turn(tmp_path):
    rows = [
        {"stage": stage, "key": key, "reason": "r", "detail": ""}
        for stage, key in (("a", "2"), ("b", "1"), ("b", "2"), ("a", "1"))
    ]
    table = write_table(tmp_path / "r.parquet", "rejects", rows)
    assert table["key"].to_pylist() == ["1", "2", "1", "2"]
    with pytest.raises(InputError, match="'stage': 'b', 'key': '2'"):
        write_table(tmp_path / "r.parquet", "rejects", [*rows, rows[2]])
