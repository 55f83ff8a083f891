"""Perplexities on the results page."""

import pytest

from helpers_report import SCRIPT, render, text_of
from protscribe.atomic import write_json
from protscribe.errors import InputError
from protscribe.report.perplexity import PROTEINS, perplexity_section
from protscribe.training.documents import LITERATURE, SEQUENCES


def numbers(literature, sequences=200.0):
    return {
        "literature": {"perplexity": literature, "documents": 5, "tokens": 385},
        "sequences": {"perplexity": sequences, "documents": 8, "tokens": 2863},
    }


@pytest.fixture
def train(tmp_path):
    """Write the summaries of a training and return their paths."""

    def write(before, align, tune, system="speaker", seed=0):
        shared = {"system": system, "training_seed": seed, "steps": 7}
        summaries = [
            shared | {"stage": "align", "perplexity_before": numbers(before), "perplexity": align},
            shared | {"stage": "tune", "perplexity": tune},
        ]
        paths = [tmp_path / f"{seed}-{number}.json" for number in range(2)]
        for path, summary in zip(paths, summaries, strict=True):
            write_json(path, summary)
        return paths

    return write


def test_perplexities_stand_by_stage(inputs, train):
    assert "Perplexity of held-out" not in text_of(inputs)
    paths = train(20.0, numbers(17.0, 1234.5), numbers(21.0, 99.5))
    text = text_of(inputs, summaries=paths)
    assert "speaker 0 literature 5 385 20.0 17.0 21.0" in text
    assert "speaker 0 sequences 8 2863 200.0 1,234.5 99.5" in text
    assert (
        "The perplexity of plain text under speaker (training seed 0) did not rise by more than "
        "10%: -15.0% after pretraining and +5.0% after tuning."
    ) in text


@pytest.mark.parametrize(
    ("align", "tune", "good"),
    [(22.0, 22.0, True), (22.1, 20.0, False), (20.0, 22.1, False), (25.0, 60.0, False)],
)
def test_a_rise_of_more_than_a_tenth_is_said(train, align, tune, good):
    found = perplexity_section(train(20.0, numbers(align), numbers(tune)))
    ((sentence, is_good),) = found["sentences"]
    assert is_good == good
    assert ("did not rise by more than 10%" in sentence) == good
    assert ("rose by more than 10%" in sentence) != good


def test_proteins_may_become_harder_to_predict(train):
    found = perplexity_section(train(20.0, numbers(20.0, 9000.0), numbers(20.0, 9000.0)))
    assert [good for _, good in found["sentences"]] == [True]


def test_a_bad_sentence_looks_bad(inputs, train):
    html, _ = render(inputs, summaries=train(20.0, numbers(30.0), numbers(20.0)))
    assert '<p class="bad">The perplexity of plain text under speaker' in html


def test_seeds_have_lines_of_their_own(train):
    first = train(20.0, numbers(20.0), numbers(20.0))
    second = train(20.0, numbers(40.0), numbers(20.0), seed=1)
    found = perplexity_section([*second, *first])
    assert [(line["seed"], line["corpus"]) for line in found["lines"]] == [
        (0, "literature"),
        (0, "sequences"),
        (1, "literature"),
        (1, "sequences"),
    ]
    assert [good for _, good in found["sentences"]] == [True, False]


def test_what_was_not_measured_is_a_dash(train):
    # A fold without a document, and a system that was not tuned yet.
    paths = train(None, numbers(17.0, 2e12), numbers(21.0))
    found = perplexity_section(paths[:1])
    literature, sequences = found["lines"]
    assert (literature["before"], literature["align"], literature["tune"]) == ("–", "17.0", "–")
    assert sequences["align"] == "2.00e+12"
    assert found["sentences"] == []


def test_summaries_without_perplexities_make_no_section(inputs, tmp_path):
    path = tmp_path / "summary.json"
    write_json(path, {"system": "s", "training_seed": 0, "stage": "tune", "steps": 3})
    assert perplexity_section([path]) is None
    assert "Perplexity of held-out" not in text_of(inputs, summaries=[path])


@pytest.mark.parametrize(
    "summary",
    [
        [],
        {"stage": "tune", "perplexity": numbers(1.0)},
        {"stage": "tune", "system": "s", "training_seed": 0, "perplexity": {"literature": {}}},
        {"stage": "tune", "system": "s", "training_seed": 0, "perplexity": 17.0},
    ],
)
def test_other_files_are_errors(tmp_path, summary):
    path = tmp_path / "summary.json"
    write_json(path, summary)
    with pytest.raises(InputError, match=r"summary.json: does not hold what the page shows"):
        perplexity_section([path])


def test_names_are_inert(inputs, train):
    paths = train(20.0, numbers(20.0), numbers(20.0), system=SCRIPT)
    html, checker = render(inputs, summaries=paths)
    assert "<script" not in html
    assert "".join(checker.text).count("<script>") == 3


def test_corpora_have_the_names_of_training():
    assert PROTEINS == SEQUENCES and LITERATURE in numbers(1.0)
