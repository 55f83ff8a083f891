import hashlib
import json

import pytest

from protscribe.errors import InputError
from protscribe.sources.uniprot.metalink import read_metalink
from protscribe.sources.vocabularies.static_files import describe_files, get_files, table_facts
from servers.loopback import Fault
from servers.ontologies import UNIPROT_RELEASE

DOCS = "current_release/knowledgebase/complete/docs"
FACTS = {"release": UNIPROT_RELEASE, "licence": "CC BY 4.0"}


def fetch(client, folder, names=("keywlist.txt", "subcell.txt"), **options):
    options = {**FACTS, "metalink": f"{DOCS}/RELEASE.metalink", **options}
    paths = [f"{DOCS}/{name}" for name in names]
    get_files(client, "uniprot_files", paths, folder, folder / "manifest.json", **options)


def test_files_and_their_manifest(file_client, provider_files, tmp_path):
    fetch(file_client, tmp_path / "raw")
    manifest = json.loads((tmp_path / "raw/manifest.json").read_text())
    assert (manifest["source"], manifest["release"]) == ("uniprot_files", UNIPROT_RELEASE)
    assert [file["name"] for file in manifest["files"]] == ["keywlist.txt", "subcell.txt"]
    for file in manifest["files"]:
        body = (tmp_path / "raw" / file["name"]).read_bytes()
        assert body == provider_files[f"/uniprot_files/{file['path']}"]
        assert file["sha256"] == hashlib.sha256(body).hexdigest()
        assert file["bytes"] == len(body)
    assert str(tmp_path) not in (tmp_path / "raw/manifest.json").read_text()
    facts = table_facts(tmp_path / "raw/manifest.json")
    assert facts["licence"] == "CC BY 4.0"
    assert facts["sha256"].startswith(f"keywlist.txt={manifest['files'][0]['sha256']} subcell.txt=")


def test_what_is_whole_is_not_fetched_again(file_client, file_server, tmp_path):
    fetch(file_client, tmp_path)
    before = (tmp_path / "manifest.json").read_bytes()
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "subcell.txt").unlink()
    del file_server.requests[:]
    fetch(file_client, tmp_path)
    assert [request.path.rpartition("/")[2] for request in file_server.requests] == [
        "RELEASE.metalink",
        "subcell.txt",
    ]
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_a_dropped_connection_is_resumed(file_client, file_server, provider_files, tmp_path):
    file_server.faults.append(Fault(f"/uniprot_files/{DOCS}/keywlist.txt", cut_after=100))
    fetch(file_client, tmp_path)
    body = provider_files[f"/uniprot_files/{DOCS}/keywlist.txt"]
    assert (tmp_path / "keywlist.txt").read_bytes() == body
    asked = [r for r in file_server.requests if r.path.endswith("keywlist.txt")]
    assert [request.headers.get("range") for request in asked] == [None, "bytes=100-"]


def test_a_wrong_md5(file_client, provider_files, tmp_path):
    body = provider_files[f"/uniprot_files/{DOCS}/keywlist.txt"]
    provider_files[f"/uniprot_files/{DOCS}/keywlist.txt"] = body.replace(b"iron", b"lead")
    with pytest.raises(InputError, match=r"keywlist\.txt has MD5 \w+, expected \w+"):
        fetch(file_client, tmp_path)
    assert not (tmp_path / "keywlist.txt").exists() and not (tmp_path / "manifest.json").exists()


def test_another_release_than_the_current_one(file_client, tmp_path):
    with pytest.raises(InputError, match=f"of release {UNIPROT_RELEASE}, not 2026_01; set the"):
        fetch(file_client, tmp_path, release="2026_01")
    assert not list(tmp_path.glob("*.txt"))


def test_current_is_recorded_by_its_name(file_client, tmp_path):
    fetch(file_client, tmp_path, release="current", metalink=f"{DOCS}/RELEASE.metalink")
    assert json.loads((tmp_path / "manifest.json").read_text())["release"] == UNIPROT_RELEASE


def test_a_file_that_is_not_listed(file_client, tmp_path):
    with pytest.raises(InputError, match="does not list other.txt"):
        fetch(file_client, tmp_path, ["other.txt"])


def test_a_file_that_is_not_there(file_client, tmp_path):
    with pytest.raises(InputError, match=r"404"):
        fetch(file_client, tmp_path, ["other.txt"], metalink=None)


def test_a_pinned_sha256(file_client, tmp_path):
    with pytest.raises(InputError, match=r"subcell.txt: has the SHA-256 \w{64} instead of 00"):
        fetch(file_client, tmp_path, sha256={"subcell.txt": "00"})
    assert not (tmp_path / "subcell.txt").exists() and not (tmp_path / "manifest.json").exists()


def test_files_of_the_user(tmp_path):
    (tmp_path / "a.obo").write_bytes(b"abc")
    describe_files([tmp_path / "a.obo"], tmp_path / "m.json", source="files", **FACTS)
    manifest = json.loads((tmp_path / "m.json").read_text())
    assert manifest["files"] == [
        {"name": "a.obo", "bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    ]
    with pytest.raises(InputError, match="no such file"):
        describe_files([tmp_path / "b"], tmp_path / "m.json", source="files", **FACTS)


def test_metalink(provider_files):
    body = provider_files[f"/uniprot_files/{DOCS}/RELEASE.metalink"]
    found = read_metalink(body)
    assert found.release == UNIPROT_RELEASE
    text = provider_files[f"/uniprot_files/{DOCS}/subcell.txt"]
    md5 = hashlib.md5(text).hexdigest()
    assert found.files["subcell.txt"] == (len(text), md5)
    assert set(found.files) == {"keywlist.txt", "subcell.txt"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: b"", "no element"),
        (lambda body: body[:200], "metalink file"),
        (lambda body: b"<!DOCTYPE html><html></html>", "HTML"),
        (lambda body: b"<html></html>", "starts with <html>"),
        (lambda body: body.replace(b"<version>2026_03</version>", b""), "no release"),
        (lambda body: body.replace(b'type="md5"', b'type="sha1"'), "MD5"),
        (lambda body: body.replace(b"<size>", b"<size>x"), "invalid literal"),
    ],
)
def test_what_is_no_metalink(provider_files, change, message):
    body = provider_files[f"/uniprot_files/{DOCS}/RELEASE.metalink"]
    with pytest.raises(InputError, match=message):
        read_metalink(change(body))
