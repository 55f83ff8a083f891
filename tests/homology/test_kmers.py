import random

import pytest

from helpers_data import natural_protein, plant_homologue, write_proteins
from protscribe.corpora.descriptions import make_descriptions
from protscribe.homology import kmers, mmseqs
from protscribe.homology.audit import audit_split
from protscribe.homology.criterion import nearest_hits
from protscribe.homology.split import prune_train
from protscribe.tables import read_table, write_table

CRITERION = {"min_identity": 0.3, "min_coverage": 0.5, "max_evalue": 1e-3}
BOTH = {"max_evalue": 1e-3, "threads": 1}


@pytest.fixture(scope="module")
def families():
    """Forty proteins, and for each one homologue with 40% identity over 80% and one with 70%."""
    rng = random.Random(0)
    tests = {f"A{i:02}": natural_protein(rng, 220) for i in range(40)}
    others = {f"B{a[1:]}": plant_homologue(rng, s, 0.4, 0.8) for a, s in tests.items()}
    others |= {f"C{a[1:]}": plant_homologue(rng, s, 0.7, 0.8) for a, s in tests.items()}
    return tests, others


@pytest.fixture(scope="module")
def chosen(families):
    return kmers.search_both_ways(*families, **BOTH)


@pytest.fixture()
def large(monkeypatch):
    """Every search counts as too large to align every pair."""
    monkeypatch.setattr(mmseqs, "_ALL_PAIRS", 0)


def rows(table):
    return {tuple(row.values()) for row in table.to_pylist()}


def test_what_the_kmers_choose_is_aligned_like_every_pair(families, chosen):
    tests, others = families
    every = (
        mmseqs.search(tests, others, max_evalue=1e-3),
        mmseqs.search(others, tests, max_evalue=1e-3),
    )
    for some, all_ in zip(chosen, every, strict=True):
        assert some.schema == all_.schema
        assert rows(some) <= rows(all_)
        assert all_.num_rows >= 70
        assert some.num_rows >= 0.95 * all_.num_rows


def test_identical_sequences_have_the_same_hits(families, chosen):
    tests, others = families
    twins = {"A00 twin": tests["A00"], "A01 twin": tests["A01"]}, {"B00 twin": others["B00"]}
    forward, backward = kmers.search_both_ways(tests | twins[0], others | twins[1], **BOTH)
    # Nothing else changes, not even E-values.
    for more, less in ((forward, chosen[0]), (backward, chosen[1])):
        assert rows(less) < rows(more)
        assert more.sort_by(mmseqs.HIT_ORDER).equals(more)
    for query, target in (("A00", "B00"), ("A00 twin", "B00 twin"), ("A01 twin", "B01")):
        pair = {"query": query, "target": target}
        assert [row for row in forward.to_pylist() if row | pair == row]
        assert [row for row in backward.to_pylist() if row["query"] == target]


def test_the_pass_by_score_alone_loses_nothing(families, chosen, monkeypatch):
    monkeypatch.setattr(kmers, "FIRST_EVALUE", 1e12)
    for some, all_ in zip(chosen, kmers.search_both_ways(*families, **BOTH), strict=True):
        assert some.equals(all_)


def test_neither_threads_nor_order_matter(families, chosen):
    turned = (dict(reversed(sequences.items())) for sequences in families)
    again = kmers.search_both_ways(*turned, max_evalue=1e-3, threads=2)
    for first, second in zip(chosen, again, strict=True):
        assert first.equals(second)


def test_the_nearest_is_the_same(families, monkeypatch):
    tests, others = families
    every = nearest_hits(tests, others, **BOTH)
    assert {hit["target"][0] for hit in every.values()} == {"C"}
    monkeypatch.setattr(mmseqs, "_ALL_PAIRS", 0)
    assert nearest_hits(tests, others, max_evalue=1e-3, threads=2) == every


def test_no_temporary_files_stay(families, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(kmers, "BOTH_WAYS", ("--no-such-flag",))
    with pytest.raises(RuntimeError, match=r"prefilter ended with status .*no-such-flag"):
        kmers.search_both_ways(*families, **BOTH)
    assert list(tmp_path.iterdir()) == []


def test_the_audit_of_a_large_split_finds_what_was_dropped(families, tmp_path, large):
    tests, others = families
    folds = dict.fromkeys(tests, "train") | dict.fromkeys(others, "train")
    folds |= dict.fromkeys(sorted(tests)[:8], "test_low_homology")
    folds |= dict.fromkeys(sorted(tests)[8:12], "validation")
    proteins = write_proteins(tmp_path / "proteins.parquet", tests | others)
    clusters = [{"accession": a, "cluster": a, "fold": fold} for a, fold in folds.items()]
    write_table(tmp_path / "folds.parquet", "folds", clusters)
    split, corpus = tmp_path / "split.parquet", tmp_path / "descriptions.parquet"
    audit = tmp_path / "audit.json"
    prune_train(proteins, tmp_path / "folds.parquet", split, criterion=CRITERION, threads=1)
    dropped = read_table(split, "split")
    dropped = dropped.filter(dropped["fold"].is_null())["accession"].to_pylist()
    assert 12 <= len(dropped) <= 16
    assert {a[1:] for a in dropped} <= {a[1:] for a in sorted(tests)[:8]}
    make_descriptions(proteins, split, corpus, licence="none")
    audit_split(proteins, split, [corpus], audit, criterion=CRITERION, threads=1)
    text = audit.read_text()
    assert f'"dropped_found_again": {len(dropped)}' in text
    assert '"every_pair_aligned": false' in text and '"--min-ungapped-score"' in text
