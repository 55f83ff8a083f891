import re

import pytest

from helpers_pairs import pair
from helpers_report import SCRIPT, render
from protscribe.atomic import sha256_file, write_json
from protscribe.corpora.qa.statistics import corpus_statistics
from protscribe.errors import InputError
from protscribe.report.page import reject_summary
from protscribe.tables import write_table


def test_the_page_is_whole_and_needs_nothing_else(inputs):
    html, checker = render(inputs)
    assert html.startswith("<!DOCTYPE html>")
    assert all(address.startswith("data:") for address in checker.addresses)
    assert not re.search(r"@import|url\(|https?://", html)


def test_the_note_is_the_first_line(inputs):
    _, checker = render(inputs, note="This is a demonstration of the chain.")
    assert " ".join(checker.text).startswith("This is a demonstration of the chain. a run")
    _, checker = render(inputs, note="")
    assert " ".join(checker.text).startswith("a run")


def test_the_page_says_what_the_numbers_rest_on(inputs):
    _, checker = render(inputs)
    text = " ".join(checker.text)
    assert "9 test examples in 8 homology clusters." in text
    assert "Fewer than 30 clusters" in text
    assert "prot2text_v2 sequence 9 120 45 1 3.2 1.8 to 5.8" in text
    assert "minus nearest_neighbour -9.5 -11.0 to -7.0" in text
    assert "The audit found no low-homology test protein" in text
    assert "parse_entries no function 25 Q0, Q1," in text
    assert "CC BY 4.0" in text
    assert "bleu_4|v1" in text


def test_violations_are_shown(inputs):
    write_json(inputs[1], {"violations": [{"query": "P1", "target": "P2"}]})
    _, checker = render(inputs)
    assert "The audit found 1 hits that meet the criterion." in " ".join(checker.text)


def test_values_are_escaped(inputs):
    html, _ = render(inputs, title="<script>alert(1)</script>", note="a < b & c")
    assert "<script>" not in html
    assert "a &lt; b &amp; c" in html


def test_equal_inputs_give_equal_bytes(inputs, tmp_path):
    render(inputs)
    first = sha256_file(inputs[-1])
    render([*inputs[:-1], tmp_path / "again.html"])
    assert sha256_file(tmp_path / "again.html") == first


def test_missing_or_foreign_figures_are_errors(inputs, tmp_path):
    with pytest.raises(InputError, match="no such figure"):
        render([*inputs[:2], [tmp_path / "gone.png"], *inputs[3:]])
    inputs[2][0].write_text("<svg/>")
    with pytest.raises(InputError, match="not a PNG file"):
        render(inputs)
    assert not inputs[-1].exists()


def test_rejects_are_counted_by_reason():
    rows = [
        {"stage": "parse", "key": key, "reason": reason, "detail": None}
        for key, reason in (("a", "short"), ("b", "illegal"), ("c", "short"))
    ]
    found = reject_summary(rows)
    assert [(r["reason"], r["count"], r["keys"]) for r in found] == [
        ("short", 2, "a, c"),
        ("illegal", 1, "b"),
    ]
    assert all(r["examples"] == [] for r in found)


def test_rejects_show_the_first_different_details():
    rows = [
        {"stage": "parse", "key": f"P{i}", "reason": "short", "detail": detail}
        for i, detail in enumerate(["4 residues", None, "4 residues", "5", "6", "7"])
    ]
    (found,) = reject_summary(rows)
    assert found["examples"] == ["P0: 4 residues", "P3: 5", "P4: 6"]


FOLDS = {"TRAIN1": "train", "TEST1": "test_low_homology"}
QA_PAIRS = [
    pair("TRAIN1", 1, question=f"Is it {SCRIPT}?", category=SCRIPT),
    pair("TRAIN1", 2, writer="template", licence=SCRIPT),
    pair("TEST1", 3, writer="template"),
]
QA_REJECTS = [
    ("filter_qa", "TRAIN1:7:language_model:1", "not supported", f"says {SCRIPT}"),
    ("filter_qa", "TRAIN1:7:language_model:2", "not supported", "says iron"),
    ("filter_qa", "TRAIN1:function:template:1", "not supported", "says copper"),
    ("filter_qa", "TRAIN1:7:language_model:3", "not supported", "says lead"),
    ("filter_qa", "TRAIN1:7:language_model:4", "wrong species", SCRIPT),
    ("import_qa", "sample.json#3", "unknown accession", "Q0"),
    ("write_qa", "TRAIN1:8", "context too long", "9000 tokens"),
]


@pytest.fixture
def statistics(inputs, tmp_path):
    """The statistics of a small corpus, and rejects from the way to it."""
    names = ("stage", "key", "reason", "detail")
    rows = [dict(zip(names, row, strict=True)) for row in QA_REJECTS]
    write_table(tmp_path / "qa_rejects.parquet", "rejects", rows)
    inputs[4].append(tmp_path / "qa_rejects.parquet")
    scores = {
        row["id"]: {"answered_blind": i == 0, "blind_loss": 1.5, "prior_loss": 2.5}
        for i, row in enumerate(QA_PAIRS)
    }
    facts = {"blind_name": "tiny", "blind_max_loss": "1.0"}
    lengths = {"TRAIN1": 120, "TEST1": 300}
    found = corpus_statistics(QA_PAIRS, FOLDS, lengths, scores, facts)
    write_json(tmp_path / "statistics.json", found)
    return tmp_path / "statistics.json"


def test_the_corpus_stands_on_the_page_where_there_is_one(inputs, statistics):
    _, checker = render(inputs)
    assert "Questions and answers" not in " ".join(checker.text)
    _, checker = render(inputs, statistics=statistics)
    text = " ".join(checker.text)
    assert "Questions and answers pairs 3 proteins 2" in text
    assert "33.3% of the pairs (1) are answered without the protein: tiny gives" in text
    assert "sequence, residues 210.0 210.0 120.0" in text
    assert "template 1 1" in text  # One pair in each of the two folds.
    assert "writer language model 1 1" in text
    assert "fold train 2 1" in text


def test_the_drop_table_tells_writers_apart(inputs, statistics):
    _, checker = render(inputs, statistics=statistics)
    text = " ".join(checker.text)
    assert "filter_qa not supported 3 1 0 4 TRAIN1:7:language_model:1: says" in text
    # The first three different ones.
    assert "says iron" in text and "says lead" in text and "says copper" not in text
    assert "import_qa unknown accession 0 0 1 1 sample.json#3: Q0" in text
    assert "write_qa context too long 1 0 0 1 TRAIN1:8: 9000 tokens" in text
    assert "dropped 5 1 1 7" in text and "kept 1 2 0 3" in text
    # Each reject stands in one table.
    left_out = text[text.index("Left out Beside questions and answers.") :]
    assert "filter_qa" not in left_out and "parse_entries no function 25" in left_out


def test_text_of_the_corpus_is_inert(inputs, statistics):
    html, checker = render(inputs, statistics=statistics)
    assert "<script" not in html
    # In the category, an example, and the details of two reasons; never in a tag.
    assert html.count("&lt;script&gt;") == 4
    assert "".join(checker.text).count("<script>") == 4
    assert all(address.startswith("data:") for address in checker.addresses)


def test_a_corpus_that_was_not_scored(inputs, statistics):
    write_json(statistics, corpus_statistics(QA_PAIRS, FOLDS, {"TRAIN1": 1, "TEST1": 2}))
    _, checker = render(inputs, statistics=statistics)
    assert "The pairs were not scored without the protein." in " ".join(checker.text)


def test_equal_corpora_give_equal_pages(inputs, statistics, tmp_path):
    render(inputs, statistics=statistics)
    first = sha256_file(inputs[-1])
    render([*inputs[:-1], tmp_path / "again.html"], statistics=statistics)
    assert sha256_file(tmp_path / "again.html") == first
