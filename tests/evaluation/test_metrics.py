import csv

import pytest
from sacrebleu.metrics import CHRF

from helpers_evaluation import write_predictions, write_split
from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.evaluation.metrics import collect_metrics, score_predictions
from protscribe.evaluation.runs import CONTROL_SUFFIX, DIFFERENCE_SUFFIX
from protscribe.schemas import TABLES
from protscribe.tables import read_table
from tiny_models import write_tiny_bert

REFERENCES = {
    "P1": "Catalyzes the hydrolysis of ATP.",
    "P2": "Binds DNA and regulates transcription.",
    "P3": "Component of the proteasome.",
    "P4": "Transfers a phosphate group from ATP to the protein.",
    "P5": "Required for growth of the cell.",
}
FOLD = {"P1": "test_low_homology", "P2": "test_low_homology", "P3": "test_low_homology"}
PREDICTED = {
    "system": dict(zip(REFERENCES, reversed(REFERENCES.values()), strict=True)),
    "nearest_neighbour": REFERENCES | {"P1": "Catalyzes the hydrolysis of GTP."},
    "most_frequent": dict.fromkeys(REFERENCES, "Binds DNA."),
}


def write_all(folder, bert, predicted=PREDICTED, seeds=(0,), controls=()):
    """Write predictions and scores of some predictors; return the two lists of files.

    The system also answers about the proteins of `controls` under the condition shuffled.
    """
    predictions, scores = [], []
    for predictor, texts in predicted.items():
        rows = [
            {
                "accession": accession,
                "fold": FOLD.get(accession, "test_in_distribution"),
                "reference": REFERENCES[accession],
                "prediction": text,
                "training_seed": seed,
            }
            for accession, text in texts.items()
            for seed in (seeds if predictor == "system" else (0,))
        ]
        rows += [
            row | {"condition": "shuffled", "prediction": "Binds " + row["prediction"]}
            for row in rows
            if predictor == "system" and row["accession"] in controls
        ]
        steps = 25 if predictor == "system" else 0
        path = folder / f"{predictor}.parquet"
        predictions.append(write_predictions(path, predictor, rows, examples=100, steps=steps))
        scores.append(folder / f"{predictor}-scores.parquet")
        score_predictions(
            predictions[-1],
            scores[-1],
            predictor=predictor,
            bertscore_model=bert,
            seed=0,
            device="cpu",
            threads=1,
        )
    split = [
        {
            "accession": accession,
            "cluster": "c1" if accession in ("P1", "P2") else accession,
            "fold": FOLD.get(accession, "test_in_distribution"),
        }
        for accession in REFERENCES
    ]
    write_split(folder / "split.parquet", split)
    return predictions, scores


def collect(folder, predictions, scores, name="metrics"):
    paths = folder / f"{name}.tsv", folder / f"{name}.parquet"
    collect_metrics(predictions, scores, folder / "split.parquet", *paths, resamples=200, seed=0)
    rows = read_table(paths[1], "metrics").to_pylist()
    return {(row["predictor"], row["fold"], row["metric"]): row for row in rows}, paths


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(scope="module")
def run(tmp_path_factory, bert):
    folder = tmp_path_factory.mktemp("run")
    files = write_all(folder, bert)
    return folder, *files, *collect(folder, *files)


def test_scores_hold_every_metric_of_every_answer(run):
    rows = read_table(run[2][0], "scores").to_pylist()
    metrics = {row["metric"] for row in rows}
    assert metrics >= {"exact_match", "rouge_l", "sentence_bleu_4", "bertscore_f1_rescaled"}
    assert metrics >= {"token_f1", "content_f1"}
    assert len(rows) == len(metrics) * len(REFERENCES)
    assert all(row["value"] is not None for row in rows)


def test_metrics_are_those_of_the_public_libraries(run):
    rows = run[3]
    own = [PREDICTED["system"][name] for name in FOLD]
    expected = CHRF().corpus_score(own, [[REFERENCES[name] for name in FOLD]]).score
    assert rows["system", "test_low_homology", "chrf"]["value"] == pytest.approx(expected)
    found = rows["nearest_neighbour", "test_low_homology", "exact_match"]
    assert found["value"] == pytest.approx(200 / 3)
    assert rows["nearest_neighbour", "test_in_distribution", "bleu_4"]["value"] == pytest.approx(
        100
    )


def test_rows_say_what_they_rest_on(run):
    row = run[3]["system", "test_low_homology", "bleu_4"]
    assert (row["n"], row["clusters"], row["seeds"], row["stratum"]) == (3, 2, 1, "all")
    assert (row["training_examples"], row["training_steps"]) == (100, 25)
    assert row["small_sample"] is True
    assert "tok:13a" in row["signature"]
    assert run[3]["system", "test_low_homology", "bertscore_f1"]["signature"].startswith(
        "bert-score:"
    )
    for row in run[3].values():
        assert row["low"] <= row["value"] <= row["high"]
        assert row["signature"]


def test_the_floor_is_the_same_for_all_predictors(run):
    rows = run[3]
    key = "test_low_homology", "bertscore_f1_floor"
    values = {rows[predictor, *key]["value"] for predictor in PREDICTED}
    assert len(values) == 1
    floor = values.pop()
    f1 = rows["system", "test_low_homology", "bertscore_f1"]["value"]
    rescaled = rows["system", "test_low_homology", "bertscore_f1_rescaled"]["value"]
    assert rescaled == pytest.approx(100 * (f1 - floor) / (100 - floor))


def test_differences_to_the_nearest_neighbour_are_paired(run):
    rows, fold = run[3], "test_low_homology"
    found = rows["system", fold, f"chrf{DIFFERENCE_SUFFIX}"]
    own, base = rows["system", fold, "chrf"], rows["nearest_neighbour", fold, "chrf"]
    assert found["value"] == pytest.approx(own["value"] - base["value"])
    assert ("nearest_neighbour", fold, f"chrf{DIFFERENCE_SUFFIX}") not in rows
    assert ("system", fold, f"bertscore_f1_floor{DIFFERENCE_SUFFIX}") not in rows


def test_controls_are_compared_with_the_same_questions_under_sequence(tmp_path, bert):
    controls = ("P1", "P3", "P4")
    files = write_all(tmp_path, bert, seeds=(0, 1), controls=controls)
    _, paths = collect(tmp_path, *files)
    rows = {
        (row["predictor"], row["fold"], row["condition"], row["metric"]): row
        for row in read_table(paths[1], "metrics").to_pylist()
    }
    own = "system", "test_low_homology", "shuffled"
    assert {key[0] for key in rows if key[2] == "shuffled"} == {"system"}
    for metric in ("chrf", "rouge_l", "content_f1"):
        row = rows[*own, metric]
        assert (row["n"], row["clusters"], row["seeds"]) == (2, 2, 2)
        # What the other rows would be if nothing but the control's proteins were in them.
        chosen = {n: {a: t[a] for a in controls} for n, t in PREDICTED.items()}
        folder = tmp_path / f"chosen-{metric}"
        folder.mkdir()
        alone, _ = collect(folder, *write_all(folder, bert, chosen))
        for base, suffix in (("system", CONTROL_SUFFIX), ("nearest_neighbour", DIFFERENCE_SUFFIX)):
            difference = rows[*own, metric + suffix]
            # Words weigh by all references of the table, and here there are fewer.
            if metric != "content_f1":
                expected = row["value"] - alone[base, "test_low_homology", metric]["value"]
                assert difference["value"] == pytest.approx(expected)
            assert difference["signature"] == row["signature"]
            assert difference["low"] <= difference["value"] <= difference["high"]
    assert not any(key[3].endswith(CONTROL_SUFFIX) for key in rows if key[2] == "sequence")
    # The headline does not change by what is run beside it.
    (tmp_path / "plain").mkdir()
    plain, _ = collect(tmp_path / "plain", *write_all(tmp_path / "plain", bert, seeds=(0, 1)))
    for (predictor, fold, metric), row in plain.items():
        # The vectors behind BERTScore may differ in a last digit by what is encoded with them.
        found = rows[predictor, fold, "sequence", metric]
        numbers = ("value", "low", "high")
        assert [found[n] for n in numbers] == pytest.approx([row[n] for n in numbers], abs=1e-3)
        assert {k: found[k] for k in found if k not in numbers} == {
            k: row[k] for k in row if k not in numbers
        }


def test_tsv_holds_the_same_table(run):
    with run[4][0].open(newline="") as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    assert list(lines[0]) == TABLES["metrics"].schema.names
    assert len(lines) == len(run[3])
    for line in lines:
        row = run[3][line["predictor"], line["fold"], line["metric"]]
        assert float(line["value"]) == pytest.approx(row["value"], abs=5.1e-5)
        assert line["small_sample"] == "true"
    order = [(line["predictor"], line["task"], line["fold"], line["metric"]) for line in lines]
    assert order == sorted(order)


def test_a_second_time_gives_the_same_bytes(run, tmp_path, bert):
    files = write_all(tmp_path, bert)
    _, paths = collect(tmp_path, *files)
    for first, second in zip(run[4], paths, strict=True):
        assert sha256_file(first) == sha256_file(second)
    for first, second in zip(run[2], files[1], strict=True):
        assert sha256_file(first) == sha256_file(second)


def test_the_order_of_predictors_does_not_matter(run):
    folder, predictions, scores, _, paths = run
    _, again = collect(folder, predictions[::-1], scores[::-1], "again")
    assert sha256_file(paths[0]) == sha256_file(again[0])


def test_two_equal_training_seeds_change_nothing_but_their_number(run, tmp_path, bert):
    rows, _ = collect(tmp_path, *write_all(tmp_path, bert, seeds=(0, 7)))
    for key, row in run[3].items():
        assert rows[key]["value"] == pytest.approx(row["value"], abs=1e-9)
        assert rows[key]["low"] == pytest.approx(row["low"], abs=1e-9)
        assert rows[key]["n"] == row["n"]
        assert rows[key]["seeds"] == (2 if key[0] == "system" else 1)


def test_predictors_with_other_ids_are_an_error(tmp_path, bert):
    fewer = {name: text for name, text in PREDICTED["system"].items() if name != "P3"}
    files = write_all(tmp_path, bert, PREDICTED | {"most_frequent": fewer})
    with pytest.raises(InputError, match="descriptions:P3"):
        collect(tmp_path, *files)


def test_one_cluster_has_no_interval_and_equal_references_no_floor(tmp_path, bert, capsys):
    alone = {name: {"P3": texts["P3"]} for name, texts in PREDICTED.items()}
    rows, paths = collect(tmp_path, *write_all(tmp_path, bert, alone))
    row = rows["nearest_neighbour", "test_low_homology", "bleu_4"]
    assert row["value"] == pytest.approx(100)
    assert row["low"] is row["high"] is None
    floor = rows["nearest_neighbour", "test_low_homology", "bertscore_f1_floor"]
    assert floor["value"] is None
    assert "BERTScore has no floor" in capsys.readouterr().err
    assert "\tNA\tNA\tNA\t" in paths[0].read_text()


def test_a_missing_bertscore_model_is_an_error(tmp_path):
    rows = [{"accession": "P1", "reference": "Binds DNA.", "prediction": "Binds RNA."}]
    predictions = write_predictions(tmp_path / "p.parquet", "system", rows)
    with pytest.raises(InputError, match="get the model first"):
        score_predictions(
            predictions,
            tmp_path / "s.parquet",
            predictor="system",
            bertscore_model=tmp_path / "gone",
            seed=0,
            device="cpu",
            threads=1,
        )
    assert not (tmp_path / "s.parquet").exists()
