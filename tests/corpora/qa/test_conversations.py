import json

import pytest

from helpers_pairs import FOLDS, SPAN, pair, write_house, write_pairs, write_scores
from protscribe.corpora.qa.conversations import make_qa_conversations
from protscribe.errors import InputError
from protscribe.prompts import PROTEIN_MARKER
from protscribe.schemas import TABLES
from protscribe.tables import read_table, write_table

SHARED_ABSTRACT = "abstract also describes a test protein"


class House:
    """Where the tables of a corpus lie, and how it is made."""

    def __init__(self, folder):
        self.folder = folder
        self.facts = {}
        self.folds = dict(FOLDS)
        self.publications = None

    def make(self, pairs, scores=None, **options):
        proteins, split = write_house(self.folder, self.folds, **self.facts)
        table = write_pairs(self.folder / "pairs.parquet", pairs)
        outputs = [self.folder / name for name in ("qa.parquet", "qa.json", "s.json", "r.parquet")]
        make_qa_conversations(
            table, scores, proteins, split, *outputs, publications=self.publications, **options
        )
        self.conversations = read_table(outputs[0], "conversations").to_pylist()
        self.export = json.loads(outputs[1].read_text(encoding="utf-8"))
        self.statistics = json.loads(outputs[2].read_text(encoding="utf-8"))
        self.rejects = read_table(outputs[3], "rejects").to_pylist()
        assert len(pairs) == len(self.conversations) + len(self.rejects)
        assert len(self.export) == len(self.conversations) == self.statistics["pairs"]
        return {row["key"]: row["reason"] for row in self.rejects}


@pytest.fixture()
def house(tmp_path):
    return House(tmp_path)


def cites(*references, evidence=()):
    return {
        "references": [{"pubmed_id": p, "scope": scope} for p, scope in references],
        "function_evidence": [
            {"statement": "Binds.", "eco": "ECO:0000269", "pubmed_id": p} for p in evidence
        ],
    }


def test_a_pair_becomes_a_conversation(house):
    row = pair("TRAIN1")
    house.make([row, pair("TEST1", 2), pair("VALID1", 3)])
    found = next(c for c in house.conversations if c["accession"] == "TRAIN1")
    assert found["id"] == f"qa:{row['id']}"
    assert (found["corpus"], found["task"], found["fold"]) == ("qa", "answer", "train")
    assert found["turns"] == [
        {"role": "user", "content": f"{PROTEIN_MARKER}\n{row['question']}"},
        {"role": "assistant", "content": row["answer"]},
    ]
    carried = ("context", "evidence_span", "pubmed_id", "licence", "writer")
    carried += ("writer_revision", "prompt_hash", "seed")
    assert all(found[name] == row[name] for name in carried)
    folds = {c["accession"]: c["fold"] for c in house.conversations}
    assert folds == {"TRAIN1": "train", "TEST1": "test_low_homology", "VALID1": "validation"}


def test_pairs_of_dropped_proteins_are_left_out(house):
    gone = pair("GONE1", 2)
    assert house.make([pair("TRAIN1"), gone]) == {gone["id"]: "protein dropped by the split"}


@pytest.mark.parametrize("scope", ["FUNCTION", "FUNCTION, AND SUBUNIT", "Structure and function."])
@pytest.mark.parametrize("accession", ["TRAIN1", "VALID1"])
def test_a_function_reference_of_a_test_protein_is_no_source_of_training(house, accession, scope):
    house.facts = {"TEST2": cites(("77", scope))}
    mine, theirs = pair(accession, pubmed_id="77"), pair("TEST2", 2, pubmed_id="77")
    left_out = house.make([mine, theirs, pair("TRAIN2", 3)])
    assert left_out == {mine["id"]: SHARED_ABSTRACT}
    assert house.rejects[0]["detail"] == "PubMed 77 describes TEST2 (test_in_distribution)"


def test_evidence_of_a_test_protein_is_no_source_of_training(house):
    house.facts = {"TEST1": cites(evidence=["77", None])}
    mine = pair("TRAIN1", pubmed_id="77")
    assert house.make([mine, pair("TRAIN1", 2, pubmed_id=None)]) == {mine["id"]: SHARED_ABSTRACT}


def test_a_genome_paper_binds_nothing(house):
    scope = "NUCLEOTIDE SEQUENCE [LARGE SCALE GENOMIC DNA]"
    house.facts = {"TEST1": cites(("77", scope)), "TRAIN1": cites(("77", scope))}
    assert house.make([pair("TRAIN1", pubmed_id="77"), pair("TEST1", 2, pubmed_id="77")]) == {}


def test_an_abstract_found_by_name_binds_what_is_written_from_it(house):
    # No entry cites it, yet the test protein's own pairs come from it.
    mine, theirs = pair("TRAIN1", pubmed_id="77"), pair("TEST1", 2, pubmed_id="77")
    assert house.make([mine, theirs]) == {mine["id"]: SHARED_ABSTRACT}


def test_training_proteins_and_test_folds_may_share(house):
    house.facts = {"TRAIN1": cites(("77", "FUNCTION")), "TEST1": cites(("88", "FUNCTION"))}
    rows = [pair("TRAIN1", 1, pubmed_id="77"), pair("TRAIN2", 2, pubmed_id="77")]
    rows += [pair("TEST1", 3, pubmed_id="88"), pair("TEST2", 4, pubmed_id="88")]
    rows += [pair("VALID1", 5, pubmed_id="77"), pair("TRAIN1", 6, pubmed_id=None)]
    assert house.make(rows) == {}


def test_references_of_dropped_proteins_bind_nothing(house):
    house.facts = {"GONE1": cites(("77", "FUNCTION"))}
    assert house.make([pair("TRAIN1", pubmed_id="77")]) == {}


@pytest.mark.parametrize("column", ["question", "answer"])
def test_a_pair_that_holds_the_protein_token(house, column):
    bad = pair("TRAIN1", **{column: f"What is {PROTEIN_MARKER}?"})
    assert house.make([bad, pair("TRAIN2", 2)]) == {bad["id"]: "holds the protein token"}


def test_spans_are_exported_by_licence_and_kept_in_the_table(house):
    licences = ["CC BY 4.0", "CC0", "CC BY-NC 4.0", None, "All rights reserved"]
    rows = [pair("TRAIN1", number, licence=licence) for number, licence in enumerate(licences)]
    house.make(rows)
    assert {c["evidence_span"] for c in house.conversations} == {SPAN}
    spans = [r["evidence"]["span"] for r in house.export]
    assert spans == [SPAN, SPAN, None, None, None]
    assert all(r["evidence"]["start"] == 4 for r in house.export)
    assert all(r["evidence"]["pubmed_id"] for r in house.export)
    house.make(rows, allow=["CC BY-NC"])
    assert [r["evidence"]["span"] for r in house.export] == [None, None, SPAN, None, None]
    # What may not be shared stands nowhere in the file.
    house.make(rows, allow=[])
    text = (house.folder / "qa.json").read_text(encoding="utf-8")
    assert SPAN not in text and SPAN not in (house.folder / "s.json").read_text(encoding="utf-8")


def test_numbers_of_records_count_within_a_protein(house):
    house.make([pair("TRAIN1", 2), pair("TRAIN1", 1), pair("TEST1", 3)])
    assert [r["long_format_id"] for r in house.export] == ["TEST1_1", "TRAIN1_1", "TRAIN1_2"]


def test_the_publication_of_a_pair_is_named_by_its_pmcid(house):
    columns = dict.fromkeys(TABLES["publications"].schema.names)
    papers = [columns | {"pubmed_id": "1001", "pmcid": "PMC5"}, columns | {"pubmed_id": "1002"}]
    write_table(house.folder / "publications.parquet", "publications", papers)
    house.publications = house.folder / "publications.parquet"
    house.make([pair("TRAIN1", 1), pair("TRAIN1", 2), pair("TRAIN1", 3, pubmed_id=None)])
    found = {r["evidence"]["pubmed_id"]: r["pmc_id"] for r in house.export}
    assert found == {"1001": ["PMC5"], "1002": [], None: []}


def test_scores_flag_and_drop_nothing(house, tmp_path):
    rows = [pair("TRAIN1", 1), pair("TRAIN1", 2), pair("TRAIN1", 3), pair("GONE1", 4)]
    losses = {row["id"]: loss for row, loss in zip(rows, (0.5, 1.0, 1.5, 0.1), strict=True)}
    house.make(rows, write_scores(tmp_path / "scores.parquet", losses))
    assert [r["answered_blind"] for r in house.export] == [True, True, False]
    # Of the pairs that are left.
    assert house.statistics["answered_blind"]["share"] == pytest.approx(2 / 3, abs=1e-4)
    assert house.statistics["answered_blind"]["blind_name"] == "tiny"
    assert "release" not in house.statistics["answered_blind"]
    house.make(rows)
    assert house.statistics["answered_blind"] is None
    assert {r["answered_blind"] for r in house.export} == {None}


def test_scores_of_other_pairs(house, tmp_path):
    scores = write_scores(tmp_path / "scores.parquet", {"other": 1.0})
    with pytest.raises(InputError, match="scores other pairs"):
        house.make([pair("TRAIN1")], scores)


def test_statistics_count_what_is_left(house):
    house.make([pair("TRAIN1"), pair("GONE1", 2), pair("TEST1", 3, writer="template")])
    assert house.statistics["proteins"] == 2
    assert house.statistics["sequence_length"]["max"] == len("MHHWQRS")
    assert house.statistics["writers_by_fold"] == {
        "language_model": {"train": 1},
        "template": {"test_low_homology": 1},
    }


def test_nothing_left(house):
    with pytest.raises(InputError, match="no pair of 1 is left"):
        house.make([pair("GONE1")])
    with pytest.raises(InputError, match="no pair of 0 is left"):
        house.make([])
    assert not (house.folder / "qa.parquet").exists()


def test_a_protein_that_is_not_there(house):
    with pytest.raises(InputError, match="lacks OTHER, which OTHER:1001"):
        house.make([pair("OTHER")])


def test_another_split(house, tmp_path):
    house.make([pair("TRAIN1")])
    del house.folds["TEST2"]
    other = tmp_path / "other"
    other.mkdir()
    _, split = write_house(other, house.folds)
    outputs = [other / name for name in "abcd"]
    with pytest.raises(InputError, match="holds other proteins"):
        make_qa_conversations(
            house.folder / "pairs.parquet", None, house.folder / "proteins.parquet", split, *outputs
        )
    assert not any(path.exists() for path in outputs)


def test_equal_inputs_give_equal_bytes(house, tmp_path):
    rows = [pair("TRAIN1", 1), pair("TEST1", 2), pair("GONE1", 3), pair("VALID1", 4)]
    scores = write_scores(tmp_path / "scores.parquet", {row["id"]: 0.3 for row in rows})
    names = ("qa.parquet", "qa.json", "s.json", "r.parquet")
    contents = []
    for order in (rows, rows[::-1]):
        house.make(order, scores)
        contents.append([(house.folder / name).read_bytes() for name in names])
    assert contents[0] == contents[1]
