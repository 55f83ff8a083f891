import csv

import pytest

from helpers_evaluation import fill, write_split
from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.report.plots import (
    HEADLINE,
    group_order,
    plot_losses,
    plot_metrics,
    plot_split,
    systems_first,
)
from protscribe.tables import write_table

SUFFIXES = (".png", ".svg", ".csv")


def write_losses(path, steps=6):
    lines = ["step\tepoch\tsplit\tloss\tlearning_rate"]
    for step in range(1, steps + 1):
        lines.append(f"{step}\t1\ttrain\t{3 / step:.4f}\t0.001")
    lines.append(f"{steps}\t1\tvalidation\t0.9\t0.001")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_metrics(path, predictors=(("prot2text_v2", 10), ("nearest_neighbour", 0))):
    rows = [
        {
            "predictor": predictor,
            "task": "describe",
            "fold": fold,
            "condition": "sequence",
            "stratum": "all",
            "metric": metric,
            "value": value,
            "low": None if value is None else value - 2,
            "high": None if value is None else value + 3,
            "n": 9,
            "clusters": 8,
            "seeds": 1,
            "small_sample": fold == "test_low_homology",
            "training_examples": 100,
            "training_steps": steps,
        }
        for predictor, steps in predictors
        for fold in ("test_low_homology", "test_in_distribution")
        for metric, value in zip([*HEADLINE, "rouge_1"], (4.0, 20.5, None, -3.0, 8.0), strict=True)
    ]
    write_table(path, "metrics", [fill("metrics", row) for row in rows])
    return path


def check_files(stem, again):
    for suffix in SUFFIXES:
        first, second = (path.with_name(path.name + suffix) for path in (stem, again))
        assert first.stat().st_size > 0
        assert sha256_file(first) == sha256_file(second), suffix
    assert stem.with_name(stem.name + ".png").read_bytes().startswith(b"\x89PNG")
    svg = stem.with_name(stem.name + ".svg").read_text()
    assert "<dc:date>" not in svg and "<svg" in svg
    with stem.with_name(stem.name + ".csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_losses(tmp_path):
    losses = {f"system 0 {s}": write_losses(tmp_path / f"{s}.tsv") for s in ("align", "tune")}
    for name in ("one", "two"):
        plot_losses(losses, tmp_path / name)
    rows = check_files(tmp_path / "one", tmp_path / "two")
    assert len(rows) == 14
    assert rows[0] == {"training": "system 0 align", "step": "1", "split": "train", "loss": "3"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("step\tsplit\tloss\n", "holds no loss"),
        ("step\tloss\n1\t2\n", "needs the columns step, split and loss"),
        ("step\tsplit\tloss\n1\ttrain\tmuch\n", "needs the columns step, split and loss"),
    ],
)
def test_bad_losses_are_errors_and_leave_nothing(tmp_path, text, message):
    path = tmp_path / "losses.tsv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        plot_losses({"a": path}, tmp_path / "figure")
    assert not list(tmp_path.glob("figure*"))


def test_metrics(tmp_path):
    metrics = write_metrics(tmp_path / "metrics.parquet")
    for name in ("one", "two"):
        plot_metrics(metrics, tmp_path / name)
    rows = check_files(tmp_path / "one", tmp_path / "two")
    assert {row["metric"] for row in rows} == set(HEADLINE)
    # Text is drawn as shapes, and named in comments.
    svg = (tmp_path / "one.svg").read_text()
    for words in (*HEADLINE.values(), "prot2text_v2", "test low homology"):
        assert f"<!-- {words} -->" in svg
    first = next(row for row in rows if row["metric"] == "bleu_4")
    assert (first["value"], first["low"], first["high"], first["n"]) == ("4", "2", "7", "9")


def test_metrics_without_the_headline_are_an_error(tmp_path):
    write_table(tmp_path / "m.parquet", "metrics", [])
    with pytest.raises(InputError, match="holds none of"):
        plot_metrics(tmp_path / "m.parquet", tmp_path / "figure")


def test_split(tmp_path):
    rows = [
        {"accession": f"P{i}", "cluster": "c", "fold": fold, "max_train_identity": identity}
        for i, (fold, identity) in enumerate(
            [
                ("train", None),
                ("train", None),
                ("validation", 0.9),
                ("test_low_homology", None),
                ("test_low_homology", 0.21),
                (None, None),
            ]
        )
    ]
    split = write_split(tmp_path / "split.parquet", rows)
    for name in ("one", "two"):
        plot_split(split, tmp_path / name)
    found = check_files(tmp_path / "one", tmp_path / "two")
    sizes = {row["fold"]: row["proteins"] for row in found if row["panel"] == "size"}
    assert sizes == {"train": "2", "validation": "1", "test_low_homology": "2", "dropped": "1"}
    nearest = [row for row in found if row["fold"] == "test_low_homology"]
    assert [row["identity"] for row in nearest if row["panel"] == "identity"] == ["0", "21"]


def test_a_split_without_folds_is_an_error(tmp_path):
    split = write_split(tmp_path / "s.parquet", [{"accession": "P1", "cluster": "P1"}])
    with pytest.raises(InputError, match="no protein has a fold"):
        plot_split(split, tmp_path / "figure")


def test_systems_stand_before_baselines_and_folds_in_their_order():
    rows = [
        {"predictor": "most_frequent", "training_steps": 0},
        {"predictor": "z_system", "training_steps": 5},
    ]
    assert systems_first(rows) == ["z_system", "most_frequent"]
    folds = ["test_temporal", "test_other", "test_in_distribution"]
    found = sorted((("describe", fold) for fold in folds), key=group_order)
    assert [fold for _, fold in found] == ["test_in_distribution", "test_temporal", "test_other"]
