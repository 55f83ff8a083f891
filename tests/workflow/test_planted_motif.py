"""A system learns from the sequence: what it says follows the order of residues."""

import random
from pathlib import Path

import pytest

from planted_motif import COPIES, MOTIFS, motif_settings, word_of
from protscribe.atomic import read_json, sha256_text
from protscribe.embeddings.store import EmbeddingStore, embed_proteins
from protscribe.evaluation.generate import predict_system
from protscribe.tables import read_metadata, read_table, write_table
from tiny_runs import run, write_settings

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

SEED = 0
PREDICTIONS = "results/predictions/motif.parquet"
CHANCE = 1 / len(MOTIFS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Folder of a run up to the predictions, one job at a time."""
    folder = tmp_path_factory.mktemp("motif")
    config = write_settings(folder / "motif.yaml", motif_settings(folder / "inputs", SEED))
    answer = run(folder, config, "--jobs", "1", PREDICTIONS)
    assert answer.returncode == 0, answer.stdout
    return folder


@pytest.fixture(scope="module")
def shuffled(finished, tmp_path_factory) -> Path:
    """The finished system's predictions for the same proteins with their residues shuffled."""
    folder = tmp_path_factory.mktemp("shuffled")
    results, models = finished / "results", finished / "resources" / "models"
    proteins = results / "tables" / "proteins.parquet"
    rows = read_table(proteins, "proteins").to_pylist()
    rng = random.Random(SEED)
    for row in rows:
        row["sequence"] = "".join(rng.sample(row["sequence"], row["length"]))
        row["sequence_hash"] = sha256_text(row["sequence"])
    write_table(folder / "proteins.parquet", "proteins", rows, read_metadata(proteins))
    (store,) = (results / "embeddings" / "proteins").iterdir()
    manifest = EmbeddingStore(store).manifest
    embed_proteins(
        folder / "proteins.parquet",
        models / "encoder",
        folder / "store",
        cache=folder / "cache",
        batch_tokens=16384,
        shard_tokens=1_000_000,
        device="cpu",
        threads=1,
        **{key: manifest[key] for key in ("layer", "max_residues", "special_tokens", "dtype")},
    )
    predict_system(
        {SEED: results / "systems" / "motif" / str(SEED) / "model"},
        models / "reader",
        folder / "store",
        [results / "corpora" / "prompts" / "motif.parquet"],
        folder / "predictions.parquet",
        predictor="motif",
        max_new_tokens=20,
        reference_max_tokens=None,
        batch_tokens=8192,
        state=folder / "state",
        device="cpu",
        threads=1,
    )
    return folder / "predictions.parquet"


def hits(path: Path) -> dict[str, list[bool]]:
    """Return for each fold whether each protein's prediction holds the word of its reference."""
    found: dict[str, list[bool]] = {}
    for row in read_table(path, "predictions").to_pylist():
        assert word_of(row["reference"]) in MOTIFS
        right = word_of(row["prediction"]) == word_of(row["reference"])
        found.setdefault(row["fold"], []).append(right)
    assert set(found) == {"test_in_distribution", "test_low_homology"}
    return found


def at_chance(found: dict[str, list[bool]]) -> bool:
    """Return whether the accuracy over all folds is within three deviations of guessing."""
    right = [hit for fold in found.values() for hit in fold]
    deviation = (CHANCE * (1 - CHANCE) / len(right)) ** 0.5
    return abs(sum(right) / len(right) - CHANCE) <= 3 * deviation


def test_classes_differ_in_order_alone(finished):
    table = finished / "results" / "tables" / "proteins.parquet"
    for row in read_table(table, "proteins").to_pylist():
        motif = MOTIFS[word_of(row["function"])]
        assert row["sequence"].count(motif) == COPIES
        assert all(row["sequence"].count(residue) == COPIES for residue in motif)


def test_held_out_proteins_are_told_apart(finished):
    found = hits(finished / PREDICTIONS)
    for fold, right in found.items():
        assert len(right) >= 30
        assert sum(right) / len(right) > 0.9, fold


def test_shuffled_proteins_are_guessed(shuffled):
    words = [word_of(row["prediction"]) for row in read_table(shuffled, "predictions").to_pylist()]
    # It still says one of the words, which is what makes chance the mark to compare with.
    assert words.count(None) <= 0.1 * len(words)
    assert at_chance(hits(shuffled))


def test_alignment_alone_reads_the_encoder(finished):
    """Its pooling has no order, so only states that know their neighbours can lower the loss."""
    align = finished / "results" / "systems" / "motif" / str(SEED) / "align"
    summary = read_json(align / "summary.json")
    assert summary["best_validation_loss"] < 0.3 * summary["first_validation_loss"]
