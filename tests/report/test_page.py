import re
from html.parser import HTMLParser

import pytest

from helpers_evaluation import fill
from protscribe.atomic import sha256_file, write_json
from protscribe.errors import InputError
from protscribe.report.page import reject_summary, result_tables, write_report
from protscribe.tables import write_table

VOID = {"meta", "link", "img", "br"}


class Checker(HTMLParser):
    """Collects text and addresses and checks that every tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for key, value in attrs if key in ("src", "href", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "title"):
            self.text += data.split()


def metric_row(predictor, metric, value, **more):
    row = {
        "predictor": predictor,
        "task": "describe",
        "fold": "test_low_homology",
        "condition": "sequence",
        "stratum": "all",
        "metric": metric,
        "value": value,
        "low": None if value is None else value - 1.5,
        "high": None if value is None else value + 2.5,
        "n": 9,
        "clusters": 8,
        "seeds": 1,
        "small_sample": True,
        "training_examples": 120,
        "training_steps": 0 if predictor == "nearest_neighbour" else 45,
        "signature": f"{metric}|v1",
    }
    return fill("metrics", row | more)


METRICS = [
    metric_row("prot2text_v2", "bleu_4", 3.25),
    metric_row("prot2text_v2", "bleu_4_minus_nearest_neighbour", -9.5),
    metric_row("nearest_neighbour", "bleu_4", 12.75),
    metric_row("prot2text_v2", "rouge_l", None),
    metric_row("nearest_neighbour", "rouge_l", 20.0, low=None, high=None),
    metric_row("nearest_neighbour", "bleu_4", 40.0, fold="test_in_distribution"),
]


@pytest.fixture
def inputs(tmp_path):
    write_table(tmp_path / "metrics.parquet", "metrics", METRICS)
    write_json(
        tmp_path / "audit.json",
        {"violations": [], "criterion": {"min_identity": 0.3}, "folds": {"train": 190}},
    )
    (tmp_path / "losses.png").write_bytes(b"\x89PNG\r\n\x1a\n....")
    write_json(
        tmp_path / "provenance.json",
        {"licences": {"entries": "CC BY 4.0"}, "versions": {"torch": "2"}, "seeds": {"seed": 0}},
    )
    rejects = [
        {"stage": "parse_entries", "key": f"Q{i}", "reason": "no function", "detail": None}
        for i in range(25)
    ]
    write_table(tmp_path / "rejects.parquet", "rejects", rejects)
    return [
        tmp_path / "metrics.parquet",
        tmp_path / "audit.json",
        [tmp_path / "losses.png"],
        tmp_path / "provenance.json",
        [tmp_path / "rejects.parquet"],
        tmp_path / "report.html",
    ]


def render(inputs, title="a run", note="This is a demonstration."):
    write_report(*inputs, title=title, note=note)
    html = inputs[-1].read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(html)
    assert not checker.open
    return html, checker


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
    assert "prot2text_v2 120 45 1 3.2 1.8 to 5.8" in text
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


def test_tables_stand_in_the_order_of_folds_and_systems():
    tables = result_tables(METRICS)
    assert [table["heading"].split(" · ")[0] for table in tables] == [
        "test in distribution",
        "test low homology",
    ]
    assert [line["predictor"] for line in tables[1]["lines"]] == [
        "prot2text_v2",
        "nearest_neighbour",
    ]
    assert tables[1]["titles"] == ["BLEU-4", "ROUGE-L"]


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
