import re
from pathlib import Path

import pytest

from helpers_data import write_split
from helpers_entrez import (
    EMAIL,
    KEY,
    network,
    quick,
    rejected,
    serving,
    set_identity,
    write_named,
)
from protscribe.errors import InputError
from protscribe.sources.literature.candidates import search_publications
from protscribe.tables import read_metadata, read_table
from pubmed_records import make_article
from servers.eutils import Eutils, most_in_a_second
from servers.loopback import Fault

RECORDS = {
    str(number): make_article(number, title, abstract)
    for number, (title, abstract) in enumerate(
        [
            ("Alpha-amylase of mice", "The mouse enzyme cuts starch."),
            ("A alpha-amylase, alpha-amylase", "In Bos taurus."),
            ("Uncoupler of everything in cattle", "UNC9 of Mus musculus."),
            ("The unfolded odd protein", "Rare odd fold protein here; protein odd fold too."),
            ("Nothing to see", None),
            *[(f"Actin paper {n}", None) for n in range(20)],
        ],
        start=1,
    )
}
PROTEINS = {
    "P1": {"protein_name": "Alpha-amylase", "organism": "Mus musculus (Mouse)"},
    "P2": {"protein_name": "Uncoupler", "gene_names": ["UNC9"], "organism": "Mus musculus"},
    "P3": {"protein_name": 'No "such" [thing] AND nothing*', "organism": "Mus musculus"},
    "P4": {"protein_name": "Kinase", "alternative_names": ["EC 2.7.1.1"], "gene_names": ["CAT"]},
    "P5": {"protein_name": "Actin", "organism": None},
    "P6": {"protein_name": "Odd fold protein", "alternative_names": ["Unfoldase"]},
}


@pytest.fixture(autouse=True)
def identity(monkeypatch):
    set_identity(monkeypatch)


@pytest.fixture
def server():
    with serving(quick(RECORDS, unindexed=["odd fold protein"], breaks_phrases=True)) as running:
        yield running


@pytest.fixture
def run(tmp_path, server):
    """Search; return candidates as (accession, route) to ids, and rejects."""

    def search(proteins=PROTEINS, *, split=None, name="out", settings=None, **more):
        folder = tmp_path / name
        if more.setdefault("routes", ["name_search"]) != ["curated"]:
            more["network"] = settings or network(server, tmp_path)
        search_publications(
            write_named(tmp_path / "proteins.parquet", proteins),
            split,
            folder / "candidates.parquet",
            folder / "rejects.parquet",
            log=tmp_path / "requests.tsv",
            **more,
        )
        found: dict[str, list[str]] = {}
        table = read_table(folder / "candidates.parquet", "candidates").to_pylist()
        for row in sorted(table, key=lambda row: row["rank"]):
            found.setdefault(row["accession"], []).append(row["pubmed_id"])
        return found, rejected(folder / "rejects.parquet")

    return search


def test_names_find_publications_in_the_order_of_the_search(run, server):
    found, _ = run(max_hits=3)
    assert found["P1"] == ["2", "1"]
    assert found["P2"] == ["3"]
    assert {request.form["sort"] for request in server.requests} == {"relevance"}
    assert all(request.method == "POST" for request in server.requests)


def test_each_protein_has_candidates_or_a_reason(run):
    found, rejects = run(max_hits=3)
    assert found.keys() == {"P1", "P2", "P5", "P6"}
    assert rejects == {
        "P3 name_search": "no hits",
        "P4 name_search": "no usable name",
        "P5 cap": "more hits than the cap",
        "P6 phrases": "not in PubMed's phrase index",
    }


def test_the_rejects_tell_what_is_behind_them(run, tmp_path):
    run(max_hits=3)
    details = {
        row["key"]: row["detail"]
        for row in read_table(tmp_path / "out" / "rejects.parquet", "rejects").to_pylist()
    }
    assert details["P5 cap"] == "20 hits, the first 3 by relevance taken"
    assert details["P4 name_search"] == (
        "'Kinase' too generic, 'EC 2.7.1.1' enzyme number, 'CAT' an English word"
    )
    assert details["P3 name_search"] == '("No such thing and nothing"[tiab:~0])'
    assert "Odd fold protein" in details["P6 phrases"]


def test_a_phrase_outside_the_index_is_searched_as_words_next_to_each_other(run, server):
    found, _ = run({"P6": PROTEINS["P6"]})
    assert found == {"P6": ["4"]}
    assert [request.form["term"] for request in server.requests] == [
        '("Odd fold protein"[tiab] OR "Unfoldase"[tiab])',
        '("Odd fold protein"[tiab:~0] OR "Unfoldase"[tiab])',
    ]


def test_adjacent_phrases_need_one_request_a_protein(run, server):
    found, rejects = run({"P6": PROTEINS["P6"]}, phrases="adjacent")
    assert found == {"P6": ["4"]}
    assert rejects == {}
    assert len(server.requests) == 1


def test_the_template_may_ask_for_the_organism(run):
    found, rejects = run(query_template="{names} AND {organism}")
    assert found["P1"] == ["1"]
    assert rejects["P5 name_search"] == "no organism"


def test_a_search_of_no_cap_takes_all(run):
    found, rejects = run({"P5": PROTEINS["P5"]}, max_hits=None)
    assert len(found["P5"]) == 20
    assert rejects == {}


CURATED = {
    "P1": {
        "references": [
            {"pubmed_id": "11", "scope": "NUCLEOTIDE SEQUENCE [MRNA], FUNCTION, AND MUTAGENESIS"},
            {"pubmed_id": "12", "scope": "NUCLEOTIDE SEQUENCE [LARGE SCALE GENOMIC DNA]"},
            {"pubmed_id": "11", "scope": "CATALYTIC ACTIVITY"},
            {"pubmed_id": None, "scope": "FUNCTION"},
        ],
        "function_evidence": [
            {"statement": "Cuts.", "eco": "ECO:0000269", "pubmed_id": "13"},
            {"statement": "Cuts.", "eco": "ECO:0000269", "pubmed_id": "11"},
            {"statement": "Cuts.", "eco": "ECO:0000305", "pubmed_id": None},
        ],
    },
    "P2": {"references": [{"pubmed_id": "12", "scope": "NUCLEOTIDE SEQUENCE"}]},
    "P3": {"references": [{"pubmed_id": "PMC77", "scope": "FUNCTION"}]},
}


def test_curated_publications_come_from_references_and_evidence(run, tmp_path):
    found, rejects = run(CURATED, routes=["curated"])
    assert found == {"P1": ["11", "12", "13"], "P2": ["12"]}
    assert rejects == {
        "P3 curated": "no curated publication",
        "P3 curated PMC77": "not a PubMed id",
    }
    rows = read_table(tmp_path / "out" / "candidates.parquet", "candidates").to_pylist()
    assert [row["scope"] for row in rows] == [
        "CATALYTIC ACTIVITY; NUCLEOTIDE SEQUENCE [MRNA], FUNCTION, AND MUTAGENESIS; evidence",
        "NUCLEOTIDE SEQUENCE [LARGE SCALE GENOMIC DNA]",
        "evidence",
        "NUCLEOTIDE SEQUENCE",
    ]


@pytest.mark.parametrize("scopes", [["function", "catalytic activity"], "function|catalytic"])
def test_scopes_select_references_and_leave_evidence(run, scopes):
    found, rejects = run(CURATED, routes=["curated"], scopes=scopes)
    assert found == {"P1": ["11", "13"]}
    assert rejects["P2 curated"] == "no curated publication"


def test_scopes_in_a_list_are_whole_words(run):
    assert run(CURATED, routes=["curated"], scopes=["FUNC"])[0] == {"P1": ["13", "11"]}
    assert run(CURATED, routes=["curated"], scopes=["[MRNA]"])[0] == {"P1": ["11", "13"]}


def test_both_routes_stand_side_by_side(run, tmp_path):
    proteins = {"P1": PROTEINS["P1"] | CURATED["P1"], "P2": CURATED["P2"]}
    _, rejects = run(proteins, routes=["curated", "name_search"])
    rows = read_table(tmp_path / "out" / "candidates.parquet", "candidates").to_pylist()
    assert {(row["accession"], row["route"]) for row in rows} == {
        ("P1", "curated"),
        ("P1", "name_search"),
        ("P2", "curated"),
    }
    assert rejects == {"P2 name_search": "no usable name"}


def test_folds_select_proteins(run, tmp_path):
    split = write_split(tmp_path / "split.parquet", {"P1": "test_low_homology", "P2": "train"})
    assert run(CURATED, routes=["curated"], split=split, folds=["train"])[0].keys() == {"P2"}
    with pytest.raises(InputError, match="no protein in validation"):
        run(CURATED, routes=["curated"], split=split, folds=["validation"])
    with pytest.raises(InputError, match="only with a split"):
        run(CURATED, routes=["curated"], folds=["train"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"routes": []}, "routes"),
        ({"routes": ["google"]}, "routes"),
        ({"sort": "best match"}, "sort"),
        ({"datetype": "today"}, "datetype"),
        ({"phrases": "fuzzy"}, "phrases"),
        ({"max_hits": 0}, "max_hits"),
        ({"query_template": "{gene}"}, "query_template"),
        ({"field": "tiab]"}, "field tag"),
        ({"routes": ["curated"], "scopes": "("}, "scopes"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_asked(run, server, settings, told):
    with pytest.raises(InputError, match=told):
        run(**settings)
    assert not server.requests


def test_a_name_search_without_network_is_refused(tmp_path):
    proteins = write_named(tmp_path / "proteins.parquet", PROTEINS)
    with pytest.raises(InputError, match="needs the network"):
        search_publications(proteins, None, tmp_path / "c", tmp_path / "r", routes=["name_search"])


def test_a_refused_query_costs_its_protein_alone(run, server):
    refusal = b"<eSearchResult><ERROR>Query too complex</ERROR></eSearchResult>"
    server.faults.append(Fault(body=refusal))
    _, rejects = run({key: PROTEINS[key] for key in ("P1", "P2")})
    assert list(rejects.values()) == ["query refused by PubMed"]


def test_a_template_that_pubmed_refuses_is_an_error(run):
    with pytest.raises(InputError, match=r"refuses every query.*no field colour"):
        run({"P1": PROTEINS["P1"]}, query_template="{names} AND red[colour]")


def test_two_runs_give_the_same_bytes_and_the_second_one_asks_nothing(run, server, tmp_path):
    run()
    requests = len(server.requests)
    server.app.records.clear()  # What is found tomorrow is another thing.
    run(name="again")
    assert len(server.requests) == requests
    for table in ("candidates.parquet", "rejects.parquet"):
        first = (tmp_path / "out" / table).read_bytes()
        assert (tmp_path / "again" / table).read_bytes() == first


def test_offline_says_which_query_is_missing(run, server, tmp_path):
    run({"P1": PROTEINS["P1"]})
    offline = network(server, tmp_path, offline=True)
    assert run({"P1": PROTEINS["P1"]}, settings=offline)[0] == {"P1": ["2", "1"]}
    with pytest.raises(InputError, match=r"offline.*esearch.*Uncoupler"):
        run({"P2": PROTEINS["P2"]}, settings=offline)


def test_the_search_keeps_the_rate_and_is_told_how_long_it_takes(tmp_path, capfd):
    app = Eutils(RECORDS, key_rate=5, keys=[KEY])
    proteins = {f"P{n:02d}": {"protein_name": f"Actin paper {n}"} for n in range(12)}
    with serving(app) as server:
        search_publications(
            write_named(tmp_path / "proteins.parquet", proteins),
            None,
            tmp_path / "candidates.parquet",
            tmp_path / "rejects.parquet",
            routes=["name_search"],
            phrases="adjacent",
            network=network(server, tmp_path, rates={"ncbi": 4}),
        )
        assert most_in_a_second(request.at for request in server.requests) <= 5
        assert len(server.requests) == 12
    assert "name search: 12 requests, 0.1 minutes at 4 a second" in capfd.readouterr().err


def test_the_summary_counts_names_and_proteins(run, capfd):
    run(max_hits=3)
    told = capfd.readouterr().err
    assert "name_search: publications for 4 of 6 proteins" in told
    assert "1 no hits" in told
    assert "names left out of queries: 1 an English word, 1 enzyme number, 1 too generic" in told


def test_no_file_holds_a_secret_or_a_time(run, tmp_path):
    run()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("http" in path.parts for path in files)
    assert not [
        f for f in files if KEY.encode() in f.read_bytes() or EMAIL.encode() in f.read_bytes()
    ]
    facts = read_metadata(tmp_path / "out" / "candidates.parquet")
    assert not re.search(r"20\d\d-|/tmp", str(facts))
    assert Path(tmp_path / "requests.tsv").read_text().count("\n") > 5
