import bert_score
import pytest

from protscribe.errors import InputError
from protscribe.evaluation.bertscore import (
    PAIRS_AT_ONCE,
    BertScorer,
    floor_scores,
    rescale,
    score_pairs,
)
from tiny_models import write_tiny_bert

PAIRS = [
    ("catalyzes the hydrolysis of atp", "catalyzes the hydrolysis of gtp"),
    ("binds dna", "component of the proteasome"),
    ("inhibits kinase", "inhibits kinase"),
    ("a", "required for growth and for transport of zinc ions into the cell"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture
def scorer(model):
    return BertScorer(model)


def test_scores_equal_the_bert_score_library(model, scorer):
    predictions, references = map(list, zip(*PAIRS, strict=True))
    theirs = bert_score.score(
        predictions, references, model_type=str(model), num_layers=scorer.layer, device="cpu"
    )
    ours = score_pairs(scorer, predictions, references)
    for name, expected in zip(ours, theirs, strict=True):
        assert ours[name] == pytest.approx((100 * expected).tolist(), abs=1e-3)
    assert ours["bertscore_f1"][2] == pytest.approx(100, abs=1e-3)


def test_a_pair_scores_the_same_in_any_company(model, scorer):
    alone = score_pairs(BertScorer(model), [PAIRS[0][0]], [PAIRS[0][1]])
    together = score_pairs(scorer, *map(list, zip(*PAIRS, strict=True)))
    assert together["bertscore_f1"][0] == pytest.approx(alone["bertscore_f1"][0], abs=1e-3)


def test_an_empty_text_scores_0(scorer):
    found = score_pairs(scorer, ["", "  ", "binds dna"], ["binds dna", "x", "binds dna"])
    assert found["bertscore_f1"][:2] == [0.0, 0.0]
    assert found["bertscore_f1"][2] == pytest.approx(100, abs=1e-3)


def test_long_texts_are_cut_and_counted(scorer):
    long = "binds dna " * 400
    found = score_pairs(scorer, [long], [long])
    assert found["bertscore_f1"] == pytest.approx([100.0], abs=1e-3)
    assert scorer.cut == 1


def test_floor_never_pairs_equal_texts_and_repeats_by_seed(scorer):
    references = ["binds dna", "component of the proteasome", "binds dna", "inhibits kinase c"]
    found = floor_scores(scorer, references, seed=1)
    assert found == floor_scores(scorer, references, seed=1)
    assert found[0] == found[2]
    assert max(found) < 99.9
    # Three texts: each meets both others, so the plain mean over pairs is the expectation.
    others = ["component of the proteasome", "inhibits kinase c"]
    scorer.hold([*references, *others])
    expected = sum(scorer.score(other, "binds dna")[2] for other in others) / 2
    assert found[0] == pytest.approx(expected)


def test_no_floor_without_two_different_texts(scorer):
    assert floor_scores(scorer, ["same", "same"], seed=0) is None


def test_rescale_maps_the_floor_to_0_and_100_to_100():
    assert rescale(85.0, 85.0) == 0
    assert rescale(100.0, 85.0) == 100
    assert rescale(70.0, 85.0) == pytest.approx(-100)


def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"evaluation\.bertscore_model"):
        BertScorer(tmp_path)


def test_only_the_texts_at_work_are_held(model, monkeypatch):
    predictions, references = map(list, zip(*PAIRS * 3, strict=True))
    whole = score_pairs(BertScorer(model), predictions, references)
    ring = [*references, *predictions]
    floor = floor_scores(BertScorer(model), ring, seed=3)
    monkeypatch.setattr("protscribe.evaluation.bertscore.PAIRS_AT_ONCE", 2)
    monkeypatch.setattr("protscribe.evaluation.bertscore.FLOOR_PARTNERS", 3)
    fewer = floor_scores(BertScorer(model), ring, seed=3)
    scorer, most = BertScorer(model), []
    hold = BertScorer.hold

    def watched(self, texts):
        hold(self, texts)
        most.append(len(self._vectors))

    monkeypatch.setattr(BertScorer, "hold", watched)
    parts = score_pairs(scorer, predictions, references)
    for name, values in whole.items():
        assert parts[name] == pytest.approx(values, abs=1e-3)
    assert max(most) <= 4 < PAIRS_AT_ONCE
    most.clear()
    assert floor_scores(scorer, ring, seed=3) == fewer
    assert max(most) <= 2 + 3
    # Seven distinct texts: each meets the next three, or all of the other six.
    monkeypatch.setattr("protscribe.evaluation.bertscore.FLOOR_PARTNERS", 10)
    assert floor_scores(scorer, ring, seed=3) == pytest.approx(floor, abs=1e-3)


def test_the_floor_does_not_depend_on_what_was_scored_before(model):
    references = [reference for _, reference in PAIRS]
    fresh = floor_scores(BertScorer(model), references, seed=0)
    scorer = BertScorer(model)
    score_pairs(scorer, ["x" * 300] * len(references), references)
    assert floor_scores(scorer, references, seed=0) == fresh
