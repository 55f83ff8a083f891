import math
from collections import Counter

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF

from protscribe.evaluation.text_metrics import (
    CORPUS_METRICS,
    CorpusMetric,
    exact_match,
    score_texts,
    signatures,
)

REFERENCES = [
    "Catalyzes the hydrolysis of ATP. Binds DNA (in vitro).",
    "Component of the 26S proteasome.",
    "May play a role in cell division and transport of zinc ions.",
    "Inhibits protein kinase C.",
    "Unknown.",
]
PREDICTIONS = [
    "Catalyzes the hydrolysis of GTP. Binds RNA (in vitro).",
    "component of the 26S proteasome",
    "",
    "Inhibits protein kinase C.",
    "Required for growth of the cell, and for much more than that.",
]


def public(name):
    return {
        "bleu_2": BLEU(max_ngram_order=2),
        "bleu_4": BLEU(),
        "chrf": CHRF(),
    }[name]


@pytest.mark.parametrize("name", CORPUS_METRICS)
def test_corpus_score_from_summed_counts_is_sacrebleus(name):
    metric = CorpusMetric(name)
    counts = metric.statistics(PREDICTIONS, REFERENCES)
    for chosen in ([0, 1, 2, 3, 4], [0, 0, 3], [2], [1, 4]):
        expected = public(name).corpus_score(
            [PREDICTIONS[i] for i in chosen], [[REFERENCES[i] for i in chosen]]
        )
        assert metric.score(counts[chosen].sum(axis=0)) == pytest.approx(expected.score, abs=1e-9)


@pytest.mark.parametrize("name", CORPUS_METRICS)
def test_counts_do_not_depend_on_how_many_are_counted_at_a_time(name, monkeypatch):
    metric = CorpusMetric(name)
    whole = metric.statistics(PREDICTIONS, REFERENCES)
    monkeypatch.setattr("protscribe.evaluation.text_metrics.PAIRS_AT_ONCE", 2)
    assert (metric.statistics(PREDICTIONS, REFERENCES) == whole).all()
    assert len(whole) == len(PREDICTIONS)


def test_sentence_scores_are_sacrebleus():
    scores = score_texts(PREDICTIONS, REFERENCES)
    for i, (prediction, reference) in enumerate(zip(PREDICTIONS, REFERENCES, strict=True)):
        bleu = BLEU(effective_order=True).sentence_score(prediction, [reference]).score
        assert scores["sentence_bleu_4"][i] == pytest.approx(bleu)
        chrf = CHRF().sentence_score(prediction, [reference]).score
        assert scores["sentence_chrf"][i] == pytest.approx(chrf)


def test_bleu_2_is_the_formula_of_papineni():
    # Words and punctuation as the 13a tokeniser cuts these two sentences.
    prediction = ["the", "cat", "sat", "on", "mats", "."]
    reference = ["the", "cat", "sat", "on", "the", "mat", "."]

    def precision(n):
        def grams(words):
            return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

        own, theirs = grams(prediction), grams(reference)
        return sum((own & theirs).values()) / sum(own.values())

    penalty = math.exp(1 - len(reference) / len(prediction))
    expected = 100 * penalty * math.sqrt(precision(1) * precision(2))
    metric = CorpusMetric("bleu_2")
    counts = metric.statistics(["the cat sat on mats."], ["the cat sat on the mat."])
    assert metric.score(counts[0]) == pytest.approx(expected)


def test_rouge_is_rouge_scores_f1():
    scores = score_texts(PREDICTIONS, REFERENCES)
    rouge = RougeScorer(["rouge1", "rouge2", "rougeL"])
    for i, (prediction, reference) in enumerate(zip(PREDICTIONS, REFERENCES, strict=True)):
        theirs = rouge.score(reference, prediction)
        for name, key in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")):
            assert scores[name][i] == pytest.approx(100 * theirs[key].fmeasure)


def test_exact_match_ignores_white_space_only():
    assert exact_match(" Binds\n DNA. ", "Binds DNA.") == 100
    assert exact_match("binds DNA.", "Binds DNA.") == 0
    assert exact_match("Binds DNA", "Binds DNA.") == 0


def test_a_perfect_prediction_scores_100_and_an_empty_one_0():
    perfect = score_texts(REFERENCES, REFERENCES)
    for name, values in perfect.items():
        if name not in ("rouge_2", "sentence_bleu_4", "sentence_bleu_2"):
            assert values == pytest.approx([100.0] * len(REFERENCES)), name
    empty = score_texts([""] * len(REFERENCES), REFERENCES)
    assert all(np.allclose(values, 0.0) for values in empty.values())


def test_signatures_say_what_the_numbers_are():
    found = signatures()
    assert set(found) >= {"exact_match", "rouge_l", *CORPUS_METRICS}
    assert "order:2|" in found["bleu_2"] and "tok:13a" in found["bleu_2"]
    assert "nrefs:1" in found["bleu_4"] and "version:" in found["chrf"]
