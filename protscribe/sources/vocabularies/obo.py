"""Files in OBO format (1.2 and 1.4): their header and, one at a time, their stanzas.

The grammar is fastobo's. Released files do break it here and there (go-basic.obo of 2021-12-15
has a cross-reference ``EC 2.7.1.190``), and fastobo reads all of a file or nothing. So it gets
each stanza by itself, reduced to the tags that are wanted, and a line that it refuses costs
that line alone, which is listed.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import fastobo

from protscribe.errors import InputError
from protscribe.sources.text_files import open_text

TOGETHER = 20
"""Stanzas handed to fastobo at once, which halves the time of one by one."""
Line = tuple[int, str]
"""A line with its number in the file, from 1."""


def read_header(path: Path) -> dict[str, str]:
    """Return the first value of each header tag, for instance ``data-version``.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged or not in OBO format.
    """
    header: dict[str, str] = {}
    with open_text(path) as lines:
        for _, line in _checked_lines(lines, path):
            if line.startswith("["):
                break
            tag, separator, value = line.partition(":")
            if separator:
                header.setdefault(tag, value.strip())
    return header


def read_stanzas(
    path: Path,
    tags: Collection[str],
    refuse: Callable[[str, str], None],
    *,
    wanted: Callable[[str], bool] = lambda identifier: True,
) -> Iterator[Any]:
    """Read the stanzas of a file.

    Parameters
    ----------
    path
        The file, plain or gzip-compressed.
    tags
        Tags to read; lines with others are passed over unread.
    refuse
        Called with the place (file name and line) and what is wrong for each line that is left
        out because it is not in OBO format. A stanza without a readable id is left out whole.
    wanted
        Which stanzas to read, by their id.

    Yields
    ------
    fastobo.term.TermFrame or fastobo.typedef.TypedefFrame
        A stanza: its ``id`` and clauses.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, truncated or not in OBO format.
    """
    stanzas = (
        stanza
        for stanza in _stanzas(path, tags)
        if (identifier := _identifier(stanza, path, refuse)) is not None and wanted(identifier)
    )
    while some := list(islice(stanzas, TOGETHER)):
        yield from _parse(some, path, refuse)


def _stanzas(path: Path, tags: Collection[str]) -> Iterator[list[Line]]:
    prefixes = tuple(f"{tag}:" for tag in {"id", *tags})
    stanza: list[Line] = []
    with open_text(path) as lines:
        for number, line in _checked_lines(lines, path):
            if line.startswith("["):
                if stanza:
                    yield stanza
                stanza = [(number, line)]
            elif stanza and line.startswith(prefixes):
                stanza.append((number, line))
    if stanza:
        yield stanza


def _identifier(stanza: list[Line], path: Path, refuse: Callable[[str, str], None]) -> str | None:
    for _, line in stanza:
        if line.startswith("id:"):
            return line.removeprefix("id:").strip()
    refuse(f"{path.name}:{stanza[0][0]}", "stanza without id")
    return None


def _checked_lines(lines: Iterable[str], path: Path) -> Iterator[Line]:
    started, line = False, "\n"
    for number, line in enumerate(lines, 1):
        if not started and line.strip():
            if line.lstrip().startswith("<"):
                raise InputError(f"{path}: this is an HTML or XML page; download the .obo file")
            if not line.startswith("format-version:"):
                raise InputError(
                    f"{path}: not an OBO file: it starts with {line.strip()[:40]!r} "
                    "instead of format-version:"
                )
            started = True
        yield number, line
    if not started:
        raise InputError(f"{path}: the file is empty; an OBO file is needed")
    if not line.endswith("\n"):
        raise InputError(
            f"{path}: the file is truncated: its last line has no end; download it again"
        )


def _parse(
    stanzas: list[list[Line]], path: Path, refuse: Callable[[str, str], None]
) -> Iterator[Any]:
    try:
        yield from list(fastobo.loads("".join(line for stanza in stanzas for _, line in stanza)))
    except (SyntaxError, UnicodeEncodeError):
        for stanza in stanzas:
            yield from _parse_carefully(stanza, path, refuse)


def _parse_carefully(
    stanza: list[Line], path: Path, refuse: Callable[[str, str], None]
) -> list[Any]:
    """Parse a stanza without the lines that cannot be parsed; nothing without its id."""
    while True:
        try:
            return list(fastobo.loads("".join(line for _, line in stanza)))
        except SyntaxError as error:
            bad, problem = (error.lineno or 1) - 1, error.msg
        except UnicodeEncodeError:
            # Bytes outside UTF-8 arrive as lone surrogates.
            bad = next(i for i, (_, line) in enumerate(stanza) if _has_surrogate(line))
            problem = "not UTF-8"
        number, line = stanza.pop(min(bad, len(stanza) - 1))
        refuse(f"{path.name}:{number}", f"{line.strip()!r}: {problem}")
        if line.startswith(("[", "id:")):
            return []


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
