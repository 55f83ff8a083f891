import json
import random
from itertools import combinations

import numpy as np
import pytest
import torch

from helpers_triples import write_triples
from protscribe.corpora.knowledge.numbered_graph import read_graph
from protscribe.corpora.knowledge.transe import embed_knowledge, train
from protscribe.errors import InputError
from protscribe.tables import read_metadata, read_table, write_table

SETTINGS = {
    "dim": 16,
    "margin": 1.0,
    "epochs": 60,
    "learning_rate": 0.1,
    "batch_size": 64,
    "negatives": 4,
}
GROUPS, MEMBERS, TERMS = 6, 12, 8
RELATION_OF = {f"T{g}.{t}": f"relation{t % 3}" for g in range(GROUPS) for t in range(TERMS)}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


def make_groups() -> dict[str, list[str]]:
    """Return six groups of twelve proteins, each group with eight terms of its own."""
    return {
        f"P{group}.{member:02}": [f"T{group}.{term}" for term in range(TERMS)]
        for group in range(GROUPS)
        for member in range(MEMBERS)
    }


def embed(triples, output, *, edges=None, seed=0, threads=1, **settings):
    embed_knowledge(
        triples,
        edges,
        output,
        settings=SETTINGS | settings,
        seed=seed,
        device="cpu",
        threads=threads,
    )
    return {row["id"]: row for row in read_table(output, "knowledge_vectors").to_pylist()}


def filtered_ranks(vectors, known, held) -> list[int]:
    """Return the rank of each held-out term among all terms that are not known triples."""
    terms = sorted(name for name, row in vectors.items() if row["kind"] == "annotation")
    points = np.array([vectors[term]["vector"] for term in terms])
    ranks = []
    for accession, term in held:
        goal = np.add(
            vectors[accession]["vector"], vectors[f"relation:{RELATION_OF[term]}"]["vector"]
        )
        distance = dict(zip(terms, np.linalg.norm(points - goal, axis=1), strict=True))
        rivals = set(terms) - set(known[accession]) - {term}
        ranks.append(1 + sum(distance[rival] < distance[term] for rival in rivals))
    return ranks


def test_held_out_terms_are_ranked_far_better_than_by_chance(tmp_path):
    whole, rng = make_groups(), random.Random(0)
    held = [(accession, rng.choice(terms)) for accession, terms in whole.items()]
    known = {a: [t for t in whole[a] if t != out] for a, out in held}
    triples = write_triples(tmp_path / "triples.parquet", known, relation_of=RELATION_OF)
    ranks = filtered_ranks(embed(triples, tmp_path / "vectors.parquet"), known, held)
    rivals = GROUPS * TERMS - (TERMS - 1)
    assert np.mean(ranks) < 2.5
    assert np.mean(ranks) < (rivals + 1) / 2 / 8
    # The same vectors under each other's names know nothing.
    shuffled = {
        a: whole[b] for a, b in zip(whole, rng.sample(list(whole), len(whole)), strict=True)
    }
    mixed = write_triples(tmp_path / "mixed.parquet", shuffled, relation_of=RELATION_OF)
    wrong = filtered_ranks(embed(mixed, tmp_path / "wrong.parquet"), known, held)
    assert np.mean(wrong) > 3 * np.mean(ranks)


def test_proteins_with_the_same_terms_are_near_and_others_are_about_orthogonal(tmp_path):
    triples = write_triples(tmp_path / "triples.parquet", make_groups(), relation_of=RELATION_OF)
    vectors = embed(triples, tmp_path / "vectors.parquet")
    points = {
        name: np.array(row["vector"]) for name, row in vectors.items() if row["kind"] == "protein"
    }
    same, others = [], []
    for a, b in combinations(points, 2):
        (same if a[:2] == b[:2] else others).append(np.linalg.norm(points[a] - points[b]))
    assert max(same) < 0.5
    assert min(others) > 2 * max(same)
    # The published limit of 1.4 means something only where strangers are about that far apart.
    assert np.median(others) == pytest.approx(2**0.5, abs=0.25)


def test_what_is_written(tmp_path):
    terms = {"P1": ["a", "b"], "P2": ["a", "c"], "Q1": ["a", "only of a test protein"]}
    folds = {"Q1": "test_low_homology"}
    triples = write_triples(tmp_path / "triples.parquet", terms, folds)
    vectors = embed(triples, tmp_path / "vectors.parquet", dim=8)
    kinds = {name: row["kind"] for name, row in vectors.items()}
    assert kinds == {
        **dict.fromkeys(["P1", "P2"], "protein"),
        **dict.fromkeys(["a", "b", "c"], "annotation"),
        "relation:keyword": "relation",
    }
    for row in vectors.values():
        assert len(row["vector"]) == 8
        if row["kind"] != "relation":
            assert np.linalg.norm(row["vector"]) == pytest.approx(1, abs=1e-6)
    facts = read_metadata(tmp_path / "vectors.parquet")
    assert json.loads(facts["transe_settings"]) == SETTINGS | {"dim": 8}
    assert (facts["transe_seed"], facts["transe_triples"]) == ("0", "4")
    assert 0 <= float(facts["transe_final_loss"]) < SETTINGS["margin"]


def test_test_proteins_change_nothing(tmp_path):
    terms, folds = make_groups(), {"Q1": "test_temporal", "Q2": "validation"}
    alone = write_triples(tmp_path / "alone.parquet", terms)
    more = terms | {"Q1": ["T0.0", "x"], "Q2": ["T1.0"]}
    beside = write_triples(tmp_path / "beside.parquet", more, folds)
    assert embed(alone, tmp_path / "a.parquet", epochs=2) == embed(
        beside, tmp_path / "b.parquet", epochs=2
    )


def test_two_runs_give_the_same_bytes_on_any_number_of_threads(tmp_path):
    triples = write_triples(tmp_path / "triples.parquet", make_groups(), relation_of=RELATION_OF)
    for name, threads, seed in (("a", 1, 0), ("b", 2, 0), ("c", 1, 1)):
        embed(triples, tmp_path / name, threads=threads, seed=seed, epochs=5, batch_size=512)
    torch.set_num_threads(1)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_edges_above_the_terms_join_and_others_do_not(tmp_path):
    triples = write_triples(tmp_path / "triples.parquet", {"P1": ["a", "b"], "P2": ["b"]})
    rows = [
        ("a", "is_a", "above"),
        ("above", "part_of", "top"),
        ("stranger", "is_a", "above"),
        ("top", "is_a", "a"),
    ]
    columns = ("child", "relation", "parent")
    edges = [dict(zip(columns, row, strict=True), source="ontology") for row in rows]
    write_table(tmp_path / "edges.parquet", "knowledge_edges", edges)
    graph = read_graph(triples, tmp_path / "edges.parquet")
    assert graph.annotations == ["a", "above", "b", "top"]
    assert graph.relations == ["is_a", "keyword", "part_of"]
    names = graph.proteins + graph.annotations
    found = {(names[h], graph.relations[r], names[t]) for h, r, t in graph.triples.tolist()}
    own = {("P1", "keyword", "a"), ("P1", "keyword", "b"), ("P2", "keyword", "b")}
    assert found == own | {rows[0], rows[1], rows[3]}
    vectors = embed(triples, tmp_path / "v.parquet", edges=tmp_path / "edges.parquet", epochs=2)
    assert vectors["top"]["kind"] == "annotation"
    assert "stranger" not in vectors


def test_known_triples_are_never_negatives(tmp_path):
    # Every protein has every term: whatever replaces a head or a tail gives a known triple.
    full = {f"P{i}": ["a", "b", "c"] for i in range(4)}
    graph = read_graph(write_triples(tmp_path / "full.parquet", full), None)
    before = train(graph, SETTINGS | {"epochs": 1}, seed=0, device="cpu")
    after = train(graph, SETTINGS | {"epochs": 4}, seed=0, device="cpu")
    assert after[2] == 0
    # Without negatives there is nothing to learn, however long one trains.
    assert torch.allclose(before[0], after[0])
    assert torch.allclose(before[1], after[1])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dim": 0}, "knowledge.embedding.dim is 0; give a whole number above 0"),
        ({"epochs": 1.5}, "epochs is 1.5; give a whole number"),
        ({"margin": -1.0}, "margin is -1.0; give a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"negatives": True}, "negatives is True"),
        ({"width": 3}, "missing or unknown: width"),
    ],
)
def test_settings_that_do_not_fit(tmp_path, changes, said):
    triples = write_triples(tmp_path / "triples.parquet", {"P1": ["a"]})
    with pytest.raises(InputError, match=said):
        embed(triples, tmp_path / "vectors.parquet", **changes)


def test_an_id_of_two_kinds(tmp_path):
    triples = write_triples(tmp_path / "triples.parquet", {"P1": ["P2"], "P2": ["a"]})
    with pytest.raises(InputError, match="P2 is both a protein and an annotation"):
        embed(triples, tmp_path / "vectors.parquet")
