import json

import pytest

from protscribe.corpora.qa.instructions import answer_schema
from protscribe.corpora.qa.pairs import NO_ANSWER, NO_PAIRS, NOT_JSON, locate, parse_answer
from protscribe.schemas import TABLES
from protscribe.sources.formats.record import Reject

TEXT = (
    'The enzyme 5\'-nucleotidase "e5NT" cleaves the 5′-phosphate.\n  It binds {Zn(2+)} and '
    "α-amylase 🧬. Q1: quartile, A1: none."
)
CONTEXT = {
    "id": "P1:7", "accession": "P1", "context": "abstract", "text": TEXT, "pubmed_id": "7",
    "licence": "CC BY", "source": "file",
}  # fmt: skip


def written(answer, **changes):
    row = dict.fromkeys(TABLES["written_answers"].schema.names)
    row |= {
        "context_id": "P1:7", "writer": "language_model", "accession": "P1",
        "writer_revision": "r", "prompt_hash": "h", "seed": 5, "answer": answer,
        "finish_reason": "stop", "tokens": 9,
    }  # fmt: skip
    return row | changes


def pair(question="What does it do?", answer="It cleaves.", evidence="cleaves"):
    return {"question": question, "answer": answer, "evidence": evidence}


def parse(*pairs, **changes):
    return parse_answer(written(json.dumps({"pairs": list(pairs)}), **changes), CONTEXT)


def test_rows_carry_where_they_come_from():
    (row,) = parse(pair(evidence="cleaves the 5′-phosphate."))
    assert set(row) == set(TABLES["qa_pairs"].schema.names)
    assert row["id"] == "P1:7:language_model:1"
    assert (row["span_start"], row["span_end"]) == (34, 59)
    assert TEXT[row["span_start"] : row["span_end"]] == row["evidence_span"]
    carried = ("accession", "context_id", "context", "pubmed_id", "licence", "writer")
    assert [row[c] for c in carried] == ["P1", "P1:7", "abstract", "7", "CC BY", "language_model"]
    assert [row[c] for c in ("writer_revision", "prompt_hash", "seed")] == ["r", "h", 5]


@pytest.mark.parametrize(
    "text",
    [
        'The enzyme 5\'-nucleotidase "e5NT" cleaves',
        "binds {Zn(2+)} and α-amylase 🧬",
        "Q1: quartile, A1: none",
        "the 5′-phosphate",
    ],
)
def test_letters_that_break_other_parsers(text):
    (row,) = parse(pair(text + "?", text, text))
    assert (row["question"], row["answer"], row["evidence_span"]) == (text + "?", text, text)
    assert TEXT[row["span_start"] : row["span_end"]] == text


def test_evidence_is_the_slice_of_the_text_whatever_its_white_space():
    (row,) = parse(pair(evidence=" 5′-phosphate. It\tbinds "))
    assert row["evidence_span"] == "5′-phosphate.\n  It binds"
    (row,) = parse(pair(evidence="5′-phosphate. It binds copper"))
    assert (row["evidence_span"], row["span_start"], row["span_end"]) == (
        "5′-phosphate. It binds copper", None, None,
    )  # fmt: skip


def test_locate():
    assert locate("b c", "a b c b c") == (2, 5)
    assert locate("b  c", "a b\u00a0c") == (2, 5)
    assert locate("", "abc") is locate(" \n", "abc") is None
    assert locate("B", "abc") is locate("a.c", "abc") is locate("(", "abc") is None


def test_white_space_in_questions_and_answers():
    (row,) = parse(pair(" What\n\tis it? ", "It  is\na thing. "))
    assert (row["question"], row["answer"]) == ("What is it?", "It is a thing.")


def test_parts_that_are_missing_are_empty():
    first, second, third = parse({"question": "What is it?"}, "text", pair(answer=["It is."]))
    assert (first["question"], first["answer"], first["evidence_span"]) == ("What is it?", "", "")
    assert (second["question"], second["id"]) == ("", "P1:7:language_model:2")
    assert third["answer"] == ""


def test_a_code_block_around_the_json():
    text = "```json\n" + json.dumps({"pairs": [pair()]}) + "\n```"
    assert len(parse_answer(written(text), CONTEXT)) == 1


@pytest.mark.parametrize(
    "text, reason",
    [
        (None, NO_ANSWER),
        ("  ", NO_ANSWER),
        ('{"pairs": []}', NO_PAIRS),
        ('{"pairs": [{"question": "What is this protein', NOT_JSON),
        ("Q1: What does it do? A1: It cleaves.", NOT_JSON),
        ("{'pairs': [{'question': 'What is it?'}]}", NOT_JSON),
        ('[{"question": "What is it?"}]', NOT_JSON),
        ('{"pairs": {"question": "What is it?"}}', NOT_JSON),
        ('{"pairs": null}', NOT_JSON),
        ("null", NOT_JSON),
        ('{"pairs": ' + "[" * 100_000, NOT_JSON),
        ('{"pairs": ' + "9" * 10_000 + "}", NOT_JSON),
        ('{"pairs": [{"question": "It"}]} and more', NOT_JSON),
    ],
)
def test_an_answer_without_pairs_has_one_reason(text, reason):
    with pytest.raises(Reject) as raised:
        parse_answer(written(text, finish_reason="length"), CONTEXT)
    assert raised.value.reason == reason
    assert len(raised.value.detail) < 300


def test_the_form_is_that_of_the_schema():
    import jsonschema

    jsonschema.validate({"pairs": [pair()]}, answer_schema(1))
