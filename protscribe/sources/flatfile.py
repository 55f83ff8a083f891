"""Swiss-Prot flat files as streams of lines: opening, checking, cutting into entries.

The format is UniProt's: entries of lines with a two-letter code, the first one ``ID``, closed
by a line ``//``.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from protscribe.errors import InputError

END = "//"


@contextmanager
def open_flat_file(path: Path) -> Iterator[IO[str]]:
    """Open a flat file as text, plain or gzip-compressed; its first bytes tell which.

    Characters outside UTF-8 are kept as surrogate escapes, so that one of them costs one entry
    and not the file.

    Raises
    ------
    InputError
        If the file is missing, empty, an HTML page or anything else that does not start with an
        entry, and, while it is read, if its gzip stream is truncated or damaged.
    """
    try:
        with path.open("rb") as probe:
            head = probe.read(2)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file") from None
    opener = gzip.open if head == b"\x1f\x8b" else open
    with opener(path, "rt", encoding="utf-8", errors="surrogateescape") as file:
        try:
            yield file
        except EOFError:
            raise InputError(f"{path}: the gzip file is truncated; download it again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise InputError(
                f"{path}: the gzip file is damaged ({error}); download it again"
            ) from None


def split_entries(lines: Iterable[str], name: str | Path) -> Iterator[str]:
    """Cut the lines of a flat file into entries.

    Parameters
    ----------
    lines
        Lines with their ends.
    name
        What to call the file in an error.

    Yields
    ------
    str
        One entry with its closing ``//`` line and Unix line ends.

    Raises
    ------
    InputError
        If the file is empty, does not start with an entry (an HTML page, for instance), or ends
        in the middle of one.
    """
    entry: list[str] = []
    started = False
    for raw in lines:
        line = raw.rstrip()
        if not line and not entry:
            continue
        if not started:
            _check_first_line(line, name)
            started = True
        entry.append(line)
        if line == END:
            yield "\n".join(entry) + "\n"
            entry = []
    if not started:
        raise InputError(f"{name}: the file is empty; a flat file of Swiss-Prot entries is needed")
    if entry:
        raise InputError(
            f"{name}: the file is truncated: entry {entry_name(entry[0])} has no closing {END}; "
            "download it again"
        )


def entry_name(entry: str) -> str:
    """Return the name on an entry's ID line, or the start of its first line if it has none."""
    first = entry.partition("\n")[0]
    words = first.split()
    return words[1] if first.startswith("ID ") and len(words) > 1 else repr(first[:40])


def _check_first_line(line: str, name: str | Path) -> None:
    if line.lstrip().startswith("<"):
        raise InputError(
            f"{name}: this is an HTML or XML page, not a flat file; "
            "look at what the address returned and download the .dat or .txt file"
        )
    if not line.startswith("ID   "):
        raise InputError(
            f"{name}: not a Swiss-Prot flat file: it starts with {line[:40]!r} "
            "instead of an ID line"
        )
