"""Pickles in LMDB: plain values come out, and nothing is run."""

import os
import pickle

import pytest

from helpers_classification import write_lmdb
from protscribe.errors import InputError
from protscribe.evaluation.classification.localisation_files import (
    read_localisation,
    unpickle_plain,
)

RECORD = {"primary": "MKV", "localization": 1}


class Command:
    """Runs a command when it is unpickled without care."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def read(folder, labels=2):
    return list(read_localisation(folder, labels))


def test_records_come_in_their_order(tmp_path):
    records = [RECORD | {"primary": "M" * n, "localization": n % 2} for n in range(1, 13)]
    folder = write_lmdb(tmp_path / "f.lmdb", records)
    assert read(folder) == [("M" * n, n % 2) for n in range(1, 13)]
    assert not (folder / "lock.mdb").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_wants_code_runs_none(tmp_path, protocol):
    trap = tmp_path / "trap"
    data = pickle.dumps({"primary": Command(f"touch {trap}"), "localization": 1}, protocol)
    pickle.loads(data)
    assert trap.exists(), "the pickle is harmless, so that this would test nothing"
    trap.unlink()
    folder = write_lmdb(tmp_path / "f.lmdb", [RECORD, data])
    with pytest.raises(InputError, match=r"record 1 is not a pickle of plain values \(it asks for"):
        read(folder)
    assert not trap.exists()


@pytest.mark.parametrize("data", [b"", b"\x80", b"cos\nsystem\n(S'true'\ntR.", b"\x80\x03}q\x00("])
def test_damaged_pickles(data):
    with pytest.raises(InputError, match="record 7 is not a pickle of plain values"):
        unpickle_plain(data, "record 7")


@pytest.mark.parametrize("kept", [0, 100, 4096, 8192, 20_000])
def test_a_file_that_is_cut_short(tmp_path, kept):
    records = [RECORD | {"primary": "MKV" * 300}] * 200
    folder = write_lmdb(tmp_path / "f.lmdb", records)
    data = (folder / "data.mdb").read_bytes()
    assert len(data) > 100_000
    (folder / "data.mdb").write_bytes(data[:kept])
    with pytest.raises(InputError, match="cut short"):
        read(folder)


@pytest.mark.parametrize(
    ("records", "count", "said"),
    [
        ([RECORD], 2, "has no record 1"),
        ([RECORD], "many", "num_examples is 'many'"),
        ([], None, "num_examples is 0"),
        ([{"primary": "MKV"}], None, "record 0 must hold primary and localization"),
        ([["MKV", 1]], None, "record 0 must hold primary and localization"),
        ([RECORD | {"localization": "1"}], None, "must hold a text and a whole number"),
        ([RECORD | {"localization": True}], None, "must hold a text and a whole number"),
        ([RECORD | {"localization": 2}], None, "has the label 2, not one of 0 to 1"),
        ([RECORD | {"localization": -1}], None, "has the label -1"),
        ([RECORD | {"primary": "M*V"}], None, "no sequence of one-letter residues"),
    ],
)
def test_bad_records(tmp_path, records, count, said):
    folder = write_lmdb(tmp_path / "f.lmdb", records, count)
    with pytest.raises(InputError, match=said):
        read(folder)


def test_no_such_folder(tmp_path):
    with pytest.raises(InputError, match="no LMDB folder"):
        read(tmp_path / "nothing.lmdb")
    (tmp_path / "data.mdb").write_text("no database, but a text that is long enough" * 400)
    with pytest.raises(InputError, match="not an LMDB file"):
        read(tmp_path)
