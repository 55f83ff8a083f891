import pytest

from helpers_evaluation import write_conversations
from protscribe.errors import InputError
from protscribe.evaluation.examples import read_test, read_training

ROWS = [
    {"accession": "P2", "fold": "test_low_homology", "answer": "Two."},
    {"accession": "P1", "fold": "test_in_distribution", "answer": "One."},
    {"accession": "P3", "fold": "train", "answer": "Three."},
    {"accession": "P4", "fold": "validation", "answer": "Four."},
]


def test_folds_are_told_apart_and_sorted_by_id(tmp_path):
    path = write_conversations(tmp_path / "c.parquet", ROWS)
    assert [example.accession for example in read_test([path])] == ["P1", "P2"]
    assert [example.answer for example in read_training([path])] == ["Three."]
    assert [turn["role"] for turn in read_test([path])[0].question] == ["user"]


def test_an_id_in_two_corpora_is_an_error(tmp_path):
    path = write_conversations(tmp_path / "c.parquet", ROWS)
    with pytest.raises(InputError, match="descriptions:P1 was read already"):
        read_test([path, path])


def test_nothing_to_test_or_train_on_is_an_error(tmp_path):
    path = write_conversations(tmp_path / "train.parquet", ROWS[2:])
    with pytest.raises(InputError, match="no conversation is in a test fold"):
        read_test([path])
    path = write_conversations(tmp_path / "test.parquet", ROWS[:2])
    with pytest.raises(InputError, match="no conversation is in the training fold"):
        read_training([path])


def test_a_conversation_without_an_answer_is_an_error(tmp_path):
    turns = [{"role": "user", "content": "<protein_sequence>"}]
    path = write_conversations(tmp_path / "c.parquet", [ROWS[0] | {"turns": turns}])
    with pytest.raises(InputError, match="does not end with an assistant turn"):
        read_test([path])
