"""Metrics against their definitions, in the sample and in every resample."""

import itertools

import numpy as np
import pytest

from protscribe.evaluation.bootstrap import draw_clusters
from protscribe.evaluation.classification import scoring
from protscribe.evaluation.classification.scoring import Resamples


def resamples(questions, clusters=None, count=7, seed=0):
    clusters = clusters or questions
    membership = np.arange(questions) % clusters
    return Resamples(membership, draw_clusters(clusters, count, seed))


def repeated(drawn, row):
    """Return the positions of the questions of a resample, as often as they were drawn."""
    if row == 0:
        return np.arange(len(drawn.membership))
    return np.repeat(np.arange(len(drawn.membership)), drawn.draws[row - 1][drawn.membership])


def naive_area(scores, positive):
    """Sum over the distinct scores the precision there times the recall gained."""
    area = 0.0
    for value in sorted(set(scores.tolist()), reverse=True):
        above = scores >= value
        area += positive[above].mean() * positive[scores == value].sum() / positive.sum()
    return area


@pytest.fixture
def made_up():
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(60, 4)).round(1)
    truth = np.zeros((60, 4), dtype=bool)
    truth[np.arange(60), rng.integers(0, 4, 60)] = True
    return scores, truth, resamples(60, 23)


def test_methods():
    likelihoods = np.array([[-4.0, -3.0]])
    tokens = np.array([[4.0, 1.0]])
    priors = np.array([[-6.0, -2.5]])
    by = {m: scoring.method_scores(m, likelihoods, tokens, priors) for m in scoring.METHODS}
    assert by["sum"].tolist() == [[-4.0, -3.0]]
    assert by["average"].tolist() == [[-1.0, -3.0]]
    assert by["pmi"].tolist() == [[2.0, -0.5]]
    assert scoring.method_scores("pmi", likelihoods, tokens, None) is None


def test_ties_are_shared():
    scores = np.array([[0.0, 0.0, -1.0], [1.0, 1.0, np.nan], [2.0, 1.0, 0.0]])
    truth = np.array([[True, False, False], [True, True, False], [False, True, False]])
    drawn = resamples(3)
    assert scoring.accuracy(scores, truth, drawn)[0] == pytest.approx((0.5 + 1 + 0) / 3)


def test_accuracy_in_every_resample(made_up):
    scores, truth, drawn = made_up
    found = scoring.accuracy(scores, truth, drawn)
    for row in range(len(found)):
        at = repeated(drawn, row)
        right = (scoring.chosen(scores) * truth).sum(axis=1)
        assert found[row] == pytest.approx(right[at].mean())


def test_macro_f1_in_every_resample(made_up):
    scores, truth, drawn = made_up
    scores = scores + np.arange(4) * 1e-3
    found = scoring.macro_f1(scores, truth, drawn)
    for row in range(len(found)):
        at = repeated(drawn, row)
        picked, right = scores[at].argmax(axis=1), truth[at].argmax(axis=1)
        f1 = []
        for one in sorted(set(right.tolist())):
            hits = ((picked == one) & (right == one)).sum()
            f1.append(2 * hits / ((picked == one).sum() + (right == one).sum()))
        assert found[row] == pytest.approx(np.mean(f1))


def test_macro_f1_of_several_truths():
    truth = np.array([[True, True, False]])
    drawn = resamples(1)
    # Right with either; the other one is not missed, though never found.
    assert scoring.macro_f1(np.array([[1.0, 0.0, 0.0]]), truth, drawn)[0] == pytest.approx(1.0)
    assert scoring.macro_f1(np.array([[0.0, 0.0, 1.0]]), truth, drawn)[0] == 0
    both = np.vstack([truth, truth])
    scores = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert scoring.macro_f1(scores, both, resamples(2))[0] == pytest.approx(1.0)


def test_calibration_error_in_every_resample(made_up):
    scores, truth, drawn = made_up
    found = scoring.calibration_error(scores, truth, drawn)
    confidence = scoring.probabilities(scores).max(axis=1)
    right = (scoring.chosen(scores) * truth).sum(axis=1)
    edges = np.linspace(0, 1, scoring.BINS + 1)
    for row in range(len(found)):
        at = repeated(drawn, row)
        error = 0.0
        for low, high in itertools.pairwise(edges):
            inside = at[(confidence[at] >= low) & (confidence[at] < high)]
            if len(inside):
                gap = abs(right[inside].mean() - confidence[inside].mean())
                error += gap * len(inside) / len(at)
        assert found[row] == pytest.approx(error)


def test_a_calibrated_answerer_has_no_calibration_error():
    scores = np.log(np.tile([0.75, 0.25], (4000, 1)))
    truth = np.zeros((4000, 2), dtype=bool)
    truth[np.arange(4000), (np.arange(4000) % 4 == 0).astype(int)] = True
    drawn = resamples(4000, 10)
    assert scoring.calibration_error(scores, truth, drawn)[0] == pytest.approx(0, abs=1e-9)
    assert scoring.calibration_error(scores * 50, truth, drawn)[0] == pytest.approx(0.25, abs=1e-6)


def test_average_precision_in_every_resample():
    rng = np.random.default_rng(5)
    scores, positive = rng.integers(0, 9, 80).astype(float), rng.random(80) < 0.4
    drawn = resamples(80, 31)
    found = scoring.average_precision(scores, positive, drawn)
    for row in range(len(found)):
        at = repeated(drawn, row)
        assert found[row] == pytest.approx(naive_area(scores[at], positive[at]))


def test_average_precision_of_groups_in_every_resample():
    rng = np.random.default_rng(6)
    scores, positive = rng.integers(0, 5, 90).astype(float), rng.random(90) < 0.5
    groups = rng.integers(0, 12, 90)
    drawn = resamples(90, 40)
    found = scoring.average_precision(scores, positive, drawn, groups)
    for row in range(len(found)):
        at = repeated(drawn, row)
        areas = []
        for group in set(groups[at].tolist()):
            part = at[groups[at] == group]
            if 0 < positive[part].sum() < len(part):
                areas.append(naive_area(scores[part], positive[part]))
        assert found[row] == pytest.approx(np.mean(areas))


def test_average_precision_does_not_depend_on_the_pieces(monkeypatch):
    rng = np.random.default_rng(7)
    scores, positive = rng.normal(size=50), rng.random(50) < 0.4
    drawn = resamples(50, count=20)
    whole = scoring.average_precision(scores, positive, drawn)
    monkeypatch.setattr(scoring, "_CELLS", 100)
    assert np.array_equal(scoring.average_precision(scores, positive, drawn), whole)


def test_one_score_for_all_has_the_area_of_chance():
    positive = np.arange(10) < 5
    drawn = resamples(10)
    assert scoring.average_precision(np.zeros(10), positive, drawn)[0] == 0.5
    assert np.isnan(scoring.average_precision(np.zeros(10), positive & False, drawn)[0])
