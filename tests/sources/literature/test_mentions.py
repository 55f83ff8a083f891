"""From candidates to mentions, on tables made up and on real abstracts."""

import random
import time

import pytest

from helpers_data import protein_row
from protscribe.errors import InputError
from protscribe.schemas import TABLES
from protscribe.sources.formats import swissprot
from protscribe.sources.formats.record import complete
from protscribe.sources.literature.mentions import find_mentions
from protscribe.sources.literature.pubmed import parse_publications
from protscribe.sources.text_files import open_text
from protscribe.tables import read_metadata, read_table, write_table

MOUSE = {
    "protein_name": "Tumor necrosis factor",
    "alternative_names": ["TNF-alpha"],
    "gene_names": ["Tnf"],
    "organism": "Mus musculus (Mouse)",
}


def paper(pubmed_id, title, abstract, mesh=()):
    row = dict.fromkeys(TABLES["publications"].schema.names)
    return row | {
        "pubmed_id": pubmed_id,
        "title": title,
        "abstract": abstract,
        "mesh_terms": list(mesh),
    }


@pytest.fixture
def run(tmp_path):
    """Return mentions by (pubmed_id, route), and rejects as {key: reason}."""

    def run(papers, candidates, proteins=None):
        paths = {name: tmp_path / f"{name}.parquet" for name in TABLES}
        proteins = proteins or [protein_row("P1", "MKV", **MOUSE)]
        write_table(paths["proteins"], "proteins", proteins)
        write_table(paths["publications"], "publications", papers, {"release": "x"})
        rows = [
            {"accession": "P1", "rank": None, "scope": None} | candidate for candidate in candidates
        ]
        write_table(paths["candidates"], "candidates", rows)
        names = ("proteins", "publications", "candidates", "mentions", "rejects")
        find_mentions(*(paths[name] for name in names))
        mentions = read_table(paths["mentions"], "mentions").to_pylist()
        rejects = read_table(paths["rejects"], "rejects").to_pylist()
        assert len(mentions) + len(rejects) == len(candidates)
        assert read_metadata(paths["mentions"]) == {"release": "x"}
        return (
            {(row["pubmed_id"], row["route"]): row for row in mentions},
            {reject["key"]: reject["reason"] for reject in rejects},
        )

    return run


def curated(pubmed_id, **facts):
    return {"pubmed_id": pubmed_id, "route": "curated", **facts}


def searched(pubmed_id, **facts):
    return {"pubmed_id": pubmed_id, "route": "name_search", **facts}


def test_the_title_comes_first_and_offsets_are_in_the_original_text(run):
    papers = [
        paper("1", "β is TNFα in mice", "TNF-alpha here too."),
        paper("2", "Ψ", "In αβγ mice, Tnf acts."),
    ]
    mentions, rejects = run(papers, [searched("1"), searched("2")])
    first, second = mentions["1", "name_search"], mentions["2", "name_search"]
    assert rejects == {}
    assert (first["field"], first["matched_name"], first["offset"]) == ("title", "TNF-alpha", 5)
    assert (second["field"], second["matched_name"], second["offset"]) == ("abstract", "Tnf", 13)
    assert papers[1]["abstract"][13:].startswith("Tnf")


def test_curated_candidates_stay_and_searched_ones_must_pass(run):
    papers = [
        paper("1", "Nothing in mice", "at all"),
        paper("2", "TNF-alpha of patients", "Serum."),
        paper("3", "TNF-alpha", "In vitro."),
        paper("4", "TNF-alpha", "Binds.", ["Humans", "Mice, Knockout"]),
        paper("5", "TNF-alpha", "Binds.", ["Rats, Wistar"]),
    ]
    numbers = "12345"
    both = [curated(n, scope="FUNCTION") for n in numbers] + [searched(n, rank=1) for n in numbers]
    mentions, rejects = run(papers, both)
    for number in numbers:
        row = mentions[number, "curated"]
        assert (row["species_match"], row["scope"]) == (True, "FUNCTION")
        assert (row["matched_name"] is None) is (number == "1")
        assert (row["offset"] is None) is (number == "1")
    species = {
        n: row["species_match"] for (n, route), row in mentions.items() if route != "curated"
    }
    assert species == {"3": None, "4": True}
    assert rejects == {
        "P1 1 name_search": "name not in the text",
        "P1 2 name_search": "another species",
        "P1 5 name_search": "another species",
    }


def test_candidates_without_a_publication_or_a_protein(run):
    candidates = [curated("9"), curated("1", accession="Q9")]
    mentions, rejects = run([paper("1", "T", "TNF")], candidates)
    assert mentions == {}
    assert rejects == {
        "P1 9 curated": "no abstract of this publication",
        "Q9 1 curated": "protein not in the table",
    }


def test_an_unknown_route(run):
    with pytest.raises(InputError, match="unknown route 'guess'"):
        run([paper("1", "T", "TNF")], [{"pubmed_id": "1", "route": "guess"}])


def test_no_candidates(run):
    assert run([paper("1", "T", "TNF")], []) == ({}, {})


def real_tables(shared_data, tmp_path):
    """Return proteins with real names, and write the real abstracts."""
    with open_text(shared_data / "protein_text/uniprot_flat_dev.dat.gz") as file:
        text = file.read()
    entries = (entry + "\n//\n" for entry in text.split("\n//\n") if entry.strip())
    proteins = [complete(swissprot.row(entry)) for entry in entries]
    publications = tmp_path / "publications.parquet"
    raw = [shared_data / "protein_text/pubmed_abstracts_dev.jsonl.gz"]
    parse_publications(raw, publications, tmp_path / "r.parquet", metadata={})
    return proteins, read_table(publications, "publications").to_pylist()


@pytest.mark.slow
def test_recall_and_false_positives_on_real_abstracts(shared_data, tmp_path, run):
    """Of papers that curators cite for a function, most name the protein; of others hardly one."""
    proteins, papers = real_tables(shared_data, tmp_path)
    known = {row["pubmed_id"] for row in papers}
    cited = {
        (row["accession"], reference["pubmed_id"]): reference["scope"]
        for row in proteins
        for reference in row["references"]
        if reference["pubmed_id"] in known
    }
    function = [
        curated(pubmed_id, accession=accession, scope=scope)
        for (accession, pubmed_id), scope in cited.items()
        if "FUNCTION" in scope
    ]
    rng = random.Random(0)
    accessions, numbers = sorted({a for a, _ in cited}), sorted(known)
    strangers = {(rng.choice(accessions), rng.choice(numbers)) for _ in range(30_000)} - set(cited)
    wrong = [searched(p, accession=a) for a, p in strangers]
    start = time.perf_counter()
    mentions, rejects = run(papers, [*function, *wrong], proteins)
    assert time.perf_counter() - start < 60
    assert len(function) > 1000
    named = [row for (_, route), row in mentions.items() if route == "curated"]
    assert sum(row["matched_name"] is not None for row in named) / len(named) > 0.75
    not_named = sum(reason == "name not in the text" for reason in rejects.values())
    assert 1 - not_named / len(wrong) < 0.002
