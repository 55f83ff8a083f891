"""Neighbours by alignment and by embedding."""

import random

import pytest

from helpers_data import natural_protein, plant_homologue
from protscribe.embeddings.store import embed_proteins
from protscribe.evaluation.classification.neighbours import (
    HIT_WEIGHT,
    NEIGHBOURS,
    Alignments,
    Embeddings,
)
from protscribe.homology import mmseqs
from tiny_models import write_tiny_encoder


def test_alignments():
    rng = random.Random(0)
    query = natural_protein(rng, 200)
    targets = {f"T{i}": plant_homologue(rng, query, 0.9 - 0.05 * i, 0.9) for i in range(8)}
    targets |= {f"R{i}": natural_protein(rng, 200) for i in range(5)}
    found = Alignments({"q": query, "r": natural_protein(rng, 80)}, targets, threads=1)
    best = mmseqs.search({"q": query}, targets, max_evalue=10.0).to_pylist()
    nearest = found.of(["q", "r"], list(targets))
    names = [hit["target"] for hit in best[:NEIGHBOURS]]
    assert [one.accession for one in nearest["q"]] == names
    assert [one.weight for one in nearest["q"]] == [hit["bits"] / HIT_WEIGHT for hit in best[:5]]
    # Those without an answer do not take the place of those that have one.
    left = found.of(["q"], ["T6", "T7", "T0"])["q"]
    assert [one.accession for one in left] == ["T0", "T6", "T7"]
    assert found.of(["nobody"], list(targets)) == {"nobody": []}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of random proteins and slight changes of them."""
    from helpers_data import write_proteins

    folder = tmp_path_factory.mktemp("store")
    rng = random.Random(1)
    sequences = {f"T{i:02d}": natural_protein(rng, 60) for i in range(12)}
    sequences |= {f"Q{i:02d}": sequences[f"T{i:02d}"][:58] + "WW" for i in range(12)}
    proteins = write_proteins(folder / "proteins.parquet", sequences)
    embed_proteins(
        proteins,
        write_tiny_encoder(folder / "esm"),
        folder / "store",
        cache=folder / "cache",
        layer=-1,
        max_residues=80,
        special_tokens=True,
        dtype="float32",
        batch_tokens=500,
        shard_tokens=500,
        device="cpu",
        threads=1,
    )
    return folder / "store"


def test_embeddings(store):
    training = [f"T{i:02d}" for i in range(12)]
    found = Embeddings(store, [*training, "not in it"], threads=1)
    assert "Q00" in found and "not in it" not in found
    queries = [f"Q{i:02d}" for i in range(12)]
    nearest = found.of(queries, [*training, "not in it"])
    right = sum(nearest[one][0].accession == f"T{one[1:]}" for one in queries)
    assert right >= 10
    for neighbours in nearest.values():
        weights = [one.weight for one in neighbours]
        assert len(weights) == NEIGHBOURS and weights == sorted(weights, reverse=True)
        assert 0 <= weights[-1] <= weights[0] <= 1
    fewer = found.of(["Q00"], ["T03", "T04"])["Q00"]
    assert {one.accession for one in fewer} == {"T03", "T04"}
    assert found.of(["Q00"], []) == {"Q00": []}
