"""Metrics as tables of the page."""

from helpers_classification import question_row, score_row, write_option_scores
from helpers_evaluation import write_split
from helpers_report import METRICS, SCRIPT, conditions, metric_row, render, text_of
from protscribe.evaluation.classification import tasks
from protscribe.evaluation.classification.floors import FLOORS as ALL_FLOORS
from protscribe.evaluation.classification.metrics import score_classification
from protscribe.report.results import (
    FLOORS,
    OPTION_COLUMNS,
    PUBLISHED_PREFIX,
    TEXT_COLUMNS,
    result_tables,
    signatures,
)
from protscribe.tables import read_table, write_table


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


def test_conditions_of_a_predictor_stand_beside_each_other():
    rows = conditions(
        ("protein2text", "blind"),
        ("nearest_neighbour", "sequence"),
        ("prot2text_v2", "sequence"),
        ("protein2text", "name"),
        ("protein2text", "shuffled"),
        ("protein2text", "sequence"),
        task="answer",
    )
    (table,) = result_tables(rows)
    assert table["heading"] == "test low homology · answer"
    assert table["titles"] == ["token F1"]
    assert [(line["predictor"], line["condition"]) for line in table["lines"]] == [
        ("prot2text_v2", "sequence"),
        ("protein2text", "sequence"),
        ("protein2text", "shuffled"),
        ("protein2text", "blind"),
        ("protein2text", "name"),
        ("nearest_neighbour", "sequence"),
    ]
    assert [line["cells"][0]["value"] for line in table["lines"]] == [12, 15, 14, 10, 13, 11]


def test_each_condition_keeps_its_own_difference():
    rows = conditions(("s", "sequence"), ("s", "shuffled"))
    rows.append(metric_row("s", "token_f1_minus_nearest_neighbour", -3.0, condition="shuffled"))
    (table,) = result_tables(rows)
    sequence, shuffled = table["lines"]
    assert sequence["differences"] == []
    assert [row["value"] for row in shuffled["differences"]] == [-3.0]


def test_tasks_have_tables_of_their_own(inputs):
    rows = METRICS + conditions(("prot2text_v2", "sequence"), task="answer")
    write_table(inputs[0], "metrics", rows)
    text = text_of(inputs)
    headings = [table["heading"] for table in result_tables(rows)]
    assert headings == [
        "test low homology · answer",
        "test in distribution · describe",
        "test low homology · describe",
    ]
    assert all(heading in text for heading in headings)


def test_a_control_on_fewer_proteins_is_marked(inputs):
    few = {"n": 4, "clusters": 4, "small_sample": True}
    many = {"n": 90, "clusters": 60, "small_sample": False}
    rows = conditions(("s", "sequence"), **many) + conditions(("s", "shuffled"), **few)
    write_table(inputs[0], "metrics", rows)
    text = text_of(inputs)
    assert "90 test examples in 60 homology clusters. Lines with * rest on fewer than 30" in text
    assert "s sequence 90 120" in text and "s shuffled 4* 120" in text
    write_table(inputs[0], "metrics", conditions(("s", "sequence"), **many))
    assert "too few to conclude" not in text_of(inputs)


def option_metrics(folder, questions, *tables):
    """Return what `score_classification` makes of answers to some questions."""
    asked, split, output = (folder / f"{name}.parquet" for name in ("q", "split", "options"))
    write_table(asked, "questions", questions)
    folds = {q["accession"]: q["fold"] for q in questions}
    write_split(split, [{"accession": a, "cluster": a, "fold": f} for a, f in folds.items()])
    paths = [
        write_option_scores(folder / f"o{i}.parquet", rows, training_steps="0")
        for i, rows in enumerate(tables)
    ]
    score_classification(paths, [asked], split, output, resamples=20, seed=0)
    return read_table(output, "metrics").to_pylist()


def yes_no(count=12):
    return [question_row(f"P{i:02}", truth=[i % 2]) for i in range(count)]


def answers(questions, predictor, right):
    """Return scores that are right for the first questions, and pull to the wrong one then."""
    return [
        score_row(
            q,
            [0.0, -2.0] if (q["truth"] == [0]) == (i < right) else [-2.0, 0.0],
            predictor=predictor,
        )
        for i, q in enumerate(questions)
    ]


def test_tasks_with_options_have_the_columns_that_they_have(tmp_path):
    questions = yes_no()
    pairing = {"task": "pairing", "kind": "choice", "group": None}
    families = [question_row(f"P{i:02}p", options=["a", "b", f"c{i}"], **pairing) for i in range(4)]
    scored = answers(questions, "homology", 9)
    scored += [score_row(q, [0.0, -1.0, -2.0], predictor="homology") for q in families]
    rows = option_metrics(tmp_path, [*questions, *families], scored)
    terms, families = result_tables(rows + METRICS, OPTION_COLUMNS)
    assert terms["heading"] == "test low homology · go molecular function"
    assert terms["titles"] == [
        "accuracy",
        "accuracy, uncorrected",
        "macro-F1",
        "AUPR",
        "calibration error",
    ]
    assert families["titles"] == ["accuracy", "accuracy, uncorrected", "calibration error"]
    (line,) = terms["lines"]
    assert line["cells"][0]["value"] == 75.0
    assert line["cells"][0]["low"] < 75.0 < line["cells"][0]["high"] <= 100.0
    # Tables of texts are what they were.
    assert result_tables(rows + METRICS, TEXT_COLUMNS) == result_tables(METRICS)
    assert {name for name, _ in signatures(rows, OPTION_COLUMNS)} == {*terms["titles"]}


def test_answers_by_likelihood_stand_in_a_section_of_their_own(inputs, tmp_path):
    assert "Answers by likelihood" not in text_of(inputs)
    questions = yes_no()
    tables = [answers(questions, name, n) for name, n in (("homology", 9), ("majority", 6))]
    write_table(inputs[0], "metrics", METRICS + option_metrics(tmp_path, questions, *tables))
    text = text_of(inputs)
    section = text[text.index("Answers by likelihood") :]
    assert "homology sequence 12 7 0 1 75.0" in section
    # What the floors are, of those that are there.
    assert f"majority , {FLOORS['majority']}; homology , {FLOORS['homology']}." in section
    assert "embedding_knn" not in section
    assert "Tasks called published" not in section
    assert "accuracy|options:whole" in section and "accuracy|options" not in text[: -len(section)]


def test_published_tasks_are_said_to_be_unprotected(inputs):
    more = {"task": "published_location_10", "fold": "test_published"}
    write_table(inputs[0], "metrics", [metric_row("s", "accuracy", 50.0, **more)])
    text = text_of(inputs)
    assert "Tasks called published come from files" in text
    assert "test published · published location 10" in text


def test_the_page_knows_all_floors_and_published_tasks():
    assert tuple(FLOORS) == ALL_FLOORS
    assert PUBLISHED_PREFIX == tasks.PUBLISHED_PREFIX


def test_names_in_tables_are_inert(inputs):
    rows = [metric_row(SCRIPT, "accuracy", 1.0, task=SCRIPT, condition=SCRIPT, signature=SCRIPT)]
    write_table(inputs[0], "metrics", rows)
    html, checker = render(inputs)
    assert "<script" not in html
    assert "".join(checker.text).count("<script>") == 4
