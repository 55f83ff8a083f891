import math

import pytest
import torch

from protscribe.training.progress import Loss, learning_rate_factor


def test_learning_rate_rises_and_falls():
    rates = [learning_rate_factor(step, 100, 0.06) for step in range(100)]
    assert rates[:6] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert rates[6] == 1
    assert rates[6:] == sorted(rates[6:], reverse=True)
    assert rates[53] == pytest.approx(0.5)
    assert 0 < rates[-1] < 0.001
    assert learning_rate_factor(0, 1, 0.06) == 1
    assert learning_rate_factor(0, 1, 0.0) == 1
    assert learning_rate_factor(9, 10, 1.0) == 1


def test_a_line_holds_all_digits_of_float32():
    value = float(torch.tensor(1 / 3))
    line = Loss(3, 1, "train", value, 1e-4, math.pi).line().split("\t")
    assert float(torch.tensor(float(line[3]))) == value
    assert Loss(0, 0, "validation", 2.5).line() == "0\t0\tvalidation\t2.5\t\t"
