import gzip
import json

import pytest

from flat_entries import entry
from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.sources.files import check_files

ONE = entry("P11111", "M" * 40, "Binds zinc")
TABLE = "Entry\tSequence\tFunction [CC]\nP1\tMKV\tBinds zinc.\n"
TALK = json.dumps([{"id": "P1", "amino_seq": "MKV", "conversations": []}])


def test_each_file_is_recognised_and_recorded(tmp_path):
    contents = {
        "a.txt": ONE,  # names say nothing about formats
        "b.dat": TABLE,
        "c": TALK,
        "d.tsv": json.dumps({"results": [{"primaryAccession": "P1"}]}),
    }
    paths = []
    for name, text in contents.items():
        for packed in (False, True):
            path = tmp_path / f"{name}{packed}"
            path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
            paths.append(path)
    check_files(paths, tmp_path / "manifest.json")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [f["name"] for f in manifest["files"]] == [path.name for path in paths]
    formats = ["flat", "table", "conversations", "uniprot_json"]
    assert [f["format"] for f in manifest["files"]] == [f for f in formats for _ in range(2)]
    assert manifest["files"][1] == {
        "name": paths[1].name,
        "bytes": paths[1].stat().st_size,
        "sha256": sha256_file(paths[1]),
        "format": "flat",
    }
    assert str(tmp_path) not in (tmp_path / "manifest.json").read_text()


def test_a_name_may_stand_twice(tmp_path):
    paths = [tmp_path / folder / "x.dat" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(ONE)
    check_files(paths, tmp_path / "manifest.json")
    assert len(json.loads((tmp_path / "manifest.json").read_text())["files"]) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"<!DOCTYPE html><html>404</html>", "HTML"),
        (b"\n <?xml version='1.0'?>", "HTML or XML"),
        (b">sp|P1\nMKV\n", "FASTA"),
        (b"PK\x03\x04...", "Excel"),
        (TABLE.encode("utf-16"), "UTF-16 .* line 1"),
        (TABLE.encode("utf-16-le"), "UTF-16 from line 1"),
        (b"some text\n", "no format that is known"),
        (b"a\tb\tc\n1\t2\t3\n", "columns found: a, b, c"),
        (ONE[:-4].encode(), "truncated: entry P11111_TEST"),
        ((ONE * 1500 + ONE.replace("P11111", "P22222")[:99]).encode(), "entry P22222_TEST"),
        (gzip.compress(ONE.encode() * 50)[:-30], "gzip file is truncated"),
        (TALK[:-1].encode(), "truncated"),
        (TALK[:20].encode(), "truncated"),
        (b'[{"id": "P1", "text": "x"}]', "first record has: id, text"),
        (b"[1, 2]", "first record"),
    ],
)
def test_a_bad_file_is_named_and_nothing_is_written(tmp_path, content, message):
    good, bad = tmp_path / "good.dat", tmp_path / "bad.dat"
    good.write_text(ONE)
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(InputError, match=rf"bad\.dat: .*{message}"):
        check_files([good, bad], tmp_path / "manifest.json")
    assert not (tmp_path / "manifest.json").exists()


def test_damaged_gzip(tmp_path):
    path = tmp_path / "x.dat.gz"
    data = bytearray(gzip.compress(ONE.encode() * 50))
    data[30:60] = b"\xff" * 30
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        check_files([path], tmp_path / "manifest.json")


def test_no_file_at_all(tmp_path):
    with pytest.raises(InputError, match=r"source\.paths"):
        check_files([], tmp_path / "manifest.json")
