"""The whole workflow, from entries to the results page."""

import copy as copying
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from conftest import HOUSE
from protscribe.atomic import read_json
from protscribe.tables import read_table
from tiny_runs import differing, planned, result_files, run, write_settings

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

CLASSIFIED = {"rank_options", "score_classification", "collect_metrics"}
DESIGNED = {"design_proteins", "score_designs"}
AFTER_TUNE = {"tune", "predict", "score_predictions", *CLASSIFIED}
BASELINES = {"nearest_neighbour", "most_frequent", "language_model_tiny_llama"}
FLOORS = {"majority", "blind_prior", "homology", "embedding_knn"}
SYSTEMS = {"prot2text_v2", "protein2text", "instructprotein"}
# The corpora that each system is tested on; baselines answer all of them.
TESTED = {
    "prot2text_v2": ["descriptions"],
    "protein2text": ["descriptions", "qa"],
    "instructprotein": ["descriptions", "knowledge"],
}
PAGES = {"plot_results", "write_report", "record_provenance"}


def test_results_are_whole(finished):
    results = finished.folder / "results"
    metrics = read_table(results / "metrics.parquet", "metrics").to_pandas()
    assert set(metrics.predictor) == SYSTEMS | BASELINES | FLOORS
    questions = {"location_10", "pairing"}
    assert set(metrics.task) == {"answer", "describe", "annotate", "verify"} | questions
    ranked = metrics[metrics.task == "location_10"]
    assert set(ranked.predictor) == SYSTEMS | FLOORS | {"language_model_tiny_llama"}
    assert "accuracy" in set(ranked.metric)
    assert set(metrics.fold) == {"test_in_distribution", "test_low_homology"}
    sure = metrics[metrics.low.notna()]
    assert (sure.low <= sure.value + 1e-9).all()
    assert (sure.value <= sure.high + 1e-9).all()
    untuned = metrics.predictor == "language_model_tiny_llama"
    assert (metrics.training_examples[~untuned] > 0).all() and (metrics.n > 0).all()
    assert (metrics.training_examples[untuned] == 0).all()
    lines = (results / "metrics.tsv").read_text().splitlines()
    assert len(lines) == len(metrics) + 1
    assert read_json(results / "split" / "audit.json")["violations"] == []
    provenance = read_json(results / "provenance.json")
    assert provenance["configuration"]["name"] == "tiny"
    assert set(provenance["models"]) == {"tiny_esm", "tiny_llama", "tiny_bert"}


def test_every_test_question_has_one_prediction_per_predictor(finished):
    results = finished.folder / "results"
    names = ("descriptions", "qa", "knowledge")
    corpora = {name: results / "corpora" / f"{name}.parquet" for name in names}
    tests = {
        name: sorted(
            row["id"]
            for row in read_table(path, "conversations").to_pylist()
            # Whoever asks for a protein gets a design, not a prediction.
            if row["fold"].startswith("test_") and row["task"] != "design"
        )
        for name, path in corpora.items()
    }
    assert all(tests.values())
    for path in (results / "predictions").glob("*.parquet"):
        rows = read_table(path, "predictions").to_pylist()
        asked = TESTED.get(path.stem, list(names))
        wanted = sorted(name for corpus in asked for name in tests[corpus])
        assert sorted(row["id"] for row in rows if row["condition"] == "sequence") == wanted
        others = {row["condition"] for row in rows} - {"sequence"}
        controls = {"protein2text": {"shuffled", "blind"}, "instructprotein": {"shuffled"}}
        assert others == controls.get(path.stem, set())


def test_designs_and_what_they_are_compared_with(finished):
    design = finished.folder / "results" / "design"
    designs = read_table(design / "instructprotein.parquet", "designs").to_pylist()
    assert len(designs) == 4
    assert (design / "instructprotein.fasta").read_text().count(">") == len(designs)
    scores = read_table(design / "scores.parquet", "design_scores").to_pylist()
    predictors = {row["predictor"] for row in scores}
    assert {"instructprotein", "instructprotein:shuffled", "natural"} <= predictors
    assert len((design / "scores.tsv").read_text().splitlines()) == len(scores) + 1


def test_no_test_protein_is_in_what_is_trained_on(finished):
    results = finished.folder / "results"
    audit = read_json(results / "corpora" / "audit.json")
    assert audit
    folds = {
        row["accession"]: row["fold"]
        for row in read_table(results / "split" / "split.parquet", "split").to_pylist()
    }
    for corpus in ("sequences", "literature"):
        rows = read_table(results / "corpora" / f"{corpus}.parquet", "pretraining").to_pylist()
        assert {row["fold"] for row in rows} == {"train", "validation"}
        assert all(folds[r["accession"]] == r["fold"] for r in rows if r["accession"])
    sampled = read_table(results / "knowledge" / "sampled.parquet", "sampled_triples").to_pylist()
    assert {folds[row["accession"]] for row in sampled} == {"train"}


def test_writers_are_told_apart_and_their_dropped_pairs_are_listed(finished):
    results = finished.folder / "results"
    pairs = read_table(results / "qa" / "pairs.parquet", "qa_pairs").to_pylist()
    rejects = read_table(results / "rejects" / "filter_qa.parquet", "rejects").to_pylist()
    assert "template" in {row["writer"] for row in pairs}
    # A tiny random model writes nothing that could pass.
    assert "language_model" not in {row["writer"] for row in pairs}
    assert any(":language_model" in row["key"] for row in rejects)
    page = (results / "report.html").read_text()
    assert rejects[0]["reason"] in page


def test_rows_in_are_rows_out_and_rejects(finished):
    entries = Path(finished.settings["source"]["paths"][0]).read_text()
    results = finished.folder / "results"
    kept = pq.read_metadata(results / "tables" / "proteins.parquet").num_rows
    rejected = pq.read_metadata(results / "rejects" / "parse_entries.parquet").num_rows
    assert entries.count("\n//") == kept + rejected


def test_page_opens_without_network(finished):
    page = (finished.folder / "results" / "report.html").read_text()
    outside = re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*""", page)
    assert outside == [] and "@import" not in page
    assert "nearest_neighbour" in page and "data:image/png;base64," in page


def test_nothing_half_written_is_left(finished):
    for root in ("results", "resources"):
        paths = (finished.folder / root).rglob("*")
        left = [path for path in paths if ".partial-" in path.name or path.parent.name == ".state"]
        assert left == []


def test_second_run_does_nothing_and_says_so(copy):
    answer = run(copy.folder, copy.config)
    assert answer.returncode == 0
    assert "Nothing to be done" in answer.stdout


def test_two_runs_give_identical_files(finished, tmp_path):
    answer = run(tmp_path, finished.config, "--jobs", "1")
    assert answer.returncode == 0, answer.stdout
    assert differing(finished.folder, tmp_path) == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("systems.prot2text_v2.tune.epochs", 1, AFTER_TUNE | PAGES),
        (
            "systems.prot2text_v2.predict.max_new_tokens",
            5,
            {"predict", "score_predictions", "collect_metrics"} | PAGES,
        ),
        (
            "compute.predict_batch_tokens",
            2000,
            {"predict", "predict_language_model", "score_predictions"}
            | {"rank_options_language_model", *CLASSIFIED, *DESIGNED, *PAGES},
        ),
        (
            "evaluation.resamples",
            300,
            {"collect_metrics", "score_classification", "score_designs"} | PAGES,
        ),
        (
            "systems.instructprotein.design.temperature",
            0.5,
            {"design_proteins", "score_designs", "write_report", "record_provenance"},
        ),
        ("design.evaluation.neighbours", 3, {"score_designs", "write_report", "record_provenance"}),
        ("note", "Hello", {"write_report", "record_provenance"}),
    ],
)
def test_a_parameter_re_runs_what_it_affects(copy, tmp_path, path, value, expected):
    settings = copying.deepcopy(copy.settings)
    *parents, last = path.split(".")
    place = settings
    for parent in parents:
        place = place[parent]
    place[last] = value
    config = write_settings(tmp_path / "changed.yaml", settings)
    assert planned(copy.folder, config) == expected


def test_code_re_runs_what_uses_it_and_a_comment_nothing(copy, tmp_path):
    house = tmp_path / "house"
    ignore = shutil.ignore_patterns(".*", "results", "resources", "logs", "tests")
    shutil.copytree(HOUSE, house, ignore=ignore)
    script = house / "workflow_scripts" / "tune.py"
    script.write_text(script.read_text() + "\n# A comment.\n")
    splitting = house / "protscribe" / "homology" / "split.py"
    splitting.write_text(splitting.read_text().replace('"""', '"""More words. ', 1))
    assert planned(copy.folder, copy.config, house=house) == set()
    tuning = house / "protscribe" / "training" / "objectives" / "instruction.py"
    original = tuning.read_text()
    tuning.write_text(original + "\nADDED = 1\n")
    rules = planned(copy.folder, copy.config, house=house)
    assert "tune" in rules and "align" not in rules
    tuning.write_text(original)
    intervals = house / "protscribe" / "evaluation" / "bootstrap.py"
    intervals.write_text(intervals.read_text() + "\nADDED = 1\n")
    rules = planned(copy.folder, copy.config, house=house)
    assert "collect_metrics" in rules
    assert rules <= {
        *("collect_metrics", "plot_results", "write_report", "score_predictions"),
        *("score_classification", "score_designs"),
    }


def test_force_re_runs_a_rule_and_what_follows(copy):
    rules = planned(copy.folder, copy.config, "--forcerun", "tune")
    assert rules == AFTER_TUNE | DESIGNED | PAGES - {"record_provenance"}
    assert planned(copy.folder, copy.config, "audit_split", "--force") == {"audit_split"}


def test_another_configuration_touches_nothing(copy, tmp_path):
    before = result_files(copy.folder)
    settings = {**copy.settings, "name": "other", "seed": 1}
    settings["pathvars"] = {f: f"{f}/other" for f in ("results", "logs", "benchmarks")}
    config = write_settings(tmp_path / "other.yaml", settings)
    answer = run(copy.folder, config, "split")
    assert answer.returncode == 0, answer.stdout
    assert (copy.folder / "results" / "other" / "split" / "audit.json").exists()
    assert result_files(copy.folder) == before
    assert planned(copy.folder, copy.config) == set()


@pytest.mark.parametrize(
    "target",
    [
        *("data", "split", "corpora", "embeddings", "aligned", "tuned"),
        *("predicted", "classified", "designed", "scored"),
        "score_classification",
    ],
)
def test_each_stage_has_a_target(copy, target):
    assert planned(copy.folder, copy.config, target) == set()
