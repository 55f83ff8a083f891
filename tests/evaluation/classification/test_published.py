"""Published files: read as they are, and refused where they are not what they should be."""

import json
from collections import Counter

import pytest

from helpers_classification import write_lines, write_lmdb, write_ontology
from protscribe.errors import InputError
from protscribe.evaluation.classification import tasks
from protscribe.evaluation.classification.published import read_benchmarks
from protscribe.tables import read_metadata, read_table

TERMS = {"sequence": "MKV", "label": ["GO:1", "GO:2"], "negative_labels": ["GO:3", "GO:4"]}
FOLD = {"name": "d1", "sequence": "MKV", "fold": "a.1", "negative_labels": ["b.1", "c.2"]}


@pytest.fixture
def read(tmp_path):
    def run(*files, **options):
        output, rejects = tmp_path / "questions.parquet", tmp_path / "rejects.parquet"
        read_benchmarks(files, output, rejects, **options)
        rows = read_table(output, "questions").to_pylist()
        dropped = read_table(rejects, "rejects").to_pylist()
        return rows, {row["key"].split(":", 3)[-1]: row["reason"] for row in dropped}

    return run


@pytest.fixture
def ontology(tmp_path):
    names = {"GO:1": "Kinase activity", "GO:2": "binding", "GO:3": "transport", "GO:9": "moved"}
    terms, ids = write_ontology(tmp_path, names, **{"4": "GO:9", "5": None})
    return {"terms": terms, "ids": ids}


def test_terms(tmp_path, read, ontology):
    path = write_lines(tmp_path / "test_mf.lm.json", [TERMS, TERMS | {"label": ["GO:5", "GO:3"]}])
    rows, dropped = read(("go_molecular_function", path), **ontology)
    first = [row for row in rows if ":000001:" in row["id"]]
    assert {row["group"]: row["truth"] for row in first} == {
        "GO:1": [0],
        "GO:2": [0],
        "GO:3": [1],
        "GO:4": [1],
    }
    of = {row["group"]: row for row in first}
    assert of["GO:1"]["question"] == "Does the protein associate with kinase activity?"
    assert of["GO:4"]["question"] == "Does the protein associate with moved?"
    assert {(r["task"], r["fold"], r["accession"], r["kind"]) for r in rows} == {
        ("published_go_molecular_function", "test_published", None, "yes_no")
    }
    # A term without a present name, and one that is a label and a negative at once.
    assert dropped == {"GO:5": "no_name", "GO:3": "twice"}
    assert len(rows) == 5
    assert "sha256:go_molecular_function:test_mf.lm.json" in read_metadata(
        tmp_path / "questions.parquet"
    )


def test_folds(tmp_path, read):
    path = write_lines(tmp_path / "valid.lm.json", [FOLD, FOLD | {"fold": "z.9", "name": "d2"}])
    rows, dropped = read(("pairing", path))
    assert [row["options"][row["truth"][0]] for row in rows] == [
        "I would like a protein that is in a.1.",
        "I would like a protein that is in z.9.",
    ]
    assert not dropped and {len(row["options"]) for row in rows} == {3}
    names = write_lines(
        tmp_path / "dir.des.scope.txt",
        [
            "# SCOPe",
            "46456\tcl\ta\t-\tAll alpha proteins",
            "46457\tcf\ta.1\t-\tGlobin-like",
            "1\tcf\tb.1\t-\tImmunoglobulin-like",
            "2\tcf\tc.2\t-\tRossmann",
        ],
    )
    rows, dropped = read(("pairing", path), fold_names=names)
    assert [row["options"][row["truth"][0]] for row in rows] == [
        "I would like a protein that is in Globin-like."
    ]
    assert dropped == {"d2": "no_name"}


def test_metal(tmp_path, read):
    long = "M" * 3000
    path = write_lines(tmp_path / "test.txt", [f"{long}\t1", "MKV\t0"])
    rows, _ = read(("metal_ion_binding", path))
    assert [(len(row["sequence"]), row["truth"]) for row in rows] == [(3000, [0]), (3, [1])]
    assert rows[0]["question"] == "Does the protein associate with metal ion binding?"
    assert rows[0]["group"] == "GO:0046872"


def test_locations(tmp_path, read):
    ten = write_lmdb(tmp_path / "ten.lmdb", [{"primary": "MKV", "localization": i} for i in (6, 0)])
    two = write_lmdb(tmp_path / "two.lmdb", [{"primary": "MKV", "localization": i} for i in (0, 1)])
    rows, _ = read(("location_10", ten), ("location_2", two), ("location_2_words", two))
    said = {row["id"]: [row["options"][i] for i in row["truth"]] for row in rows}
    assert said["published_location_10:0:000000"] == ["nucleus"]
    assert said["published_location_10:0:000001"] == ["plasma membrane"]
    assert said["published_location_2:1:000000"] == ["membrane-bound"]
    assert said["published_location_2:1:000001"] == ["soluble"]
    bound = ["plasma membrane", "endoplasmic reticulum", "golgi", "vacuole"]
    assert said["published_location_2_words:2:000000"] == bound
    assert said["published_location_2_words:2:000001"] == [
        one for one in tasks.LOCATIONS if one not in bound
    ]


def test_some_of_the_proteins(tmp_path, read, ontology):
    rows = [TERMS | {"sequence": "M" * n} for n in range(1, 21)]
    path = write_lines(tmp_path / "test_mf.lm.json", rows)
    every, _ = read(("go_molecular_function", path), **ontology)
    some, _ = read(("go_molecular_function", path), max_proteins=5, **ontology)
    assert len({row["sequence"] for row in some}) == 5
    assert [row for row in every if row["id"] in {r["id"] for r in some}] == some
    few, _ = read(("go_molecular_function", path), questions_per_protein=2, **ontology)
    assert Counter(row["truth"][0] for row in few) == {0: 20, 1: 20}


@pytest.mark.parametrize(
    ("task", "lines", "said"),
    [
        ("go_molecular_function", ["{"], "line 1 is not JSON"),
        ("go_molecular_function", [TERMS, {"sequence": "M"}], "line 2 must have the keys label"),
        ("go_molecular_function", [TERMS | {"more": 1}], "line 1 must have the keys"),
        ("go_molecular_function", ["[1]"], "line 1 must have the keys .* not list"),
        ("go_molecular_function", [TERMS | {"label": "GO:1"}], "a list of texts for label"),
        ("go_molecular_function", [TERMS | {"sequence": "M K"}], "no sequence of one-letter"),
        ("go_molecular_function", [], "the file is empty"),
        ("pairing", [TERMS], "line 1 must have the keys fold, name"),
        ("pairing", [FOLD | {"negative_labels": ["a.1"]}], "not the fold among them"),
        ("pairing", [FOLD | {"negative_labels": []}], "needs negatives"),
        ("pairing", [FOLD | {"fold": 1}], "needs texts for name and fold"),
        ("metal_ion_binding", ["MKV\t2"], "line 1 has the label '2', not 0 or 1"),
        ("metal_ion_binding", ["MKV\t1", "MKV 1"], "line 2 has 1 columns"),
        ("metal_ion_binding", ["\t1"], "no sequence of one-letter"),
        ("metal_ion_binding", ["", ""], "the file is empty"),
        ("taste", ["MKV\t1"], "taste is no task; choose among location_10"),
    ],
)
def test_bad_files_are_named(tmp_path, read, ontology, task, lines, said):
    path = write_lines(tmp_path / "file.txt", lines)
    with pytest.raises(InputError, match=said):
        read((task, path), **ontology)


def test_duplicated_options_name_the_question(tmp_path, read):
    path = write_lines(tmp_path / "f.json", [FOLD | {"negative_labels": ["b.1", "b.1"]}])
    with pytest.raises(InputError, match="question published_pairing:0:000001:d1 has the option"):
        read(("pairing", path))


def test_what_is_missing(tmp_path, read):
    with pytest.raises(InputError, match="no such file"):
        read(("metal_ion_binding", tmp_path / "nothing.txt"))
    path = write_lines(tmp_path / "f.json", [TERMS])
    with pytest.raises(InputError, match="GO files need the ontology"):
        read(("go_molecular_function", path))
    folds = write_lines(tmp_path / "v.json", [FOLD])
    for lines, said in (["46457\tcf"], "2 columns"), (["1\tcl\ta\t-\tAll alpha"], "names no fold"):
        names = write_lines(tmp_path / "names.txt", lines)
        with pytest.raises(InputError, match=said):
            read(("pairing", folds), fold_names=names)


def test_the_real_files(tmp_path, read, shared_data):
    folder = shared_data / "instructprotein"
    if not folder.is_dir():
        pytest.skip("needs the published files beside the project (shared/data/instructprotein)")
    lines = (folder / "gene_ontology" / "sample_mf.lm.json").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    names = {t: f"name of {t}" for r in records for t in r["label"] + r["negative_labels"]}
    terms, ids = write_ontology(tmp_path, names)
    two = folder / "subcellular_localization_2"
    rows, dropped = read(
        ("go_molecular_function", folder / "gene_ontology" / "sample_mf.lm.json"),
        ("pairing", folder / "scope_fold_rank" / "valid.lm.json"),
        ("metal_ion_binding", folder / "metal_ion_binding" / "train.txt"),
        (
            "location_10",
            folder / "subcellular_localization" / "subcellular_localization_valid.lmdb",
        ),
        ("location_2", two / "subcellular_localization_2_train.lmdb"),
        ("location_2_words", two / "subcellular_localization_2_valid.lmdb"),
        terms=terms,
        ids=ids,
    )
    assert not dropped

    def counts(task):
        of = [row for row in rows if row["task"] == f"published_{task}"]
        return len(of), Counter(row["truth"][0] for row in of)

    # The numbers of the published files; of yes/no questions, yes is option 0.
    assert counts("metal_ion_binding") == (5995, {1: 2998, 0: 2997})
    ten = [267, 545, 173, 72, 65, 302, 809, 31, 152, 395]
    assert counts("location_10") == (2811, dict(enumerate(ten)))
    assert counts("location_2") == (5184, {0: 2107, 1: 3077})
    assert counts("location_2_words") == (1729, {0: 703, 1: 1026})
    assert counts("go_molecular_function") == (1934, {0: 967, 1: 967})
    pairing = [row for row in rows if row["task"] == "published_pairing"]
    assert len(pairing) == 736 and {len(row["options"]) for row in pairing} == {10}
    assert len({row["group"] for row in pairing}) == 319
