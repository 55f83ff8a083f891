"""Files, plain or gzip-compressed, whatever they are called."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from protscribe.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file as bytes, plain or gzip-compressed; its first bytes tell which.

    Raises
    ------
    InputError
        If the file is missing and, while it is read, if its gzip stream is truncated or damaged.
    """
    try:
        with path.open("rb") as probe:
            zipped = probe.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file") from None
    opener: Callable[[Path, str], IO[bytes]] = gzip.open if zipped else open  # type: ignore[assignment]
    with opener(path, "rb") as file:
        try:
            yield file
        except EOFError:
            raise InputError(f"{path}: the gzip file is truncated; download it again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise InputError(
                f"{path}: the gzip file is damaged ({error}); download it again"
            ) from None


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a text file in UTF-8 as `open_bytes` does.

    Other bytes are kept as surrogate escapes, so that one of them costs one record and not the
    file.
    """
    with (
        open_bytes(path) as file,
        io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape") as text,
    ):
        yield text
