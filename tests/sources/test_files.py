import gzip
import json

import pytest

from flat_entries import entry
from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.sources.files import collect_files

ONE = entry("P11111", "M" * 40, "Binds zinc")
TWO = entry("P22222", "M" * 40, "Binds iron")


def test_files_are_joined_in_their_order(tmp_path):
    plain, packed = tmp_path / "b.dat", tmp_path / "a.dat.gz"
    plain.write_text(ONE)
    packed.write_bytes(gzip.compress((TWO + ONE).encode()))
    collect_files([plain, packed], tmp_path / "out.dat", tmp_path / "manifest.json")
    assert (tmp_path / "out.dat").read_text() == ONE + TWO + ONE
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["entries"] == 3
    assert manifest["sha256"] == sha256_file(tmp_path / "out.dat")
    assert [(f["name"], f["entries"]) for f in manifest["files"]] == [("b.dat", 1), ("a.dat.gz", 2)]
    assert str(tmp_path) not in (tmp_path / "manifest.json").read_text()


def test_bytes_outside_the_format_pass_through(tmp_path):
    path = tmp_path / "a.dat"
    path.write_bytes(ONE.encode().replace(b"zinc", b"zi\xefnc"))
    collect_files([path], tmp_path / "out.dat", tmp_path / "manifest.json")
    assert (tmp_path / "out.dat").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("broken", [None, "<html>", ONE[:-3]])
def test_a_bad_file_leaves_nothing(tmp_path, broken):
    good, bad = tmp_path / "good.dat", tmp_path / "bad.dat"
    good.write_text(ONE)
    if broken:
        bad.write_text(broken)
    with pytest.raises(InputError, match=r"bad\.dat"):
        collect_files([good, bad], tmp_path / "out" / "x.dat", tmp_path / "out" / "m.json")
    assert list((tmp_path / "out").iterdir()) == []


def test_no_file_at_all(tmp_path):
    with pytest.raises(InputError, match=r"source\.paths"):
        collect_files([], tmp_path / "x.dat", tmp_path / "m.json")
