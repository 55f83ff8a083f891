"""Floors: what is known without a model, and what the published negatives give away."""

import json
import random
from collections import Counter

import numpy as np
import pytest

from helpers_classification import (
    question_row,
    write_lines,
    write_lmdb,
    write_ontology,
    write_tables,
    zipf_triples,
)
from helpers_data import natural_protein, plant_homologue
from protscribe.errors import InputError
from protscribe.evaluation.classification.floors import answer_floors, blind_prior, vote
from protscribe.evaluation.classification.labels import TaskLabels, term_odds
from protscribe.evaluation.classification.metrics import score_classification
from protscribe.evaluation.classification.neighbours import Neighbour
from protscribe.evaluation.classification.published import read_benchmarks
from protscribe.evaluation.classification.questions import make_questions
from protscribe.tables import read_metadata, read_table, write_table

TASK = "go_molecular_function"
FOLD = "test_low_homology"


@pytest.fixture
def answer(tmp_path):
    """Answer questions by floors and return the rows of each by question."""

    def run(questions, tables, *floors, terms=None, **options):
        outputs = {floor: tmp_path / f"{floor}.parquet" for floor in floors}
        answer_floors(questions, *tables, terms, outputs, **options)
        return {
            floor: {row["id"]: row for row in read_table(path, "option_scores").to_pylist()}
            for floor, path in outputs.items()
        }

    return run


@pytest.fixture
def accuracy(tmp_path):
    """Return the accuracy of a floor that was answered."""

    def run(floor, questions, split, task=TASK):
        output = tmp_path / "metrics.parquet"
        paths = [tmp_path / f"{floor}.parquet"]
        score_classification(paths, questions, split, output, resamples=20, seed=0)
        rows = read_table(output, "metrics").to_pylist()
        return [r["value"] for r in rows if r["metric"] == "accuracy" and r["task"] == task]

    return run


def ask(tmp_path, tables, *chosen, **options):
    path = tmp_path / "questions.parquet"
    make_questions(*tables, path, tmp_path / "rejects.parquet", chosen=chosen, **options)
    return path


def uniform_negatives(triples, vocabulary, seed=0):
    """Return records in the published way: negatives from the whole ontology."""
    rng = random.Random(seed)
    terms = {}
    for accession, _, term in triples:
        terms.setdefault(accession, []).append(term)
    records = []
    for number, (_, held) in enumerate(sorted(terms.items())):
        others = rng.sample(sorted(set(vocabulary) - set(held)), len(held))
        sequence = natural_protein(random.Random(number), 60)
        records.append({"sequence": sequence, "label": held, "negative_labels": others})
    return records


def test_published_negatives_are_known_without_the_protein_and_ours_are_not(
    tmp_path, answer, accuracy
):
    accessions = [f"P{i:03d}" for i in range(600)]
    folds = {one: "train" if i % 2 else FOLD for i, one in enumerate(accessions)}
    triples = zipf_triples(accessions, "molecular_function", 150, 4)
    tables = write_tables(tmp_path, folds, triples)
    # An ontology has many times the terms that proteins are annotated with.
    names = {f"GO:{number:07d}": f"name of {number}" for number in range(4000)}
    terms, ids = write_ontology(tmp_path, names)

    ours = ask(tmp_path, tables, TASK)
    answer([ours], tables, "blind_prior", "majority", terms=terms)
    assert len(read_table(ours, "questions")) > 1000
    (blind,) = accuracy("blind_prior", [ours], tables.split)
    assert abs(blind - 50) <= 5
    assert accuracy("majority", [ours], tables.split) == [50]

    tested = [triple for triple in triples if folds[triple[0]] == FOLD]
    records = uniform_negatives(tested, names)
    published = tmp_path / "published.parquet"
    read_benchmarks(
        [(TASK, write_lines(tmp_path / "test_mf.lm.json", records))],
        published,
        tmp_path / "rejects.parquet",
        terms=terms,
        ids=ids,
    )
    answer([published], tables, "blind_prior", terms=terms)
    (blind,) = accuracy("blind_prior", [published], tables.split, f"published_{TASK}")
    assert blind >= 90


def test_the_real_published_negatives_are_known_without_the_protein(shared_data):
    path = shared_data / "instructprotein" / "gene_ontology" / "sample_mf.lm.json"
    if not path.is_file():
        pytest.skip("needs the published files beside the project (shared/data/instructprotein)")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    # GO has some 11,000 molecular functions; the prior is that of the other proteins' terms.
    right = asked = 0
    for part in range(10):
        counts = Counter(
            term for i, one in enumerate(records) if i % 10 != part for term in one["label"]
        )
        for one in records[part::10]:
            terms = [*one["label"], *one["negative_labels"]]
            odds = term_odds(counts, terms, 11_000)
            right += sum(odds[term] > 1 for term in one["label"])
            right += sum(odds[term] < 1 for term in one["negative_labels"])
            asked += len(terms)
    assert asked == 1934
    assert right / asked >= 0.9


def test_term_odds():
    counts = {"a": 98, "b": 1, "c": 1}
    odds = term_odds(counts, ["a", "b", "new"], 10)
    # The average term of ten has ten annotations.
    assert odds["a"] == pytest.approx(9.8, rel=0.02)
    assert odds["b"] == pytest.approx(0.1, rel=0.1)
    assert 0 < odds["new"] < 0.01


def labels_of(found, rates, odds=None):
    return TaskLabels(sorted(found), found.__getitem__, rates, odds or {})


def test_votes_on_terms():
    labels = labels_of({"A": {"GO:0000001"}, "B": set()}, {"GO:0000001": 0.1})
    row = question_row("q")
    assert vote(row, labels, []).tolist() == [0.5, 0.5]
    # One vote of the weight of the prior: (0.1 + 1) / 2 over 0.1, as odds.
    odds = (0.55 / 0.45) * (0.9 / 0.1)
    assert vote(row, labels, [Neighbour("A", 1.0)])[0] == pytest.approx(odds / (1 + odds))
    assert vote(row, labels, [Neighbour("B", 1.0)])[0] < 0.5
    near = vote(row, labels, [Neighbour("A", 9.0), Neighbour("B", 1.0)])[0]
    far = vote(row, labels, [Neighbour("A", 1.0), Neighbour("B", 5.0)])[0]
    assert near > far > 0.5


def test_votes_on_classes_and_families():
    row = question_row("q", task="location_10", kind="choice", options=["x", "y", "z"], group=None)
    labels = labels_of({"A": ["x", "y"]}, {"x": 0.5, "y": 0.25, "z": 0.25})
    assert vote(row, labels, []) == pytest.approx([0.5, 0.25, 0.25])
    assert vote(row, labels, [Neighbour("A", 1.0)]) == pytest.approx(np.array([6, 5, 1]) / 12)
    assert blind_prior(row, labels) == pytest.approx([0.5, 0.25, 0.25])
    # Families among others as frequent: without a neighbour nothing is known.
    row["task"] = "pairing"
    assert vote(row, labels, []) == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    near = vote(row, labels, [Neighbour("A", 1.0)])
    assert near[1] > near[0] > near[2]


def test_homology_copies_from_the_nearest(tmp_path, answer, accuracy):
    rng = random.Random(3)
    places = ["Nucleus", "Secreted", "Cytoplasm", "Mitochondrion"]
    sequences, facts, folds, triples = {}, {}, {}, []
    for number in range(40):
        parent, child = f"T{number:02d}", f"X{number:02d}"
        sequences[parent] = natural_protein(rng, 150)
        sequences[child] = plant_homologue(rng, sequences[parent], 0.6, 0.9)
        for one in (parent, child):
            facts[one] = {"subcellular_location": [places[number % 4]]}
            folds[one] = "train" if one == parent else FOLD
            triples.append((one, "molecular_function", f"GO:{number % 7}"))
            triples.append((one, "family", f"family:{number % 12}"))
    tables = write_tables(tmp_path, folds, triples, facts=facts, sequences=sequences)
    chosen = ("location_10", "location_2", TASK, "pairing")
    questions = ask(tmp_path, tables, *chosen)
    found = answer([questions], tables, "homology", "majority", "blind_prior")
    assert found["homology"].keys() == found["majority"].keys() == found["blind_prior"].keys()
    for task in ("location_10", TASK, "pairing"):
        assert accuracy("homology", [questions], tables.split, task)[0] > 90, task
    assert accuracy("majority", [questions], tables.split, "location_10")[0] == 25
    assert accuracy("majority", [questions], tables.split, "pairing")[0] == pytest.approx(10)
    facts = read_metadata(tmp_path / "homology.parquet")
    assert facts == {"predictor": "homology", "training_examples": "40", "training_steps": "0"}


def test_published_proteins_are_answered_from_our_training(tmp_path, answer):
    rng = random.Random(4)
    sequences = {f"T{i}": natural_protein(rng, 150) for i in range(10)}
    facts = {
        one: {
            "subcellular_location": ["Nucleus" if i % 2 else "Secreted"],
            "keywords": ["Metal-binding"] if i % 2 else ["Transferase"],
        }
        for i, one in enumerate(sequences)
    }
    triples = [(one, "molecular_function", "GO:0016740") for one in sequences]
    tables = write_tables(
        tmp_path, dict.fromkeys(sequences, "train"), triples, facts=facts, sequences=sequences
    )
    published = [plant_homologue(rng, sequence, 0.7, 0.9) for sequence in sequences.values()]
    records = [{"primary": s, "localization": 6 if i % 2 else 9} for i, s in enumerate(published)]
    two = [{"primary": sequence, "localization": 1} for sequence in published]
    fold = {"name": "d", "sequence": published[0], "fold": "a.1", "negative_labels": ["b.1"]}
    questions = tmp_path / "published.parquet"
    read_benchmarks(
        [
            ("location_10", write_lmdb(tmp_path / "ten.lmdb", records)),
            ("location_2_words", write_lmdb(tmp_path / "two.lmdb", two)),
            (
                "metal_ion_binding",
                write_lines(
                    tmp_path / "metal.txt", [f"{s}\t{i % 2}" for i, s in enumerate(published)]
                ),
            ),
            ("pairing", write_lines(tmp_path / "folds.json", [fold])),
        ],
        questions,
        tmp_path / "rejects.parquet",
    )
    found = answer([questions], tables, "homology", "blind_prior")["homology"]
    rows = {row["id"]: row for row in read_table(questions, "questions").to_pylist()}
    # No training protein has a fold of SCOPe, so nothing is said about it.
    assert rows.keys() - found.keys() == {
        row["id"] for row in rows.values() if row["task"] == "published_pairing"
    }
    right = {
        name: int(np.argmax(row["log_likelihoods"])) in rows[name]["truth"]
        for name, row in found.items()
    }
    assert len(right) == 30 and all(right.values())


def test_embeddings_answer_for_what_is_in_the_store(tmp_path, answer):
    from protscribe.embeddings.store import embed_proteins
    from tiny_models import write_tiny_encoder

    rng = random.Random(5)
    sequences = {f"T{i}": natural_protein(rng, 60) for i in range(6)}
    sequences |= {f"X{i}": sequences[f"T{i}"][:-1] + "W" for i in range(6)}
    folds = {one: "train" if one[0] == "T" else FOLD for one in sequences}
    triples = [(one, "molecular_function", f"GO:{int(one[1]) % 3}") for one in sequences]
    tables = write_tables(tmp_path, folds, triples, sequences=sequences)
    part = write_tables(
        tmp_path / "part",
        {one: fold for one, fold in folds.items() if one != "X5"},
        [],
        sequences={one: s for one, s in sequences.items() if one != "X5"},
    )
    options = {"cache": tmp_path / "cache", "layer": -1, "max_residues": 80}
    options |= {"special_tokens": True, "dtype": "float32", "device": "cpu", "threads": 1}
    options |= {"batch_tokens": 500, "shard_tokens": 500}
    store = tmp_path / "store"
    embed_proteins(part.proteins, write_tiny_encoder(tmp_path / "esm"), store, **options)
    questions = ask(tmp_path, tables, TASK)
    asked = {row["id"]: row for row in read_table(questions, "questions").to_pylist()}
    found = answer([questions], tables, "embedding_knn", embeddings=store)["embedding_knn"]
    assert {asked[name]["accession"] for name in found} == {f"X{i}" for i in range(5)}
    with pytest.raises(InputError, match="embedding_knn needs a store of embeddings"):
        answer([questions], tables, "embedding_knn")


def test_ancestors_of_what_neighbours_have_count(tmp_path, answer):
    rng = random.Random(6)
    sequence = natural_protein(rng, 120)
    folds = {"T": "train", "U": "train", "A": FOLD, "B": FOLD}
    sequences = {"T": sequence, "A": sequence[:-1] + "W", "B": natural_protein(rng, 120)}
    triples = [("T", "GO:3"), ("U", "GO:8"), ("A", "GO:2"), ("B", "GO:8")]
    tables = write_tables(
        tmp_path,
        folds,
        [(accession, "molecular_function", term) for accession, term in triples],
        ancestors=[("GO:3", "GO:2")],
        sequences=sequences,
    )
    questions = ask(tmp_path, tables, TASK)
    row = answer([questions], tables, "homology")["homology"][f"{TASK}:A:GO:2"]
    assert row["log_likelihoods"][0] > row["log_likelihoods"][1]


def test_a_floor_that_can_answer_nothing(tmp_path, answer, accuracy):
    tables = write_tables(tmp_path, {"T": "train"}, [("T", "molecular_function", "GO:1")])
    fold = {"name": "d", "sequence": "MKV", "fold": "a.1", "negative_labels": ["b.1"]}
    questions = tmp_path / "published.parquet"
    path = write_lines(tmp_path / "folds.json", [fold])
    read_benchmarks([("pairing", path)], questions, tmp_path / "rejects.parquet")
    assert answer([questions], tables, "majority", "homology") == {"majority": {}, "homology": {}}
    assert accuracy("majority", [questions], tables.split) == []


def test_bad_input(tmp_path, answer):
    folds = {"A": FOLD, "B": FOLD}
    triples = [(one, "molecular_function", f"GO:{one}") for one in folds]
    tables = write_tables(tmp_path, folds, triples)
    questions = ask(tmp_path, tables, TASK)
    with pytest.raises(InputError, match="no protein is in the training fold"):
        answer([questions], tables, "majority")
    with pytest.raises(InputError, match="guess is no floor; choose among majority"):
        answer([questions], tables, "guess")
    more = write_tables(tmp_path / "more", folds | {"T": "train"}, triples)
    with pytest.raises(InputError, match="lacks training proteins of"):
        answer([questions], tables._replace(split=more.split), "majority")
    wrong = write_tables(
        tmp_path / "wrong", folds | {"T": "train"}, [("A", "molecular_function", "GO:A")]
    )
    rows = read_table(wrong.triples, "knowledge_triples").to_pylist()
    write_table(wrong.triples, "knowledge_triples", [row | {"fold": "train"} for row in rows])
    with pytest.raises(InputError, match="has A in training, which is not in the split's"):
        answer([questions], wrong, "majority")
