import numpy as np
import pytest

from protscribe.errors import InputError
from protscribe.evaluation.bootstrap import (
    cluster_sums,
    draw_clusters,
    interval,
    resampled_means,
)


def test_draws_hold_as_many_clusters_and_repeat_by_seed():
    draws = draw_clusters(7, 50, seed=3)
    assert draws.shape == (50, 7)
    assert (draws.sum(axis=1) == 7).all()
    assert (draws == draw_clusters(7, 50, seed=3)).all()
    assert (draws != draw_clusters(7, 50, seed=4)).any()


def test_resampled_means_equal_the_plain_loop():
    rng = np.random.default_rng(0)
    membership = np.array([0, 0, 1, 2, 2, 2, 3])
    values = rng.normal(size=(7, 2))
    draws = draw_clusters(4, 20, seed=1)
    found = resampled_means(draws, values, membership, 4)
    for draw, means in zip(draws, found, strict=True):
        rows = [
            row
            for cluster, times in enumerate(draw)
            for _ in range(times)
            for row in values[membership == cluster]
        ]
        assert means == pytest.approx(np.mean(rows, axis=0))


def test_counts_stay_integers():
    sums = cluster_sums(np.array([[1, 2], [3, 4], [5, 6]]), np.array([1, 0, 1]), 2)
    assert sums.tolist() == [[3, 4], [6, 8]]
    assert sums.dtype.kind == "i"


def test_interval_of_independent_proteins_is_that_of_the_normal_approximation():
    values = np.random.default_rng(0).normal(size=(400, 1))
    draws = draw_clusters(400, 2000, seed=0)
    low, high = interval(resampled_means(draws, values, np.arange(400), 400)[:, 0])
    half = 1.96 * values.std() / 20
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_clusters_of_alike_proteins_widen_the_interval():
    # 25 families of 16 equal members hold the information of 25 proteins, not of 400.
    values = np.repeat(np.random.default_rng(0).normal(size=25), 16)[:, None]

    def width(membership, clusters):
        draws = draw_clusters(clusters, 1000, seed=0)
        low, high = interval(resampled_means(draws, values, membership, clusters)[:, 0])
        return high - low

    ratio = width(np.repeat(np.arange(25), 16), 25) / width(np.arange(400), 400)
    assert ratio == pytest.approx(4, rel=0.2)


def test_nothing_to_draw_from_is_an_error():
    with pytest.raises(InputError, match="at least 1"):
        draw_clusters(0, 10, seed=0)
