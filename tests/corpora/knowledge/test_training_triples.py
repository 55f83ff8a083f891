import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers_data import write_split
from helpers_triples import write_triples
from protscribe.corpora.knowledge.training_triples import read_training_triples
from protscribe.errors import InputError
from protscribe.schemas import TABLES

FOLDS = {"P3": "validation", "P4": "test_low_homology"}


@pytest.fixture
def triples(tmp_path):
    terms = {"P1": ["b", "a"], "P2": ["a"], "P3": ["a"], "P4": ["c"]}
    return write_triples(tmp_path / "triples.parquet", terms, FOLDS)


def test_only_the_training_fold_comes_back(triples, tmp_path):
    folds = {"P1": "train", "P2": "train", "P5": "train", **FOLDS, "P6": None}
    split = write_split(tmp_path / "split.parquet", folds)
    table = read_training_triples(triples, split)
    assert table.column_names == ["accession", "relation", "annotation"]
    found = list(zip(table["accession"].to_pylist(), table["annotation"].to_pylist(), strict=True))
    assert found == [("P1", "a"), ("P1", "b"), ("P2", "a")]


def test_rows_in_another_order_come_back_in_the_same(triples):
    expected = read_training_triples(triples)
    rows = pq.read_table(triples)
    pq.write_table(rows.take(list(reversed(range(rows.num_rows)))), triples)
    assert read_training_triples(triples).equals(expected)


@pytest.mark.parametrize("fold", ["test_temporal", None])
def test_a_protein_that_the_split_does_not_train_on_is_refused(triples, tmp_path, fold):
    split = write_split(tmp_path / "split.parquet", {"P1": "train", "P2": fold, **FOLDS})
    with pytest.raises(InputError, match=r"1 proteins are not in the training fold .*: P2; make"):
        read_training_triples(triples, split)


def test_a_protein_of_two_folds_is_refused(triples):
    rows = pq.read_table(triples).to_pylist()
    rows.append({"accession": "P2", "relation": "keyword", "annotation": "b", "fold": None})
    pq.write_table(pa.Table.from_pylist(rows, TABLES["knowledge_triples"].schema), triples)
    with pytest.raises(InputError, match="1 proteins have triples in the training fold and in an"):
        read_training_triples(triples)


def test_a_triple_that_stands_twice_is_refused(triples):
    rows = pq.read_table(triples)
    pq.write_table(pa.concat_tables([rows, rows.slice(1, 1)]), triples)
    with pytest.raises(InputError, match=r"'annotation': 'b'\} stands more than once"):
        read_training_triples(triples)


def test_no_training_triple(tmp_path):
    path = write_triples(tmp_path / "triples.parquet", {"P1": ["a"]}, {"P1": "validation"})
    with pytest.raises(InputError, match="no triple of the training fold among 1"):
        read_training_triples(path)
