import json

import pytest

from helpers_pairs import pair
from protscribe.corpora.qa.statistics import concentration, corpus_statistics, summary

FOLDS = {"A": "train", "B": "train", "C": "test_low_homology"}
LENGTHS = {"A": 100, "B": 200, "C": 400, "UNUSED": 9000}
PAIRS = [
    pair("A", 1, question="one two three", answer="four", category="binding"),
    pair("A", 2, question="one two three", answer="five six", category=None),
    pair("B", 3, question="seven", answer="four", writer="template", pubmed_id=None),
    pair("C", 4, question="seven", answer="four", writer="template", pubmed_id="1001"),
]
SCORES = {
    row["id"]: {"answered_blind": loss <= 1.0, "blind_loss": loss, "prior_loss": loss + 1}
    for row, loss in zip(PAIRS, (0.5, 1.0, 2.0, 4.5), strict=True)
}


def test_counts_and_lengths():
    found = corpus_statistics(PAIRS, FOLDS, LENGTHS)
    counts = {"pairs": 4, "proteins": 3, "unique_questions": 2, "unique_answers": 2}
    counts |= {"unique_pairs": 3, "publications": 2, "pairs_without_publication": 1}
    assert {name: found[name] for name in counts} == counts
    # Each protein once, whatever the number of its pairs, and only those with one.
    assert found["sequence_length"]["mean"] == pytest.approx(233.3333, abs=1e-4)
    assert found["sequence_length"]["median"] == 200
    assert (found["sequence_length"]["min"], found["sequence_length"]["max"]) == (100, 400)
    assert found["question_words"]["mean"] == 2.0
    assert found["answer_words"]["max"] == 2.0
    assert found["categories"] == {"binding": 3, "none": 1}
    assert found["pairs_per_protein"]["max"] == 2.0
    assert found["answered_blind"] is None


def test_writers_and_folds_are_told_apart():
    found = corpus_statistics(PAIRS, FOLDS, LENGTHS, SCORES)
    assert list(found["writers"]) == ["language_model", "template"]
    assert found["writers"]["template"]["pairs"] == 2
    assert found["writers"]["template"]["mean_question_words"] == 1.0
    assert found["folds"]["train"]["proteins"] == 2
    assert found["writers_by_fold"] == {
        "language_model": {"train": 2},
        "template": {"test_low_homology": 1, "train": 1},
    }
    assert found["categories_by_writer"]["language_model"] == {"binding": 1, "none": 1}
    shares = {name: facts["share_answered_blind"] for name, facts in found["writers"].items()}
    assert shares == {"language_model": 1.0, "template": 0.0}
    assert found["folds"]["train"]["share_answered_blind"] == pytest.approx(2 / 3, abs=1e-4)


def test_the_share_answered_blind():
    facts = {"blind_name": "tiny", "blind_max_loss": "1.0"}
    found = corpus_statistics(PAIRS, FOLDS, LENGTHS, SCORES, facts)["answered_blind"]
    assert found == {
        "blind_name": "tiny",
        "blind_max_loss": "1.0",
        "pairs": 2,
        "share": 0.5,
        "mean_blind_loss": 2.0,
        "mean_prior_loss": 3.0,
    }


def test_the_order_of_pairs_changes_nothing():
    first = corpus_statistics(PAIRS, FOLDS, LENGTHS, SCORES)
    again = corpus_statistics(PAIRS[::-1], FOLDS, LENGTHS, SCORES)
    assert json.dumps(first, sort_keys=True) == json.dumps(again, sort_keys=True)


def test_quantiles():
    found = summary(range(101))
    assert found == {"mean": 50, "median": 50, "min": 0, "max": 100} | {
        f"p{q}": q for q in (5, 25, 75, 95)
    }
    assert set(summary([]).values()) == {None}


def test_concentration():
    # 21 proteins: the top tenth are 3, which hold 12 of 30 pairs.
    counts = [1] * 18 + [5, 4, 3]
    assert concentration(counts) == {"top_proteins": 3, "share_of_pairs": 0.4}
    assert concentration([7]) == {"top_proteins": 1, "share_of_pairs": 1.0}
    assert concentration([]) == {"top_proteins": 0, "share_of_pairs": None}


def test_examples_show_what_was_asked():
    found = corpus_statistics(PAIRS, FOLDS, LENGTHS)["examples"]
    assert found["template"][0] == {"accession": "B", "question": "seven", "answer": "four"}
    assert [row["answer"] for row in found["language_model"]] == ["four", "five six"]
