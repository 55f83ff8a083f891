import random

import pyarrow as pa
import pytest

from helpers_data import natural_protein, plant_homologue
from protscribe.errors import InputError
from protscribe.homology.criterion import (
    PAIR_SCHEMA,
    check_criterion,
    find_leaks,
    matching,
    nearest_hits,
    residue_share,
    similar_pairs,
)

CRITERION = {"min_identity": 0.3, "min_coverage": 0.5, "max_evalue": 1e-3}


def matches(tests, others, criterion):
    """Return the matching pairs, each in its better direction."""
    pairs = similar_pairs(tests, others, max_evalue=10, threads=1)
    found = {}
    for hit in matching(pairs, criterion).to_pylist():
        found.setdefault((hit["test"], hit["other"]), hit)
    return list(found.values())


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_homologue_is_a_match(seed):
    rng = random.Random(seed)
    test = natural_protein(rng, 200)
    others = {"planted": plant_homologue(rng, test, 0.35, 0.6), "other": natural_protein(rng, 200)}
    (hit,) = matches({"T": test}, others, CRITERION)
    assert (hit["test"], hit["other"]) == ("T", "planted")
    assert hit["identity"] == pytest.approx(0.35, abs=0.05)
    assert hit["coverage"] == pytest.approx(0.6, abs=0.08)
    assert hit["evalue"] < 1e-3


def test_coverage_is_that_of_the_test_protein():
    rng = random.Random(0)
    long = natural_protein(rng, 400)
    short = long[100:250]
    assert matches({"long": long}, {"short": short}, CRITERION) == []
    (hit,) = matches({"short": short}, {"long": long}, CRITERION)
    assert hit["coverage"] == 1.0


def test_identical_sequences_match_even_where_the_search_is_blind():
    (hit,) = matches({"T": "MKV"}, {"A": "MKV", "B": "MKW"}, CRITERION)
    assert (hit["other"], hit["identity"], hit["bits"]) == ("A", 1.0, 0.0)


def test_each_part_of_the_criterion_counts():
    rng = random.Random(0)
    test = natural_protein(rng, 200)
    others = {"planted": plant_homologue(rng, test, 0.35, 0.6)}
    for name, value in (("min_identity", 0.6), ("min_coverage", 0.9), ("max_evalue", 1e-60)):
        strict = CRITERION | {name: value}
        assert matches({"T": test}, others, strict) == []


def test_both_directions_are_there():
    rng = random.Random(0)
    test = natural_protein(rng, 200)
    others = {f"O{i}": natural_protein(rng, 200) for i in range(9)} | {"kin": test[:-1]}
    pairs = similar_pairs({"T": test}, others, max_evalue=1e-3, threads=1)
    assert pairs.schema == PAIR_SCHEMA
    rows = {row["forward"]: row for row in pairs.to_pylist() if row["other"] == "kin"}
    assert set(rows) == {True, False}
    # Ten times as much is searched one way.
    assert rows[True]["evalue"] > 5 * rows[False]["evalue"]


def test_evalues_shrink_with_the_share_of_what_is_searched():
    facts = {"test": "T", "identity": 0.5, "coverage": 0.9, "bits": 40.0}
    rows = [
        {**facts, "other": "A", "evalue": 0.0011, "forward": True},
        {**facts, "other": "B", "evalue": 0.0011, "forward": False},
        {**facts, "other": "C", "evalue": 0.0009, "forward": False},
    ]
    pairs = pa.Table.from_pylist(rows, schema=PAIR_SCHEMA)
    assert matching(pairs, CRITERION)["other"].to_pylist() == ["C"]
    assert matching(pairs, CRITERION, 0.9)["other"].to_pylist() == ["A", "C"]
    assert residue_share({"A": "MKV", "B": "M"}, ["B", "B"]) == 0.75
    assert residue_share({}, []) == 1.0


def test_leaks_that_are_most_of_what_is_searched():
    rng = random.Random(0)
    test = natural_protein(rng, 200)
    others = {f"L{i}": plant_homologue(rng, test, 0.5 + i / 50, 0.9) for i in range(20)}
    others["alone"] = natural_protein(rng, 200)
    leaks = find_leaks({"T": test}, others, CRITERION, threads=1)
    assert sorted(leaks["other"].to_pylist()) == sorted(set(others) - {"alone"})
    left = {"alone": others["alone"]}
    assert find_leaks({"T": test}, left, CRITERION, threads=1).num_rows == 0


def test_the_nearest_is_the_one_with_the_best_score():
    rng = random.Random(0)
    query = natural_protein(rng, 200)
    # The shorter hit is more alike, the longer one scores better.
    targets = {"short": query[:60] + natural_protein(rng, 140), "long": query[:190] + "W" * 10}
    hits = nearest_hits({"Q": query, "alone": "W" * 50}, targets, max_evalue=1e-3, threads=1)
    assert set(hits) == {"Q"}
    assert hits["Q"]["target"] == "long"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"min_identity": 30}, "min_identity must be between"),
        ({"max_evalue": 0}, "max_evalue must be above 0"),
        ({"evalue": 1}, "must hold exactly"),
    ],
)
def test_wrong_criteria(change, message):
    with pytest.raises(InputError, match=message):
        check_criterion(CRITERION | change)
