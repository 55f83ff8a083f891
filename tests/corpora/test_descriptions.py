import pytest

from helpers_data import write_proteins, write_split
from protscribe.corpora.descriptions import make_descriptions
from protscribe.errors import InputError
from protscribe.prompts import PROTEIN_MARKER
from protscribe.tables import read_table

FOLDS = {"A": "train", "B": None, "C": "test_low_homology"}


def make(tmp_path, folds, sequences=tuple(FOLDS)):
    proteins = write_proteins(tmp_path / "p.parquet", dict.fromkeys(sequences, "MKV"))
    split = write_split(tmp_path / "s.parquet", folds)
    make_descriptions(proteins, split, tmp_path / "d.parquet", licence="CC BY 4.0")
    return read_table(tmp_path / "d.parquet", "conversations").to_pylist()


def test_one_conversation_per_protein_with_a_fold(tmp_path):
    rows = make(tmp_path, FOLDS)
    assert [(r["id"], r["fold"]) for r in rows] == [
        ("descriptions:A", "train"),
        ("descriptions:C", "test_low_homology"),
    ]
    assert rows[0]["turns"] == [
        {"role": "user", "content": PROTEIN_MARKER},
        {"role": "assistant", "content": "Does what A does."},
    ]
    facts = {"accession": "A", "corpus": "descriptions", "task": "describe", "writer": "curated"}
    facts |= {"context": "function_statement", "licence": "CC BY 4.0"}
    assert {name: rows[0][name] for name in facts} == facts


def test_no_fold_at_all(tmp_path):
    with pytest.raises(InputError, match="no protein has a fold"):
        make(tmp_path, dict.fromkeys(FOLDS))


def test_another_split(tmp_path):
    with pytest.raises(InputError, match="holds other proteins"):
        make(tmp_path, FOLDS, sequences=("A", "B"))
    assert not (tmp_path / "d.parquet").exists()
