"""Published localisation files: LMDB databases of pickled records (PEER, Xu et al., 2022).

Key ``num_examples`` holds a pickled int, keys ``0``, ``1``, ... pickled dictionaries
``{"primary": str, "localization": int}``. A pickle can run code when it is read; these are read
by an unpickler that knows no class and no function, so that nothing but plain values comes out.
"""

import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb

from protscribe.errors import InputError
from protscribe.evaluation.classification.benchmark_files import one_letter_sequence

_COUNT = b"num_examples"
_SEQUENCE, _LABEL = "primary", "localization"


class _PlainUnpickler(pickle.Unpickler):
    """Reads pickles of plain values."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse to look anything up."""
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def unpickle_plain(data: bytes, what: str) -> Any:
    """Return the plain value that a pickle holds.

    Parameters
    ----------
    data
        The pickle.
    what
        What it is, for the message.

    Raises
    ------
    InputError
        If it is damaged, or asks for a class or function.
    """
    try:
        return _PlainUnpickler(io.BytesIO(data)).load()
    # A damaged pickle raises nearly anything.
    except Exception as error:
        raise InputError(
            f"{what} is not a pickle of plain values ({error}); nothing of it was run; "
            "get the file from its authors again"
        ) from None


def read_localisation(path: Path, labels: int) -> Iterator[tuple[str, int]]:
    """Read the sequences and labels of a file in order.

    Parameters
    ----------
    path
        The folder that holds ``data.mdb``.
    labels
        Number of labels; they count from 0.

    Yields
    ------
    tuple
        Sequence and label.

    Raises
    ------
    InputError
        If the file is missing, cut short, empty or not of this format.
    """
    environment = _open(path)
    try:
        with environment.begin() as transaction:
            count = _plain(transaction, _COUNT, path)
            if type(count) is not int or count < 1:
                raise InputError(f"{path}: num_examples is {count!r}; the file holds no example")
            for number in range(count):
                record = _plain(transaction, str(number).encode(), path)
                where = f"{path}: record {number}"
                if type(record) is not dict or set(record) != {_SEQUENCE, _LABEL}:
                    keys = sorted(map(str, record)) if type(record) is dict else record
                    raise InputError(f"{where} must hold {_SEQUENCE} and {_LABEL}, not {keys!r}")
                sequence, label = record[_SEQUENCE], record[_LABEL]
                if type(label) is not int:
                    raise InputError(f"{where} must hold a text and a whole number")
                if not 0 <= label < labels:
                    raise InputError(f"{where} has the label {label}, not one of 0 to {labels - 1}")
                yield one_letter_sequence(where, sequence), label
    except lmdb.Error as error:
        raise InputError(f"{path}: a damaged LMDB file ({error}); get it again") from None
    finally:
        environment.close()


def _open(path: Path) -> Any:
    data = path / "data.mdb"
    if not data.is_file():
        raise InputError(f"{path}: no LMDB folder, which holds data.mdb")
    try:
        environment = lmdb.open(
            str(path), readonly=True, lock=False, create=False, subdir=True, readahead=False
        )
    except lmdb.Error as error:
        raise InputError(
            f"{path}: not an LMDB file, or cut short ({error}); get it again"
        ) from None
    pages = environment.info()["last_pgno"] + 1
    size = pages * environment.stat()["psize"]
    if data.stat().st_size < size:
        # To read a page that is not there kills the process.
        environment.close()
        raise InputError(
            f"{path}: cut short: data.mdb has {data.stat().st_size} of {size} bytes; get it again"
        )
    return environment


def _plain(transaction: Any, key: bytes, path: Path) -> Any:
    data = transaction.get(key)
    if data is None:
        raise InputError(f"{path}: has no record {key.decode()}; get the file again")
    return unpickle_plain(data, f"{path}: record {key.decode()}")
