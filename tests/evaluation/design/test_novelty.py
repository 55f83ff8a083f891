import random

import pytest

from helpers_data import natural_protein, plant_homologue
from protscribe.evaluation.design.novelty import (
    BINS,
    Nearness,
    find_nearest,
    novelty_bin,
)

SETTINGS = {"max_evalue": 1e-3, "min_coverage": 0.5, "threads": 1}


@pytest.fixture(scope="module")
def training():
    rng = random.Random(0)
    return {f"T{i}": natural_protein(rng, 150) for i in range(10)}


def test_identity_to_training(training):
    rng = random.Random(1)
    planted = {
        share: plant_homologue(rng, training["T3"], share, 1.0) for share in (0.6, 0.8, 0.95)
    }
    stranger = natural_protein(rng, 150)
    asked = [*planted.values(), training["T5"], stranger, training["T5"]]
    found = find_nearest(asked, training, **SETTINGS)
    for share, sequence in planted.items():
        assert found[sequence].accession == "T3"
        assert found[sequence].identity == pytest.approx(share, abs=0.03)
        assert found[sequence].coverage > 0.95
    assert found[training["T5"]] == (1, 1, "T5")
    assert stranger not in found
    bins = [novelty_bin(found.get(sequence)) for sequence in asked]
    assert bins == ["50-70", "70-90", ">=90", ">=90", "no_hit", ">=90"]


def test_a_stretch_of_a_training_protein_is_not_the_whole(training):
    rng = random.Random(2)
    chimaera = training["T1"][:60] + natural_protein(rng, 120)
    assert find_nearest([chimaera], training, **SETTINGS) == {}
    found = find_nearest([chimaera], training, **SETTINGS | {"min_coverage": 0.3})
    assert found[chimaera].accession == "T1" and found[chimaera].coverage == pytest.approx(
        1 / 3, abs=0.05
    )


def test_the_largest_identity_counts_not_the_best_score(training):
    rng = random.Random(3)
    design = plant_homologue(rng, training["T0"], 0.7, 1.0)
    # As long as the design at 70%, against a part of it that is nearly the same.
    more = training | {"part": design[:90]}
    found = find_nearest([design], more, **SETTINGS)[design]
    assert (found.accession, found.identity) == ("part", 1.0)


def test_short_copies_are_found_although_no_search_finds_them():
    training = {"B": "MKVLA", "A": "MKVLA", "C": "M" * 40}
    found = find_nearest(["MKVLA", "MKVLS"], training, **SETTINGS)
    assert found == {"MKVLA": Nearness(1.0, 1.0, "A")}
    assert find_nearest([], training, **SETTINGS) == {}


def test_bins_have_no_gaps():
    edges = (0.0, 0.299, 0.3, 0.499, 0.5, 0.699, 0.7, 0.899, 0.9, 1.0)
    names = [novelty_bin(Nearness(identity, 1.0, "T")) for identity in edges]
    assert names == [name for name in BINS[1:] for _ in range(2)]
    assert novelty_bin(None) == BINS[0]
