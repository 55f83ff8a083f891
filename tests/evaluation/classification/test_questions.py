"""Benchmarks from our own tables: what is asked, of whom, and what cannot be known beforehand."""

from collections import Counter

import pytest

from helpers_classification import write_tables, zipf_triples
from protscribe.errors import InputError
from protscribe.evaluation.classification import tasks
from protscribe.evaluation.classification.questions import make_questions
from protscribe.tables import read_table

TASK = "go_molecular_function"
FOLD = "test_low_homology"


@pytest.fixture
def ask(tmp_path):
    def run(tables, *chosen, **options):
        output, rejects = tmp_path / "questions.parquet", tmp_path / "rejects.parquet"
        make_questions(*tables, output, rejects, chosen=chosen or tasks.OWN_TASKS, **options)
        rows = read_table(output, "questions").to_pylist()
        dropped = read_table(rejects, "rejects").to_pylist()
        return rows, {row["key"]: row["reason"] for row in dropped}

    return run


def pairs(rows, answer):
    return [(r["accession"], r["group"]) for r in rows if r["options"][r["truth"][0]] == answer]


def test_terms_are_as_often_wrong_as_right(tmp_path, ask):
    folds = {f"P{i:03d}": "train" if i % 3 else FOLD for i in range(300)}
    triples = zipf_triples(list(folds), "molecular_function", 80, 4)
    rows, dropped = ask(write_tables(tmp_path, folds, triples), TASK)
    yes, no = pairs(rows, "yes"), pairs(rows, "no")
    assert len(yes) > 200
    assert Counter(term for _, term in yes) == Counter(term for _, term in no)
    assert Counter(protein for protein, _ in yes) == Counter(protein for protein, _ in no)
    held = {(accession, term) for accession, _, term in triples}
    assert set(yes) <= held and not set(no) & held
    # What is not asked is accounted for, and nobody outside the fold is asked about.
    tested = {pair for pair in held if folds[pair[0]] == FOLD}
    assert len(yes) + len(dropped) == len(tested)
    assert set(dropped.values()) <= {"no_negative"}
    assert {row["fold"] for row in rows} == {FOLD}
    assert rows[0]["question"].endswith(f"associate with name of {rows[0]['group']}?")


def test_relatives_are_no_negatives(tmp_path, ask):
    # A grandchild, a child and its parent, and terms of others that are related or not.
    ancestors = [("GO:1", "GO:2"), ("GO:1", "GO:3"), ("GO:2", "GO:3")]
    triples = [("A", "GO:2"), ("B", "GO:1"), ("C", "GO:3"), ("D", "GO:9"), ("E", "GO:8")]
    triples += [("F", "GO:7")]
    rows, _ = ask(
        write_tables(
            tmp_path,
            dict.fromkeys("ABCDEF", FOLD),
            [(accession, "molecular_function", term) for accession, term in triples],
            ancestors=ancestors,
        ),
        TASK,
    )
    related = {"GO:1", "GO:2", "GO:3"}
    for accession, term in pairs(rows, "no"):
        assert not (accession in "ABC" and term in related)
    # All of the related ones can be dealt to the others.
    assert len(rows) == 12


def test_annotations_of_other_aspects_count_as_well(tmp_path, ask):
    triples = [("A", "molecular_function", "GO:1"), ("B", "molecular_function", "GO:2")]
    folds = dict.fromkeys("AB", FOLD)
    rows, _ = ask(write_tables(tmp_path, folds, triples), TASK)
    assert pairs(rows, "no") == [("A", "GO:2"), ("B", "GO:1")]
    # A part of what GO:2 is a part of: an ancestor across aspects.
    triples.append(("A", "cellular_component", "GO:5"))
    with pytest.raises(InputError, match="no test protein has an annotation to ask about"):
        ask(write_tables(tmp_path, folds, triples, ancestors=[("GO:5", "GO:2")]), TASK)


def test_caps_keep_degrees_and_take_the_same_ones_again(tmp_path, ask):
    folds = dict.fromkeys([f"P{i:03d}" for i in range(80)], FOLD)
    triples = zipf_triples(list(folds), "molecular_function", 60, 6)
    tables = write_tables(tmp_path, folds, triples)
    rows, _ = ask(tables, TASK, questions_per_protein=4)
    assert max(Counter(row["accession"] for row in rows).values()) <= 4
    assert Counter(t for _, t in pairs(rows, "yes")) == Counter(t for _, t in pairs(rows, "no"))
    fewer, _ = ask(tables, TASK, questions_per_protein=4, proteins_per_fold=20)
    assert len({row["accession"] for row in fewer}) <= 20
    assert set(pairs(fewer, "yes")) & set(pairs(rows, "yes"))
    one, _ = ask(tables, TASK, questions_per_protein=1)
    assert set(Counter(row["accession"] for row in one).values()) == {2}


def test_same_bytes_again_and_other_negatives_by_seed(tmp_path, ask):
    folds = dict.fromkeys([f"P{i:03d}" for i in range(40)], FOLD)
    tables = write_tables(tmp_path, folds, zipf_triples(list(folds), "molecular_function", 40, 3))
    ask(tables, TASK, seed=1)
    first = (tmp_path / "questions.parquet").read_bytes()
    ask(tables, TASK, seed=1)
    assert (tmp_path / "questions.parquet").read_bytes() == first
    ask(tables, TASK, seed=2)
    assert (tmp_path / "questions.parquet").read_bytes() != first


def test_locations_metal_and_membranes(tmp_path, ask):
    facts = {
        "A": {"subcellular_location": ["Nucleus", "Cytoplasm"], "keywords": ["Metal-binding"]},
        "B": {"subcellular_location": ["Cell membrane; Multi-pass membrane protein"]},
        "C": {"subcellular_location": ["Endosome"], "keywords": ["Metal-binding"]},
        "D": {"subcellular_location": []},
        "T": {"subcellular_location": ["Nucleus"]},
    }
    folds = dict.fromkeys("ABCD", FOLD) | {"T": "train"}
    triples = [("B", "molecular_function", "GO:0003824")]
    rows, dropped = ask(
        write_tables(tmp_path, folds, triples, facts=facts),
        *("location_10", "location_2", "metal_ion_binding"),
    )
    truths = {row["id"]: [row["options"][i] for i in row["truth"]] for row in rows}
    metal = {name: truth for name, truth in truths.items() if name.startswith("metal")}
    # Two bind a metal, one does not: one of the two is asked about.
    assert sorted(metal.values()) == [["no"], ["yes"]]
    assert dropped["metal_ion_binding:D"] == "undecided"
    assert sorted(
        dropped[f"metal_ion_binding:{one}"] for one in "AC" if f"metal_ion_binding:{one}" in dropped
    ) == ["not_balanced"]
    assert {n: t for n, t in truths.items() if n.startswith("location")} == {
        "location_10:A": ["cytoplasm", "nucleus"],
        "location_10:B": ["plasma membrane"],
        "location_2:A": ["soluble"],
        "location_2:B": ["membrane-bound"],
        "location_2:C": ["soluble"],
    }
    assert dropped["location_10:C"] == "no_class"
    assert dropped["location_2:D"] == "undecided"


def test_what_says_nothing_or_has_no_name_is_not_asked(tmp_path, ask):
    triples = [("A", "GO:1"), ("A", "GO:0005515"), ("B", "GO:2"), ("B", "GO:3"), ("C", "GO:4")]
    rows, dropped = ask(
        write_tables(
            tmp_path,
            dict.fromkeys("ABC", FOLD),
            [(accession, "molecular_function", term) for accession, term in triples],
            nameless=["GO:3"],
        ),
        TASK,
    )
    assert dropped[f"{TASK}:A:GO:0005515"] == "uninformative"
    assert dropped[f"{TASK}:B:GO:3"] == "no_name"
    assert {row["group"] for row in rows} <= {"GO:1", "GO:2", "GO:4"}


def test_the_most_frequent_family_is_no_better_than_chance(tmp_path, ask):
    folds = dict.fromkeys([f"P{i:03d}" for i in range(400)], FOLD)
    triples = zipf_triples(list(folds), "family", 120, 1)
    rows, dropped = ask(write_tables(tmp_path, folds, triples), "pairing")
    # The most frequent family has more than a tenth of the proteins.
    assert set(dropped.values()) == {"too_frequent"}
    assert len(rows) > 300 and len(rows) + len(dropped) == 400
    assert {len(row["options"]) for row in rows} == {10}
    frequency = Counter(tasks.pairing_option(f"name of {term}") for _, _, term in triples)
    held = {accession: f"name of {term}" for accession, _, term in triples}
    right = 0.0
    for row in rows:
        truth = row["options"][row["truth"][0]]
        assert truth == tasks.pairing_option(held[row["accession"]])
        most = max(frequency[option] for option in row["options"])
        best = [option for option in row["options"] if frequency[option] == most]
        right += (truth in best) / len(best)
    assert 0.05 < right / len(rows) < 0.13


def test_families_of_a_small_fold(tmp_path, ask):
    triples = [("A", "F1"), ("B", "F2"), ("C", "F3"), ("C", "F6"), ("D", "F4"), ("E", "F5")]
    folds = dict.fromkeys("ABCDEG", FOLD)
    tables = write_tables(tmp_path, folds, [(a, "family", f) for a, f in triples])
    rows, dropped = ask(tables, "pairing", options=3)
    assert {len(row["options"]) for row in rows} == {3}
    assert dropped == {"pairing:G": "no_family"}
    of = {row["accession"]: row for row in rows}
    own = {tasks.pairing_option(f"name of {family}") for family in ("F3", "F6")}
    assert len(own & set(of["C"]["options"])) == 1
    # With fewer families than options, all of them.
    rows, dropped = ask(tables, "pairing", options=10)
    assert max(len(row["options"]) for row in rows) <= 5
    assert len(rows) + len(dropped) == 6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"options": 1}, "options must be 2 or more"),
        ({"questions_per_protein": 0}, "limits 1 or more"),
        ({"proteins_per_fold": -1}, "limits 1 or more"),
    ],
)
def test_bad_settings(tmp_path, ask, options, said):
    tables = write_tables(tmp_path, {"A": FOLD}, [("A", "molecular_function", "GO:1")])
    with pytest.raises(InputError, match=said):
        ask(tables, TASK, **options)
    with pytest.raises(InputError, match="go_taste is no task; choose among location_10"):
        ask(tables, "go_taste")


def test_tables_that_do_not_belong_together(tmp_path, ask):
    triples = [("A", "molecular_function", "GO:1")]
    tables = write_tables(tmp_path, {"A": FOLD}, triples)
    other = write_tables(tmp_path / "other", {"A": "test_temporal"}, triples)
    with pytest.raises(InputError, match="A is in fold test_temporal, but in .* in test_low"):
        ask(tables._replace(triples=other.triples), TASK)
    more = write_tables(tmp_path / "more", {"A": FOLD, "B": FOLD}, triples)
    with pytest.raises(InputError, match="lacks B, which is in"):
        ask(tables._replace(split=more.split), TASK)
    none = write_tables(tmp_path / "none", {"A": "train"}, triples)
    with pytest.raises(InputError, match="no protein is in a test fold"):
        ask(none, TASK)
