import pytest

from helpers_data import write_proteins, write_split
from protscribe.corpora.literature import make_literature
from protscribe.errors import InputError
from protscribe.schemas import TABLES
from protscribe.tables import read_table, write_table

FOLDS = {
    "TRAIN1": "train",
    "TRAIN2": "train",
    "VALID1": "validation",
    "TEST1": "test_low_homology",
    "TEST2": "test_in_distribution",
    "TEST3": "test_temporal",
    "GONE1": None,
}
SETTINGS = {"unit": "abstract", "validation": 0.0, "statements": False}
TIED = "tied to a test protein"


class House:
    """Publications, what ties them to proteins, and how a corpus is made of them."""

    def __init__(self, folder):
        self.folder = folder
        self.folds = dict(FOLDS)
        self.facts = {}
        self.papers = {}
        self.pairs = []
        self.paper("1", "Opens a channel. It is found in E. coli and in yeast.")
        self.mention("TRAIN1", "1")

    def paper(self, pubmed_id, abstract=None, **facts):
        abstract = f"On paper {pubmed_id}. It says more." if abstract is None else abstract
        row = dict.fromkeys(TABLES["publications"].schema.names)
        row |= {
            "pubmed_id": pubmed_id,
            "abstract": abstract,
            "licence": "CC BY",
            "source": "pubmed",
        }
        self.papers[pubmed_id] = row | facts

    def mention(self, accession, pubmed_id, route="curated"):
        row = dict.fromkeys(TABLES["mentions"].schema.names)
        row |= {"accession": accession, "pubmed_id": pubmed_id, "route": route}
        self.pairs.append(row)

    def make(self, *, seed=0, allow=("CC BY",), publications=True, mentions=True, **settings):
        sequences = {accession: f"MKV{'A' * i}" for i, accession in enumerate(self.folds)}
        proteins = write_proteins(self.folder / "p.parquet", sequences, **self.facts)
        split = write_split(self.folder / "s.parquet", self.folds)
        papers, pairs = self.folder / "papers.parquet", self.folder / "mentions.parquet"
        write_table(papers, "publications", list(self.papers.values()))
        write_table(pairs, "mentions", self.pairs)
        self.output, rejects = self.folder / "literature.parquet", self.folder / "r.parquet"
        make_literature(
            papers if publications else None,
            pairs if mentions else None,
            proteins,
            split,
            self.output,
            rejects,
            settings=SETTINGS | settings,
            seed=seed,
            allow=allow,
            licence="CC BY 4.0",
        )
        rows = read_table(self.output, "pretraining").to_pylist()
        self.rows = {row["id"].removeprefix("literature:"): row for row in rows}
        self.rejects = {row["key"]: row for row in read_table(rejects, "rejects").to_pylist()}
        assert {row["corpus"] for row in rows} == {"literature"}
        return {key: row["reason"] for key, row in self.rejects.items()}

    @property
    def folds_of(self):
        return {key: row["fold"] for key, row in self.rows.items()}


@pytest.fixture()
def house(tmp_path):
    return House(tmp_path)


def reference(pubmed_id, scope="FUNCTION, AND SUBUNIT"):
    return {"references": [{"pubmed_id": pubmed_id, "scope": scope}]}


def evidence(pubmed_id):
    record = {"statement": "Binds.", "eco": "ECO:0000269", "pubmed_id": pubmed_id}
    return {"function_evidence": [record]}


def test_a_row_per_abstract(house):
    house.papers["1"]["abstract"] = "Opens a channel.\n It is found in E. coli  and in yeast. "
    assert house.make() == {}
    assert list(house.rows.values()) == [
        {
            "id": "literature:1",
            "corpus": "literature",
            "fold": "train",
            "accession": None,
            "pubmed_id": "1",
            "text": "Opens a channel. It is found in E. coli and in yeast.",
            "sequence": None,
            "licence": "CC BY",
            "source": "pubmed",
        }
    ]
    data = house.output.read_bytes()
    house.make()
    assert house.output.read_bytes() == data


def test_a_row_per_sentence(house):
    house.make(unit="sentence")
    texts = {key: row["text"] for key, row in house.rows.items()}
    assert texts == {"1:1": "Opens a channel.", "1:2": "It is found in E. coli and in yeast."}
    assert {row["pubmed_id"] for row in house.rows.values()} == {"1"}


@pytest.mark.parametrize("test", ["TEST1", "TEST2", "TEST3"])
@pytest.mark.parametrize("route", ["curated", "name_search"])
def test_what_mentions_a_test_protein_is_left_out(house, test, route):
    house.paper("2")
    house.mention("TRAIN1", "2")
    house.mention(test, "2", route)
    assert house.make() == {"2": TIED}
    assert house.rejects["2"]["detail"] == f"{test} ({FOLDS[test]})"


@pytest.mark.parametrize("facts", [reference("2"), reference("2", "function"), evidence("2")])
@pytest.mark.parametrize("mentions", [True, False])
def test_what_describes_a_test_protein_is_left_out(house, facts, mentions):
    house.paper("2")
    house.facts = {"TEST1": facts, "TRAIN1": facts}
    assert house.make(mentions=mentions) == {"2": TIED}


def test_another_reference_of_a_test_protein_ties_nothing(house):
    house.paper("2")
    house.facts = {"TEST1": reference("2", "NUCLEOTIDE SEQUENCE [LARGE SCALE GENOMIC DNA]")}
    assert house.make() == {}
    assert house.folds_of["2"] == "train"


def test_folds_of_publications(house):
    for pubmed_id in "2345":
        house.paper(pubmed_id)
    house.mention("VALID1", "2")
    house.mention("TRAIN1", "3")
    house.mention("VALID1", "3", "name_search")
    house.mention("GONE1", "4")
    house.mention("GONE1", "5")
    house.mention("TRAIN2", "5")
    assert house.make() == {"4": "tied to proteins dropped by the split alone"}
    assert house.folds_of == {"1": "train", "2": "validation", "3": "validation", "5": "train"}


def test_publications_tied_to_nothing_are_dealt_by_a_hash(house):
    for number in range(100, 500):
        house.paper(str(number))
    house.make(validation=0.2)
    held_out = {key for key, fold in house.folds_of.items() if fold == "validation"}
    assert 50 < len(held_out) < 110 and len(house.rows) == 401
    house.make(validation=0.3)
    assert held_out < {key for key, fold in house.folds_of.items() if fold == "validation"}
    house.make(validation=0.2, seed=1)
    assert held_out != {key for key, fold in house.folds_of.items() if fold == "validation"}
    house.make(validation=0.0)
    assert set(house.folds_of.values()) == {"train"}
    # One tied to a training protein is never held out.
    house.make(validation=0.99)
    assert house.folds_of["1"] == "train"


def test_what_may_not_be_used(house):
    house.paper("2", retracted=True)
    house.paper("3", licence="CC BY-NC 4.0")
    house.paper("4", licence=None)
    house.paper("5", "  ")
    house.paper("6", licence="CC BY 4.0", retracted=False)
    assert house.make() == {
        "2": "retracted",
        "3": "licence not allowed",
        "4": "licence not allowed",
        "5": "no abstract",
    }
    assert house.rejects["4"]["detail"] == "none known"
    assert set(house.make(allow=["CC BY", "CC BY-NC"])) == {"2", "4", "5"}
    assert set(house.make(allow=None)) == {"2", "5"}
    with pytest.raises(InputError, match="is no licence of articles"):
        house.make(allow=["MIT"])


def test_a_text_stands_once_and_what_is_held_out_comes_first(house):
    text = "All rights reserved. It says more."
    house.paper("2", text)
    house.paper("3", text.replace(". ", ".\n"))
    house.mention("TRAIN1", "2")
    house.mention("VALID1", "3")
    assert house.make() == {"2": "the same text as another"}
    assert house.folds_of == {"1": "train", "3": "validation"}
    house.papers["2"]["abstract"] = "All rights reserved. It says something else."
    assert house.make() == {}
    assert house.make(unit="sentence") == {"2:1": "the same text as another"}
    assert house.rejects["2:1"]["detail"] == "3:1"


FUNCTIONS = {
    "TRAIN1": "Binds zinc. Opens a channel in the dark.",
    "TRAIN2": "",
    "VALID1": "Cuts RNA.",
    "TEST1": "Binds zinc. Cleaves lipids.",
    "GONE1": "Does something else.",
}


def test_function_statements(house):
    house.facts = {accession: {"function": text} for accession, text in FUNCTIONS.items()}
    assert house.make(publications=False, statements=True) == {"TRAIN2": "no function statement"}
    assert house.rows["TRAIN1"] == {
        "id": "literature:TRAIN1",
        "corpus": "literature",
        "fold": "train",
        "accession": "TRAIN1",
        "pubmed_id": None,
        "text": FUNCTIONS["TRAIN1"],
        "sequence": None,
        "licence": "CC BY 4.0",
        "source": "function_statement",
    }
    assert house.folds_of == {"TRAIN1": "train", "VALID1": "validation"}
    # Beside publications.
    house.make(statements=True)
    assert set(house.rows) == {"1", "TRAIN1", "VALID1"}


def test_the_statement_of_a_test_protein_stands_nowhere(house):
    house.facts = {accession: {"function": text} for accession, text in FUNCTIONS.items()}
    del house.facts["TRAIN2"]
    reason = "text of a test protein"
    found = house.make(publications=False, statements=True, unit="sentence")
    assert found == {"TRAIN1:1": reason}
    assert house.rejects["TRAIN1:1"]["detail"] == "TEST1"
    house.facts["TRAIN1"] = house.facts["TEST1"]
    house.paper("2", "Cleaves lipids.")
    found = house.make(statements=True)
    assert found == {"TRAIN1": reason, "2": reason}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unit": "word"}, "unit is 'word'; abstract and sentence are known"),
        ({"validation": 1.0}, "validation must be at least 0 and below 1"),
        ({"titles": True}, "must hold exactly unit, validation, statements"),
        ({"publications": False}, r"of 0 texts none is left .*statements: true"),
        ({"allow": []}, "of licences that are allowed"),
    ],
)
def test_settings_that_make_no_corpus(house, settings, message):
    with pytest.raises(InputError, match=message):
        house.make(**settings)


def test_tables_of_different_runs(house):
    house.mention("P99999", "1", "name_search")
    with pytest.raises(InputError, match="mentions P99999, which the split lacks"):
        house.make()
