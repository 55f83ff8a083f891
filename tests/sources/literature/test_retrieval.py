import gzip
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from helpers_entrez import (
    EMAIL,
    KEY,
    fetched_ids,
    network,
    network_variable,
    quick,
    rejected,
    serving,
    set_identity,
    write_candidates,
)
from protscribe.atomic import read_json, sha256_file
from protscribe.errors import InputError
from protscribe.sources.literature.pubmed import parse_publications
from protscribe.sources.literature.pubmed_store import PubmedStore
from protscribe.sources.literature.retrieval import fetch_publications
from protscribe.tables import read_table
from pubmed_records import article_set, make_article, make_book, split_records
from servers.eutils import Eutils, most_in_a_second, rate_limit_body, real_records
from servers.loopback import Fault

RECORDS = {str(n): make_article(n, f"Title {n}.", f"Text {n}.") for n in range(1, 1001)}
RECORDS["7"] = make_book(7)
CHILD = """
import sys
from pathlib import Path
from protscribe.sources.client import Network
from protscribe.sources.literature.retrieval import fetch_publications
candidates, folder, run = map(Path, sys.argv[1:])
fetch_publications(candidates, folder, run / "fetched.json", run / "rejects.parquet",
                   network=Network.from_environment(), batch=10)
"""


@pytest.fixture(autouse=True)
def identity(monkeypatch):
    set_identity(monkeypatch)


@pytest.fixture
def server():
    with serving(quick(RECORDS)) as running:
        yield running


@pytest.fixture
def fetch(tmp_path, server):
    """Fetch ids in the name of a run; return its manifest and rejects."""

    def run(ids, name="run", batch=10, **settings):
        folder = tmp_path / name
        fetch_publications(
            write_candidates(folder / "candidates.parquet", list(ids)),
            tmp_path / "pubmed",
            folder / "fetched.json",
            folder / "rejects.parquet",
            network=network(server, tmp_path, **settings),
            log=tmp_path / "requests.tsv",
            batch=batch,
        )
        return read_json(folder / "fetched.json"), rejected(folder / "rejects.parquet")

    return run


def ids(first, last):
    return [str(number) for number in range(first, last + 1)]


def parsed(tmp_path, name):
    tables = [tmp_path / name / f"{table}.parquet" for table in ("publications", "rejects_parse")]
    parse_publications(tmp_path / name / "fetched.json", *tables, metadata={})
    return tables[0]


def test_each_id_is_fetched_once_for_all_runs(fetch, server):
    fetch(ids(1, 25))
    assert sorted(fetched_ids(server), key=int) == ids(1, 25)
    assert len(server.requests) == 3
    manifest, _ = fetch(ids(20, 40), "other")
    assert sorted(fetched_ids(server), key=int) == ids(1, 40)
    assert manifest["wanted"] == ids(20, 40)
    fetch(ids(1, 40), "third")
    assert len(server.requests) == 5


def test_the_manifest_names_answers_with_their_ids(fetch, tmp_path):
    manifest, rejects = fetch(ids(5, 25))
    assert rejects == {}
    assert manifest["source"] == "entrez"
    assert sorted((i for file in manifest["files"] for i in file["pubmed_ids"]), key=int) == ids(
        5, 25
    )
    for file in manifest["files"]:
        path = tmp_path / "run" / file["name"]
        assert file["name"].startswith("../pubmed/")
        assert sha256_file(path) == file["sha256"]
        assert path.stat().st_size == file["bytes"]
    assert [file["name"] for file in manifest["files"]] == sorted(
        file["name"] for file in manifest["files"]
    )


def test_answers_are_kept_as_they_came(fetch, tmp_path):
    fetch(["3", "7"])
    (kept,) = (tmp_path / "pubmed").glob("*.xml.gz")
    assert gzip.decompress(kept.read_bytes()) == article_set([RECORDS["3"], RECORDS["7"]])
    assert kept.read_bytes()[4:8] == bytes(4)  # No time in the header.


def test_what_is_parsed_does_not_depend_on_what_was_fetched_before(fetch, tmp_path, server):
    fetch(ids(1, 30), "one")
    first = parsed(tmp_path, "one").read_bytes()
    for path in (tmp_path / "pubmed").glob("*.*"):
        path.unlink()
    fetch([*ids(15, 60)], "before", batch=7)
    fetch(ids(1, 30), "two")
    assert parsed(tmp_path, "two").read_bytes() == first
    assert read_table(parsed(tmp_path, "two"), "publications")["pubmed_id"].to_pylist() == sorted(
        ids(1, 30)
    )


def test_records_deleted_since_the_search_are_rejects_and_not_asked_for_again(
    fetch, tmp_path, server
):
    server.app.deleted.update({"4", "7"})
    manifest, rejects = fetch(ids(1, 10))
    assert rejects == dict.fromkeys(["4", "7"], "not returned by PubMed")
    assert manifest["wanted"] == ["1", "2", "3", "5", "6", "8", "9", "10"]
    assert read_table(parsed(tmp_path, "run"), "publications").num_rows == 8
    fetch(ids(1, 10), "again")
    assert len(server.requests) == 1


def test_of_two_answers_with_one_id_the_first_by_name_counts(tmp_path):
    for order in ([0, 1], [1, 0]):
        store = PubmedStore(tmp_path / str(order[0]))
        store.folder.mkdir()
        for number in order:
            store.keep(["1", str(5 + number)], article_set([RECORDS["1"]]), ["1"])
        store.scan(["1"])
        (name,) = store.held(["1"])
        assert name == min(path.stem for path in store.folder.glob("*.json"))
        assert store.missing(["1", "5", "9"]) == {"9"}


def test_a_damaged_answer_is_fetched_again(fetch, tmp_path, server, capfd):
    fetch(ids(1, 20))
    damaged, *_ = (tmp_path / "pubmed").glob("*.xml.gz")
    damaged.write_bytes(damaged.read_bytes()[:-9])
    (tmp_path / "pubmed" / f"{'0' * 64}.json").write_text("{cut")
    manifest, _ = fetch(ids(1, 20), "again")
    assert "is damaged" in capfd.readouterr().err
    assert len(server.requests) == 3
    assert manifest["wanted"] == ids(1, 20)


def test_what_is_here_needs_no_network(fetch, server):
    fetch(ids(1, 20))
    assert fetch(ids(1, 20), "offline", offline=True)[0]["wanted"] == ids(1, 20)
    with pytest.raises(InputError, match="offline.*efetch"):
        fetch(ids(1, 21), "more", offline=True)


def test_nothing_to_fetch(fetch, server):
    manifest, rejects = fetch([])
    assert (manifest["files"], manifest["wanted"], rejects) == ([], [], {})
    assert not server.requests


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=200, body=rate_limit_body(KEY)),
        Fault(times=3, status=503),
        Fault(truncate=2000),
        Fault(cut_after=2000),
        Fault(drip_seconds=0.001),
    ],
    ids=lambda fault: str(fault.status or "cut"),
)
def test_a_spoilt_answer_is_never_kept(fetch, server, tmp_path, fault):
    server.faults.append(fault)
    manifest, _ = fetch(ids(1, 30))
    assert manifest["wanted"] == ids(1, 30)
    assert len(list((tmp_path / "pubmed").glob("*.xml.gz"))) == 3


def test_an_entity_bomb_is_refused_and_not_kept(fetch, server, tmp_path):
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><PubmedArticleSet>&a;</PubmedArticleSet>'
    server.faults.append(Fault(body=bomb))
    with pytest.raises(InputError, match="efetch of 10 PubMed ids from 1 to 10: .* declares"):
        fetch(ids(1, 10))
    assert not list((tmp_path / "pubmed").glob("*.json"))
    assert not (tmp_path / "run" / "fetched.json").exists()
    fetch(ids(1, 10))


@pytest.mark.parametrize(
    ("wanted", "batch", "told"), [(["1"], 0, "batch"), (["1"], 501, "batch"), (["x1"], 9, "'x1'")]
)
def test_wrong_input_is_refused(fetch, server, wanted, batch, told):
    with pytest.raises(InputError, match=told):
        fetch(wanted, batch=batch)
    assert not server.requests


def test_the_cost_is_told_first(fetch, server, capfd):
    fetch(ids(1, 25), rates={"ncbi": 50})
    told = capfd.readouterr().err
    assert "25 publications, 0 of them here" in told
    assert "fetch: 3 requests, 0.0 minutes at 50 a second" in told


def test_no_file_holds_a_secret(fetch, tmp_path, server):
    server.faults.append(Fault(status=429, body=rate_limit_body(KEY)))
    fetch(ids(1, 20))
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
            assert EMAIL.encode() not in path.read_bytes(), path


def child(server, tmp_path, wanted, name, **settings):
    candidates = write_candidates(tmp_path / name / "candidates.parquet", wanted)
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, candidates, tmp_path / "pubmed", tmp_path / name],
        env=network_variable(network(server, tmp_path, **settings)),
        stderr=subprocess.DEVNULL,
    )


def kept_ids(tmp_path):
    found = (tmp_path / "pubmed").glob("[0-9a-f]*.json")
    return {i for path in found for i in json.loads(path.read_text())["requested"]}


@pytest.mark.slow
def test_a_killed_fetch_goes_on_where_it_was(fetch, server, tmp_path):
    running = child(server, tmp_path, ids(1, 300), "run", rates={"ncbi": 20})
    deadline = time.monotonic() + 60
    while len(kept_ids(tmp_path)) < 50 and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    here, before = kept_ids(tmp_path), len(server.requests)
    assert 50 <= len(here) < 300
    assert not (tmp_path / "run" / "fetched.json").exists()
    manifest, _ = fetch(ids(1, 300))
    again = [i for request in server.requests[before:] for i in request.form["id"].split(",")]
    assert sorted(again, key=int) == sorted(set(ids(1, 300)) - here, key=int)
    assert manifest["wanted"] == ids(1, 300)


@pytest.mark.slow
def test_runs_at_once_in_one_folder_share_the_work(server, tmp_path):
    wanted = {"one": ids(1, 400), "two": ids(200, 600), "three": ids(1, 600)}
    running = [child(server, tmp_path, wanted[name], name, rates={"ncbi": 40}) for name in wanted]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert max(Counter(fetched_ids(server)).values()) == 1
    assert sorted(fetched_ids(server), key=int) == ids(1, 600)
    for name, some in wanted.items():
        assert read_json(tmp_path / name / "fetched.json")["wanted"] == some


def test_the_work_of_a_run_that_fails_is_taken_over(fetch, server, tmp_path):
    # The second run begins while the first one holds its claim.
    store, failed = PubmedStore(tmp_path / "pubmed"), threading.Event()

    def hold():
        with store.claim(ids(1, 30)) as mine:
            assert mine == ids(1, 30)
            failed.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    while not list((tmp_path / "pubmed" / "claims").glob("*.json")):
        time.sleep(0.01)
    threading.Timer(0.5, failed.set).start()
    started = time.monotonic()
    manifest, _ = fetch(ids(1, 30))
    holder.join()
    assert time.monotonic() - started >= 0.4
    assert manifest["wanted"] == ids(1, 30)
    assert sorted(fetched_ids(server), key=int) == ids(1, 30)


@pytest.mark.slow
def test_parallel_runs_together_keep_the_rate(tmp_path):
    app = Eutils(RECORDS, key_rate=5, keys=[KEY])
    with serving(app) as server:
        wanted = {str(n): ids(25 * n + 1, 25 * n + 25) for n in range(8)}
        running = [
            child(server, tmp_path, some, name, rates={"ncbi": 4}) for name, some in wanted.items()
        ]
        assert [process.wait(90) for process in running] == [0] * 8
        times = [request.at for request in server.requests]
        assert len(times) == 8 * 3
        assert most_in_a_second(times) <= 5


def test_real_records_go_through(shared_data, tmp_path):
    app = quick(real_records(shared_data))
    wanted = sorted(app.records, key=int)[::25]
    with serving(app) as server:
        fetch_publications(
            write_candidates(tmp_path / "run" / "candidates.parquet", wanted),
            tmp_path / "pubmed",
            tmp_path / "run" / "fetched.json",
            tmp_path / "run" / "rejects.parquet",
            network=network(server, tmp_path),
        )
        assert len(server.requests) == -(-len(wanted) // 200)
    assert rejected(tmp_path / "run" / "rejects.parquet") == {}
    assert read_table(parsed(tmp_path, "run"), "publications").num_rows > 0.9 * len(wanted)
    assert split_records(article_set([app.records[wanted[0]].xml])).keys() == {wanted[0]}
