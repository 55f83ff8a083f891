import pytest

from protscribe.schemas import TABLES
from protscribe.sources.formats.record import (
    EVIDENCE_CLASSES,
    Reject,
    check,
    complete,
    function_columns,
)
from protscribe.sources.formats.record import function_class as class_of

FILTERS = {"min_length": 3, "max_length": 5, "fragments": "drop", "reviewed": "only"}
GOOD = {"accession": "P1", "sequence": "MKV", "function": "Binds zinc.", "reviewed": True}
TWO = ["Binds zinc. {ECO:0000269|PubMed:1}.", "Moves (By similarity)."]


def test_a_row_is_completed():
    row = complete(GOOD)
    assert set(row) == set(TABLES["proteins"].schema.names)
    assert (row["length"], row["function_class"]) == (3, "untagged")
    assert (row["go"], row["organism"]) == ([], None)
    assert len(row["text_hash"]) == len(row["sequence_hash"]) == 64


@pytest.mark.parametrize(
    ("wanted", "text", "classes"),
    [
        ([], "Binds zinc. Moves.", "experiment"),
        (["ECO:0000269"], "Binds zinc.", "experiment"),
        (["ECO:0000250", "ECO:0000255"], "Moves.", "similarity"),
        (["ECO:0000255"], "", "untagged"),
    ],
)
def test_evidence_selects_comments(wanted, text, classes):
    columns = function_columns(TWO, wanted)
    assert columns["function"] == text
    assert class_of(columns["function_evidence"]) == classes


def test_no_comment_and_none_that_says_something():
    assert function_columns([])["function"] is None
    assert function_columns(["{ECO:0000305}."], ["ECO:0000305"])["function"] is None


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["ECO:0000256", "ECO:0000250"], "similarity"),
        (["ECO:0000305", "ECO:0000303"], "author_statement"),
        (["ECO:0007829"], "automatic"),
        ([None, "ECO:1234567"], "other"),
        ([None], "untagged"),
        (list(reversed(EVIDENCE_CLASSES)), "experiment"),
    ],
)
def test_the_strongest_evidence_gives_the_class(codes, expected):
    assert class_of([{"eco": code} for code in codes]) == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"reviewed": None}, None),
        ({"fragment": False}, None),
        ({"accession": None}, "no accession"),
        ({"sequence": ""}, "no sequence"),
        ({"sequence": "MK*"}, "illegal sequence"),
        ({"sequence": "MK"}, "too short"),
        ({"sequence": "MKVMKV"}, "too long"),
        ({"fragment": True}, "fragment"),
        ({"reviewed": False}, "unreviewed"),
        ({"function": None}, "no FUNCTION comment"),
        ({"function": ""}, "no FUNCTION comment with the wanted evidence"),
    ],
)
def test_what_is_not_used(change, reason):
    row = complete(GOOD | change)
    if reason is None:
        check(row, FILTERS)
        return
    with pytest.raises(Reject) as reject:
        check(row, FILTERS)
    assert reject.value.reason == reason


def test_open_filters_let_all_through():
    keep = {"min_length": 1, "max_length": None, "fragments": "keep", "reviewed": "any"}
    check(complete(GOOD | {"sequence": "M" * 9, "fragment": True, "reviewed": False}), keep)
