"""A small results page for tests, and what it says."""

from html.parser import HTMLParser

from helpers_evaluation import fill
from protscribe.report.page import write_report

SCRIPT = "<script>alert('β & co')</script>"
"""Text that must do nothing on the page."""

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
    """Return a row of the metrics table."""
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


def render(inputs, title="a run", note="This is a demonstration.", **more):
    """Write the page, check that it is well formed, and return it raw and as a `Checker`."""
    write_report(*inputs, title=title, note=note, **more)
    html = inputs[-1].read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(html)
    assert not checker.open
    return html, checker


def text_of(inputs, **more):
    """Return the words of the page, joined by single blanks."""
    _, checker = render(inputs, **more)
    return " ".join(checker.text)


def conditions(*named, **more):
    """Return a metrics row for each predictor and condition."""
    return [
        metric_row(predictor, "token_f1", 10.0 + i, condition=condition, **more)
        for i, (predictor, condition) in enumerate(named)
    ]
