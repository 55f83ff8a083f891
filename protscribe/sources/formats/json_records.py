"""JSON files: cut into pieces of one record a line, in constant memory.

Read are an array of records, UniProt's ``{"results": [...]}``, and records one after the other,
one a line or printed over several.
"""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from protscribe.errors import InputError
from protscribe.sources.formats.record import Reject

LARGEST = 2**28
"""Bytes that one record may have; what is longer is taken for broken."""

_BLOCK = 2**20
_OPENING = re.compile(rb'\s*(?:\{\s*"results"\s*:\s*)?(\[)')
_BETWEEN = re.compile(r"[\s,]*")


def cut(file: IO[bytes], name: str | Path, size: int) -> Iterator[bytes]:
    """Cut a JSON file into pieces.

    Parameters
    ----------
    file
        The file's bytes, UTF-8, not compressed.
    name
        What to call the file in an error.
    size
        Bytes of a piece, about.

    Yields
    ------
    bytes
        Records, one a line.

    Raises
    ------
    InputError
        If the text is not JSON or ends in the middle of a record or of the array.
    """
    start = file.read(_BLOCK).removeprefix(codecs.BOM_UTF8)
    if not _OPENING.match(start):
        # UniProt's export is one line, however long; this is not it.
        start += file.readline(LARGEST)
        if _is_object(start.partition(b"\n")[0]):
            yield from _cut_lines(file, name, size, start)
            return
    piece = bytearray()
    for record in _records(file, name, start):
        piece += record.encode() + b"\n"
        if len(piece) >= size:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def load(line: bytes) -> dict[str, Any]:
    """Return the record of a line.

    Raises
    ------
    Reject
        If it is not a JSON object.
    """
    try:
        record = json.loads(line)
    except ValueError as error:
        raise Reject("not parsable", f"not JSON: {error}") from None
    if not isinstance(record, dict):
        raise Reject("not parsable", f"a JSON object is needed, not {line[:40]!r}")
    return record


def _cut_lines(file: IO[bytes], name: str | Path, size: int, start: bytes) -> Iterator[bytes]:
    # Lines need no look inside: a broken one costs one record, unless it is the last.
    piece = start
    while block := file.read(size):
        piece += block
        end = piece.rfind(b"\n") + 1
        if len(piece) >= size and end:
            yield piece[:end]
            piece = piece[end:]
    last = piece[piece.rfind(b"\n") + 1 :]
    if last.strip() and not _is_object(last):
        raise InputError(f"{name}: the file is truncated: its last line is cut; download it again")
    if piece:
        yield piece


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _records(file: IO[bytes], name: str | Path, start: bytes) -> Iterator[str]:
    opening = _OPENING.match(start)
    source = _Text(file, name, start[opening.end() :] if opening else start)
    decoder = json.JSONDecoder()
    source.more()
    at = number = 0
    while True:
        at = _BETWEEN.match(source.text, at).end()  # type: ignore[union-attr]
        if at == len(source.text) and source.more():
            continue
        if opening and source.text.startswith("]", at):
            return
        if at == len(source.text):
            if opening:
                raise InputError(
                    f"{name}: the file is truncated after record {number}: the array has no end; "
                    "download it again"
                )
            return
        try:
            _, end = decoder.raw_decode(source.text, at)
        except json.JSONDecodeError as error:
            source.text, at = source.text[at:], 0
            if len(source.text) < LARGEST and source.more():
                continue
            raise InputError(
                f"{name}: record {number + 1} is broken or truncated: {error}; "
                "download it again or mend it"
            ) from None
        number += 1
        # Line ends stand only between tokens, never inside a string.
        yield source.text[at:end].replace("\n", " ").replace("\r", " ")
        at = end
        if at > _BLOCK:
            source.text, at = source.text[at:], 0


class _Text:
    """The part of a file that is looked at, decoded."""

    def __init__(self, file: IO[bytes], name: str | Path, start: bytes) -> None:
        self.file, self.name, self.text, self.lines = file, name, "", 1
        self.rest = start

    def more(self) -> bool:
        """Read on, more each time that a record goes on; tell whether there was anything."""
        block = self.file.read(max(_BLOCK, len(self.text)))
        data = self.rest + block
        try:
            text = data.decode()
            self.rest = b""
        except UnicodeDecodeError as error:
            if not block or error.start < len(data) - 3:
                line = self.lines + data[: error.start].count(b"\n")
                raise InputError(
                    f"{self.name}: line {line}: not UTF-8 text; save the file as UTF-8"
                ) from None
            # A letter of several bytes is cut in two here.
            text, self.rest = data[: error.start].decode(), data[error.start :]
        self.lines += text.count("\n")
        self.text += text
        return bool(block)
