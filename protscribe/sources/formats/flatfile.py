"""Swiss-Prot flat files: cut into pieces of whole entries, and pieces into entries.

The format is UniProt's: entries of lines with a two-letter code, the first one ``ID``, closed
by a line ``//``.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from protscribe.errors import InputError

END = "//"

_BLOCK = 2**20
_TRAILING = re.compile(r"[ \t\r]+$", re.MULTILINE)
_LAST_END = re.compile(rb".*^//[ \t\r]*\n", re.MULTILINE | re.DOTALL)


def cut(file: IO[bytes], name: str | Path, size: int) -> Iterator[bytes]:
    """Cut a flat file into pieces without looking at their lines.

    Parameters
    ----------
    file
        The file's bytes, not compressed.
    name
        What to call the file in an error.
    size
        Bytes of a piece, about.

    Yields
    ------
    bytes
        Whole entries.

    Raises
    ------
    InputError
        If the file ends in the middle of an entry.
    """
    rest = b""
    while block := file.read(_BLOCK):
        rest += block
        # The search is greedy: it ends after the last closing line.
        if len(rest) >= size and (whole := _LAST_END.match(rest)):
            yield whole.group()
            rest = rest[whole.end() :]
    if rest.rstrip():
        # Only here may the last line have no end.
        yield rest


def split_entries(text: str, name: str | Path) -> list[str]:
    """Cut text into entries.

    Parameters
    ----------
    text
        Whole entries, with any line ends and blank lines between them.
    name
        What to call the file in an error.

    Returns
    -------
    list of str
        Entries with their closing ``//`` line, Unix line ends and no spaces at line ends.

    Raises
    ------
    InputError
        If there is no entry or the last one is not closed.
    """
    if "\r" in text or " \n" in text:
        text = _TRAILING.sub("", text)
    *entries, rest = (text if text.endswith("\n") else f"{text}\n").split(f"\n{END}\n")
    if rest := rest.strip("/\n"):
        raise InputError(
            f"{name}: the file is truncated: entry {entry_name(rest)} has no closing {END}; "
            "download it again"
        )
    # Blank lines and a second closing line may stand between entries.
    whole = [entry for entry in (entry.lstrip("/\n") for entry in entries) if entry]
    if not whole:
        raise InputError(f"{name}: the file is empty; a flat file of Swiss-Prot entries is needed")
    return [f"{entry}\n{END}\n" for entry in whole]


def entry_name(entry: str) -> str:
    """Return the name on an entry's ID line, or the start of its first line if it has none."""
    first = entry.partition("\n")[0]
    words = first.split()
    return words[1] if first.startswith("ID ") and len(words) > 1 else repr(first[:40])
