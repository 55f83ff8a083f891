import random

import pytest

from helpers_data import natural_protein, plant_homologue
from helpers_design import design_row
from protscribe.evaluation.design import diversity as module
from protscribe.evaluation.design.controls import as_candidates
from protscribe.evaluation.design.diversity import count_clusters, diversity


@pytest.mark.parametrize("most", [module.ALIGNED, 2])
def test_clusters_of_groups(monkeypatch, most):
    monkeypatch.setattr(module, "ALIGNED", most)
    rng = random.Random(4)
    founders = [natural_protein(rng, 120) for _ in range(3)]
    near = [plant_homologue(rng, founders[0], 0.62, 1.0) for _ in range(2)]
    groups = {
        "same": [founders[0]] * 4,
        "family": [founders[0], *near],
        "strangers": founders,
        "one": near[:1],
        "none": [],
    }
    counts = count_clusters(groups, 0.5, threads=1)
    assert counts == {"same": 1, "family": 1, "strangers": 3, "one": 1, "none": 0}
    assert count_clusters(groups, 0.7, threads=1)["family"] == 3
    assert count_clusters({}, 0.5, threads=1) == {}


def test_diversity_of_requests():
    rng = random.Random(5)
    first, second = (natural_protein(rng, 120) for _ in range(2))
    rows = [
        design_row("A", 1, first),
        design_row("A", 2, plant_homologue(rng, first, 0.62, 1.0)),
        design_row("A", 3, second[:40]),
        design_row("B", 1, second),
        # The same protein of another training seed, or of another system, is another one.
        design_row("B", 1, second, training_seed=1),
        design_row("B", 1, second, system="other"),
    ]
    valid = [True, True, False, True, True, True]
    found = diversity(as_candidates(rows), valid, {"A": 0, "B": 1, "C": 2}, threads=1)
    assert set(found) == {"writer", "other"}
    assert found["writer"]["clusters_50"].tolist() == [1, 2, 0]
    assert found["writer"]["clusters_70"].tolist() == [2, 2, 0]
    assert found["other"]["clusters_50"].tolist() == [0, 1, 0]
