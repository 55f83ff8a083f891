import bert_score
import pytest

from protscribe.errors import InputError
from protscribe.evaluation.bertscore import (
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
