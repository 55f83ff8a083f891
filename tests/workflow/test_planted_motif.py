"""A system learns from the sequence: what it says follows the order of residues."""

import re
from pathlib import Path

import pytest

from planted_motif import COPIES, MOTIFS, motif_settings, word_of
from protscribe.atomic import read_json
from protscribe.tables import read_table
from tiny_runs import run, write_settings

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

SEED = 0
SYSTEMS = ("motif", "asked", "written")
PREDICTIONS = "results/predictions/{}.parquet"
CHANCE = 1 / len(MOTIFS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Folder of a run up to the predictions, one job at a time."""
    folder = tmp_path_factory.mktemp("motif")
    config = write_settings(folder / "motif.yaml", motif_settings(folder / "inputs", SEED))
    targets = [PREDICTIONS.format(system) for system in SYSTEMS]
    targets += ["results/design/written.parquet", "results/design/scores.parquet"]
    answer = run(folder, config, "--jobs", "1", *targets)
    assert answer.returncode == 0, answer.stdout
    return folder


def words(folder: Path, system: str, condition: str) -> dict[str, list[tuple[str | None, str]]]:
    """Return for each fold the word of each prediction and that of its reference."""
    found: dict[str, list[tuple[str | None, str]]] = {}
    table = read_table(folder / PREDICTIONS.format(system), "predictions")
    for row in table.to_pylist():
        if row["condition"] == condition:
            reference = word_of(row["reference"])
            assert reference in MOTIFS
            found.setdefault(row["fold"], []).append((word_of(row["prediction"]), reference))
    assert set(found) == {"test_in_distribution", "test_low_homology"}
    return found


def test_classes_differ_in_order_alone(finished):
    table = finished / "results" / "tables" / "proteins.parquet"
    for row in read_table(table, "proteins").to_pylist():
        motif = MOTIFS[word_of(row["function"])]
        assert row["sequence"].count(motif) == COPIES
        assert all(row["sequence"].count(residue) == COPIES for residue in motif)


@pytest.mark.parametrize("system", SYSTEMS)
def test_held_out_proteins_are_told_apart(finished, system):
    for fold, pairs in words(finished, system, "sequence").items():
        assert len(pairs) >= 30
        assert sum(said == right for said, right in pairs) / len(pairs) > 0.9, fold


@pytest.mark.parametrize("system", SYSTEMS)
def test_shuffled_proteins_are_guessed(finished, system):
    pairs = [pair for pairs in words(finished, system, "shuffled").values() for pair in pairs]
    # It still says one of the words, which is what makes chance the mark to compare with.
    assert sum(said is None for said, _ in pairs) <= 0.1 * len(pairs)
    deviation = (CHANCE * (1 - CHANCE) / len(pairs)) ** 0.5
    accuracy = sum(said == right for said, right in pairs) / len(pairs)
    assert abs(accuracy - CHANCE) <= 3 * deviation


def test_alignment_alone_reads_the_encoder(finished):
    """Its pooling has no order, so only states that know their neighbours can lower the loss."""
    align = finished / "results" / "systems" / "motif" / str(SEED) / "align"
    summary = read_json(align / "summary.json")
    assert summary["best_validation_loss"] < 0.3 * summary["first_validation_loss"]


def test_the_question_stands_behind_the_protein(finished):
    table = read_table(finished / PREDICTIONS.format("asked"), "predictions")
    prompts = {row["prompt"] for row in table.to_pylist()}
    assert len(prompts) > 1
    assert all(re.search(r"<protein_sequence>\n[A-Z].*this protein", text) for text in prompts)


def test_designs_carry_the_motif_asked_for(finished):
    """And no other motif, of which all are equally likely without the request."""
    rows = read_table(finished / "results" / "design" / "written.parquet", "designs").to_pylist()
    assert len(rows) == 40 * len(MOTIFS)
    for word, motif in MOTIFS.items():
        asked = [row for row in rows if row["annotation"] == f"KW:{word.capitalize()}"]
        others = [other for other in MOTIFS.values() if other != motif]
        right = [
            motif in row["sequence"] and not any(other in row["sequence"] for other in others)
            for row in asked
        ]
        assert sum(right) / len(right) > 0.9, word


def test_designs_are_new_and_judged_beside_their_controls(finished):
    scores = finished / "results" / "design" / "scores.parquet"
    rows = read_table(scores, "design_scores").to_pylist()
    value = {
        (row["predictor"], row["metric"]): row["value"]
        for row in rows
        if row["relation"] == row["annotation"] == row["stratum"] == "all"
    }
    assert value["written", "valid"] > 0.9
    for control in ("written:shuffled", "written:markov", "retrieval", "natural"):
        assert (control, "valid") in value
    # Random proteins with a planted motif are nobody's homologues.
    assert value["written", "novelty_no_hit"] > 0.8
