"""The client against a real server that misbehaves in every way that providers do."""

import csv
import gzip
import itertools
import json
import re
import socket
import time
import traceback
from dataclasses import replace
from email.utils import formatdate

import pytest

from helpers_network import network_for, start_python
from protscribe.errors import InputError
from protscribe.sources.client import Client, Transient, check_rate_limit
from servers.loopback import Answer, Fault, LoopbackServer, json_answer

KEY = "0123456789abcdef0123456789abcdef0123"
EMAIL = "Ada.Lovelace@engines.ac.uk"
BODY = b"MKT" * 3000
RATE_LIMIT = {"error": "API rate limit exceeded", "api-key": "10.1.2.3", "count": "4", "limit": "3"}


@pytest.fixture
def server():
    def app(request):
        if request.path == "/api/gzip":
            return Answer(headers={"content-encoding": "gzip"}, body=gzip.compress(BODY))
        if request.path == "/api/file.gz":
            return Answer(body=gzip.compress(BODY))
        if request.path == "/api/chunked":
            return Answer(headers={"transfer-encoding": "chunked"}, body=BODY)
        if request.path == "/api/missing":
            return Answer(404, body=b"nothing   \n here")
        return json_answer(
            {"path": request.path, "query": request.query, "form": request.form},
            x_uniprot_release="2026_01",
            link="<there>; rel=next",
            set_cookie="a=b",
        )

    with LoopbackServer(app) as server:
        yield server


@pytest.fixture
def client(server, tmp_path):
    with Client(network_for(server, tmp_path), tmp_path / "logs" / "requests.tsv") as client:
        yield client


@pytest.fixture
def me(monkeypatch):
    monkeypatch.setenv("NCBI_API_KEY", KEY)
    monkeypatch.setenv("NCBI_EMAIL", EMAIL)


def log_of(folder):
    with (folder / "logs" / "requests.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def statuses(server):
    return [request.status for request in server.requests]


# Answers


def test_get_gives_the_whole_answer(client):
    response = client.get("site", "/search", {"query": "a & b", "fields": "id,ec"})
    assert response.json()["query"] == {"query": "a & b", "fields": "id,ec"}
    assert response.json()["path"] == "/api/search"
    assert response.url.endswith("/api/search?fields=id%2Cec&query=a%20%26%20b")
    assert response.headers == {
        "content-type": "application/json",
        "x-uniprot-release": "2026_01",
        "link": "<there>; rel=next",
    }
    assert (response.provider, response.status, response.cached) == ("site", 200, False)
    assert response.text.startswith("{")


def test_post_sends_a_form_and_no_one_else_learns_who_asks(client, server, me):
    assert client.post("site", "/search", {"ids": "1,2"}).json()["form"] == {"ids": "1,2"}
    assert server.requests[0].method == "POST"
    for text in (KEY, EMAIL):
        assert text not in str(server.requests)


@pytest.mark.parametrize("path", ["gzip", "chunked", "file.gz"])
def test_bodies_are_decoded_once(client, path):
    body = client.get("site", path).body
    assert (gzip.decompress(body) if path == "file.gz" else body) == BODY


def test_connections_are_kept(client, server):
    for number in range(30):
        client.get("site", str(number), use_cache=False)
    assert len({request.port for request in server.requests}) == 1


def test_accepted_statuses_are_answers(client, server, tmp_path):
    for _ in range(2):
        response = client.get("site", "missing", accept=(404,))
        assert (response.status, response.body) == (404, b"nothing   \n here")
    assert response.cached
    assert len(server.requests) == 1


# What is tried again


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_failures_are_tried_again(client, server, tmp_path, status):
    server.faults.append(Fault("/api", times=2, status=status, body=b"come back later"))
    assert client.get("site", "a").status == 200
    assert statuses(server) == [status, status, 200]
    rows = log_of(tmp_path)
    assert [row["attempt"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["problem"] == f"status {status} (come back later)"
    assert rows[2]["problem"] == ""


@pytest.mark.parametrize("dated", [False, True])
def test_retry_after_is_honoured(client, server, dated):
    text = formatdate(time.time() + 2, usegmt=True) if dated else "1"
    server.faults.append(Fault(status=429, headers={"retry-after": text}))
    client.get("site", "a")
    first, second = server.requests
    assert 0.95 <= second.at - first.at < 3


def test_retry_after_goes_before_our_own_wait(server, tmp_path):
    server.faults.append(Fault(status=429, headers={"retry-after": "0"}))
    with Client(network_for(server, tmp_path, backoff_seconds=30)) as client:
        client.get("site", "a")
    first, second = server.requests
    assert second.at - first.at < 5


def test_retry_after_holds_for_every_client_of_the_provider(server, tmp_path):
    server.faults.append(Fault("/api/a", status=429, headers={"retry-after": "1"}))
    network = network_for(server, tmp_path, tries=1)
    with Client(network) as one, Client(network) as other:
        with pytest.raises(InputError, match="tried once"):
            one.get("site", "a")
        other.get("site", "b")
    first, second = server.requests
    assert second.at - first.at >= 0.95


def test_waits_grow_without_retry_after(server, tmp_path):
    server.faults.append(Fault(times=3, status=500))
    with Client(network_for(server, tmp_path, tries=4, backoff_seconds=0.1)) as client:
        client.get("site", "a")
    times = [request.at for request in server.requests]
    waits = [later - sooner for sooner, later in itertools.pairwise(times)]
    for number, wait in enumerate(waits):
        assert 0.1 * 2**number <= wait < 0.1 * 2**number + 0.1 + 1


def test_last_try_says_how_often_and_why(client, server):
    server.faults.append(Fault(times=9, status=503, body=b"down for\n maintenance"))
    with pytest.raises(InputError) as caught:
        client.get("site", "a", {"b": "c"})
    assert f"GET {server.url}/api/a?b=c: tried 3 times" in str(caught.value)
    assert "status 503 (down for maintenance)" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_refusals_are_not_tried_again(client, server, status):
    server.faults.append(Fault(status=status, body=b'{"messages":["Invalid query field  foo"]}'))
    with pytest.raises(InputError, match=rf"site refuses GET .*/api/a: status {status} .*Invalid"):
        client.get("site", "a")
    assert len(server.requests) == 1
    assert not client.network.cache.exists()


@pytest.mark.parametrize(
    ("path", "fault", "problem"),
    [
        ("plain", Fault(cut_after=20), "IncompleteRead"),
        ("plain", Fault(cut_after=0), "IncompleteRead"),
        ("gzip", Fault(cut_after=20), "IncompleteRead"),
        ("gzip", Fault(truncate=40), "damaged gzip body"),
        ("gzip", Fault(truncate=0), "damaged gzip body"),
        ("gzip", Fault(change=lambda a: replace(a, body=b"x" + a.body)), "damaged gzip body"),
        ("gzip", Fault(headers={"content-encoding": "br"}), "unknown coding, br"),
        ("file.gz", Fault(truncate=40), "damaged gzip file"),
        ("chunked", Fault(cut_after=20), "Connection broken|ended prematurely"),
    ],
)
def test_broken_bodies_are_never_believed(client, server, tmp_path, path, fault, problem):
    server.faults.append(fault)
    whole = client.get("site", path)
    assert len(server.requests) == 2
    rows = log_of(tmp_path)
    assert re.search(problem, rows[0]["problem"])
    assert client.get("site", path).body == whole.body
    assert len(server.requests) == 2


def test_silence_is_timed_out(server, tmp_path):
    server.faults.append(Fault("/api/plain", drip_seconds=1.0))
    network = network_for(server, tmp_path, read_timeout=0.2)
    with Client(network, tmp_path / "logs" / "requests.tsv") as client:
        client.get("site", "plain")
    assert statuses(server) == [200, 200]
    assert log_of(tmp_path)[0]["problem"] == "nothing came for 0.2 s"


def test_an_endless_drip_is_cut_off(server, tmp_path):
    server.app = lambda request: Answer(body=BODY)
    server.faults.append(Fault(drip_seconds=0.05, drip_bytes=1, times=9))
    started = time.monotonic()
    network = network_for(server, tmp_path, read_timeout=0.1, tries=1)
    problem = pytest.raises(InputError, match=r"only \d+ bytes came in 1 s")
    with Client(network) as client, problem:
        client.get("site", "plain")
    assert time.monotonic() - started < 3


def test_nobody_there(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    problem = pytest.raises(InputError, match=r"tried 3 times, .*refused")
    with Client(network_for(url, tmp_path)) as client, problem:
        client.get("site", "a")


def test_a_check_may_ask_for_another_try(client, server):
    seen = []

    def check(response):
        seen.append(response)
        if len(seen) < 3:
            raise Transient("half a page")

    assert client.get("site", "a", check=check).status == 200
    assert len(server.requests) == 3


def test_a_check_may_end_it(client, server):
    def check(response):
        raise InputError("the release changed")

    with pytest.raises(InputError, match="^the release changed$"):
        client.get("site", "a", check=check)
    assert len(server.requests) == 1
    assert not client.network.cache.exists()


def test_what_never_passes_its_check_is_not_kept(client, server):
    def check(response):
        response.json()

    server.faults.append(Fault(times=9, status=200, body=b"<html>we are busy</html>"))
    with pytest.raises(InputError, match="tried 3 times.*not JSON: <html>we are busy"):
        client.get("site", "a", check=check)
    assert not client.network.cache.exists()


def test_text_that_is_no_text(client, server):
    server.faults.append(Fault(status=200, body=b"\xff\xfe"))
    with pytest.raises(Transient, match="not UTF-8"):
        _ = client.get("site", "a").text


# NCBI


def test_ncbi_learns_who_asks_in_the_form_alone(client, server, me):
    client.post("ncbi", "esearch.fcgi", {"db": "pubmed", "term": "p53"})
    (request,) = server.requests
    who = {"tool": "protscribe", "email": EMAIL, "api_key": KEY}
    assert request.form == {"db": "pubmed", "term": "p53", **who}
    assert request.query == {}
    assert "cookie" not in request.headers


def test_ncbi_is_never_asked_by_get(client, me, tmp_path):
    with pytest.raises(ValueError, match="post"):
        client.get("ncbi", "esearch.fcgi")
    with pytest.raises(ValueError, match="post"):
        client.download("ncbi", "a", tmp_path / "a")


def test_a_rate_limit_with_status_200_is_tried_again(client, server, me):
    server.faults.append(Fault(times=2, status=200, body=json.dumps(RATE_LIMIT).encode()))
    assert client.post("ncbi", "efetch.fcgi", {"id": "1"}).json()["path"] == "/entrez/efetch.fcgi"
    assert len(server.requests) == 3


def test_rate_limit_check_lets_others_pass(client):
    check_rate_limit(client.get("site", "a"))


def test_nothing_is_sent_under_a_placeholder(client, server, monkeypatch):
    monkeypatch.setenv("NCBI_EMAIL", "your.name@example.com")
    with pytest.raises(InputError, match="NCBI_EMAIL is a placeholder"):
        client.post("ncbi", "esearch.fcgi", {"term": "a"})
    monkeypatch.delenv("NCBI_EMAIL")
    with pytest.raises(InputError, match="NCBI_EMAIL is not set"):
        client.post("ncbi", "esearch.fcgi", {"term": "a"})
    assert server.requests == []


def everything_written(folder):
    texts = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            texts.append(gzip.decompress(content) if path.suffix == ".gz" else content)
            texts.append(str(path).encode())
    return b"\n".join(texts).decode(errors="replace")


def chain(error):
    texts = []
    while error is not None:
        texts += [str(error), repr(error), *traceback.format_exception(error)]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(times=0),
        Fault(times=9, status=400, body=json.dumps({"error": "bad", "api-key": KEY}).encode()),
        Fault(times=9, status=429, body=json.dumps({**RATE_LIMIT, "api-key": KEY}).encode()),
        Fault(times=9, status=200, body=json.dumps({**RATE_LIMIT, "api-key": KEY}).encode()),
        Fault(times=9, status=500, body=f"who is {EMAIL.upper()} with {KEY}?".encode()),
        Fault(times=9, cut_after=3),
        Fault(
            times=9, status=302, headers={"location": f"http://else/?api_key={KEY}&email={EMAIL}"}
        ),
    ],
)
@pytest.mark.parametrize("checked", [False, True])
def test_secrets_are_written_nowhere(client, server, me, tmp_path, capfd, caplog, fault, checked):
    caplog.set_level("DEBUG")
    server.faults.append(fault)

    def check(response):
        text = response.text
        raise Transient(f"not what was asked: {text} {KEY} {EMAIL}") from KeyError("id")

    shown = ""
    try:
        # The server echoes the form, so the body quotes the key.
        response = client.post("ncbi", "efetch.fcgi", {"id": "1"}, check=check if checked else None)
        shown = repr(response) + response.text.replace(EMAIL, "")
        assert "***" in response.text
    except InputError as error:
        shown = chain(error)
        assert fault.times or checked
    written = everything_written(tmp_path).replace(f'"email": "{EMAIL}"', "")
    streams = "".join(capfd.readouterr()) + caplog.text
    for text in (shown, written, streams):
        for secret in (KEY, EMAIL, EMAIL.upper(), EMAIL.replace("@", "%40"), "10.1.2.3"):
            assert secret not in text
    assert log_of(tmp_path)


def test_a_check_that_ends_it_may_quote_secrets(client, server, me):
    def check(response):
        raise InputError(f"{response.json()['form']}: an answer to {EMAIL}")

    with pytest.raises(InputError, match=r"'api_key': '\*\*\*'.*answer to \*\*\*") as caught:
        client.post("ncbi", "efetch.fcgi", {"id": "1"}, check=check)
    assert EMAIL not in chain(caught.value)


def test_headers_may_quote_secrets(client, server, me, tmp_path):
    server.faults.append(Fault(headers={"x-asked": f"?api_key={KEY}&email={EMAIL}&id=1"}))
    response = client.post("ncbi", "efetch.fcgi", {"id": "1"})
    assert response.headers["x-asked"] == "?api_key=***&email=***&id=1"


def test_the_cache_does_not_care_who_asks(client, server, me, monkeypatch):
    client.post("ncbi", "esearch.fcgi", {"term": "a"})
    monkeypatch.setenv("NCBI_EMAIL", "grace@harbor.mil")
    monkeypatch.delenv("NCBI_API_KEY")
    assert client.post("ncbi", "esearch.fcgi", {"term": "a"}).cached
    # And to read what is here, nobody needs an address.
    monkeypatch.delenv("NCBI_EMAIL")
    assert client.post("ncbi", "esearch.fcgi", {"term": "a"}).cached
    assert len(server.requests) == 1


# Redirects


def test_redirects_stay_with_their_host(client, server):
    server.faults.append(Fault("/api/old", status=303, headers={"location": "new?x=1"}))
    response = client.get("site", "old")
    assert response.json() == {"path": "/api/new", "query": {"x": "1"}, "form": {}}
    assert response.url.endswith("/api/old")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_follows_to_another_host(client, server, me, status):
    with LoopbackServer(lambda request: Answer()) as other:
        fault = Fault(times=9, status=status, headers={"location": f"{other.url}/b"})
        server.faults.append(fault)
        with pytest.raises(InputError, match=rf"redirects POST .* to {other.url}/b.*urls\.ncbi"):
            client.post("ncbi", "a", {"term": "x"})
        with pytest.raises(InputError, match=r"redirects GET .*set network\.urls\.site"):
            client.get("site", "a")
        assert other.requests == []
    assert len(server.requests) == 2


def test_a_post_is_not_sent_twice_by_a_redirect(client, server, me):
    server.faults.append(Fault(status=307, headers={"location": "/entrez/b"}))
    with pytest.raises(InputError, match="redirects POST"):
        client.post("ncbi", "a", {"term": "x"})
    assert len(server.requests) == 1


def test_a_circle_of_redirects_ends(client, server):
    server.faults.append(Fault(times=99, status=302, headers={"location": "/api/a"}))
    with pytest.raises(InputError, match="redirected without end"):
        client.get("site", "a")
    assert len(server.requests) == 5


# Addresses that a server gave


def test_get_url_follows_the_provider(client, server):
    response = client.get_url(f"{server.url}/api/search?size=500&cursor=a%2Bb", "site")
    assert response.json()["query"] == {"size": "500", "cursor": "a+b"}
    assert client.get("site", "search", {"cursor": "a+b", "size": "500"}).cached


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.org/api/search",
        "{server}/other/search",
        "{server}/apis/search",
        "{server}/api/../other",
        "{server}/api/%2E%2e/other",
        "http://user@{host}/api/search",
        "{server}",
    ],
)
def test_get_url_goes_nowhere_else(client, server, url):
    url = url.format(server=server.url, host=server.url.removeprefix("http://"))
    with pytest.raises(InputError, match=r"not below .*network\.urls\.site"):
        client.get_url(url, "site")
    assert server.requests == []


def test_paths_do_not_climb_and_are_quoted(client):
    with pytest.raises(InputError, match="leads out"):
        client.get("site", "../other")
    assert client.get("site", "a b?c#d").json()["path"] == "/api/a b?c#d"


def test_unknown_provider(client):
    with pytest.raises(InputError, match=r"network\.urls: no address of provider nowhere"):
        client.get("nowhere", "a")


# Cache, offline, log


def test_nothing_is_asked_twice(client, server, tmp_path):
    first = client.get("site", "a", {"x": "1", "y": "2"})
    again = client.get("site", "/a", {"y": "2", "x": "1"})
    assert again == replace(first, cached=True)
    assert len(server.requests) == 1
    assert client.get("site", "a", {"x": "1", "y": "3"}).cached is False
    assert [row["cached"] for row in log_of(tmp_path)] == ["false", "true", "false"]


def test_method_and_form_make_a_difference(client, server):
    client.get("site", "a")
    assert not client.post("site", "a", {}).cached
    assert not client.post("site", "a", {"x": "1"}).cached


def test_without_cache_nothing_is_read_or_written(client, server):
    client.get("site", "a", use_cache=False)
    assert not client.network.cache.exists()
    client.get("site", "a")
    assert not client.get("site", "a", use_cache=False).cached
    assert len(server.requests) == 3


def test_forget_drops_one_response(client, server):
    client.get("site", "b")
    client.forget(client.get("site", "a"))
    assert not client.get("site", "a").cached
    assert client.get("site", "b").cached


def test_offline_reads_the_cache_alone(client, server, tmp_path):
    client.get("site", "a", {"x": "1"})
    server.requests.clear()
    with Client(replace(client.network, offline=True)) as offline:
        assert offline.get("site", "a", {"x": "1"}).cached
        with pytest.raises(InputError) as caught:
            offline.get("site", "a", {"x": "2"})
        assert f"network.offline: GET {server.url}/api/a?x=2 (site)" in str(caught.value)
        assert "run once online" in str(caught.value)
        with pytest.raises(InputError, match=r"POST .*/entrez/efetch.fcgi with db=pubmed&id=1,2"):
            offline.post("ncbi", "efetch.fcgi", {"id": "1,2", "db": "pubmed", "api_key": KEY})
        with pytest.raises(InputError, match="offline"):
            offline.get("site", "a", {"x": "1"}, use_cache=False)
        with pytest.raises(InputError, match=r"GET .*/api/f .*is not here as f"):
            offline.download("site", "f", tmp_path / "f")
    assert server.requests == []


def test_damage_is_mended_online_and_named_offline(client, server):
    client.get("site", "a")
    (body,) = client.network.cache.rglob("*.gz")
    body.write_bytes(gzip.compress(b"something else"))
    problem = pytest.raises(InputError, match=rf"{body}: damaged")
    with Client(replace(client.network, offline=True)) as offline, problem:
        offline.get("site", "a")
    assert not client.get("site", "a").cached
    assert client.get("site", "a").cached


def test_log_rows_say_what_happened(client, server, tmp_path):
    response = client.get("site", "a", {"x": "1"})
    (row,) = log_of(tmp_path)
    assert row["time"].endswith("+00:00")
    assert float(row.pop("seconds")) < 5
    assert {name: text for name, text in row.items() if name != "time"} == {
        "provider": "site",
        "method": "GET",
        "url": f"{server.url}/api/a?x=1",
        "status": "200",
        "bytes": str(len(response.body)),
        "sha256": response.sha256,
        "cached": "false",
        "attempt": "1",
        "release": "2026_01",
        "problem": "",
    }


FETCH = """
import sys
from pathlib import Path
from protscribe.sources.client import Client, Network
with Client(Network({"site": sys.argv[1]}, {"site": 100}, Path(sys.argv[2]))) as client:
    print(client.get("site", "a").status)
"""


@pytest.mark.parametrize("home", ["missing", "read-only", None])
def test_home_is_neither_needed_nor_touched(server, tmp_path, home):
    env = {"PATH": "/usr/bin:/bin"}
    folder = tmp_path / "home"
    if home == "read-only":
        folder.mkdir()
        # A password that must not be sent.
        (folder / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
        (folder / ".netrc").chmod(0o600)
        folder.chmod(0o500)
    if home:
        env["HOME"] = str(folder)
    child = start_python(FETCH, f"{server.url}/api", tmp_path / "cache", env=env)
    output, problems = child.communicate(timeout=60)
    assert (output, child.returncode) == ("200\n", 0), problems
    assert "authorization" not in server.requests[0].headers
    assert [path.name for path in folder.glob("*")] == ([".netrc"] if folder.exists() else [])
