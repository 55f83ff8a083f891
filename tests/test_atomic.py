import os
import shutil
import subprocess
from pathlib import Path

import pytest

from protscribe.atomic import (
    atomic_folder,
    atomic_path,
    read_json,
    sha256_file,
    sha256_json,
    sha256_text,
    write_json,
)
from protscribe.errors import InputError


def test_file_appears_only_when_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
        assert partial.suffix == ".txt"
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_failure_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "folder"
    for name in ("one", "two"):
        with atomic_folder(path) as partial:
            (partial / name).touch()
    assert [entry.name for entry in path.iterdir()] == ["two"]
    with pytest.raises(RuntimeError), atomic_folder(path) as partial:
        raise RuntimeError
    assert [entry.name for entry in path.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_sorted_and_round_trips(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": [1, "Å"], "a": None})
    assert path.read_text(encoding="utf-8").index('"a"') < path.read_text().index('"b"')
    assert read_json(path) == {"a": None, "b": [1, "Å"]}


@pytest.mark.parametrize("text", ["", "{", "<html>"])
def test_broken_json_names_the_file(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken\.json: not a JSON file"):
        read_json(path)


def test_checksums(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(path) == sha256_text("abc") == known
    assert sha256_json({"a": 1, "b": 2}) == sha256_json({"b": 2, "a": 1})


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mount).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_one_clear_error(tiny_disk: Path):
    message = r"no space left on the disk while writing .*big\.bin"
    with pytest.raises(InputError, match=message), atomic_path(tiny_disk / "big.bin") as partial:
        partial.write_bytes(b"x" * 1_000_000)
    assert list(tiny_disk.iterdir()) == []
