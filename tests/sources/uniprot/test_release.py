import gzip
import io
import json
import signal
import tarfile
import time
from dataclasses import replace

import pytest

from flat_entries import write_families
from helpers_network import network_for, start_python
from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.uniprot.release import get_uniprot_release
from servers.loopback import Fault, LoopbackServer
from servers.uniprot import UniProtFiles, metalink, reldate, release_tar

CURRENT = "/current_release/knowledgebase/complete"
FLAT_FILE = f"{CURRENT}/uniprot_sprot.dat.gz"
PREVIOUS = "/previous_releases/release-2025_01/knowledgebase"
ARCHIVE = f"{PREVIOUS}/uniprot_sprot-only2025_01.tar.gz"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Flat files of two releases, some tens of kilobytes each."""
    folder = tmp_path_factory.mktemp("flat")
    names = ("2026_02", "2025_01")
    return {
        n: write_families(folder / n, families=96, seed=i).read_text() for i, n in enumerate(names)
    }


@pytest.fixture
def app(texts):
    return UniProtFiles(texts["2026_02"], previous={"2025_01": texts["2025_01"]})


@pytest.fixture
def server(app):
    with LoopbackServer(app) as server:
        yield server


def client_of(server, folder, **settings):
    settings = {"urls": {"uniprot_files": server.url}, "rates": {"uniprot_files": 2e3}, **settings}
    return Client(replace(network_for(server, folder), **settings))


def get(server, folder, release="current", **settings):
    """Download, and return the flat file's text and the manifest."""
    output = folder / "uniprot_sprot.dat.gz"
    with client_of(server, folder, **settings) as client:
        get_uniprot_release(output, folder / "manifest.json", release=release, client=client)
    with gzip.open(output, "rt") as file:
        return file.read(), json.loads((folder / "manifest.json").read_text())


def paths(server):
    return [request.path for request in server.requests]


def left(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def described(folder):
    path = folder / "uniprot_sprot.dat.gz"
    facts = {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256_file(path)}
    return [{**facts, "format": "swissprot"}]


@pytest.mark.parametrize("release", ["current", "2026_02"])
def test_the_current_release(release, server, texts, tmp_path):
    text, manifest = get(server, tmp_path, release)
    assert text == texts["2026_02"]
    assert manifest == {
        "source": "uniprot_release",
        "release": "2026_02",
        "release_date": "2026-06-10",
        "licence": "CC BY 4.0",
        "files": described(tmp_path),
        "archive": None,
        "warnings": [],
    }
    assert paths(server) == [f"{CURRENT}/RELEASE.metalink", FLAT_FILE, f"{CURRENT}/reldate.txt"]
    assert left(tmp_path) == ["manifest.json", "uniprot_sprot.dat.gz"]


def test_a_previous_release_comes_out_of_its_archive(server, app, texts, tmp_path):
    text, manifest = get(server, tmp_path, "2025_01")
    assert text == texts["2025_01"]
    assert manifest["release"] == "2025_01"
    assert manifest["release_date"] is None
    assert manifest["files"] == described(tmp_path)
    assert manifest["archive"]["name"] == "uniprot_sprot-only2025_01.tar.gz"
    assert manifest["archive"]["bytes"] == len(app.files[ARCHIVE])
    assert left(tmp_path) == ["manifest.json", "uniprot_sprot.dat.gz"]
    assert FLAT_FILE not in paths(server)


def test_again_fetches_no_file_that_is_whole(server, tmp_path):
    get(server, tmp_path)
    before = (tmp_path / "manifest.json").read_bytes()
    get(server, tmp_path)
    assert paths(server).count(FLAT_FILE) == 1
    assert (tmp_path / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("release", ["2019_07", "2026_03"])
def test_a_release_that_is_not_kept(release, server, tmp_path):
    with pytest.raises(
        InputError, match=rf"no release {release}: the current one is 2026_02.*YYYY_01"
    ):
        get(server, tmp_path, release)
    assert left(tmp_path) == []


@pytest.mark.parametrize("release", ["2025", "latest", "", "../2025_01", "2025_01/x"])
def test_what_cannot_be_a_release(release, server, tmp_path):
    with pytest.raises(InputError, match="give current or one like 2026_01"):
        get(server, tmp_path, release)
    assert server.requests == []


def test_current_means_what_is_current_now(server, texts, tmp_path):
    get(server, tmp_path)
    server.app = UniProtFiles(texts["2025_01"], "2026_03", "05-Aug-2026")
    text, manifest = get(server, tmp_path)
    assert text == texts["2025_01"]
    assert (manifest["release"], manifest["release_date"]) == ("2026_03", "2026-08-05")


def test_a_release_that_became_previous(server, app, texts, tmp_path):
    """What was current when it was pinned is looked for among the previous ones later."""
    newer = UniProtFiles(texts["2025_01"], "2026_03", "05-Aug-2026", {"2026_02": texts["2026_02"]})
    server.app = newer
    text, manifest = get(server, tmp_path, "2026_02")
    assert text == texts["2026_02"]
    assert manifest["release"] == "2026_02"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FLAT_FILE, status=429, times=2),
        Fault(FLAT_FILE, status=429, headers={"retry-after": "0"}),
        Fault(FLAT_FILE, status=500, times=2),
        Fault(FLAT_FILE, truncate=5000),
        Fault(FLAT_FILE, cut_after=5000),
        Fault(FLAT_FILE, cut_after=5000, times=2),
        Fault(FLAT_FILE, drip_seconds=0.02, drip_bytes=5000),
        Fault(FLAT_FILE, body=b"\x1f\x8b" + bytes(1000)),
        Fault(FLAT_FILE, body=b"<html>Maintenance</html>"),
        Fault(f"{CURRENT}/RELEASE", status=503),
        Fault(f"{CURRENT}/RELEASE", cut_after=100),
        Fault(f"{CURRENT}/reldate", status=500),
    ],
)
def test_a_fault_that_passes(fault, server, texts, tmp_path):
    fault = replace(fault)
    server.faults.append(fault)
    text, manifest = get(server, tmp_path)
    assert text == texts["2026_02"]
    assert fault.times == 0
    assert manifest["files"] == described(tmp_path)
    if fault.cut_after == 5000:
        ranges = [r.headers.get("range") for r in server.requests if r.path == FLAT_FILE]
        assert ranges[:2] == [None, "bytes=5000-"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(FLAT_FILE, status=500), "tried 3 times.*500"),
        (Fault(FLAT_FILE, status=404), "404"),
        (Fault(f"{CURRENT}/RELEASE", body=b"<!DOCTYPE html><html></html>"), "not a metalink file"),
        (Fault(f"{CURRENT}/RELEASE", body=b"<metalink>"), "not a metalink file"),
        (Fault(f"{CURRENT}/RELEASE", body=b"<html/>"), "not a metalink file"),
        (Fault(f"{CURRENT}/RELEASE", body=metalink("", "2026_02", {"x": b""})), "does not list"),
    ],
)
def test_a_fault_that_stays(fault, words, server, tmp_path):
    server.faults.append(replace(fault, times=99))
    with pytest.raises(InputError, match=words):
        get(server, tmp_path)
    assert not {"manifest.json", "uniprot_sprot.dat.gz"} & set(left(tmp_path))


def test_entities_in_a_metalink_are_refused(server, tmp_path):
    bomb = '<?xml version="1.0"?>\n<!DOCTYPE lolz [<!ENTITY l0 "lol">'
    bomb += "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    bomb += "]>\n<metalink><version>&l9;</version></metalink>"
    server.faults.append(Fault(f"{CURRENT}/RELEASE", body=bomb.encode()))
    started = time.monotonic()
    with pytest.raises(InputError, match="not a metalink file"):
        get(server, tmp_path)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(("release", "path"), [("current", FLAT_FILE), ("2025_01", ARCHIVE)])
def test_a_wrong_md5_is_never_accepted(release, path, server, app, tmp_path):
    content = bytearray(app.files[path])
    content[len(content) // 2] ^= 1
    # The metalink tells the sum of the right file.
    app.files[path] = bytes(content)
    with pytest.raises(InputError, match="MD5.*twice"):
        get(server, tmp_path, release)
    assert not {"manifest.json", "uniprot_sprot.dat.gz"} & set(left(tmp_path))


KILLED = """
import sys
from pathlib import Path
from protscribe.sources.client import Client, Network
from protscribe.sources.uniprot.release import get_uniprot_release
folder = Path(sys.argv[1])
with Client(Network.from_environment()) as client:
    get_uniprot_release(folder / "uniprot_sprot.dat.gz", folder / "manifest.json",
        release=sys.argv[2], client=client)
"""


@pytest.mark.parametrize(("release", "path"), [("current", FLAT_FILE), ("2025_01", ARCHIVE)])
def test_a_killed_download_goes_on_where_it_stopped(
    release, path, server, app, texts, tmp_path, monkeypatch
):
    settings = {"urls": {"uniprot_files": server.url}, "rates": {"uniprot_files": 2e3}}
    settings["cache"] = str(tmp_path / "cache")
    monkeypatch.setenv("PROTSCRIBE_NETWORK", json.dumps(settings))
    server.faults.append(Fault(path, drip_seconds=0.2, drip_bytes=4000))
    child = start_python(KILLED, tmp_path, release)
    name = path.rpartition("/")[2]
    part = tmp_path / f"{name}.part"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        if part.exists() and part.stat().st_size >= 8000:
            break
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    come = part.stat().st_size
    assert 8000 <= come < len(app.files[path])
    text, _ = get(server, tmp_path, release)
    assert text == texts["2026_02" if release == "current" else release]
    ranges = [r.headers.get("range") for r in server.requests if r.path == path]
    assert ranges == [None, f"bytes={come}-"]


def archive_of(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(content), kind
            if kind == tarfile.SYMTYPE:
                info.size, info.linkname = 0, "/etc/passwd"
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def serve_archive(app, content):
    app.files[ARCHIVE] = content
    app.add_metalink(PREVIOUS, "2025_01")


def test_names_in_an_archive_are_not_paths(server, app, texts, tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    flat = gzip.compress(texts["2025_01"].encode(), mtime=0)
    evil = ("../../evil.txt", b"evil", tarfile.REGTYPE)
    link = ("uniprot_sprot.dat.gz", b"", tarfile.SYMTYPE)
    real = ("../../knowledgebase/uniprot_sprot.dat.gz", flat, tarfile.REGTYPE)
    date = ("reldate.txt", reldate("2025_01", "05-Feb-2025"), tarfile.REGTYPE)
    serve_archive(app, archive_of(evil, link, real, date))
    text, manifest = get(server, folder, "2025_01")
    assert text == texts["2025_01"]
    assert manifest["release_date"] == "2025-02-05"
    assert left(folder) == ["manifest.json", "uniprot_sprot.dat.gz"]
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file() and "evil" in p.name) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive_of(("uniprot_sprot.fasta.gz", b"x", tarfile.REGTYPE)), "holds no uniprot_sprot"),
        (release_tar("ID   X\n//\n")[:200], "damaged"),
        (b"no archive at all", "damaged"),
        (archive_of(("uniprot_sprot.dat.gz", b"<html>", tarfile.REGTYPE)), "not a flat file"),
    ],
)
def test_archives_that_are_not_what_they_should_be(content, words, server, app, tmp_path):
    serve_archive(app, content)
    with pytest.raises(InputError, match=words):
        get(server, tmp_path, "2025_01")
    assert not {"manifest.json", "uniprot_sprot.dat.gz"} & set(left(tmp_path))


def test_a_file_that_is_no_flat_file(server, app, tmp_path):
    app.files[FLAT_FILE] = gzip.compress(b"<html></html>")
    app.add_metalink(CURRENT, "2026_02")
    with pytest.raises(InputError, match="not a flat file"):
        get(server, tmp_path)
    assert left(tmp_path) == []


def test_offline_says_what_is_missing(server, tmp_path):
    with pytest.raises(InputError, match="offline.*RELEASE.metalink"):
        get(server, tmp_path, offline=True)
