"""The workflow against providers: stand-ins on loopback, which the configuration names."""

import copy as copying
import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from json_entries import entries_from_flat
from protscribe.atomic import read_json
from protscribe.tables import read_metadata, read_table
from pubmed_records import make_article
from servers.eutils import Eutils
from servers.loopback import Fault, LoopbackServer
from servers.pmc import PmcApp, article
from servers.uniprot import UniProt, UniProtFiles
from tiny_runs import kill_in, planned, run, write_settings

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

EMAIL = "m.sklodowska@radium-institute.fr"
KEY = "0123456789abcdef0123456789abcdef0123"
TABLES = ("proteins", "publications", "mentions", "contexts")


@dataclass
class Providers:
    """Servers by provider, and settings that point to them."""

    servers: dict[str, LoopbackServer]

    def settings(self, base, source, **network):
        settings = copying.deepcopy(base)
        settings["source"] = {"licence": "CC BY 4.0", **source}
        settings["publications"] = {
            "source": "entrez",
            "routes": ["curated", "name_search"],
            "folds": ["test_in_distribution", "test_low_homology"],
            "max_hits": 5,
            "batch": 4,
        }
        settings["contexts"] = ["abstract", "function_statement"]
        settings["network"] = {
            "urls": {name: server.url for name, server in self.servers.items()},
            "rates": dict.fromkeys(self.servers, 500),
            "backoff_seconds": 0.05,
            **network,
        }
        return settings

    def asked(self, provider):
        return [request.path for request in self.servers[provider].requests]


def records(entries):
    """Return two PubMed records per entry: the one that it cites, and one that names it."""
    found = {}
    for number, entry in enumerate(entries):
        name = entry["proteinDescription"]["recommendedName"]["fullName"]["value"]
        citation = entry["references"][0]["citation"]
        cited = citation["citationCrossReferences"][0]["id"]
        text = f"Here {name} of Escherichia coli is purified and shown to bind its partner."
        found[cited] = make_article(cited, f"On {name}.", text, pmcid=f"PMC{cited}")
        also = str(20000000 + number)
        found[also] = make_article(also, "A screen.", text.replace("Here", "Again"))
    return found


@pytest.fixture(scope="module")
def providers(inputs):
    _, settings = inputs
    flat = Path(settings["source"]["paths"][0]).read_text()
    entries = entries_from_flat(flat)
    papers = records(entries)
    licences = ["CC BY", "CC BY-NC", "CC0"]
    articles = [
        article(f"PMC{pubmed_id}", licences[number % 3])
        for number, pubmed_id in enumerate(p for p in papers if p.startswith("1"))
    ]
    apps = {
        "uniprot": UniProt(entries, release="2026_01"),
        "uniprot_files": UniProtFiles(flat, release="2026_02", previous={"2026_01": flat}),
        "ncbi": Eutils(papers, rate=100_000, key_rate=100_000, keys=[KEY]),
        "pmc": PmcApp(articles),
    }
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NCBI_EMAIL", EMAIL)
        patch.setenv("NCBI_API_KEY", KEY)
        yield Providers(
            {name: stack.enter_context(LoopbackServer(app)) for name, app in apps.items()}
        )


QUERY = {"type": "uniprot_query", "query": "reviewed:true AND cc_function:*"}
RELEASE = {"type": "uniprot_release", "release": "2026_01"}


@pytest.fixture(scope="module")
def queried(inputs, providers, tmp_path_factory):
    """The whole chain from a UniProt query, with abstracts for the test proteins."""
    folder = tmp_path_factory.mktemp("queried")
    settings = providers.settings(inputs[1], QUERY)
    answer = run(folder, write_settings(folder / "query.yaml", settings))
    assert answer.returncode == 0, answer.stdout
    return folder


def same_tables(one, two, names=TABLES):
    for name in names:
        left, right = (read_table(f / f"results/tables/{name}.parquet", name) for f in (one, two))
        assert left.equals(right), name


def test_a_query_and_a_file_give_the_same_proteins_and_metrics(queried, finished):
    same_tables(queried, finished.folder, ["proteins"])
    left, right = (f / "results" / "metrics.tsv" for f in (queried, finished.folder))
    assert left.read_bytes() == right.read_bytes()


def test_every_test_protein_has_its_abstracts(queried):
    results = queried / "results"
    split = read_table(results / "split" / "split.parquet", "split").to_pylist()
    tests = {row["accession"] for row in split if (row["fold"] or "").startswith("test_")}
    mentions = read_table(results / "tables" / "mentions.parquet", "mentions").to_pylist()
    for route in ("curated", "name_search"):
        assert {row["accession"] for row in mentions if row["route"] == route} == tests
    texts = {
        row["pubmed_id"]: row
        for row in read_table(
            results / "tables" / "publications.parquet", "publications"
        ).to_pylist()
    }
    for row in mentions:
        at = row["offset"]
        field = texts[row["pubmed_id"]][row["field"]]
        assert field[at : at + len(row["matched_name"])] == row["matched_name"]
    contexts = read_table(results / "tables" / "contexts.parquet", "contexts").to_pylist()
    abstracts = {row["accession"] for row in contexts if row["context"] == "abstract"}
    statements = {row["accession"] for row in contexts if row["context"] == "function_statement"}
    assert abstracts == tests and statements >= tests


def test_results_carry_release_checksums_and_licences(queried):
    provenance = read_json(queried / "results" / "provenance.json")
    assert provenance["entries"]["release"] == "2026_01"
    assert provenance["entries"]["release_date"]
    facts = provenance["tables"]["proteins.parquet"]["facts"]
    assert facts["release"] == "2026_01" and facts["licence"] == "CC BY 4.0"
    assert re.search(r"[0-9a-f]{64}", facts["sha256"])
    assert set(provenance["tables"]) >= {f"{name}.parquet" for name in TABLES}
    publications = read_table(
        queried / "results" / "tables" / "publications.parquet", "publications"
    ).to_pylist()
    assert {row["licence"] for row in publications} == {"CC BY", "CC BY-NC", "CC0", None}


def test_only_allowed_texts_may_be_shared(queried):
    shared = read_table(
        queried / "results" / "share" / "publications.parquet", "publications"
    ).to_pylist()
    allowed = {"CC BY", "CC0"}
    assert shared and {row["licence"] in allowed for row in shared} == {True, False}
    assert all((row["abstract"] is not None) == (row["licence"] in allowed) for row in shared)
    told = b"".join(p.read_bytes() for p in (queried / "results" / "share").iterdir())
    assert b"purified" not in told or len(shared) > sum(r["licence"] in allowed for r in shared)


def test_no_secret_is_in_any_file(queried):
    files = [path for path in queried.rglob("*") if path.is_file()]
    assert any(path.name.endswith(".requests.tsv") for path in files)
    for path in files:
        data = path.read_bytes()
        assert EMAIL.encode() not in data and KEY.encode() not in data, path


def test_network_settings_re_run_nothing(queried, inputs, providers, tmp_path):
    settings = providers.settings(inputs[1], QUERY, offline=True, tries=2)
    assert planned(queried, write_settings(tmp_path / "c.yaml", settings)) == set()


def test_offline_takes_all_from_earlier_answers(queried, inputs, providers, tmp_path):
    settings = providers.settings(inputs[1], QUERY, offline=True)
    config = write_settings(tmp_path / "offline.yaml", settings)
    before = {name: len(providers.asked(name)) for name in providers.servers}
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copytree(queried / "resources", folder / "resources")
    answer = run(folder, config, "data")
    assert answer.returncode == 0, answer.stdout
    same_tables(queried, folder)
    assert {name: len(providers.asked(name)) for name in providers.servers} == before
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = run(empty, config, "data")
    assert answer.returncode != 0
    lines = [line for line in answer.stdout.splitlines() if line.strip().startswith("error: ")]
    assert "offline" in lines[0] and "/uniprotkb/search" in lines[0], answer.stdout


def test_a_bulk_release_gives_the_same_results(inputs, providers, queried, tmp_path):
    settings = providers.settings(inputs[1], RELEASE)
    answer = run(tmp_path, write_settings(tmp_path / "release.yaml", settings))
    assert answer.returncode == 0, answer.stdout
    same_tables(queried, tmp_path)
    left, right = (folder / "results" / "metrics.tsv" for folder in (queried, tmp_path))
    assert left.read_bytes() == right.read_bytes()
    provenance = read_json(tmp_path / "results" / "provenance.json")
    assert provenance["entries"]["release"] == "2026_01"
    assert read_metadata(tmp_path / "results/tables/proteins.parquet")["release"] == "2026_01"


@pytest.mark.parametrize(
    ("rule", "source", "provider", "path"),
    [
        ("get_uniprot_release", RELEASE, "uniprot_files", "/previous_releases"),
        ("query_uniprot", QUERY, "uniprot", "/uniprotkb/search"),
        ("search_publications", QUERY, "ncbi", "/esearch.fcgi"),
        ("fetch_publications", QUERY, "ncbi", "/efetch.fcgi"),
        ("get_licences", QUERY, "pmc", "/metadata"),
    ],
)
def test_kill_a_fetch_and_run_again(
    inputs, providers, queried, tmp_path, rule, source, provider, path
):
    config = write_settings(tmp_path / "c.yaml", providers.settings(inputs[1], source))
    server = providers.servers[provider]
    # Slow enough to be in the middle of it when the end comes.
    slow = Fault(path, times=1000, skip=1, drip_seconds=0.5, drip_bytes=200)
    server.faults.append(slow)
    try:
        kill_in(tmp_path, config, rule, "data")
    finally:
        server.faults.remove(slow)
    assert not (tmp_path / "results" / "share" / "publications.parquet").exists()
    answer = run(tmp_path, config, "data")
    assert answer.returncode == 0, answer.stdout
    same_tables(queried, tmp_path)


def test_a_missing_address_is_told_before_anything_is_asked(
    inputs, providers, queried, tmp_path, monkeypatch
):
    monkeypatch.setenv("NCBI_EMAIL", "your.name@example.com")
    settings = providers.settings(inputs[1], QUERY)
    folder = tmp_path / "run"
    shutil.copytree(queried, folder)
    shutil.rmtree(folder / "resources" / "http")
    before = len(providers.asked("ncbi"))
    config = write_settings(tmp_path / "c.yaml", settings)
    answer = run(folder, config, "data", "--forcerun", "search_publications")
    lines = [line for line in answer.stdout.splitlines() if line.strip().startswith("error: ")]
    assert answer.returncode != 0 and "NCBI_EMAIL" in lines[0], answer.stdout
    assert len(providers.asked("ncbi")) == before
