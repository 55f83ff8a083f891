import math
import random

import numpy as np
import pytest
from scipy.stats import ks_2samp

from helpers_data import natural_protein
from protscribe.evaluation.design.composition import (
    composition,
    composition_distance,
    invalid_reason,
    length_distances,
    window_entropy,
)


@pytest.mark.parametrize(
    ("sequence", "closed", "reason"),
    [
        ("MKVLA", True, None),
        ("", True, "empty"),
        ("MKVLA", False, "not_closed"),
        ("MKVXA", True, "letter"),
        ("MKVL", True, "short"),
        ("MKVLAMKVLAM", True, "long"),
    ],
)
def test_why_a_design_is_no_protein(sequence, closed, reason):
    assert invalid_reason(sequence, closed=closed, min_residues=5, max_residues=10) == reason


def test_entropy_of_windows():
    assert window_entropy("A" * 30) == (0, 1)
    mean, low = window_entropy("ACDEFGHIKLMN")
    assert mean == pytest.approx(math.log2(12)) and low == 0
    # Two residues, six each: one bit.
    assert window_entropy("AC" * 6) == (pytest.approx(1), 1)
    assert all(map(math.isnan, window_entropy("ACDEFGHIKLM")))
    natural = natural_protein(random.Random(0), 300)
    mean, low = window_entropy(natural)
    assert 2.7 < mean < 3.4 and low < 0.15
    # A run in the middle is of low complexity together with the windows that reach into it.
    _, low = window_entropy(natural[:150] + "Q" * 60 + natural[150:])
    assert 60 / 360 <= low < 100 / 360 + 0.15


def test_letters_that_are_no_residues_do_not_count():
    assert composition(["AAX", "C*"]).tolist() == [2, 1, *[0] * 18]
    assert window_entropy("X" * 12) == (0, 1)


def test_distance_of_compositions():
    own, other = composition(["AAAA"]), composition(["CCCCCC"])
    assert composition_distance(own, own) == 0
    assert composition_distance(own, other) == pytest.approx(1)
    mixed = np.array([1, 1, *[0] * 18])
    # Half an A against A and C: H(3/4, 1/4) - H(1/2) / 2.
    expected = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)) - 0.5
    assert composition_distance(own, mixed) == pytest.approx(expected)
    assert composition_distance(mixed, own) == pytest.approx(expected)


def test_distance_of_lengths():
    assert length_distances([10, 20], [10, 20]) == (0, 0)
    assert length_distances([10, 20], [15, 25]) == (pytest.approx(5), 0.5)
    assert length_distances([5], [100, 100, 100]) == (95, 1)
    rng = random.Random(0)
    own, other = (rng.choices(range(50, 90), k=k) for k in (30, 70))
    assert length_distances(own, other)[1] == pytest.approx(ks_2samp(own, other).statistic)
