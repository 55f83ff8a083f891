import random
from collections import Counter

import pytest

from helpers_evaluation import fill, write_split
from protscribe.atomic import sha256_file, sha256_text
from protscribe.errors import InputError
from protscribe.evaluation.shuffling import shuffle_sequences
from protscribe.tables import read_metadata, read_table, write_table

FOLDS = {
    "P1": "test_low_homology",
    "P2": "test_in_distribution",
    "P3": "train",
    "P4": "validation",
    "P5": None,
    "P6": "test_temporal",
}


def sequences():
    rng = random.Random(0)
    return {name: "".join(rng.choices("ACDEFGHIKLMNPQRSTVWY", k=60)) for name in FOLDS}


def write(folder, found, folds=FOLDS):
    folder.mkdir(exist_ok=True)
    rows = [
        fill("proteins", {"accession": a, "sequence": s, "length": len(s), "function": "Binds."})
        for a, s in found.items()
    ]
    write_table(folder / "proteins.parquet", "proteins", rows, {"release": "1"})
    write_split(folder / "split.parquet", [{"accession": a, "fold": f} for a, f in folds.items()])
    return folder


def shuffle(folder, seed=0):
    output = folder / f"shuffled-{seed}.parquet"
    shuffle_sequences(folder / "proteins.parquet", folder / "split.parquet", output, seed=seed)
    return {row["accession"]: row for row in read_table(output, "proteins").to_pylist()}


def test_test_proteins_keep_their_composition_and_nothing_else(tmp_path):
    originals = sequences()
    rows = shuffle(write(tmp_path, originals))
    assert set(rows) == {"P1", "P2", "P6"}
    for accession, row in rows.items():
        assert row["sequence"] != originals[accession]
        assert Counter(row["sequence"]) == Counter(originals[accession])
        assert row["length"] == 60
        assert row["sequence_hash"] == sha256_text(row["sequence"])
        assert row["function"] is None
    facts = read_metadata(tmp_path / "shuffled-0.parquet")
    assert facts == {"release": "1", "shuffle_seed": "0"}


def test_the_order_depends_on_seed_and_accession_alone(tmp_path):
    same = dict.fromkeys(FOLDS, sequences()["P1"])
    rows = shuffle(write(tmp_path / "all", same))
    assert len({row["sequence"] for row in rows.values()}) == 3
    few = {name: same[name] for name in ("P3", "P2")}
    alone = shuffle(write(tmp_path / "few", few, {name: FOLDS[name] for name in few}))
    assert alone == {"P2": rows["P2"]}
    assert shuffle(tmp_path / "all", seed=1)["P2"]["sequence"] != rows["P2"]["sequence"]
    before = sha256_file(tmp_path / "all" / "shuffled-0.parquet")
    shuffle(tmp_path / "all")
    assert sha256_file(tmp_path / "all" / "shuffled-0.parquet") == before


def test_proteins_that_cannot_change_are_counted(tmp_path, capsys):
    shuffle(write(tmp_path, sequences() | {"P1": "GGGG", "P2": "M"}))
    assert "3 test proteins shuffled; 2 of them look as before" in capsys.readouterr().err


def test_nothing_to_shuffle_is_an_error(tmp_path):
    folds = dict.fromkeys(FOLDS, "train")
    with pytest.raises(InputError, match="no protein is in a test fold"):
        shuffle(write(tmp_path, sequences(), folds))


def test_a_test_protein_that_is_missing_is_an_error(tmp_path):
    found = sequences()
    del found["P6"]
    with pytest.raises(InputError, match="lacks P6"):
        shuffle(write(tmp_path, found))
