import numpy as np
import pytest

from protscribe.evaluation import bootstrap
from protscribe.evaluation.design.estimates import Rates, mean_of_designs, mean_of_requests

DRAWS = bootstrap.draw_clusters(3, 500, 0)
NAN = float("nan")


def test_means_of_designs():
    values = np.array([1.0, 0, NAN, 1, 1])
    membership = np.array([0, 0, 1, 2, 2])
    found = mean_of_designs(values, membership, DRAWS, resamples=0, seed=0)
    assert (found.value, found.n, found.requests) == (0.75, 4, 2)
    # Requests are drawn whole: one holds a half, the other all.
    assert (found.low, found.high) == (0.5, 1.0)
    single = mean_of_designs(values, membership, None, resamples=500, seed=0)
    assert single.value == 0.75 and single.low < 0.5 and single.high == 1


def test_perplexities_are_averaged_as_logarithms():
    values, membership = np.log([2.0, 8.0]), np.array([0, 1])
    found = mean_of_designs(values, membership, DRAWS, resamples=0, seed=0, exponential=True)
    assert (found.value, found.low, found.high) == (
        pytest.approx(4),
        pytest.approx(2),
        pytest.approx(8),
    )


def test_what_cannot_be_had_is_nan():
    found = mean_of_designs(np.array([NAN]), np.array([0]), DRAWS, resamples=9, seed=0)
    assert np.isnan(found.value) and np.isnan(found.low) and (found.n, found.requests) == (0, 0)
    # One request says nothing about others.
    found = mean_of_designs(np.array([1.0, 0]), np.array([1, 1]), DRAWS, resamples=9, seed=0)
    assert found.value == 0.5 and np.isnan(found.low)
    assert np.isnan(mean_of_requests(np.full(3, NAN), np.zeros(3), DRAWS).value)


def test_means_of_requests():
    found = mean_of_requests(np.array([2.0, NAN, 4.0]), np.array([5, 7, 6]), DRAWS)
    assert (found.value, found.low, found.high, found.n, found.requests) == (3, 2, 4, 11, 2)


def rates(hits, membership, mismatch):
    return Rates(np.array(hits, dtype=float), np.array(membership), np.array(mismatch))


MISMATCH = ~np.eye(3, dtype=bool)


def test_requested_less_mismatched():
    # Requests 0 and 1 get what they ask for, 2 never does; 0 is found in half of all designs.
    hits = [[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]]
    found = rates(hits, [0, 0, 1, 1, 2, 2], MISMATCH).over(range(3), DRAWS)
    assert found["requested"].value == pytest.approx((1 + 1 + 0) / 3)
    assert found["mismatched"].value == pytest.approx(((0.5 + 0.5) / 2 + 0 + 0) / 3)
    assert found["gain"].value == pytest.approx(0.5)
    assert (found["gain"].n, found["gain"].requests) == (6, 3)
    assert found["gain"].low < 0.5 < found["gain"].high
    one = rates(hits, [0, 0, 1, 1, 2, 2], MISMATCH).over([1], DRAWS)["gain"]
    assert (one.value, one.n, one.requests) == (1, 2, 1) and np.isnan(one.low)


def test_a_writer_that_ignores_requests_gains_nothing():
    rng = np.random.default_rng(0)
    # What is common is found in most designs, whoever asked, and requests differ in size.
    membership = np.repeat(np.arange(3), [2000, 500, 1000])
    hits = rng.random((3500, 3)) < np.array([0.9, 0.5, 0.1])
    found = rates(hits, membership, MISMATCH)
    assert found.over(range(3), DRAWS)["requested"].value == pytest.approx(0.5, abs=0.05)
    assert abs(found.over(range(3), DRAWS)["gain"].value) < 0.05
    for request in range(3):
        gain = found.of(request, resamples=300, seed=0)["gain"]
        assert gain.low - 0.05 < 0 < gain.high + 0.05


def test_requests_without_evidence_or_mismatch_are_left_out():
    hits = [[1, NAN, 0], [0, NAN, 1]]
    found = rates(hits, [0, 2], MISMATCH)
    assert found.usable.tolist() == [True, False, True]
    assert found.over(range(3), DRAWS)["gain"].value == 1
    assert np.isnan(found.over([1], DRAWS)["gain"].value)
    assert np.isnan(found.of(1, resamples=5, seed=0)["requested"].value)
    alone = rates([[1.0]], [0], [[False]])
    assert np.isnan(alone.over([0], bootstrap.draw_clusters(1, 5, 0))["gain"].value)
    empty = Rates(np.empty((0, 3)), np.empty(0, dtype=int), MISMATCH)
    assert np.isnan(empty.over(range(3), DRAWS)["gain"].value)


def test_mismatch_is_only_with_requests_that_were_answered():
    table = np.array([[False, True, False], [True, False, True], [True, True, False]])
    # Nobody answered 1, the only one mismatched to 0.
    found = rates([[1, 0, 0], [1, 0, 0]], [0, 2], table)
    assert found.usable.tolist() == [False, False, True]
    assert found.of(2, resamples=10, seed=0)["mismatched"].value == 0
