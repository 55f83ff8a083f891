"""Hard negatives: safe for the protein, and not given away by how frequent an annotation is."""

import random
from collections import Counter

import numpy as np
import pytest

from helpers_instructions import Desk, make_crowd, make_desk
from protscribe.corpora.knowledge.facts import read_facts
from protscribe.corpora.knowledge.negatives import Lineage, strata
from protscribe.corpora.knowledge.relations import UNINFORMATIVE
from protscribe.tables import write_table

FOLDS = ("train", "validation", "test_in_distribution", "test_low_homology")


def crowd(tmp_path, proteins=900, terms=120, seed=0):
    """Return proteins whose annotations lie in a tree, a few of them on nearly every protein."""
    rng = random.Random(seed)
    ids = [f"GO:{n:03}" for n in range(terms)]
    edges = [(ids[n], ids[n // 3]) for n in range(3, terms)]
    weights = [1 / (1 + n % 40) for n in range(terms)]
    owned = {}
    for n in range(proteins):
        count = rng.randint(1, 6)
        owned[f"P{n:04}"] = sorted(set(rng.choices(ids, weights, k=count)))
    folds = {a: rng.choices(FOLDS, [16, 1, 2, 2])[0] for a in owned}
    return make_crowd(tmp_path, owned, folds, edges)


def verified(desk: Desk, **settings):
    rows = desk.write(tasks={"verify": 1.0}, max_held_out=50, **settings)
    return [(row, row["turns"][1]["content"].startswith("Yes")) for row in rows]


def above(edges):
    """Return all that each annotation implies, found step by step."""
    parents: dict[str, set[str]] = {}
    for child, parent in edges:
        parents.setdefault(child, set()).add(parent)
    found: dict[str, set[str]] = {}
    for name in set(parents) | {p for ps in parents.values() for p in ps}:
        seen: set[str] = set()
        while more := {p for c in seen | {name} for p in parents.get(c, ())} - seen:
            seen |= more
        found[name] = seen
    return found


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    desk = crowd(tmp_path_factory.mktemp("crowd"))
    return desk, verified(desk)


def test_no_negative_is_or_may_be_an_annotation_of_the_protein(busy):
    desk, asked = busy
    implied = above([(r["child"], r["parent"]) for r in desk.rows("edges")])
    own: dict[str, set[str]] = {}
    for row in desk.rows("triples"):
        own.setdefault(row["accession"], set()).add(row["annotation"])
    negatives = [row for row, yes in asked if not yes]
    assert len(negatives) > 500
    for row in negatives:
        name, had = row["evidence_span"], own[row["accession"]]
        assert name not in had
        assert not any(name in implied.get(annotation, ()) for annotation in had)
        assert not had & implied.get(name, set())
    assert all(row["evidence_span"] in own[row["accession"]] for row, yes in asked if yes)


def test_half_are_negative_in_every_fold(busy):
    desk, asked = busy
    for fold in FOLDS:
        answers = [yes for row, yes in asked if row["fold"] == fold]
        assert len(answers) > 80
        assert np.mean(answers) == pytest.approx(0.5, abs=0.04)
    counts = desk.statistics()["written"]["verify"]
    assert {fold: sum(both.values()) for fold, both in counts.items()} == Counter(
        row["fold"] for row, _ in asked
    )


def test_frequency_alone_answers_no_better_than_chance(busy):
    desk, asked = busy
    prior = desk.statistics()["plan"]["blind_prior"]
    for fold in ("test_in_distribution", "test_low_homology"):
        assert prior[fold]["questions"] > 80
        assert abs(prior[fold]["accuracy"] - 0.5) < 0.06
    # Not even which annotation it is tells more, where it was asked often in training.
    learned: dict[str, list[bool]] = {}
    for row, yes in asked:
        if row["fold"] == "train":
            learned.setdefault(row["evidence_span"], []).append(yes)
    right = [
        (np.mean(learned[row["evidence_span"]]) > 0.5) == yes
        for row, yes in asked
        if row["fold"].startswith("test") and len(learned.get(row["evidence_span"], ())) > 10
    ]
    assert len(right) > 150 and abs(np.mean(right) - 0.5) < 0.09


def test_the_prior_is_measured_as_it_would_be_by_hand(busy):
    desk, asked = busy
    frequency = Counter(r["annotation"] for r in desk.rows("triples") if r["fold"] == "train")
    folds = np.array([row["fold"] for row, _ in asked])
    times = np.array([frequency[row["evidence_span"]] for row, _ in asked])
    yes = np.array([answer for _, answer in asked])
    learned = folds == "train"
    rules = [(t, up) for t in [*sorted(set(times)), np.inf] for up in (True, False)]
    right = [np.mean((((times >= t) == up) == yes)[learned]) for t, up in rules]
    found = desk.statistics()["plan"]["blind_prior"]["train"]
    assert found["accuracy"] == pytest.approx(max(right), abs=1e-4)


def test_uniform_negatives_would_be_told_by_frequency(busy):
    # What the published benchmark does: any annotation that the protein lacks.
    desk, asked = busy
    rng = random.Random(1)
    names = sorted({r["annotation"] for r in desk.rows("triples")})
    frequency = Counter(r["annotation"] for r in desk.rows("triples") if r["fold"] == "train")
    yes = [frequency[row["evidence_span"]] for row, answer in asked if answer]
    no = [frequency[rng.choice(names)] for _ in yes]
    best = max((np.mean(np.array(yes) >= t) + np.mean(np.array(no) < t)) / 2 for t in set(yes))
    found = desk.statistics()["plan"]["blind_prior"]["train"]["accuracy"]
    assert best > 0.6 > 0.55 > found


def test_who_has_everything_is_asked_nothing_false(tmp_path):
    owned = {"ALL": ["GO:1", "GO:2", "GO:3"], "ONE": ["GO:1"]}
    desk = make_crowd(tmp_path, owned, dict.fromkeys(owned, "train"), [])
    desk.sample(8)
    asked = verified(desk)
    assert not [row for row, yes in asked if row["accession"] == "ALL" and not yes]
    reasons = Counter(r["reason"] for r in desk.rejects())
    assert reasons["no safe negative"] > 0 and reasons["no negative to balance it"] > 0
    assert len(asked) + reasons.total() == 32


def test_an_edge_of_any_kind_makes_an_annotation_unsafe(tmp_path):
    # P1 has the domain; what the domain points to may be true of it.
    owned = {"P1": ["GO:1"], "P2": ["GO:2"], "P3": ["GO:3"]}
    desk = make_crowd(
        tmp_path, owned, dict.fromkeys(owned, "train"), [("GO:1", "X"), ("X", "GO:2")]
    )
    names = ("triples", "annotations", "sampled", "proteins", "split")
    facts = read_facts(*(desk.path(name) for name in names))
    place = {name: n for n, name in enumerate(facts.ids)}
    lineage = Lineage(facts, desk.path("edges"), None)
    assert lineage.ancestors(place["GO:1"]) == {place["X"], place["GO:2"]}
    safe = {
        (facts.accessions[p], name)
        for p in range(3)
        for name in owned["P1"] + owned["P2"] + owned["P3"]
        if lineage.is_safe(p, place[name])
    }
    assert safe == {("P1", "GO:3"), ("P2", "GO:3"), ("P3", "GO:1"), ("P3", "GO:2")}
    # The closure alone says the same.
    desk.change("edges", [])
    closure = desk.root / "closure.parquet"
    row = {"descendant": "GO:1", "ancestor": "GO:2", "distance": 2}
    write_table(closure, "ontology_closure", [row])
    assert not Lineage(facts, desk.path("edges"), closure).is_safe(1, place["GO:1"])
    assert Lineage(facts, desk.path("edges"), None).is_safe(1, place["GO:1"])


def test_a_cycle_among_edges_ends(tmp_path):
    owned = {"P1": ["GO:1"], "P2": ["GO:2"]}
    edges = [("GO:1", "GO:2"), ("GO:2", "GO:1")]
    desk = make_crowd(tmp_path, owned, dict.fromkeys(owned, "train"), edges)
    names = ("triples", "annotations", "sampled", "proteins", "split")
    facts = read_facts(*(desk.path(name) for name in names))
    assert Lineage(facts, desk.path("edges"), None).ancestors(0) == {1}


def test_the_world_has_no_negative_that_says_nothing(tmp_path):
    desk = make_desk(tmp_path)
    desk.sample(8)
    asked = verified(desk)
    assert not [row for row, _ in asked if row["evidence_span"] in UNINFORMATIVE]
    assert sum(not yes for _, yes in asked) > 200


def test_strata():
    frequency = np.array([0, 1, 2, 3, 6, 7, 14, 15])
    assert strata(frequency).tolist() == [0, 1, 1, 2, 2, 3, 3, 4]


def test_published_negatives_are_given_away_by_their_frequency(tmp_path):
    """They are any other annotation of the relation, most of them rare."""
    desk = crowd(tmp_path)
    own: dict[str, set[str]] = {}
    frequency: Counter[str] = Counter()
    for row in desk.rows("triples"):
        own.setdefault(row["accession"], set()).add(row["annotation"])
        frequency[row["annotation"]] += row["fold"] == "train"
    right = {}
    for method in ("matched", "uniform"):
        asked = verified(desk, negatives=method)
        assert not any(
            row["evidence_span"] in own[row["accession"]] for row, yes in asked if not yes
        )
        limit = np.median([frequency[row["evidence_span"]] for row, _ in asked])
        said = [(frequency[row["evidence_span"]] > limit) == yes for row, yes in asked]
        right[method] = sum(said) / len(said)
    assert abs(right["matched"] - 0.5) < 0.05
    assert right["uniform"] > 0.65
