import numpy as np
import pytest

from helpers_evaluation import write_predictions
from protscribe.errors import InputError
from protscribe.evaluation.runs import (
    check_same_ids,
    read_predictions,
    read_run,
    training_count,
)
from protscribe.tables import write_table

ROWS = [
    {"accession": "P1", "reference": "Binds DNA.", "prediction": "Binds RNA."},
    {"accession": "P2", "reference": "Binds DNA.", "prediction": ""},
]


def write_scores(path, rows, predictor="a", metric="exact_match"):
    whole = [
        {
            "predictor": predictor,
            "id": f"descriptions:{accession}",
            "task": "describe",
            "fold": "test_low_homology",
            "condition": "sequence",
            "training_seed": 0,
            "metric": metric,
            "value": 1.0,
        }
        for accession in rows
    ]
    write_table(path, "scores", whole)
    return path


def read(tmp_path, predictor, rows, **more):
    path = write_predictions(tmp_path / f"{predictor}.parquet", predictor, rows, **more)
    return read_predictions(path)


def test_same_ids_pass_whatever_the_tasks_that_only_one_can_do(tmp_path):
    extra = [row | {"task": "qa", "id": f"qa:{row['accession']}"} for row in ROWS]
    check_same_ids([read(tmp_path, "a", ROWS), read(tmp_path, "b", ROWS + extra)])


def test_controls_may_be_run_on_some_of_the_ids(tmp_path):
    control = [ROWS[0] | {"condition": "shuffled"}]
    runs = [read(tmp_path, name, ROWS + control) for name in ("a", "b")]
    check_same_ids([*runs, read(tmp_path, "c", ROWS)])
    more = [row | {"condition": "shuffled"} for row in ROWS]
    with pytest.raises(InputError, match="same predict.control_examples for all systems"):
        check_same_ids([*runs, read(tmp_path, "d", ROWS + more)])


def test_a_control_of_what_is_not_asked_is_an_error(tmp_path):
    stray = ROWS[0] | {"condition": "blind", "id": "descriptions:P9", "accession": "P9"}
    with pytest.raises(InputError, match="descriptions:P9 .* which nothing predicts under"):
        check_same_ids([read(tmp_path, "a", [*ROWS, stray])])
    # A predictor of controls alone has nothing to be compared with, which is no error.
    check_same_ids([read(tmp_path, "b", [stray])])


def test_a_missing_id_is_an_error_that_names_it(tmp_path):
    runs = [read(tmp_path, "a", ROWS), read(tmp_path, "b", ROWS[:1])]
    with pytest.raises(InputError, match=r"a \(training seed 0\) has descriptions:P2 .* b"):
        check_same_ids(runs)


def test_training_seeds_must_hold_the_same_ids(tmp_path):
    run = read(tmp_path, "a", [*ROWS, ROWS[0] | {"training_seed": 1}])
    with pytest.raises(InputError, match=r"training seed 1\) has not"):
        check_same_ids([run])


def test_an_id_in_another_fold_is_an_error(tmp_path):
    moved = [ROWS[0], ROWS[1] | {"fold": "test_temporal"}]
    with pytest.raises(InputError, match="same ids"):
        check_same_ids([read(tmp_path, "a", ROWS), read(tmp_path, "b", moved)])


def test_a_prediction_without_text_is_an_error(tmp_path):
    with pytest.raises(InputError, match="descriptions:P1 has no prediction"):
        read(tmp_path, "a", [ROWS[0] | {"prediction": None}])


def test_an_empty_table_is_an_error(tmp_path):
    with pytest.raises(InputError, match="holds no prediction"):
        read(tmp_path, "a", [])


@pytest.mark.parametrize(
    ("scored", "predictor", "message"),
    [
        (["P1"], "a", "descriptions:P2 has no exact_match"),
        (["P1", "P2", "P3"], "a", "descriptions:P3 of a is not in"),
        (["P1", "P2"], "b", "descriptions:P1 of b is not in"),
        ([], "a", "holds no score"),
    ],
)
def test_scores_must_belong_to_the_predictions(tmp_path, scored, predictor, message):
    predictions = write_predictions(tmp_path / "p.parquet", "a", ROWS)
    scores = write_scores(tmp_path / "s.parquet", scored, predictor)
    with pytest.raises(InputError, match=message):
        read_run(predictions, scores)


def test_scores_are_put_to_their_predictions(tmp_path):
    rows = [row | {"training_seed": seed} for seed in (10, 2) for row in ROWS]
    predictions = write_predictions(tmp_path / "p.parquet", "a", rows)
    keys = [(f"descriptions:{a}", seed) for a in ("P2", "P1") for seed in (10, 2)]
    values = {"chrf": [1.0, 2.0, None, 4.0], "exact_match": [5.0, 6.0, 7.0, 8.0]}
    whole = [
        {
            "predictor": "a",
            "task": "describe",
            "fold": "test_low_homology",
            "condition": "sequence",
            "id": name,
            "training_seed": seed,
            "metric": metric,
            "value": value,
        }
        for metric, column in values.items()
        for (name, seed), value in zip(keys, column, strict=True)
    ]
    write_table(tmp_path / "s.parquet", "scores", whole)
    run = read_run(predictions, tmp_path / "s.parquet")
    places = {(row["id"], row["training_seed"]): i for i, row in enumerate(run.rows)}
    for metric, column in values.items():
        for key, value in zip(keys, column, strict=True):
            expected = np.nan if value is None else value
            assert run.values[metric][places[key]] == pytest.approx(expected, nan_ok=True)


def test_the_training_must_be_stated(tmp_path):
    run = read(tmp_path, "a", ROWS, examples=7)
    assert training_count(run, "training_examples") == 7
    run.facts.pop("training_steps")
    with pytest.raises(InputError, match="must say training_steps"):
        training_count(run, "training_steps")
