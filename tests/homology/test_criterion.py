import math
import random

import pytest

from helpers_data import natural_protein, plant_homologue
from protscribe.errors import InputError
from protscribe.homology.criterion import check_criterion, matches, nearest_hits

CRITERION = {"min_identity": 0.3, "min_coverage": 0.5, "max_evalue": 1e-3}


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_homologue_is_a_match(seed):
    rng = random.Random(seed)
    test = natural_protein(rng, 200)
    others = {"planted": plant_homologue(rng, test, 0.35, 0.6), "other": natural_protein(rng, 200)}
    (hit,) = matches({"T": test}, others, CRITERION, sensitivity=7.5, threads=1)
    assert (hit["test"], hit["other"]) == ("T", "planted")
    assert hit["identity"] == pytest.approx(0.35, abs=0.05)
    assert hit["coverage"] == pytest.approx(0.6, abs=0.08)
    assert hit["evalue"] < 1e-3


def test_coverage_is_that_of_the_test_protein():
    rng = random.Random(0)
    long = natural_protein(rng, 400)
    short = long[100:250]
    settings = {"sensitivity": 7.5, "threads": 1}
    assert matches({"long": long}, {"short": short}, CRITERION, **settings) == []
    (hit,) = matches({"short": short}, {"long": long}, CRITERION, **settings)
    assert hit["coverage"] == 1.0


def test_identical_sequences_match_even_where_the_search_is_blind():
    (hit,) = matches({"T": "MKV"}, {"A": "MKV", "B": "MKW"}, CRITERION, sensitivity=7.5, threads=1)
    assert (hit["other"], hit["identity"], hit["bits"]) == ("A", 1.0, math.inf)


def test_each_part_of_the_criterion_counts():
    rng = random.Random(0)
    test = natural_protein(rng, 200)
    others = {"planted": plant_homologue(rng, test, 0.35, 0.6)}
    for name, value in (("min_identity", 0.6), ("min_coverage", 0.9), ("max_evalue", 1e-60)):
        strict = CRITERION | {name: value}
        assert matches({"T": test}, others, strict, sensitivity=7.5, threads=1) == []


def test_the_nearest_is_the_one_with_the_best_score():
    rng = random.Random(0)
    query = natural_protein(rng, 200)
    # The shorter hit is more alike, the longer one scores better.
    targets = {"short": query[:60] + natural_protein(rng, 140), "long": query[:190] + "W" * 10}
    hits = nearest_hits(
        {"Q": query, "alone": "W" * 50}, targets, max_evalue=1e-3, sensitivity=7.5, threads=1
    )
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
