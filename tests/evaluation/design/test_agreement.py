import random

import numpy as np
import pytest

from helpers_data import natural_protein, plant_homologue
from protscribe.evaluation.design.agreement import (
    Evidence,
    Neighbours,
    homology_neighbours,
    kmer_profiles,
    mismatched,
    profile_neighbours,
)
from protscribe.evaluation.design.carriers import Placed

REQUESTS = ["common", "rare", "absent"]


@pytest.fixture(scope="module")
def founders():
    rng = random.Random(0)
    return [natural_protein(rng, 120) for _ in range(2)]


@pytest.fixture(scope="module")
def evidence(founders):
    """Six proteins of the first family, two of the second; each pair shares a cluster."""
    rng = random.Random(1)
    sequences = {f"H{i}": plant_homologue(rng, founders[i > 5], 0.6, 1.0) for i in range(8)} | {
        "T0": founders[0]
    }
    folds = {a: "train" if a == "T0" else "validation" for a in sequences}
    clusters = {a: f"C{int(a[1:]) // 2}" if a[0] == "H" else a for a in sequences}
    placed = Placed(folds, clusters, sequences)
    carriers = {
        "common": {f"H{i}" for i in range(6)} | {"T0"},
        "rare": {"H6", "H7"},
        "absent": {"T0"},
    }
    return Evidence.of(placed, REQUESTS, carriers, neighbours=5)


def test_evidence_knows_labels_and_reach(evidence):
    assert evidence.accessions == [f"H{i}" for i in range(8)]
    assert evidence.labels.sum(axis=0).tolist() == [6, 2, 0]
    # Two carriers can outvote one other, not three.
    assert evidence.reach.tolist() == [5, 3, 1]


def test_scores_are_shares_of_the_nearest(evidence):
    near = Neighbours(3, 5)
    near.places[0], near.weights[0] = [6, 0, 7, 1, 2], [5, 4, 3, 2, 1]
    near.places[1, :2], near.weights[1, :2] = [0, 6], [3, 1]
    scores = near.scores(evidence)
    assert scores[0, :2].tolist() == pytest.approx([7 / 15, 8 / 12])
    assert scores[1, :2].tolist() == pytest.approx([0.75, 0.25])
    # Without any neighbour nothing is found; without any carrier nothing can be known.
    assert scores[2, :2].tolist() == [0, 0] and np.isnan(scores[:, 2]).all()


def test_homology_finds_the_family(evidence, founders):
    rng = random.Random(2)
    queries = [plant_homologue(rng, f, 0.6, 1.0) for f in founders]
    queries += [natural_protein(rng, 120), queries[1]]
    near = homology_neighbours(queries, [None] * 4, evidence, depth=5, max_evalue=1e-3, threads=1)
    scores = near.scores(evidence)[:, :2]
    assert (scores >= 0.5).tolist() == [
        [True, False],
        [False, True],
        [False, False],
        [False, True],
    ]
    assert (near.weights[2] == 0).all()
    assert (np.diff(near.weights, axis=1) <= 0).all()


@pytest.mark.parametrize("classifier", ["homology", "knn"])
def test_a_protein_is_not_judged_by_its_own_cluster(evidence, classifier):
    def score(own):
        queries = [evidence.sequences[6]]
        if classifier == "homology":
            near = homology_neighbours(
                queries, [own], evidence, depth=5, max_evalue=1e-3, threads=1
            )
        else:
            near = profile_neighbours(queries, [own], evidence, depth=5, length=3)
        return near.scores(evidence)[0, 1]

    assert score(None) > 0.5
    assert score("C3") == 0


def test_profiles_find_the_family(evidence, founders):
    rng = random.Random(3)
    queries = [plant_homologue(rng, f, 0.7, 1.0) for f in founders]
    near = profile_neighbours(queries, [None, None], evidence, depth=5, length=3)
    assert (near.scores(evidence)[:, :2] >= 0.5).tolist() == [[True, False], [False, True]]
    # More rows than are held at once change nothing.
    many = profile_neighbours(queries * 200, [None] * 400, evidence, depth=5, length=3)
    assert (many.places[::2] == near.places[0]).all() and (
        many.places[1::2] == near.places[1]
    ).all()


def test_profiles_are_cosines():
    sequences = ["ACDEF", "ACDEF", "WYWYW", "AC", "XXACDXX", ""]
    table = kmer_profiles(sequences, 3)
    cosines = (table @ table.T).toarray()
    assert table.shape == (6, 8000)
    assert cosines[0, 1] == pytest.approx(1) and cosines[0, 2] == 0
    # One of three k-mers is shared.
    assert cosines[0, 4] == pytest.approx(np.sqrt(1 / 3))
    assert cosines[3].sum() == cosines[5].sum() == 0
    assert kmer_profiles([], 3).shape == (0, 8000)


def test_nothing_judges_where_there_is_no_evidence():
    placed = Placed({"T": "train"}, {"T": "T"}, {"T": "MKV"})
    none = Evidence.of(placed, REQUESTS, {name: {"T"} for name in REQUESTS}, 5)
    for near in (
        homology_neighbours(["MKVLA"], [None], none, depth=5, max_evalue=1, threads=1),
        profile_neighbours(["MKVLA"], [None], none, depth=5, length=3),
    ):
        assert np.isnan(near.scores(none)).all()
    assert near.scores(none).shape == (1, 3)


def test_requests_that_imply_each_other_are_no_mismatch():
    carriers = {
        "metal": {"A", "B", "C", "D"},
        "zinc": {"A", "B"},
        "half": {"A", "E"},
        "nobody": set(),
    }
    table = mismatched(list(carriers), carriers, max_overlap=0.5)
    expected = {
        # Who asks for zinc gets metal; who asks for metal need not get zinc.
        "metal": [False, False, True, True],
        "zinc": [True, False, True, True],
        "half": [True, True, False, True],
        "nobody": [True, True, True, False],
    }
    assert table.tolist() == list(expected.values())
    assert mismatched([], {}, 0.5).shape == (0, 0)
