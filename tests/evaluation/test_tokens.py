import math
from collections import Counter

import pytest

from protscribe.evaluation.tokens import (
    TokenInformation,
    count_tokens,
    overlap_f1,
    score_tokens,
    token_signatures,
)


def f1(prediction, reference, weight=None):
    return overlap_f1(count_tokens(prediction), count_tokens(reference), weight)


def test_tokens_are_those_of_squad():
    text = "The ATP-binding site, a loop of AN enzyme; 3'-5' (beta). Theory."
    assert count_tokens(text) == Counter(
        ["atpbinding", "site", "loop", "of", "enzyme", "35", "beta", "theory"]
    )
    # Letters that are no ASCII stay.
    assert count_tokens("α-tubulin  α") == Counter(["αtubulin", "α"])


def test_overlap_counts_each_token_as_often_as_both_have_it():
    # 2 of 3 tokens shared with 2 of 4: precision 2/3, recall 1/2.
    assert f1("binds zinc zinc", "binds zinc and copper") == pytest.approx(100 * 4 / 7)
    assert f1("Zinc, zinc!", "zinc zinc zinc") == pytest.approx(80)
    assert f1("The zinc", "a ZINC.") == 100
    assert f1("copper", "zinc") == 0


def test_a_text_without_tokens_matches_only_its_like():
    assert f1("", "zinc") == f1("zinc", "the") == 0
    assert f1("", "the") == 100


def test_weights_fall_from_words_of_no_text_to_those_of_all():
    texts = [f"this protein binds metal{i}" for i in range(1000)]
    information = TokenInformation(texts * 2)
    weights = [information.weight(token) for token in ("unseen", "metal7", "protein")]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == pytest.approx(math.log(2 * 1000 + 2))
    assert weights[2] == pytest.approx(1 / 2000, rel=1e-2)
    assert weights[2] > 0
    half = TokenInformation(["zinc", "zinc finger", "iron", "copper"]).weight("zinc")
    assert half == pytest.approx(math.log(2))


def test_a_template_scores_next_to_nothing_by_its_form():
    metals = [f"metal{i}" for i in range(30)]
    references = [f"This protein binds {metal} in the cell." for metal in metals]
    wrong = [f"This protein binds {metal} in the cell." for metal in metals[1:] + metals[:1]]
    right = [f"{metal} is what it likes" for metal in metals]
    scores = [score_tokens(texts, references, ["t"] * 30) for texts in (wrong, right)]
    for i in range(30):
        plain, content = ([s[name][i] for s in scores] for name in ("token_f1", "content_f1"))
        assert plain[0] > 80 > plain[1]
        assert content[0] < 5 < content[1]


def test_content_f1_is_its_formula():
    references = ["binds zinc", "binds iron", "binds iron"]
    found = score_tokens(["binds zinc well", "iron", "x"], references, ["t"] * 3)["content_f1"]
    common, once, unseen = (math.log(1 + (2 - d + 0.5) / (d + 0.5)) for d in (2, 1, 0))
    shared = common + once
    assert found[0] == pytest.approx(100 * 2 * shared / (2 * shared + unseen))
    assert found[1] == pytest.approx(100 * 2 * once / (2 * once + common))
    assert found[2] == 0


def test_each_task_has_its_own_information():
    references = ["binds zinc", "binds iron", "binds zinc", "cuts zinc"]
    tasks = ["describe", "describe", "answer", "answer"]
    predictions = ["zinc", "iron", "zinc", "zinc"]
    found = score_tokens(predictions, references, tasks)["content_f1"]
    alone = score_tokens(predictions[:2], references[:2], tasks[:2])["content_f1"]
    assert found[:2] == alone
    # Among the answers zinc says nothing; among the descriptions it does.
    assert found[0] > found[2]


def test_rows_that_repeat_change_no_score():
    references = ["binds zinc", "binds iron"]
    once = score_tokens(["zinc", "zinc"], references, ["t", "t"])
    again = score_tokens(["zinc", "zinc"] * 3, references * 3, ["t"] * 6)
    assert {name: values[:2] for name, values in again.items()} == once


def test_signatures_name_both_metrics():
    assert set(token_signatures()) == set(score_tokens([], [], []))
