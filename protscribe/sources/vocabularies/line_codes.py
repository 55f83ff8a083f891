"""Entries made of lines with two-letter codes: keywlist.txt, subcell.txt and enzyme.dat.

Biopython reads two of the three (Bio.SwissProt.KeyWList, Bio.ExPASy.Enzyme), but takes a file
cut between two entries or inside one for a whole one, and glues the words at the line breaks of
a reaction or a name together.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from protscribe.errors import InputError
from protscribe.sources.formats.flatfile import END
from protscribe.sources.text_files import open_text

Entry = dict[str, list[str]]
"""Values of an entry's lines, by line code."""

_LINE = re.compile(r"([A-Z]{2})(?: {3}(\S.*))?$")
_GO_ID = re.compile(r"GO:\d{7}")


def read_entries(
    path: Path, starts: Collection[str], what: str, *, last: str = ""
) -> tuple[str, list[Entry]]:
    """Read a file of entries.

    Parameters
    ----------
    path
        The file, plain or gzip-compressed.
    starts
        Line codes that an entry can begin with.
    what
        What the file should be, for errors.
    last
        How the last line begins in a whole file.

    Returns
    -------
    head, entries
        The text before the first entry, and the entries.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, truncated or of another kind.
    """
    head: list[str] = []
    entries: list[Entry] = []
    entry: Entry | None = None
    line = ""
    with open_text(path) as lines:
        for number, raw in enumerate(lines, 1):
            line = raw.rstrip() or line
            found = _LINE.match(line)
            if entry is None:
                if found and found[1] in starts and found[2]:
                    entry = {found[1]: [found[2]]}
                elif not entries:
                    head.append(line)
            elif line == END:
                entries.append(entry)
                entry = None
            elif found:
                entry.setdefault(found[1], []).append(found[2] or "")
            else:
                raise InputError(
                    f"{path}: line {number} ({line[:40]!r}) has no line code; the file is "
                    "damaged; download it again"
                )
    if not entries and entry is None:
        raise InputError(f"{path}: has no entries; {what} is needed")
    if entry is not None or not line.startswith(last):
        raise InputError(
            f"{path}: the file is truncated: it ends with {line[:40]!r}; download it again"
        )
    return "\n".join(head), entries


def joined(lines: Iterable[str]) -> str:
    """Return wrapped lines as one text; a word broken after its hyphen is made whole."""
    text = ""
    for line in lines:
        broken = text.endswith("-") and not text.endswith(" -")
        text += line if broken or not text else f" {line}"
    return text


def sentences(lines: Iterable[str]) -> Iterator[str]:
    """Yield wrapped values that each end with a full stop, without that."""
    value: list[str] = []
    for line in lines:
        value.append(line)
        if line.endswith("."):
            yield joined(value).removesuffix(".")
            value = []
    if value:
        yield joined(value)


def items(lines: Iterable[str]) -> list[str]:
    """Return the values of a wrapped list: separated by semicolons, closed by a full stop."""
    parts = joined(lines).removesuffix(".").split(";")
    return [part.strip() for part in parts if part.strip()]


def go_ids(lines: Iterable[str]) -> list[str]:
    """Return the GO ids that stand in lines."""
    return [identifier for line in lines for identifier in _GO_ID.findall(line)]
