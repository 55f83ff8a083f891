from collections import Counter

import pytest

from helpers_design import design_row, good_designs, make_world
from protscribe.evaluation.design.carriers import read_carriers, read_placed
from protscribe.evaluation.design.controls import (
    as_candidates,
    matched_controls,
    natural_controls,
)
from protscribe.evaluation.design.naturalness import KmerModel


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def placed(world):
    return read_placed(world.path("split"), world.path("proteins"))


@pytest.fixture(scope="module")
def chain(placed):
    return KmerModel(list(placed.training.values()), 2)


def test_each_design_has_three_controls_of_its_length(world, placed, chain):
    designs = as_candidates(good_designs(world))
    controls = matched_controls(designs, placed.training, chain, seed=0)
    assert len(controls) == 3 * len(designs)
    of = {(one.predictor, one.id): one for one in controls}
    for design in designs:
        shuffled, markov, fragment = (
            of[f"writer:{name}", design.id] for name in ("shuffled", "markov", "fragment")
        )
        assert {len(one.sequence) for one in (shuffled, markov, fragment)} == {len(design.sequence)}
        assert Counter(shuffled.sequence) == Counter(design.sequence)
        assert shuffled.sequence != design.sequence
        assert fragment.sequence in placed.training[fragment.source]
        assert shuffled.request == markov.request == fragment.request == design.request
    # Fragments as long as their source can be there twice.
    drawn = [one.sequence for one in controls if not one.predictor.endswith("fragment")]
    assert len(set(drawn)) == len(drawn)


def test_a_control_depends_on_its_design_alone(world, placed, chain):
    designs = as_candidates(good_designs(world))
    controls = matched_controls(designs, placed.training, chain, seed=0)
    few = matched_controls(designs[5:3:-1], placed.training, chain, seed=0)
    assert set(few) < set(controls)
    assert not {one.sequence for one in few} & {
        one.sequence for one in matched_controls(designs[4:6], placed.training, chain, seed=1)
    }


def test_designs_that_failed(placed, chain):
    rows = [
        design_row("KW:F0", 1, ""),
        design_row("KW:F0", 2, "MKV" * 10, finish_reason="length"),
        # Longer than any protein.
        design_row("KW:F0", 3, "MKV" * 100),
    ]
    controls = matched_controls(as_candidates(rows), placed.training, chain, seed=0)
    assert {one.id[-1] for one in controls} == {"2", "3"}
    ends = {one.predictor: one.finish_reason for one in controls if one.id.endswith("2")}
    assert ends == {
        "writer:shuffled": "length",
        "writer:markov": "closed",
        "writer:fragment": "closed",
    }
    longest = max(placed.training.values(), key=len)
    fragment = next(c for c in controls if c.id.endswith("3") and c.predictor.endswith("fragment"))
    assert len(fragment.sequence) == len(longest)


def test_natural_proteins_of_the_annotation(world, placed):
    requests = ["KW:F0", "KW:F1", "unknown:x"]
    carriers = read_carriers(world.path("triples"), requests)
    rows = [design_row("KW:F0", n, "MKV") for n in (1, 2)]
    rows += [design_row("KW:F0", 1, "MKV", training_seed=1)]
    rows += [design_row("KW:F1", n, "MKV") for n in range(1, 9)]
    controls = natural_controls(as_candidates(rows), requests, carriers, placed, most=2, seed=0)
    counts = Counter((one.predictor, one.request) for one in controls)
    # The larger number of one training seed; no more than there are.
    assert counts == {
        ("retrieval", "KW:F0"): 2,
        ("retrieval", "KW:F1"): 5,
        ("natural", "KW:F0"): 2,
        ("natural", "KW:F1"): 2,
    }
    for one in controls:
        assert one.sequence == placed.sequences[one.source]
        assert one.source[0] == ("T" if one.predictor == "retrieval" else "H")
        assert one.source in carriers[one.request]
    again = natural_controls(as_candidates(rows), requests, carriers, placed, most=2, seed=0)
    assert again == controls
    assert (
        natural_controls([], requests, carriers, placed, most=1, seed=0)[0].predictor == "natural"
    )
