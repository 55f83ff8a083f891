"""The results table of classification."""

import numpy as np
import pytest

from helpers_classification import question_row, score_row, write_option_scores
from helpers_evaluation import write_split
from protscribe.errors import InputError
from protscribe.evaluation.classification.metrics import score_classification
from protscribe.tables import read_metadata, read_table, write_table

FOLD = "test_low_homology"


@pytest.fixture
def measure(tmp_path):
    """Measure scores and return value and row of each metric by (predictor, task, metric)."""

    def run(questions, *tables, clusters=None, resamples=50):
        asked, split = tmp_path / "questions.parquet", tmp_path / "split.parquet"
        write_table(asked, "questions", questions)
        folds = {q["accession"]: q["fold"] for q in questions if q["accession"]}
        write_split(
            split,
            [
                {"accession": one, "cluster": (clusters or {}).get(one, one), "fold": fold}
                for one, fold in folds.items()
            ],
        )
        paths = []
        for number, rows in enumerate(tables):
            paths.append(write_option_scores(tmp_path / f"scores{number}.parquet", rows))
        output = tmp_path / "metrics.parquet"
        score_classification(paths, [asked], split, output, resamples=resamples, seed=0)
        rows = read_table(output, "metrics").to_pylist()
        return {(r["predictor"], r["task"], r["metric"]): r for r in rows}

    return run


def yes_no_questions(count=40, terms=4):
    return [
        question_row(f"P{i:02d}", truth=[i % 2], group=f"GO:{i // 2 % terms}") for i in range(count)
    ]


def test_a_perfect_and_a_clueless_predictor(measure):
    questions = yes_no_questions()
    perfect = [score_row(q, [0.0, -9.0] if q["truth"] == [0] else [-9.0, 0.0]) for q in questions]
    clueless = [score_row(q, [-1.0, -1.0], predictor="clueless") for q in questions]
    found = measure(questions, perfect, clueless)
    task = "go_molecular_function"
    for metric in ("accuracy", "macro_f1", "aupr", "aupr_by_term"):
        for suffix in ("", "_sum", "_average", "_pmi"):
            assert found["model", task, metric + suffix]["value"] == 100
            assert found["clueless", task, metric + suffix]["value"] == 50
    assert found["model", task, "ece"]["value"] < 1
    assert found["clueless", task, "ece"]["value"] == 0
    row = found["model", task, "accuracy"]
    assert (row["n"], row["clusters"], row["seeds"], row["stratum"]) == (40, 40, 1, "all")
    assert (row["training_examples"], row["training_steps"]) == (7, 3)
    assert not row["small_sample"]
    assert row["signature"] == "accuracy|options:whole|method:pmi|ties:shared"
    assert "method:average" in found["model", task, "aupr_by_term_average"]["signature"]


def test_terms_that_are_asked_about_a_few_times_are_left_out(measure):
    questions = yes_no_questions(40, terms=4)
    for question in questions[:4]:
        question["group"] = "GO:rare"
    wrong = {"GO:rare", "GO:0"}
    rows = [
        score_row(q, [1.0, 0.0] if (q["truth"] == [0]) != (q["group"] in wrong) else [0.0, 1.0])
        for q in questions
    ]
    found = measure(questions, rows)
    # Of the three terms with five of each, all are right; of GO:0 only eight are left, of the
    # rare one four.
    assert found["model", "go_molecular_function", "aupr_by_term"]["value"] == 100
    assert found["model", "go_molecular_function", "aupr"]["value"] < 100
    few = measure(questions[:12], rows[:12])
    assert ("model", "go_molecular_function", "aupr_by_term") not in few


def test_methods_differ_where_they_should(measure):
    # "no" is likelier whatever the protein, and has two tokens.
    question = question_row("A", truth=[0])
    row = score_row(question, [-3.0, -2.0], tokens=[1, 2], prior_log_likelihoods=[-5.0, -1.0])
    found = measure([question], [row])
    values = {k[2]: v["value"] for k, v in found.items() if k[2].startswith("accuracy")}
    assert values == {
        "accuracy": 100.0,
        "accuracy_pmi": 100.0,
        "accuracy_sum": 0.0,
        "accuracy_average": 0.0,
    }


def test_without_priors_there_is_no_pmi_and_no_headline(measure):
    questions = yes_no_questions()
    rows = [score_row(q, [0.0, -1.0], prior_log_likelihoods=None) for q in questions]
    names = {metric for _, _, metric in measure(questions, rows)}
    assert "accuracy_sum" in names and "accuracy_average" in names
    assert not names & {"accuracy", "accuracy_pmi", "ece"}
    rows[3]["prior_log_likelihoods"] = [0.0, 0.0]
    with pytest.raises(InputError, match=r"39 of 40 questions .* lack prior_log_likelihoods"):
        measure(questions, rows)


def test_pairing_needs_no_priors(measure):
    questions = [
        question_row(
            f"P{i}",
            task="pairing",
            kind="choice",
            options=[f"a{i}", "b", "c", "d"][: 3 + i % 2],
            truth=[i % 3],
            group=None,
            question=None,
        )
        for i in range(12)
    ]
    rows = [
        score_row(q, [-90.0 - (k != q["truth"][0]) for k in range(len(q["options"]))])
        | {"tokens": [50] * len(q["options"]), "prior_log_likelihoods": None}
        for q in questions
    ]
    found = measure(questions, rows)
    assert found["model", "pairing", "accuracy"]["value"] == 100
    assert found["model", "pairing", "accuracy_average"]["value"] == 100
    assert found["model", "pairing", "accuracy"]["small_sample"]
    # Options differ by question, so that there are no classes.
    assert not any("macro_f1" in metric or "aupr" in metric for _, _, metric in found)


def test_seeds_are_averaged(measure):
    questions = yes_no_questions()
    right = [score_row(q, [0.0, -9.0] if q["truth"] == [0] else [-9.0, 0.0]) for q in questions]
    wrong = [row | {"training_seed": 1, "log_likelihoods": [0.0, -9.0]} for row in right]
    found = measure(questions, right + wrong)
    row = found["model", "go_molecular_function", "accuracy"]
    assert (row["value"], row["seeds"]) == (75, 2)
    with pytest.raises(InputError, match="training seeds of model answer other questions"):
        measure(questions, right + wrong[1:])


def test_intervals_are_of_clusters(measure):
    rng = np.random.default_rng(0)
    questions = yes_no_questions(60)
    clusters = {q["accession"]: f"C{i // 20}" for i, q in enumerate(questions)}
    # All of a cluster are right, or none.
    rows = [
        score_row(q, [1.0, 0.0] if (q["truth"] == [0]) == (i < 20) else [0.0, 1.0])
        for i, q in enumerate(questions)
    ]
    alone = measure(questions, rows, resamples=400)
    together = measure(questions, rows, clusters=clusters, resamples=400)
    key = ("model", "go_molecular_function", "accuracy")
    assert alone[key]["value"] == together[key]["value"] == pytest.approx(100 / 3)
    assert (together[key]["clusters"], together[key]["small_sample"]) == (3, True)
    assert (together[key]["low"], together[key]["high"]) == (0.0, 100.0)
    assert alone[key]["low"] > 15 and alone[key]["high"] < 55
    one = dict.fromkeys(clusters, "C0")
    assert measure(questions, rows, clusters=one)[key]["low"] is None
    # A plain bootstrap of the same questions agrees.
    right = np.array([100.0] * 20 + [0.0] * 40)
    means = [right[rng.integers(0, 60, 60)].mean() for _ in range(4000)]
    low, high = np.quantile(means, [0.025, 0.975])
    assert alone[key]["low"] == pytest.approx(low, abs=4)
    assert alone[key]["high"] == pytest.approx(high, abs=4)


def test_a_published_protein_is_its_own_cluster(measure):
    questions = [
        question_row(f"q{i}", accession=None, sequence="M" * (1 + i // 2), truth=[i % 2])
        for i in range(10)
    ]
    rows = [score_row(q, [0.0, -1.0]) for q in questions]
    row = measure(questions, rows)["model", "go_molecular_function", "accuracy"]
    assert (row["n"], row["clusters"], row["value"]) == (10, 5, 50)
    # Each protein is asked for a yes and a no, so that every resample is half right.
    assert (row["low"], row["high"]) == (50, 50)


def test_same_bytes_again(tmp_path, measure):
    rng = np.random.default_rng(1)
    questions = yes_no_questions()
    rows = [score_row(q, rng.normal(size=2).tolist()) for q in questions]
    measure(questions, rows)
    first = (tmp_path / "metrics.parquet").read_bytes()
    measure(questions[::-1], rows[::-1])
    assert (tmp_path / "metrics.parquet").read_bytes() == first
    assert read_metadata(tmp_path / "metrics.parquet")["default_method"] == "pmi"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"log_likelihoods": [0.0]}, "P03 has 2 options, but 1 log_likelihoods"),
        ({"log_likelihoods": None}, "P03 has 2 options, but 0 log_likelihoods"),
        ({"log_likelihoods": [0.0, float("nan")]}, "P03 has a log_likelihoods that is no finite"),
        ({"log_likelihoods": [0.0, None]}, "P03 has a log_likelihoods that is no finite"),
        ({"log_likelihoods": [float("-inf"), 0.0]}, "P03 has a log_likelihoods that is no fin"),
        ({"tokens": [1, 1, 1]}, "P03 has 2 options, but 3 tokens"),
        ({"tokens": [1, 0]}, "has no token"),
        ({"prior_log_likelihoods": [0.0]}, "but 1 prior_log_likelihoods"),
        ({"id": "P99"}, "P99 is no question of go_molecular_function"),
        ({"task": "location_10"}, "P03 is no question of location_10"),
    ],
)
def test_scores_that_do_not_fit(measure, change, said):
    questions = yes_no_questions()
    rows = [score_row(q, [0.0, -1.0]) for q in questions]
    rows[3] |= change
    with pytest.raises(InputError, match=said):
        measure(questions, rows)


def test_files_that_do_not_fit(tmp_path, measure):
    questions = yes_no_questions()
    rows = [score_row(q, [0.0, -1.0]) for q in questions]
    with pytest.raises(InputError, match="model is in .*scores0.parquet already"):
        measure(questions, rows, rows)
    measure(questions, rows)
    path = write_option_scores(tmp_path / "s.parquet", rows, training_steps="many")
    asked, split = tmp_path / "questions.parquet", tmp_path / "split.parquet"
    output = tmp_path / "metrics.parquet"
    with pytest.raises(InputError, match="must say training_steps as a whole number, not 'many'"):
        score_classification([path], [asked], split, output, resamples=5, seed=0)
    write_split(split, [{"accession": "P00", "cluster": "P00", "fold": "train"}])
    path = write_option_scores(tmp_path / "s.parquet", rows)
    with pytest.raises(InputError, match="P00 of P00 is asked about in .* stands in fold train"):
        score_classification([path], [asked], split, output, resamples=5, seed=0)
