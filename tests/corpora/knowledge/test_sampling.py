import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers_triples import write_clusters, write_training_split, write_triples
from protscribe.atomic import read_json
from protscribe.corpora.knowledge.sampling import METHODS, draw, sample_triples
from protscribe.errors import InputError
from protscribe.tables import read_metadata, read_table

COMMON = "common"


@pytest.fixture
def world(tmp_path):
    """Two proteins in one cluster, a third alone, and a test protein that must not count."""
    terms = {"A": [COMMON, "rare"], "B": [COMMON], "C": [COMMON, "c1", "c2", "c3"], "T": [COMMON]}
    write_triples(
        tmp_path / "triples.parquet",
        terms,
        {"T": "test_low_homology"},
        {"rare": "ec", **dict.fromkeys(("c1", "c2", "c3"), "domain")},
    )
    write_training_split(tmp_path / "split.parquet", ["A", "B", "C"])
    write_clusters(tmp_path / "clusters.parquet", {"A": "A", "B": "A", "C": "C"})
    return tmp_path


def sample(folder, **changes):
    settings = {"method": "tempered", "draws": None, "power": -0.5, "seed": 0} | changes
    sample_triples(
        folder / "triples.parquet",
        folder / "split.parquet",
        folder / "clusters.parquet",
        folder / "sampled.parquet",
        folder / "report.json",
        **settings,
    )
    rows = read_table(folder / "sampled.parquet", "sampled_triples").to_pylist()
    draws = {(row["accession"], row["annotation"]): row["draws"] for row in rows}
    return draws, read_json(folder / "report.json")


PROTEIN_OF = np.array([0, 0, 1, 2, 2, 2, 2])
ANNOTATION_OF = np.array([0, 4, 0, 0, 1, 2, 3])
CLUSTER_OF = np.array([0, 0, 1])


def test_probabilities_by_hand():
    def chances(method):
        return METHODS[method](PROTEIN_OF, ANNOTATION_OF, CLUSTER_OF, -0.5)

    assert chances("uniform") == pytest.approx([1 / 7] * 7)
    # Two clusters; A and B share the first, A has two triples, C has four.
    published = [1 / 2 / 2 / 2] * 2 + [1 / 2 / 2] + [1 / 2 / 4] * 4
    assert chances("published") == pytest.approx(published)
    # The common term stands on three proteins, the others on one each.
    root = 3**-0.5
    tempered = [
        *(1 / 4 * root / (root + 1), 1 / 4 / (root + 1)),
        1 / 4,
        *(1 / 2 * root / (root + 3), *[1 / 2 / (root + 3)] * 3),
    ]
    assert chances("tempered") == pytest.approx(tempered)


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_sum_to_one_and_clusters_are_alike(method):
    rng = np.random.default_rng(0)
    proteins, triples = 300, 5000
    protein_of = np.concatenate([np.arange(proteins), rng.integers(0, proteins, triples)])
    annotation_of = rng.zipf(1.5, len(protein_of)) % 400
    cluster_of = np.concatenate([np.arange(90), rng.integers(0, 90, proteins - 90)])
    found = METHODS[method](protein_of, annotation_of, cluster_of, -0.5)
    assert found.sum() == pytest.approx(1)
    if method != "uniform":
        of_cluster = np.bincount(cluster_of[protein_of], weights=found)
        assert of_cluster == pytest.approx([1 / 90] * 90)


def test_draws_follow_the_probabilities():
    chances = np.array([0.5, 0.0, 0.25, 0.2, 0.05, 0.0])
    drawn = draw(chances, 100_000, seed=0)
    assert drawn.sum() == 100_000
    assert drawn[1] == drawn[5] == 0
    assert drawn / 100_000 == pytest.approx(chances, abs=0.01)
    assert (draw(chances, 1000, seed=0) == draw(chances, 1000, seed=0)).all()
    assert (draw(chances, 1000, seed=0) != draw(chances, 1000, seed=1)).any()


def test_the_table_and_its_report(world):
    found, report = sample(world, draws=20_000)
    assert "T" not in {accession for accession, _ in found}
    assert sum(found.values()) == report["draws"] == 20_000
    assert found["B", COMMON] / 20_000 == pytest.approx(1 / 4, abs=0.02)
    assert (report["triples"], report["proteins"], report["annotations"]) == (7, 3, 5)
    assert report["clusters"] == {
        "count": 2,
        "of_one": 1,
        "mean": 1.5,
        "median": 1.5,
        "largest": 2,
        "proteins_in_largest_tenth": pytest.approx(2 / 3, abs=1e-5),
    }
    assert sorted(report["methods"]) == ["published", "tempered", "uniform"]
    uniform = report["methods"]["uniform"]
    shares = np.array([3, 1, 1, 1, 1]) / 7
    assert uniform["overall"]["entropy"] == pytest.approx(
        -(shares * np.log2(shares)).sum(), abs=1e-5
    )
    assert uniform["overall"]["top_term"] == COMMON
    assert uniform["overall"]["top_share"] == pytest.approx(3 / 7, abs=1e-5)
    assert uniform["relations"]["domain"] == {
        "share": pytest.approx(3 / 7, abs=1e-5),
        "entropy": pytest.approx(np.log2(3), abs=1e-5),
        "top_term": "c1",
        "top_share": pytest.approx(1 / 3, abs=1e-5),
        "distinct_terms": 3.0,
        "distinct_triples": 3.0,
    }
    assert uniform["relations"]["ec"]["entropy"] == 0
    exact, drawn = report["methods"]["tempered"]["overall"], report["drawn"]["overall"]
    assert drawn["entropy"] == pytest.approx(exact["entropy"], abs=0.02)
    assert drawn["top_share"] == pytest.approx(exact["top_share"], abs=0.02)
    assert drawn["distinct_terms"] == 5
    assert read_metadata(world / "sampled.parquet")["sampling_method"] == "tempered"


def test_expected_terms_are_those_of_so_many_draws(world):
    _, report = sample(world, draws=2, method="uniform")
    shares = np.array([3, 1, 1, 1, 1]) / 7
    expected = (1 - (1 - shares) ** 2).sum()
    overall = report["methods"]["uniform"]["overall"]
    assert overall["distinct_terms"] == pytest.approx(expected, abs=1e-5)
    counts = []
    for seed in range(300):
        drawn = draw(np.full(7, 1 / 7), 2, seed)
        counts.append(len(set(ANNOTATION_OF[drawn > 0])))
    assert np.mean(counts) == pytest.approx(expected, abs=0.1)


def test_as_many_draws_as_training_triples_by_default(world):
    found, report = sample(world)
    assert sum(found.values()) == report["draws"] == 7
    assert min(found.values()) >= 1


def test_the_order_of_rows_does_not_matter(world):
    sample(world)
    expected = (world / "sampled.parquet").read_bytes(), (world / "report.json").read_bytes()
    for name in ("triples", "clusters", "split"):
        path = world / f"{name}.parquet"
        rows = pq.read_table(path)
        pq.write_table(rows.take(list(reversed(range(rows.num_rows)))), path)
    sample(world)
    assert (
        (world / "sampled.parquet").read_bytes(),
        (world / "report.json").read_bytes(),
    ) == expected


def test_the_published_formula_favours_sparse_proteins_and_tempering_raises_the_entropy(tmp_path):
    """As was found on real annotations: what little is known of a protein is what is common."""
    rng = random.Random(0)
    rare = [f"rare{j:03}" for j in range(400)]
    sparse = {f"S{i:03}": [COMMON, f"fair{i % 50:02}"] for i in range(100)}
    dense = {f"D{i:03}": [COMMON, *rng.sample(rare, 5)] for i in range(100)}
    terms = sparse | dense
    write_triples(tmp_path / "triples.parquet", terms)
    write_training_split(tmp_path / "split.parquet", list(terms))
    write_clusters(tmp_path / "clusters.parquet", {name: name for name in terms})
    found, report = sample(tmp_path, method="published", draws=20_000)
    from_sparse = sum(n for (accession, _), n in found.items() if accession in sparse) / 20_000
    assert from_sparse == pytest.approx(1 / 2, abs=0.02)
    assert sum(map(len, sparse.values())) / sum(map(len, terms.values())) == 1 / 4
    uniform, published, tempered = (
        report["methods"][name]["overall"] for name in ("uniform", "published", "tempered")
    )
    assert uniform["top_term"] == published["top_term"] == COMMON
    assert uniform["top_share"] == pytest.approx(1 / 4, abs=1e-5)
    assert published["top_share"] == pytest.approx((1 / 2 + 1 / 6) / 2, abs=1e-5)
    assert published["entropy"] < uniform["entropy"] - 0.5 < tempered["entropy"] - 1
    assert tempered["top_share"] < 0.1
    assert tempered["distinct_terms"] >= published["distinct_terms"]


def test_a_protein_that_is_not_for_training(world):
    write_training_split(world / "split.parquet", ["A", "C"])
    with pytest.raises(InputError, match="1 proteins are not in the training fold of .*: B"):
        sample(world)


def test_clusters_of_other_proteins(world):
    write_clusters(world / "clusters.parquet", {"A": "A", "C": "C"})
    with pytest.raises(InputError, match=r"holds other proteins .*rule cluster_knowledge"):
        sample(world)


def test_an_annotation_under_two_relations(world):
    table = pq.read_table(world / "triples.parquet")
    rows = table.to_pylist()
    next(row for row in rows if row["accession"] == "B")["relation"] = "domain"
    pq.write_table(pa.Table.from_pylist(rows, table.schema), world / "triples.parquet")
    with pytest.raises(InputError, match="annotation common stands under two relations"):
        sample(world)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "fair"}, "method is 'fair'; give one of uniform, published, tempered"),
        ({"draws": 0}, "draws is 0; give 1 or more, or null"),
        ({"power": 0.5}, "power is 0.5; give -10 to 0"),
    ],
)
def test_settings_that_do_not_fit(world, changes, said):
    with pytest.raises(InputError, match=said):
        sample(world, **changes)
