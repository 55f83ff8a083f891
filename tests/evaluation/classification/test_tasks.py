"""Questions: their words, and what is wrong with a bad one."""

import pytest

from helpers_classification import question_row
from protscribe.errors import InputError
from protscribe.evaluation.classification import tasks
from protscribe.tables import write_table


def test_the_published_words():
    row = tasks.location_words("MKV", [6])
    assert row["question"] == "What cellular components is the protein located in?"
    assert f"{row['lead']} {row['options'][6]}" == "The protein is located in nucleus"
    row = tasks.term_words("MKV", "GO:0046872", "metal ion binding", False)
    assert row["question"] == "Does the protein associate with metal ion binding?"
    assert row["lead"] == "Based on the record, the answer is"
    assert (row["options"], row["truth"], row["kind"]) == (["yes", "no"], [1], "yes_no")
    names = {"a.1": "Globin-like", "b.1": "Immunoglobulin-like"}
    row = tasks.pairing_words("MKV", "a.1", ["b.1"], names, key="q")
    right = row["options"][row["truth"][0]]
    assert right == "I would like a protein that is in Globin-like."
    assert row["lead"] == "One of the protein that meets the demand is"


def test_the_right_pairing_option_is_anywhere():
    names = {f"f{i}": f"family {i}" for i in range(4)}
    places = [
        tasks.pairing_words("M", "f0", ["f1", "f2", "f3"], names, key=f"q{i}")["truth"][0]
        for i in range(400)
    ]
    for place in range(4):
        assert 60 < places.count(place) < 140


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"options": ["yes", "yes"]}, "question q1 has the option 'yes' more than once"),
        ({"options": ["a b", "a  b "], "kind": "choice"}, "has the option 'a b' more than once"),
        ({"options": ["yes"]}, "1 options"),
        ({"options": ["yes", " "]}, "an empty option"),
        ({"options": ["no", "yes"]}, "its options must be yes and no"),
        ({"truth": []}, "which must name some of its 2 options"),
        ({"truth": [2]}, "which must name some of its 2 options"),
        ({"sequence": ""}, "has no sequence"),
        ({"kind": "essay"}, "has the kind 'essay'"),
    ],
)
def test_bad_questions_are_named(tmp_path, change, said):
    path = tmp_path / "questions.parquet"
    write_table(path, "questions", [question_row("q0"), question_row("q1", **change)])
    with pytest.raises(InputError, match=said) as error:
        tasks.read_questions([path])
    assert "q1" in str(error.value)


def test_questions_of_two_files_must_differ(tmp_path):
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path in paths:
        write_table(path, "questions", [question_row("q0")])
    with pytest.raises(InputError, match="q0 was read already"):
        tasks.read_questions(paths)
    with pytest.raises(InputError, match="holds no question"):
        tasks.read_questions([])
