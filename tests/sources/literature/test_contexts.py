import pytest

from helpers_data import protein_row
from protscribe.errors import InputError
from protscribe.schemas import TABLES
from protscribe.sources.literature.contexts import make_contexts
from protscribe.tables import read_table, write_table


@pytest.fixture
def tables(tmp_path):
    paths = {name: tmp_path / f"{name}.parquet" for name in TABLES}
    empty = dict.fromkeys(TABLES["publications"].schema.names)
    papers = [
        empty | {"pubmed_id": "1", "abstract": "A.", "licence": "CC BY", "source": "file"},
        empty | {"pubmed_id": "2", "title": "T", "abstract": None},
    ]
    write_table(paths["publications"], "publications", papers)
    proteins = [protein_row("P1", "MKV"), protein_row("P2", "MKV", function="")]
    write_table(paths["proteins"], "proteins", proteins)
    no = dict.fromkeys(TABLES["mentions"].schema.names)
    keys = [("P1", "1", "curated"), ("P1", "1", "name_search"), ("P2", "1", "curated")]
    keys.append(("P1", "2", "curated"))
    rows = [no | dict(zip(("accession", "pubmed_id", "route"), k, strict=True)) for k in keys]
    write_table(paths["mentions"], "mentions", rows)
    return paths


def make(tables, kinds, *names, **settings):
    inputs = [tables[name] if name in names else None for name in ("publications", "mentions")]
    make_contexts(tables["proteins"], *inputs, tables["contexts"], kinds=kinds, **settings)
    return read_table(tables["contexts"], "contexts").to_pylist()


def test_statements_alone_need_no_publications(tables):
    assert make(tables, ["function_statement"]) == [
        {
            "id": "P1:function",
            "accession": "P1",
            "context": "function_statement",
            "text": "Does what P1 does.",
            "pubmed_id": None,
            "licence": "CC BY 4.0",
            "source": "entry",
        }
    ]
    (row,) = make(tables, ["function_statement"], statement_licence="CC BY-ND 3.0")
    assert row["licence"] == "CC BY-ND 3.0"


def test_one_abstract_per_protein_and_paper(tables):
    rows = make(tables, ["abstract"], "publications", "mentions")
    assert [row["id"] for row in rows] == ["P1:1", "P2:1"]
    assert {row["context"] for row in rows} == {"abstract"}
    assert rows[0]["text"] == "A."
    assert (rows[0]["licence"], rows[0]["source"], rows[0]["pubmed_id"]) == ("CC BY", "file", "1")


def test_both_kinds_keep_their_marks(tables):
    rows = make(tables, ["abstract", "function_statement"], "publications", "mentions")
    assert {(row["id"], row["context"]) for row in rows} == {
        ("P1:1", "abstract"), ("P2:1", "abstract"), ("P1:function", "function_statement"),
    }  # fmt: skip


def test_wrong_settings(tables):
    with pytest.raises(InputError, match="abstract needs publications"):
        make(tables, ["abstract"])
    with pytest.raises(InputError, match="summary is no kind of context"):
        make(tables, ["abstract", "summary"])
    with pytest.raises(InputError, match="nothing is no kind"):
        make(tables, [])


def test_a_mention_of_a_publication_that_is_not_there(tables):
    no = dict.fromkeys(TABLES["mentions"].schema.names)
    rows = [no | {"accession": "P1", "pubmed_id": "3", "route": "curated"}]
    write_table(tables["mentions"], "mentions", rows)
    with pytest.raises(InputError, match="publication 3 is not in"):
        make(tables, ["abstract"], "publications", "mentions")
