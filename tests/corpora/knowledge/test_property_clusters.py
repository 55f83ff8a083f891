import random

import numpy as np
import pytest

from helpers_data import natural_protein, plant_homologue, write_proteins
from helpers_triples import write_triples, write_vectors
from protscribe.corpora.knowledge.property_clusters import cluster_knowledge, split_by_property
from protscribe.errors import InputError
from protscribe.tables import read_metadata, read_table


def on_circle(*degrees: float) -> list[np.ndarray]:
    angles = np.radians(degrees)
    return list(np.stack([np.cos(angles), np.sin(angles)], axis=1))


def split(members: str, degrees: list[float], limit: float, representative="A") -> dict[str, str]:
    vectors = dict(zip(members, on_circle(*degrees), strict=True))
    return split_by_property(dict.fromkeys(members, representative), vectors, limit)


def test_members_far_from_the_leader_get_one_of_their_own():
    assert split("ABC", [0, 10, 90], 0.5) == {"A": "A", "B": "A", "C": "C"}
    assert split("ABC", [0, 10, 90], 1.5) == dict.fromkeys("ABC", "A")
    assert split("ABC", [0, 10, 90], 0.0) == {"A": "A", "B": "B", "C": "C"}


def test_nearness_to_the_leader_counts_not_to_a_neighbour():
    # 40 degrees are 0.68 apart: a chain of neighbours would join all four.
    assert split("ABCD", [0, 40, 80, 120], 0.7) == {"A": "A", "B": "A", "C": "C", "D": "C"}


def test_the_representative_leads_first():
    assert split("ABC", [0, 40, 80], 0.7, representative="B") == dict.fromkeys("ABC", "B")


def test_sequence_clusters_never_join():
    vectors = dict(zip("AB", on_circle(0, 0), strict=True))
    assert split_by_property({"A": "A", "B": "B"}, vectors, 2.0) == {"A": "A", "B": "B"}


@pytest.mark.parametrize("seed", range(3))
def test_every_member_is_near_its_leader_and_leaders_are_apart(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(200, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    vectors = {f"P{i:03}": point for i, point in enumerate(points)}
    clusters = {name: f"P{int(name[1:]) % 4:03}" for name in vectors}
    found = split_by_property(clusters, vectors, 0.8)
    assert sorted(found) == sorted(vectors)
    for name, leader in found.items():
        assert clusters[name] == clusters[leader]
        assert np.linalg.norm(vectors[name] - vectors[leader]) <= 0.8
    leaders = sorted(set(found.values()))
    for i, a in enumerate(leaders):
        for b in leaders[:i]:
            apart = np.linalg.norm(vectors[a] - vectors[b]) > 0.8
            assert apart or clusters[a] != clusters[b]
    turned = dict(reversed(clusters.items()))
    assert split_by_property(turned, vectors, 0.8) == found


@pytest.fixture
def tables(tmp_path):
    """Three near copies, one of them with another function, a stranger and a test protein."""
    rng = random.Random(0)
    first, stranger = natural_protein(rng, 150), natural_protein(rng, 150)
    copies = [plant_homologue(rng, first, 0.95, 1.0) for _ in range(2)]
    sequences = {"A": first, "B": copies[0], "C": copies[1], "D": stranger, "E": first}
    write_proteins(tmp_path / "proteins.parquet", sequences)
    terms = {"A": ["x"], "B": ["x"], "C": ["y"], "D": ["x"], "E": ["x"]}
    write_triples(tmp_path / "triples.parquet", terms, {"E": "test_in_distribution"})
    vectors = dict(zip("ABCD", on_circle(0, 5, 120, 0), strict=True))
    write_vectors(tmp_path / "vectors.parquet", vectors)
    return tmp_path


def cluster(folder, max_distance=1.4):
    cluster_knowledge(
        folder / "proteins.parquet",
        folder / "triples.parquet",
        folder / "vectors.parquet",
        folder / "clusters.parquet",
        min_identity=0.8,
        min_coverage=0.8,
        max_distance=max_distance,
        threads=1,
    )
    rows = read_table(folder / "clusters.parquet", "clusters").to_pylist()
    return {row["accession"]: row["cluster"] for row in rows}


def test_a_cluster_agrees_in_sequence_and_in_property(tables):
    found = cluster(tables)
    assert sorted(found) == ["A", "B", "C", "D"]
    assert found["A"] == found["B"]
    assert len({found["A"], found["C"], found["D"]}) == 3
    facts = read_metadata(tables / "clusters.parquet")
    assert (facts["sequence_clusters"], facts["property_clusters"]) == ("2", "3")


def test_the_largest_distance_leaves_sequence_clusters_whole(tables):
    found = cluster(tables, max_distance=2.0)
    assert found["A"] == found["B"] == found["C"] != found["D"]


def test_a_training_protein_without_a_vector(tables):
    write_vectors(tables / "vectors.parquet", dict(zip("ABC", on_circle(0, 5, 90), strict=True)))
    with pytest.raises(
        InputError, match="1 training proteins of the graph have no vector, first D"
    ):
        cluster(tables)


def test_a_training_protein_without_a_sequence(tables):
    write_proteins(tables / "proteins.parquet", {"A": "MKV", "B": "MKV", "C": "MKV"})
    with pytest.raises(InputError, match="have no sequence, first D; make the graph again"):
        cluster(tables)


def test_vectors_of_several_lengths(tables):
    points = {"A": [1.0], "B": [1.0], "C": [0.0, 1.0], "D": [1.0]}
    write_vectors(tables / "vectors.parquet", points)
    with pytest.raises(InputError, match=r"vectors have \[1, 2\] numbers"):
        cluster(tables)


def test_a_distance_below_zero(tables):
    with pytest.raises(InputError, match="knowledge.sampling.max_distance is -1"):
        cluster(tables, max_distance=-1)
