import gzip

import pytest

from flat_entries import entry
from protscribe.errors import InputError
from protscribe.sources.flatfile import open_flat_file, split_entries

TWO = entry("P11111", "M" * 40, "Binds zinc") + entry("P22222", "M" * 40, "Binds iron")


def read(path):
    with open_flat_file(path) as lines:
        return list(split_entries(lines, path))


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("compressed", [False, True])
def test_entries_come_out_whole(tmp_path, ends, compressed):
    path = tmp_path / "entries.dat"  # the name says nothing about the compression
    data = TWO.replace("\n", ends).encode()
    path.write_bytes(gzip.compress(data) if compressed else data)
    entries = read(path)
    assert "".join(entries) == TWO
    assert [e.splitlines()[-1] for e in entries] == ["//", "//"]


def test_blank_lines_between_entries_are_ignored(tmp_path):
    path = tmp_path / "entries.dat"
    path.write_text("\n" + TWO.replace("//\n", "//\n\n"))
    assert "".join(read(path)) == TWO


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!DOCTYPE html><html>404</html>", "HTML"),
        ("\n  <?xml version='1.0'?>", "HTML or XML"),
        ("", "empty"),
        ("\n\n", "empty"),
        (">sp|P11111\nMMM\n", "not a Swiss-Prot flat file"),
        (TWO[:-40], "truncated: entry P22222_TEST"),
        (TWO[: len(TWO) // 2 + 12], "truncated"),
    ],
)
def test_what_is_not_a_flat_file(tmp_path, text, message):
    path = tmp_path / "entries.dat"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)


def test_truncated_gzip(tmp_path):
    path = tmp_path / "entries.dat.gz"
    path.write_bytes(gzip.compress(TWO.encode() * 50)[:-30])
    with pytest.raises(InputError, match=r"entries.dat.gz: the gzip file is truncated"):
        read(path)


def test_damaged_gzip(tmp_path):
    path = tmp_path / "entries.dat.gz"
    data = bytearray(gzip.compress(TWO.encode() * 50))
    data[30:60] = b"\xff" * 30
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        read(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "nothing.dat")
