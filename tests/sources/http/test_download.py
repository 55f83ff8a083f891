"""Big files over bad lines: resumed, verified, and never half there."""

import gzip
import hashlib
import os
import random
import signal
import time
from dataclasses import replace

import pytest

from helpers_network import network_for, start_python
from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.http.transport import gzip_is_whole
from servers.loopback import Answer, Fault, LoopbackServer

WHOLE = random.Random(0).randbytes(3_000_000)
OTHER = random.Random(1).randbytes(3_000_000)
MD5 = hashlib.md5(WHOLE).hexdigest()
FACTS = {"bytes": len(WHOLE), "sha256": hashlib.sha256(WHOLE).hexdigest(), "md5": MD5}
ETAG = {"etag": '"one"'}
CUT = 1_000_000

FETCH = """
import json, sys
from pathlib import Path
from protscribe.sources.client import Client, Network
url, target, md5 = sys.argv[1:]
network = Network({"site": url}, {"site": 1000}, Path("unused"))
with Client(network) as client:
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(client.download("site", "f", Path(target), md5=md5 or None)))
"""


class Files:
    """An app that serves one file, in one version or another."""

    def __init__(self):
        self.body = WHOLE
        self.headers = {"accept-ranges": "bytes", **ETAG}

    def __call__(self, request):
        return Answer(200, dict(self.headers), self.body)


@pytest.fixture
def server():
    with LoopbackServer(Files()) as server:
        yield server


@pytest.fixture
def client(server, tmp_path):
    with Client(network_for(server, tmp_path), tmp_path / "requests.tsv") as client:
        yield client


@pytest.fixture
def target(tmp_path):
    return tmp_path / "data" / "f.bin"


def ranges(server):
    return [request.headers.get("range") for request in server.requests]


def assert_done(target, server, statuses, body=WHOLE):
    assert target.read_bytes() == body
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert [request.status for request in server.requests] == statuses


def stop_in_the_middle(client, server, target, **announced):
    """Leave a part of `CUT` bytes, as a lost line does."""
    server.faults.append(Fault("/api/f", cut_after=CUT))
    network = replace(client.network, tries=1)
    with Client(network) as broken, pytest.raises(InputError, match="IncompleteRead"):
        broken.download("site", "f", target, **announced)
    assert not target.exists()
    assert target.with_name("f.bin.part").stat().st_size == CUT
    server.requests.clear()


@pytest.mark.parametrize("announced", [{}, {"size": len(WHOLE)}, {"md5": MD5.upper()}])
def test_whole_file(client, server, target, announced):
    assert client.download("site", "f", target, **announced) == {"name": "f.bin", **FACTS}
    assert_done(target, server, [200])
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_empty_file(client, server, target):
    server.app.body = b""
    assert client.download("site", "f", target, size=0)["bytes"] == 0
    assert_done(target, server, [200], b"")


@pytest.mark.parametrize("announced", [{}, {"size": len(WHOLE)}, {"md5": MD5}])
def test_what_is_whole_is_not_fetched_again(client, server, target, announced):
    first = client.download("site", "f", target, **announced)
    assert client.download("site", "f", target, **announced) == first
    assert_done(target, server, [200])
    with Client(replace(client.network, offline=True)) as offline:
        assert offline.download("site", "f", target, **announced) == first


@pytest.mark.parametrize("announced", [{"size": len(WHOLE)}, {"md5": MD5}])
def test_another_file_in_its_place_is_replaced(client, server, target, announced):
    target.parent.mkdir()
    target.write_bytes(WHOLE[:-1])
    client.download("site", "f", target, **announced)
    assert_done(target, server, [200])


def test_a_dropped_connection_is_resumed_by_the_next_try(client, server, target):
    server.faults += [Fault(cut_after=CUT), Fault(cut_after=CUT), Fault(status=503)]
    client = Client(replace(client.network, tries=4))
    assert client.download("site", "f", target, md5=MD5) == {"name": "f.bin", **FACTS}
    assert_done(target, server, [200, 206, 503, 206])
    assert ranges(server) == [None, f"bytes={CUT}-", f"bytes={2 * CUT}-", f"bytes={2 * CUT}-"]


def test_tries_that_bring_much_are_followed_by_more(client, server, target):
    """Three tries are allowed, seven are needed, and only those that bring nothing count."""
    server.faults.append(Fault(cut_after=450_000, times=6))
    client.download("site", "f", target, md5=MD5)
    assert len(server.requests) == 7
    assert target.read_bytes() == WHOLE


@pytest.mark.parametrize("announced", [{}, {"size": len(WHOLE)}, {"md5": MD5}])
def test_the_next_run_resumes(client, server, target, announced):
    stop_in_the_middle(client, server, target, **announced)
    assert client.download("site", "f", target, **announced) == {"name": "f.bin", **FACTS}
    assert_done(target, server, [206])
    assert ranges(server) == [f"bytes={CUT}-"]
    assert server.requests[0].headers["if-range"] == '"one"'


def test_a_killed_process_is_resumed(client, server, target):
    server.faults.append(Fault(drip_seconds=0.02, drip_bytes=50_000))
    child = start_python(FETCH, f"{server.url}/api", target, "")
    part = target.with_name("f.bin.part")
    assert child.stdout.readline() == "ready\n"
    child.stdin.write("go\n")
    child.stdin.flush()
    while not part.exists() or part.stat().st_size < 500_000:
        assert child.poll() is None
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    come = part.stat().st_size
    assert 500_000 <= come < len(WHOLE)
    assert client.download("site", "f", target) == {"name": "f.bin", **FACTS}
    assert_done(target, server, [200, 206])
    assert ranges(server) == [None, f"bytes={come}-"]


def test_a_process_killed_before_the_end_asks_for_nothing(client, server, target):
    """The part is whole and only its verification and its name are missing."""
    stop_in_the_middle(client, server, target)
    target.with_name("f.bin.part").write_bytes(WHOLE)
    client.download("site", "f", target)
    assert_done(target, server, [])


def test_a_complete_part_of_unknown_length(client, server, target):
    server.app.headers["transfer-encoding"] = "chunked"
    stop_in_the_middle(client, server, target)
    del server.app.headers["transfer-encoding"]
    target.with_name("f.bin.part").write_bytes(WHOLE)
    client.download("site", "f", target)
    assert_done(target, server, [416])


def test_a_part_that_is_too_long_is_dropped(client, server, target):
    stop_in_the_middle(client, server, target)
    target.with_name("f.bin.part").write_bytes(WHOLE + b"more")
    client.download("site", "f", target)
    assert_done(target, server, [416, 200])


def test_a_server_that_ignores_range(client, server, target):
    stop_in_the_middle(client, server, target, md5=MD5)
    server.app.headers = dict(ETAG)
    client.download("site", "f", target, md5=MD5)
    assert_done(target, server, [200])
    assert ranges(server) == [f"bytes={CUT}-"]


def test_a_file_that_changed_between_parts(client, server, target):
    stop_in_the_middle(client, server, target)
    server.app.body = OTHER
    server.app.headers["etag"] = '"two"'
    client.download("site", "f", target)
    assert_done(target, server, [200], OTHER)


def test_a_server_that_ignores_if_range(client, server, target):
    """It sends a range of another version, and only its ETag gives that away."""
    stop_in_the_middle(client, server, target)
    server.app.body = OTHER
    later = {"content-range": f"bytes {CUT}-{len(OTHER) - 1}/{len(OTHER)}", "etag": '"two"'}
    server.faults.append(Fault(status=206, headers=later, body=OTHER[CUT:]))
    client.download("site", "f", target)
    assert_done(target, server, [206, 200], OTHER)


def test_a_range_that_was_not_asked_for(client, server, target):
    stop_in_the_middle(client, server, target)
    wrong = {"content-range": f"bytes 0-{len(WHOLE) - 1}/{len(WHOLE)}", **ETAG}
    server.faults.append(Fault(status=206, headers=wrong, body=WHOLE))
    client.download("site", "f", target)
    assert_done(target, server, [206, 200])


@pytest.mark.parametrize(
    ("headers", "guard"),
    [
        ({"etag": 'W/"one"', "last-modified": "Wed, 10 Jun 2026 00:00:00 GMT"}, True),
        ({"etag": 'W/"one"'}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("md5", [MD5, None])
def test_without_a_version_only_the_md5_allows_a_range(client, server, target, headers, guard, md5):
    server.app.headers = {"accept-ranges": "bytes", **headers}
    stop_in_the_middle(client, server, target, md5=md5)
    client.download("site", "f", target, md5=md5)
    resumed = guard or md5 is not None
    assert_done(target, server, [206 if resumed else 200])
    assert server.requests[0].headers.get("if-range") == (
        headers["last-modified"] if guard else None
    )


def test_another_address_does_not_go_on_with_the_part(client, server, target):
    stop_in_the_middle(client, server, target)
    client.download("site", "another", target)
    assert_done(target, server, [200])
    assert ranges(server) == [None]


@pytest.mark.parametrize("note", [b"", b"[]", b'{"url": "http://127.0.0.1/other"}', None])
def test_a_part_of_unknown_origin_is_dropped(client, server, target, note):
    stop_in_the_middle(client, server, target)
    path = target.with_name("f.bin.part.json")
    if note is None:
        path.unlink()
    else:
        path.write_bytes(note)
    client.download("site", "f", target)
    assert_done(target, server, [200])
    assert ranges(server) == [None]


def test_a_damaged_part_is_found_and_fetched_anew(client, server, target):
    stop_in_the_middle(client, server, target, md5=MD5)
    target.with_name("f.bin.part").write_bytes(bytes(CUT))
    client.download("site", "f", target, md5=MD5)
    assert_done(target, server, [206, 200])


def test_wrong_md5_is_fetched_once_more_and_then_refused(client, server, target):
    with pytest.raises(InputError, match=rf"/api/f: f.bin has MD5 {MD5}, expected 0{{32}}, twice"):
        client.download("site", "f", target, md5="0" * 32)
    assert [request.status for request in server.requests] == [200, 200]
    assert not target.exists()
    assert not target.with_name("f.bin.part").exists()


def test_bits_that_flipped_on_the_way(client, server, target):
    server.faults.append(Fault(change=lambda answer: replace(answer, body=OTHER)))
    client.download("site", "f", target, md5=MD5)
    assert_done(target, server, [200, 200])


@pytest.mark.parametrize("size", [len(WHOLE) - 1, len(WHOLE) + 1])
def test_wrong_size_is_seen_before_the_body_comes(client, server, target, size):
    with pytest.raises(InputError, match=rf"the server has {len(WHOLE)} bytes, expected {size}"):
        client.download("site", "f", target, size=size)
    assert not target.exists()
    assert (target.parent.parent / "requests.tsv").read_text().count(str(len(WHOLE))) == 3


def test_wrong_size_of_a_body_without_length(client, server, target):
    server.app.headers["transfer-encoding"] = "chunked"
    with pytest.raises(InputError, match=rf"f.bin has {len(WHOLE)} bytes, expected 5, twice"):
        client.download("site", "f", target, size=5)


def test_a_cut_gzip_file_is_not_taken_for_whole(client, server, target):
    target = target.with_name("f.gz")
    server.app.body = gzip.compress(OTHER)
    server.faults.append(Fault(truncate=1_000_000))
    client.download("site", "f", target)
    assert_done(target, server, [200, 200], server.app.body)
    server.app.body = server.app.body[:-9]
    with pytest.raises(InputError, match="g.gz is not a whole gzip file, twice"):
        client.download("site", "f", target.with_name("g.gz"))


@pytest.mark.parametrize("body", [b"", b"\x1f\x8b", b"text"])
def test_what_is_no_gzip_file(body, tmp_path):
    (tmp_path / "f").write_bytes(body)
    with (tmp_path / "f").open("rb") as file:
        assert not gzip_is_whole(file)


def test_an_encoding_named_by_mistake_is_left_alone(client, server, target):
    """Some servers call a .gz file a coding of what is in it."""
    target = target.with_name("f.gz")
    server.app.body = gzip.compress(b"entries")
    server.app.headers["content-encoding"] = "x-gzip"
    client.download("site", "f", target)
    assert target.read_bytes() == server.app.body


def test_two_processes_with_one_target_fetch_it_once(server, target):
    server.faults.append(Fault(drip_seconds=0.02, drip_bytes=100_000, times=9))
    children = [start_python(FETCH, f"{server.url}/api", target, MD5) for _ in range(2)]
    assert all(child.stdout.readline() == "ready\n" for child in children)
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs = [child.communicate(timeout=60) for child in children]
    assert outputs[0][0] == outputs[1][0] != "", outputs
    assert_done(target, server, [200])


def test_a_full_disk_is_named_and_nothing_is_tried_again(client, server, target):
    target.parent.mkdir()
    target.with_name("f.bin.part").symlink_to("/dev/full")
    with pytest.MonkeyPatch.context() as patch:
        # The part must stay what it is, a device that is always full.
        patch.setattr("protscribe.sources.http.download.Part.drop", lambda part: None)
        with pytest.raises(InputError, match=r"no space left .*f.bin.part.*kept"):
            client.download("site", "f", target)
    assert len(server.requests) == 1


def test_a_missing_file_is_not_tried_again(client, server, target):
    server.faults.append(Fault(status=404, body=b"no such file"))
    with pytest.raises(InputError, match=r"refuses GET .*/api/f: status 404 \(no such file\)"):
        client.download("site", "f", target)
    assert len(server.requests) == 1


def test_offline_fetches_nothing(client, server, target):
    problem = pytest.raises(InputError, match=r"network.offline: GET .*/api/f .*f.bin: run once")
    with Client(replace(client.network, offline=True)) as offline, problem:
        offline.download("site", "f", target)
    assert server.requests == []
