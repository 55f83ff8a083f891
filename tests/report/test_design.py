"""Designed proteins on the results page."""

import pytest

from helpers_design import design_row, good_designs, make_world, request_row
from helpers_evaluation import fill
from helpers_report import SCRIPT, render, text_of
from protscribe.evaluation.design import controls, summary
from protscribe.evaluation.design.scoring import score_designs
from protscribe.models.sampling import CLOSED
from protscribe.report.design import ALL, COLUMNS, CONTROLS, NATURAL, DesignFiles, design_section
from protscribe.tables import write_table

MISSING = "no held-out protein has the annotation"


def score_row(predictor, metric, value, **more):
    row = {
        "predictor": predictor,
        "relation": ALL,
        "annotation": ALL,
        "stratum": ALL,
        "metric": metric,
        "value": value,
        "low": None if value is None else value - 0.125,
        "high": None if value is None else value + 0.25,
        "n": 16,
        "requests": 4,
        "seeds": 1,
        "small_sample": True,
        "reason": MISSING if value is None else None,
    }
    return row | more


def asked(name, **changes):
    return fill("design_requests", request_row(name, lead_in="Here it is:", **changes))


@pytest.fixture
def files(tmp_path):
    """Tables of one system, two requests, and some of its controls."""
    rows = [
        score_row("writer", "valid", 0.9375),
        score_row("writer", "closed", 1.0, low=None, high=None),
        score_row("writer", "length_ks", 0.256),
        score_row("writer", "perplexity", 18.04),
        score_row("writer", "homology_gain", 0.5),
        score_row("writer", "knn_gain", None, requests=0, n=0),
        # What is not of everything has no place in the table.
        score_row("writer", "valid", 0.111, relation="keyword"),
        score_row("writer", "valid", 0.222, stratum="<30"),
        score_row("writer", "valid", 0.333, relation="keyword", annotation="KW:A"),
        score_row("writer:markov", "homology_gain", -0.0001),
        score_row("natural", "valid", 1.0),
        score_row("retrieval", "valid", 1.0),
        score_row("a:shuffled", "valid", 0.5),
        score_row("a", "valid", 0.5),
    ]
    found = DesignFiles(
        tmp_path / "scores.parquet",
        tmp_path / "requests.parquet",
        [tmp_path / "a.parquet", tmp_path / "writer.parquet"],
    )
    write_table(found.scores, "design_scores", rows)
    write_table(found.requests, "design_requests", [asked("KW:A"), asked("KW:B", seen=False)])
    write_table(found.designs[0], "designs", [design_row("KW:A", 1, "MAAA", system="a")])
    rows = [
        design_row("KW:A", 1, "MKV"),
        design_row("KW:A", 1, "MKKKKK", training_seed=1),
        design_row("KW:A", 2, "MKVV"),
        design_row("KW:B", 1, "", finish_reason="empty"),
    ]
    write_table(found.designs[1], "designs", rows)
    return found


def test_systems_stand_before_their_controls_and_natural_proteins_last(files):
    found = design_section(files)
    names = [line["predictor"] for line in found["lines"]]
    assert names == ["a", "a:shuffled", "writer", "writer:markov", "retrieval", "natural"]
    assert [name for name, _ in found["controls"]] == ["shuffled", "markov", "retrieval", "natural"]


def test_numbers_are_those_of_all_requests(files):
    found = design_section(files)
    line = found["lines"][2]
    cells = dict(zip(found["titles"], line["cells"], strict=True))
    assert cells["valid, %"] == {"value": "93.8", "interval": "81.2 to 118.8"}
    assert cells["closed, %"] == {"value": "100.0", "interval": ""}
    assert cells["length KS"]["value"] == "0.26"
    assert cells["perplexity"]["value"] == "18.0"
    assert cells["homology gain, points"] == {"value": "+50.0", "interval": "37.5 to 75.0"}
    assert cells["kNN gain, points"] is None and cells["composition JS"] is None
    assert (line["designs"], line["requests"], line["seeds"]) == (16, 4, 1)
    assert found["missing"] == [("kNN gain, points", MISSING)]
    # No minus before what rounds to nothing.
    assert found["lines"][3]["cells"][7]["value"] == "+0.0"


def test_the_page_shows_designs_where_there_are_some(inputs, files):
    assert "Designed proteins" not in text_of(inputs)
    text = text_of(inputs, designs=files)
    assert "2 proteins were asked for, 1 of them by a term that training never saw." in text
    assert "writer 16 4 1 93.8 81.2 to 118.8 100.0" in text
    assert f"Where a number is missing: kNN gain, points, {MISSING}." in text
    assert f"retrieval , {NATURAL['retrieval']}; natural ," in text
    wanted = "Design a protein that carries the keyword KW:A."
    assert f"a, 4 residues {wanted} MAAA writer, 3 residues {wanted} MKV" in text
    # The first design of each request alone, of the first seed.
    assert "MKVV" not in text and "MKKKKK" not in text
    assert (
        "writer, 0 residues, never closed Design a protein that carries the keyword KW:B. "
        "(Training never saw this term.) no residue"
    ) in text


def test_small_samples_are_marked(inputs, files):
    assert "Fewer than 30 requests: too few" in text_of(inputs, designs=files)
    many = {"requests": 40, "small_sample": False}
    rows = [score_row("writer", "valid", 1.0, **many), score_row("natural", "valid", 1.0)]
    write_table(files.scores, "design_scores", rows)
    text = text_of(inputs, designs=files)
    assert "Lines with * rest on fewer than 30 requests" in text
    assert "writer 16 40 1" in text and "natural 16 4* 1" in text


def test_text_of_designs_is_inert(inputs, files):
    write_table(files.requests, "design_requests", [asked("KW:A", text=f"Design {SCRIPT}.")])
    write_table(files.designs[0], "designs", [design_row("KW:A", 1, SCRIPT, system=SCRIPT)])
    write_table(files.designs[1], "designs", [])
    rows = [score_row(SCRIPT, "valid", None, reason=SCRIPT)]
    write_table(files.scores, "design_scores", rows)
    html, checker = render(inputs, designs=files)
    assert "<script" not in html
    # The predictor, the reason, and an example with its system, its request and its sequence.
    assert "".join(checker.text).count("<script>") == 5


def test_no_design_at_all(inputs, files):
    write_table(files.scores, "design_scores", [])
    for path in files.designs:
        write_table(path, "designs", [])
    text = text_of(inputs, designs=files)
    assert "Designed proteins" in text and "The first designs" not in text


def test_what_scoring_writes_is_what_the_page_shows(tmp_path):
    world = make_world(tmp_path / "world")
    rows = good_designs(world, each=2)
    names = sorted({row["request"] for row in rows})
    files = DesignFiles(world.path("scores"), world.path("requests"), [world.path("designs")])
    write_table(files.designs[0], "designs", rows)
    write_table(files.requests, "design_requests", [asked(name) for name in names])
    score_designs(
        files.designs,
        files.requests,
        *world.inputs(),
        files.scores,
        tmp_path / "scores.tsv",
        tmp_path / "properties.parquet",
        settings={"min_residues": 20, "perplexity_order": 2, "resamples": 20},
        seed=0,
        threads=1,
    )
    found = design_section(files)
    names = [line["predictor"] for line in found["lines"]]
    assert names == ["writer", *(f"writer:{name}" for name in CONTROLS), *NATURAL]
    assert all(all(line["cells"]) for line in found["lines"])
    assert tuple(CONTROLS) == controls.MATCHED
    assert tuple(NATURAL) == (controls.RETRIEVAL, controls.NATURAL)
    assert (ALL, CLOSED) == (summary.ALL, "closed")
    assert len(found["titles"]) == len(COLUMNS) == 9
