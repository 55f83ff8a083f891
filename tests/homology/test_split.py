import random
from collections import Counter
from datetime import date

import pytest

from helpers_data import natural_protein, plant_homologue, write_proteins
from protscribe.errors import InputError
from protscribe.homology.criterion import matching, similar_pairs
from protscribe.homology.split import assign_folds, cluster_proteins, prune_train
from protscribe.tables import read_table, write_table

CRITERION = {"min_identity": 0.3, "min_coverage": 0.5, "max_evalue": 1e-3}
FRACTIONS = {"validation": 0.1, "test_in_distribution": 0.1, "test_low_homology": 0.1}


def folds_of(path, table="folds"):
    rows = read_table(path, table).to_pylist()
    return {row["accession"]: row["fold"] for row in rows}


def write_clusters(path, clusters):
    write_table(path, "clusters", [{"accession": a, "cluster": c} for a, c in clusters.items()])
    return path


def assign(tmp_path, clusters, **settings):
    """Assign made-up clusters of proteins whose sequences do not matter."""
    facts = settings.pop("facts", {})
    rng = random.Random(0)
    sequences = {a: natural_protein(rng, 40) for a in clusters}
    proteins = write_proteins(tmp_path / "proteins.parquet", sequences, **facts)
    clusters = write_clusters(tmp_path / "clusters.parquet", clusters)
    defaults = {"fractions": FRACTIONS, "temporal_after": None, "minimum": 3, "seed": 0}
    assign_folds(proteins, clusters, tmp_path / "folds.parquet", **{**defaults, **settings})
    return folds_of(tmp_path / "folds.parquet")


FAMILIES = {f"P{i:03}": f"C{i // 2:03}" for i in range(200)}


def test_folds_have_their_sizes_and_whole_clusters(tmp_path):
    folds = assign(tmp_path, FAMILIES)
    counts = Counter(folds.values())
    assert set(folds) == set(FAMILIES)
    for fold in FRACTIONS:
        assert 20 <= counts[fold] <= 21
    for fold in ("test_low_homology", "validation"):
        inside = {FAMILIES[a] for a, f in folds.items() if f == fold}
        others = {FAMILIES[a] for a, f in folds.items() if f != fold}
        assert not inside & others
    # Single proteins are drawn for this one, so most have a relative in training.
    relatives = {FAMILIES[a] for a, f in folds.items() if f == "train"}
    alike = [
        a for a, f in folds.items() if f == "test_in_distribution" and FAMILIES[a] in relatives
    ]
    assert len(alike) > 10


def test_the_seed_decides_and_nothing_else(tmp_path):
    once = assign(tmp_path, FAMILIES)
    data = (tmp_path / "folds.parquet").read_bytes()
    assert assign(tmp_path, FAMILIES) == once
    assert (tmp_path / "folds.parquet").read_bytes() == data
    assert assign(tmp_path, FAMILIES, seed=1) != once


def test_a_fold_does_not_change_with_the_others(tmp_path):
    """A protein more or a fold less moves few proteins: the order is a hash, not a shuffle."""
    once = assign(tmp_path, FAMILIES)
    fewer = assign(tmp_path, FAMILIES, fractions={**FRACTIONS, "test_in_distribution": 0})
    more = assign(tmp_path, FAMILIES | {"Q": "Q"})
    for fold in ("test_low_homology", "validation"):
        first = {a for a, f in once.items() if f == fold}
        assert first == {a for a, f in fewer.items() if f == fold}
        assert len(first ^ {a for a, f in more.items() if f == fold}) <= 2
    assert "test_in_distribution" not in fewer.values()


def test_a_giant_cluster_is_passed_over(tmp_path):
    clusters = {f"P{i:03}": "giant" if i < 120 else f"C{i}" for i in range(200)}
    for seed in range(5):
        folds = assign(tmp_path, clusters, seed=seed)
        whole = {f for a, f in folds.items() if clusters[a] == "giant"}
        assert whole <= {"train", "test_in_distribution"}


def test_identical_sequences_stay_together(tmp_path):
    twins = {a: {"sequence_hash": f"twin {int(a[1:]) // 4}"} for a in FAMILIES}
    folds = assign(tmp_path, {a: a for a in FAMILIES}, facts=twins)
    by_hash = {}
    for accession, fold in folds.items():
        if fold in ("train", "test_in_distribution"):
            by_hash.setdefault(twins[accession]["sequence_hash"], set()).add(fold)
    assert all(len(found) == 1 for found in by_hash.values())


def test_the_temporal_fold_is_what_came_later(tmp_path):
    facts = {"P007": {"entry_created": date(2024, 1, 1)}, "P008": {"entry_created": None}}
    facts["P009"] = {"entry_created": date(2025, 5, 5)}
    folds = assign(tmp_path, FAMILIES, facts=facts, temporal_after="2024-01-01")
    assert {a for a, f in folds.items() if f == "test_temporal"} == {"P007", "P009"}
    assert "test_temporal" not in assign(tmp_path, FAMILIES, facts=facts).values()


def test_few_proteins_lower_the_minimum_with_a_warning(tmp_path, capsys):
    folds = assign(tmp_path, {f"P{i}": f"C{i}" for i in range(20)}, minimum=8)
    counts = Counter(folds.values())
    assert "warning: 20 proteins are too few for folds of at least 8" in capsys.readouterr().err
    assert counts["train"] == 11 and counts["test_low_homology"] == 3


@pytest.mark.parametrize(
    ("clusters", "settings", "message"),
    [
        ({f"P{i}": "same" for i in range(50)}, {}, "50 proteins in 1 clusters cannot fill 4 folds"),
        (
            {f"P{i:02}": f"C{i // 25}" for i in range(100)},
            {},
            r"test_low_homology needs 10 proteins, but only 0 fit.*4 clusters; lower split\.min",
        ),
        (FAMILIES, {"fractions": {"test": 0.1}}, r"split\.fractions\.test: no such fold"),
        (FAMILIES, {"fractions": {"validation": 1.2}}, "together below 1"),
        (FAMILIES, {"minimum": 0}, r"split\.minimum"),
        (FAMILIES, {"temporal_after": "May 2024"}, r"split\.temporal_after: 'May 2024'"),
        (FAMILIES, {"temporal_after": "1990-01-01"}, "0 proteins in 0 clusters"),
    ],
)
def test_splits_that_cannot_be_made(tmp_path, clusters, settings, message):
    with pytest.raises(InputError, match=message):
        assign(tmp_path, clusters, **settings)
    assert not (tmp_path / "folds.parquet").exists()


def test_clusters_of_other_proteins(tmp_path):
    proteins = write_proteins(tmp_path / "p.parquet", {"A": "MKV"})
    clusters = write_clusters(tmp_path / "c.parquet", {"B": "B"})
    with pytest.raises(InputError, match=r"c\.parquet: holds other proteins"):
        assign_folds(
            proteins,
            clusters,
            tmp_path / "f.parquet",
            fractions=FRACTIONS,
            temporal_after=None,
            minimum=1,
            seed=0,
        )


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Proteins that each have a partner with 35% identity over 60%, split without pruning.

    Clusters at 80% coverage do not hold the partners together, so folds separate them.
    """
    folder = tmp_path_factory.mktemp("planted")
    rng = random.Random(0)
    sequences = {f"A{i:02}": natural_protein(rng, 200) for i in range(40)}
    partners = {f"B{a[1:]}": plant_homologue(rng, s, 0.35, 0.6) for a, s in sequences.items()}
    write_proteins(folder / "proteins.parquet", sequences | partners)
    cluster_proteins(
        folder / "proteins.parquet",
        folder / "clusters.parquet",
        min_identity=0.3,
        min_coverage=0.8,
        threads=1,
    )
    assign_folds(
        folder / "proteins.parquet",
        folder / "clusters.parquet",
        folder / "folds.parquet",
        fractions=FRACTIONS,
        temporal_after=None,
        minimum=3,
        seed=0,
    )
    return folder


def partner(accession):
    return {"A": "B", "B": "A"}[accession[0]] + accession[1:]


def test_planted_homologues_are_pruned(planted, tmp_path):
    clusters = read_table(planted / "clusters.parquet", "clusters")
    assert len(set(clusters["cluster"].to_pylist())) > 70
    prune_train(
        planted / "proteins.parquet",
        planted / "folds.parquet",
        tmp_path / "split.parquet",
        criterion=CRITERION,
        threads=1,
    )
    before = folds_of(planted / "folds.parquet")
    rows = read_table(tmp_path / "split.parquet", "split").to_pylist()
    after = {row["accession"]: row for row in rows}
    tests = [a for a, fold in before.items() if fold == "test_low_homology"]
    leaks = [partner(a) for a in tests if before[partner(a)] in ("train", "validation")]
    assert len(leaks) >= 5
    for accession in leaks:
        assert after[accession]["fold"] is None
        assert (
            f"test protein {partner(accession)}: identity 0.3" in after[accession]["dropped_reason"]
        )
    # Nothing else is lost, and no other fold changes.
    assert {a for a, row in after.items() if row["fold"] is None} == set(leaks)
    assert all(row["fold"] == before[a] for a, row in after.items() if row["fold"])
    # The table knows the nearest training protein of test and validation proteins alone.
    for accession, row in after.items():
        nearest = row["nearest_train_accession"]
        if row["fold"] in ("train", None):
            assert nearest is None
        elif nearest:
            assert after[nearest]["fold"] == "train"
            assert 0 < row["max_train_identity"] <= 1 and 0 < row["max_train_coverage"] <= 1
        else:
            assert row["max_train_identity"] is None
        if row["fold"] == "test_low_homology":
            assert nearest is None
        elif row["fold"] == "test_in_distribution" and after[partner(accession)]["fold"] == "train":
            assert nearest == partner(accession)


def test_pruning_gives_the_same_bytes_with_any_threads(planted, tmp_path):
    for threads in (1, 2):
        prune_train(
            planted / "proteins.parquet",
            planted / "folds.parquet",
            tmp_path / f"{threads}.parquet",
            criterion=CRITERION,
            threads=threads,
        )
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


def test_pruning_leaves_no_match(planted, tmp_path):
    split = tmp_path / "split.parquet"
    strict = CRITERION | {"min_coverage": 0.1, "min_identity": 0.1}
    prune_train(
        planted / "proteins.parquet", planted / "folds.parquet", split, criterion=strict, threads=1
    )
    table = read_table(planted / "proteins.parquet", "proteins", ["accession", "sequence"])
    sequences = dict(zip(*(column.to_pylist() for column in table.columns), strict=True))
    folds = folds_of(split, "split")
    tests = {a: sequences[a] for a, f in folds.items() if f == "test_low_homology"}
    others = {a: sequences[a] for a, f in folds.items() if f in ("train", "validation")}
    pairs = similar_pairs(tests, others, max_evalue=10, threads=1)
    assert matching(pairs, strict).num_rows == 0


def test_pruning_that_takes_everything(tmp_path):
    sequence = natural_protein(random.Random(0), 100)
    folds = {"A": "test_low_homology", "B": "train", "C": "train"}
    proteins = write_proteins(tmp_path / "p.parquet", dict.fromkeys(folds, sequence))
    rows = [{"accession": a, "cluster": a, "fold": f} for a, f in folds.items()]
    write_table(tmp_path / "f.parquet", "folds", rows)
    with pytest.raises(InputError, match="all 2 proteins of fold train match"):
        prune_train(
            proteins,
            tmp_path / "f.parquet",
            tmp_path / "s.parquet",
            criterion=CRITERION,
            threads=1,
        )
    assert not (tmp_path / "s.parquet").exists()
