import gzip
import json
import random
import signal
import time
from dataclasses import replace

import pytest

from flat_entries import entry, write_families
from helpers_data import natural_protein
from helpers_network import network_for, start_python
from json_entries import entries_from_flat, inactive
from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.formats import swissprot, uniprot_json
from protscribe.sources.uniprot.accessions import read_accessions
from protscribe.sources.uniprot.query import query_uniprot
from protscribe.tables import read_table
from servers.loopback import Fault, LoopbackServer
from servers.uniprot import UniProt, with_headers, without_headers

PAGES = 3
MANY = 2 * 500 + 203
QUERY = "reviewed:true AND cc_function:*"


@pytest.fixture(scope="module")
def many():
    """Entries for three pages."""
    rng = random.Random(0)
    flat = "".join(
        entry(f"Q{number:05d}", natural_protein(rng, 40), f"Binds ligand {number}")
        for number in range(MANY)
    )
    return entries_from_flat(flat)


@pytest.fixture
def server(many):
    with LoopbackServer(UniProt(many)) as server:
        yield server


def client_of(server, folder, **settings):
    network = network_for(server, folder)
    urls, rates = {"uniprot": server.url}, {"uniprot": 2000.0}
    return Client(replace(network, urls=urls, rates=rates, **settings))


def fetch(server, folder, *, query=QUERY, accessions=None, release=None, **settings):
    """Fetch, and return entries, manifest and rejects."""
    folder.mkdir(exist_ok=True)
    out = [folder / name for name in ("entries.jsonl.gz", "manifest.json", "rejects.parquet")]
    if accessions is not None:
        path = folder / "accessions.txt"
        path.write_bytes(accessions if isinstance(accessions, bytes) else accessions.encode())
        query, accessions = None, path
    with client_of(server, folder, **settings) as client:
        query_uniprot(*out, query=query, accessions=accessions, release=release, client=client)
    with gzip.open(out[0], "rt", encoding="utf-8") as file:
        entries = [json.loads(line) for line in file]
    rejects = {row["key"]: row for row in read_table(out[2], "rejects").to_pylist()}
    assert {row["stage"] for row in rejects.values()} <= {"query_uniprot"}
    return entries, json.loads(out[1].read_text()), rejects


def nothing_written(folder):
    return not [path for path in folder.iterdir() if path.is_file()]


def whole(entries, many):
    return [e["primaryAccession"] for e in entries] == [e["primaryAccession"] for e in many]


def test_a_query_of_three_pages(server, many, tmp_path):
    entries, manifest, rejects = fetch(server, tmp_path)
    assert entries == many
    assert rejects == {}
    path = tmp_path / "entries.jsonl.gz"
    assert manifest == {
        "source": "uniprot_query",
        "query": QUERY,
        "release": "2026_02",
        "release_date": "2026-06-10",
        "licence": "CC BY 4.0",
        "entries": MANY,
        "files": [
            {
                "name": "entries.jsonl.gz",
                "bytes": path.stat().st_size,
                "sha256": sha256_file(path),
                "format": "uniprot_json",
            }
        ],
        "mapped": {},
        "warnings": [],
    }
    assert [r.path for r in server.requests] == ["/uniprotkb/search"] * PAGES
    for request in server.requests:
        assert request.query["size"] == "500"
        assert request.query["query"] == QUERY
        assert "fields" not in request.query
    assert ["cursor" in r.query for r in server.requests] == [False, True, True]


def test_same_answers_same_bytes_wherever_and_whenever(server, tmp_path):
    for name in ("a", "b"):
        fetch(server, tmp_path / name)
    for name in ("entries.jsonl.gz", "manifest.json", "rejects.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_again_takes_all_from_the_cache_and_offline_too(server, many, tmp_path):
    fetch(server, tmp_path)
    assert len(server.requests) == PAGES
    fetch(server, tmp_path)
    entries, _, _ = fetch(server, tmp_path, offline=True, release="2026_02")
    assert whole(entries, many)
    assert len(server.requests) == PAGES


def test_offline_without_a_page_says_which(server, tmp_path):
    with pytest.raises(InputError, match="offline.*uniprotkb/search.*reviewed"):
        fetch(server, tmp_path, offline=True)


def test_a_query_gives_the_rows_of_the_flat_file(tmp_path):
    flat = write_families(tmp_path / "families.dat", families=24).read_text()
    texts = [text + "//\n" for text in flat.split("//\n") if text]
    with LoopbackServer(UniProt(entries_from_flat(flat))) as server:
        entries, _, _ = fetch(server, tmp_path / "run", query="*")
    rows = {row["accession"]: row for row in map(swissprot.row, texts)}
    assert {e["primaryAccession"]: uniprot_json.row(e) for e in entries} == rows
    assert len(rows) == 48


FAULTS = {
    "429 without Retry-After": Fault(status=429, times=2),
    "429 with Retry-After": Fault(status=429, times=2, headers={"retry-after": "0"}),
    "a burst of 500": Fault(status=500, times=2, skip=1),
    "503": Fault(status=503, skip=2),
    "truncated gzip": Fault(truncate=2000, skip=1),
    "dropped connection": Fault(cut_after=2000, skip=1),
    "slow drip": Fault(drip_seconds=0.01, drip_bytes=20_000),
    "no link": Fault(change=without_headers("link"), skip=1),
    "no total": Fault(change=without_headers("x-total-results")),
    "another total": Fault(change=with_headers(x_total_results="7"), skip=1),
    "no release": Fault(change=without_headers("x-uniprot-release"), skip=1),
    "an error page with status 200": Fault(body=b"<html>Bad Gateway</html>", skip=1),
    "another JSON": Fault(body=b'{"error": "try later"}', skip=1),
    "the first page again": Fault(times=1, skip=1),  # filled in by the test
    "no accession": Fault(times=1, skip=1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_passes_costs_a_retry_and_nothing_else(name, server, many, tmp_path):
    fault = replace(FAULTS[name])
    if name == "the first page again":
        fault.change = edited(lambda value: value["results"].__setitem__(0, many[0]))
    if name == "no accession":
        fault.change = edited(lambda value: value["results"][3].pop("primaryAccession"))
    server.faults.append(fault)
    entries, manifest, _ = fetch(server, tmp_path)
    assert whole(entries, many)
    assert manifest["release"] == "2026_02"
    assert fault.times == 0
    assert len(server.requests) == PAGES + (FAULTS[name].times if name != "slow drip" else 0)


def edited(edit):
    """Return a change of answers that edits their JSON."""

    def change(answer):
        value = json.loads(gzip.decompress(bytes(answer.body)))
        edit(value)
        return replace(answer, body=gzip.compress(json.dumps(value).encode()))

    return change


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=429), "tried 3 times.*429"),
        (Fault(status=500, skip=1), "tried 3 times.*500"),
        (Fault(change=without_headers("link")), "after 500 of 1203.*no link to the next page"),
        (Fault(change=without_headers("x-total-results")), "how many entries"),
        (Fault(change=without_headers("x-uniprot-release")), "of which release"),
        (Fault(change=with_headers(x_total_results="1204"), skip=1), "1203.*now there are 1204"),
        (Fault(change=with_headers(x_total_results="499")), "500 entries came.*499"),
        (Fault(change=edited(lambda v: v["results"].clear()), skip=1), "after 500 of 1203"),
        (Fault(change=edited(lambda v: v["results"].pop()), skip=2), "after 1202 of 1203"),
        (Fault(change=edited(lambda v: v["results"].append(v["results"][0]))), "second time"),
        (Fault(body=b"<html>", skip=1), "not JSON"),
    ],
)
def test_a_fault_that_stays_is_an_error(fault, words, server, tmp_path):
    server.faults.append(replace(fault, times=99))
    with pytest.raises(InputError, match=words):
        fetch(server, tmp_path)
    assert nothing_written(tmp_path)


def test_a_cursor_that_leads_back_is_an_error(server, tmp_path):
    links = []

    def back(answer):
        links.append(answer.headers["link"])
        return replace(answer, headers={**answer.headers, "link": links[0]})

    server.faults.append(Fault(change=back, times=99))
    with pytest.raises(InputError, match="leads back to an earlier one"):
        fetch(server, tmp_path)
    assert len(server.requests) == 1 + 3
    assert nothing_written(tmp_path)


def test_a_link_to_another_place_is_not_followed(server, tmp_path):
    away = '<http://127.0.0.1:1/uniprotkb/search?cursor=x>; rel="next"'
    server.faults.append(Fault(change=with_headers(link=away)))
    with pytest.raises(InputError, match=r"points to http://127\.0\.0\.1:1"):
        fetch(server, tmp_path)


class Changing(UniProt):
    """UniProt that goes over to the next release when the request of that number comes."""

    def __init__(self, entries, *numbers):
        super().__init__(entries)
        self.numbers, self.count = numbers, 0

    def __call__(self, request):
        self.count += 1
        if self.count in self.numbers:
            year, number = self.release.split("_")
            self.release = f"{year}_{int(number) + 1:02d}"
            self.entries.popitem()
        return super().__call__(request)


def test_a_change_of_release_between_pages_starts_again(many, tmp_path):
    with LoopbackServer(Changing(many, 2)) as server:
        entries, manifest, _ = fetch(server, tmp_path)
        # Page one of the old release, page two of the new one, then all of the new one.
        assert ["cursor" in r.query for r in server.requests] == [False, True, False, True, True]
        fetch(server, tmp_path, offline=True)
    assert manifest["release"] == "2026_03"
    assert whole(entries, many[:-1])


def test_a_release_that_changes_again_and_again_is_an_error(many, tmp_path):
    with (
        LoopbackServer(Changing(many, 2, 4)) as server,
        pytest.raises(InputError, match="changed from 2026_03 to 2026_04, for the second time"),
    ):
        fetch(server, tmp_path)
    assert nothing_written(tmp_path)


def test_another_release_than_configured_is_an_error(server, tmp_path):
    with pytest.raises(InputError, match=r"release 2026_02, but release 2026_01 is.*uniprot_rel"):
        fetch(server, tmp_path, release="2026_01")
    assert len(server.requests) == 1
    assert nothing_written(tmp_path)


def test_pages_kept_from_an_old_release_do_not_stand_in_the_way(many, tmp_path):
    app = UniProt(many)
    with LoopbackServer(app) as server:
        fetch(server, tmp_path)
        app.release = "2026_03"
        # Nothing is said about the release: what is there is good.
        assert fetch(server, tmp_path)[1]["release"] == "2026_02"
        assert fetch(server, tmp_path, release="2026_03")[1]["release"] == "2026_03"
        assert len(server.requests) == 2 * PAGES
        with pytest.raises(InputError, match="release 2026_03, but release 2026_02"):
            fetch(server, tmp_path, release="2026_02", offline=True)


def test_pages_of_a_broken_run_before_a_new_release_are_fetched_anew(many, tmp_path):
    app = UniProt(many)
    with LoopbackServer(app) as server:
        server.faults.append(Fault(status=500, skip=1, times=3))
        with pytest.raises(InputError, match="500"):
            fetch(server, tmp_path)
        app.release = "2026_03"
        entries, manifest, _ = fetch(server, tmp_path)
    assert manifest["release"] == "2026_03"
    assert whole(entries, many)


KILLED = """
import sys
from pathlib import Path
from protscribe.sources.client import Client, Network
from protscribe.sources.uniprot.query import query_uniprot
folder = Path(sys.argv[1])
with Client(Network.from_environment()) as client:
    query_uniprot(folder / "entries.jsonl.gz", folder / "manifest.json",
        folder / "rejects.parquet", query=sys.argv[2], accessions=None, release=None, client=client)
"""


def test_a_killed_run_goes_on_at_the_page_where_it_stopped(server, many, tmp_path, monkeypatch):
    settings = {
        "urls": {"uniprot": server.url},
        "rates": {"uniprot": 2000.0},
        "cache": str(tmp_path / "cache"),
    }
    monkeypatch.setenv("PROTSCRIBE_NETWORK", json.dumps(settings))
    server.faults.append(Fault(skip=2, drip_seconds=1, drip_bytes=100))
    child = start_python(KILLED, tmp_path, QUERY)
    deadline = time.monotonic() + 60
    while len(server.requests) < 3 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (tmp_path / "entries.jsonl.gz").exists()
    entries, _, _ = fetch(server, tmp_path)
    assert whole(entries, many)
    asked = [r.query.get("cursor") for r in server.requests]
    # The third page had not come whole; the two before it are not asked for again.
    assert len(asked) == 4
    assert asked[2] == asked[3]
    fetch(server, tmp_path / "at once")
    both = [folder / "entries.jsonl.gz" for folder in (tmp_path, tmp_path / "at once")]
    assert both[0].read_bytes() == both[1].read_bytes()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("(reviewed:true", "refuses the query: query parameter has an invalid syntax"),
        ("insulin AND", "invalid syntax"),
        ("nosuchfield:5", "'nosuchfield' is not a valid search field"),
    ],
)
def test_a_query_that_uniprot_refuses(query, words, server, tmp_path):
    with pytest.raises(InputError, match=words) as error:
        fetch(server, tmp_path, query=query)
    assert "\n" not in str(error.value)
    assert len(server.requests) == 1
    assert nothing_written(tmp_path)


def test_a_query_without_entries_is_an_error(server, tmp_path):
    with pytest.raises(InputError, match="no entry for organism_id:5"):
        fetch(server, tmp_path, query="organism_id:5")
    assert nothing_written(tmp_path)


def test_too_many_clauses_are_refused_before_asking(server, tmp_path):
    clauses = [f"accession:Q{number:05d}" for number in range(51)]
    with pytest.raises(InputError, match="51 clauses.*list of accessions"):
        fetch(server, tmp_path, query=" OR ".join(clauses))
    assert server.requests == []
    quoted = " OR ".join(clauses[:49]) + ' OR "this OR that"'
    entries, _, _ = fetch(server, tmp_path, query=quoted)
    assert len(entries) == 49


def test_a_query_and_a_list_exclude_each_other(tmp_path):
    out = [tmp_path / name for name in "abc"]
    for query, accessions in ((None, None), ("*", tmp_path / "list")):
        with pytest.raises(InputError, match="either a query or a list"):
            query_uniprot(*out, query=query, accessions=accessions, release=None, client=None)


def gone_and_present(many):
    """Four entries, one with a former accession, two that share one, and four inactive ones."""
    first, second, third, fourth = (dict(e) for e in many[:4])
    first["secondaryAccessions"] = ["P00001"]
    second["secondaryAccessions"] = ["P00002", "P00003"]
    third["secondaryAccessions"] = ["P00003"]
    return [
        *(first, second, third, fourth),
        inactive("P00002", "MERGED", "Q00001"),
        inactive("P00003", "DEMERGED", "Q00001", "Q00002"),
        inactive("P00004", "DELETED", why="Not part of a reference proteome"),
        # A note whose successor does not mention it, and one whose successor is gone.
        inactive("P00005", "MERGED", "Q00003"),
        inactive("P00006", "MERGED", "P00004"),
    ]


def test_a_list_of_accessions_and_what_became_of_them(many, tmp_path):
    text = (
        "\ufeff# proteins of interest\r\n\r\nq00000\r\nP00001  # former\r\nP00002\r\nP00003\r\n"
        "P00004\r\nP00006\r\nP00005\r\nP99999\r\nQ00000\r\nnonsense\r\nnonsense\r\nQ00002-2\r\n"
        "A0A024R161\r\n"
    )
    with LoopbackServer(UniProt(gone_and_present(many))) as server:
        entries, manifest, rejects = fetch(server, tmp_path, accessions=text)
        paths = [r.path.removeprefix("/uniprotkb/") for r in server.requests]
    assert [e["primaryAccession"] for e in entries] == ["Q00000", "Q00002", "Q00001", "Q00003"]
    assert {key: (row["reason"], row["detail"]) for key, row in rejects.items()} == {
        "P00001": ("secondary accession", "now Q00000; Q00000 is in the list too"),
        "P00002": ("merged accession", "now Q00001"),
        "P00003": ("demerged accession", "now Q00001, Q00002; Q00002 is in the list too"),
        "P00004": ("obsolete accession", "deleted: Not part of a reference proteome"),
        "P00005": ("merged accession", "now Q00003"),
        "P00006": ("obsolete accession", "merged into P00004"),
        "P99999": ("unknown accession", "UniProt has no entry of this name, and none that had it"),
        "A0A024R161": (
            "unknown accession",
            "UniProt has no entry of this name, and none that had it",
        ),
        "Q00000": ("duplicate", "Q00000 stands in the list before"),
        "nonsense": ("not an accession", "UniProt's have 6 or 10 letters and digits"),
        "nonsense (line 13)": ("not an accession", "UniProt's have 6 or 10 letters and digits"),
        "Q00002-2": ("isoform", "Q00002 is kept, with the sequence of its canonical isoform"),
    }
    assert manifest["accessions"] == "accessions.txt"
    assert manifest["entries"] == 4
    assert manifest["mapped"] == {
        "demerged accession": 1,
        "duplicate": 1,
        "isoform": 1,
        "merged accession": 2,
        "not an accession": 2,
        "obsolete accession": 2,
        "secondary accession": 1,
        "unknown accession": 2,
    }
    assert len(manifest["warnings"]) == 1
    assert paths == ["accessions", "search", "accessions"]


def test_the_order_of_a_list_does_not_matter(many, tmp_path):
    names = [e["primaryAccession"] for e in many[:30]]
    with LoopbackServer(UniProt(many)) as server:
        fetch(server, tmp_path / "a", accessions="\n".join(names))
        fetch(server, tmp_path / "b", accessions="\n".join(reversed(names)))
    files = [tmp_path / name / "entries.jsonl.gz" for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_long_list_is_asked_for_in_batches_with_short_addresses(many, tmp_path):
    names = [e["primaryAccession"] for e in many]
    missing = [f"P{number:05d}" for number in range(60)]
    with LoopbackServer(UniProt(many)) as server:
        entries, _, rejects = fetch(server, tmp_path, accessions="\n".join(names + missing))
        asked = [r.query.get("accessions", "").count(",") + 1 for r in server.requests]
        longest = max(len(str(r.query)) for r in server.requests)
    assert len(entries) == MANY
    assert len(rejects) == 60
    assert asked == [500, 500, 263, 1, 1, 1]
    assert longest < 7000


def test_a_list_survives_a_change_of_release_too(many, tmp_path):
    names = "\n".join(e["primaryAccession"] for e in many[:600])
    with LoopbackServer(Changing(many, 2)) as server:
        entries, manifest, _ = fetch(server, tmp_path, accessions=names)
    assert (len(entries), manifest["release"]) == (600, "2026_03")


def test_a_list_of_nothing_but_the_gone_is_an_error(many, tmp_path):
    with (
        LoopbackServer(UniProt(gone_and_present(many))) as server,
        pytest.raises(InputError, match="no entry for .*accessions.txt"),
    ):
        fetch(server, tmp_path, accessions="P00004\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no accession"),
        (b"# only a comment\n", "holds no accession"),
        (b"what\never\n", "holds no accession"),
        (b"\xff\xfe\x00P", "not a text file"),
        (None, "no such file"),
    ],
)
def test_broken_lists(content, words, tmp_path):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_accessions(path)


def test_the_stand_in_answers_like_uniprot(many, tmp_path):
    with LoopbackServer(UniProt(gone_and_present(many))) as server:
        client = client_of(server, tmp_path)
        merged = client.get("uniprot", "uniprotkb/P00002.json", accept=(303,))
        assert (merged.status, merged.headers["location"]) == (303, "/uniprotkb/Q00001?from=P00002")
        demerged = client.get("uniprot", "uniprotkb/P00003").json()
        assert demerged["inactiveReason"]["mergeDemergeTo"] == ["Q00001", "Q00002"]
        refused = [
            ("search", {"query": "*", "size": "501"}),
            ("search", {}),
            ("accessions", {"accessions": ",".join(["Q00000"] * 1001)}),
            ("accessions", {"accessions": "nonsense"}),
            ("search", {"query": "*", "cursor": "nonsense"}),
        ]
        for path, params in refused:
            answer = client.get("uniprot", f"uniprotkb/{path}", params, accept=(400,))
            assert answer.status == 400
            assert set(answer.json()) == {"url", "messages"}
