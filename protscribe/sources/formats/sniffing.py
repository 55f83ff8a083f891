"""The formats that entries come in, told apart by their content."""

import codecs
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from protscribe.errors import InputError
from protscribe.sources.formats import (
    conversations,
    delimited,
    flatfile,
    json_records,
    swissprot,
    uniprot_json,
    uniprot_table,
)
from protscribe.sources.formats.record import Reject
from protscribe.sources.text_files import open_bytes

_HEAD = 2**16
_FOREIGN = {
    b"PK\x03\x04": "a zip or Excel file; export it as TSV",
    b"BZh": "bzip2-compressed; unpack it or compress it with gzip",
    b"\xfd7zXZ": "xz-compressed; unpack it or compress it with gzip",
    b"PAR1": "a Parquet file; export it as TSV",
    b">": "a FASTA file, which has no text; a flat file, an export or a table is needed",
    codecs.BOM_UTF16_LE: "UTF-16 text from line 1 on; save the file as UTF-8",
    codecs.BOM_UTF16_BE: "UTF-16 text from line 1 on; save the file as UTF-8",
}


@dataclass(frozen=True)
class Format:
    """How a format is read.

    Parameters
    ----------
    cut
        ``(file, name, size)``: cuts a file into pieces of about that many bytes; cheap.
    records
        ``(piece, name)``: the records of a piece.
    row
        ``(record, evidence=...)``: columns of the proteins table, or `Reject`.
    key
        What to call a record that is rejected, if it says so itself.
    """

    cut: Callable[[IO[bytes], str, int], Iterator[Any]]
    records: Callable[[Any, str], Iterable[Any]]
    row: Callable[..., dict[str, Any]]
    key: Callable[[Any], str | None]


def sniff(path: Path) -> str:
    """Return the name of a file's format, a key of `FORMATS`.

    Raises
    ------
    InputError
        If the file is missing, empty or in none of the formats; says what it seems to be.
    """
    with open_bytes(path) as file:
        head = file.read(_HEAD)
        for start, what in _FOREIGN.items():
            if head.startswith(start):
                raise InputError(f"{path}: this is {what}")
        text = head.removeprefix(codecs.BOM_UTF8).lstrip()
        if not text:
            raise InputError(f"{path}: the file is empty")
        if text.startswith(b"<"):
            raise InputError(
                f"{path}: this is an HTML or XML page; look at what the address returned and "
                "download the flat file, TSV or JSON"
            )
        if b"\0" in head:
            raise InputError(f"{path}: not text, or UTF-16 from line 1 on; save it as UTF-8")
        if text.startswith(b"ID   "):
            return "flat"
    if text.startswith((b"{", b"[")):
        return _json_format(path)
    line = text.splitlines()[0].decode(errors="replace")
    if not any(delimiter in line for delimiter in delimited.DELIMITERS):
        raise InputError(
            f"{path}: no format that is known (flat file, table, JSON): it starts with "
            f"{line[:40]!r}"
        )
    delimited.read_header(line, path)
    return "table"


def _json_format(path: Path) -> str:
    with open_bytes(path) as file:
        piece = next(json_records.cut(file, str(path), 1), b"")
    try:
        record = json_records.load(next(iter(piece.splitlines()), b"{}"))
    except Reject as reject:
        raise InputError(f"{path}: the first record is {reject.reason}: {reject.detail}") from None
    if "primaryAccession" in record:
        return "uniprot_json"
    if "conversations" in record:
        return "conversations"
    raise InputError(
        f"{path}: neither UniProt's JSON (primaryAccession) nor conversations (id, amino_seq, "
        f"conversations); its first record has: {', '.join(record) or 'nothing'}"
    )


def _flat_records(piece: bytes, name: str) -> list[str]:
    # Bytes that are not UTF-8 pass through as they are, so that one costs one entry only.
    return flatfile.split_entries(piece.decode(errors="surrogateescape"), name)


def _json_lines(piece: bytes, name: str) -> list[bytes]:
    return [line for line in piece.split(b"\n") if line.strip()]


def _json(row: Callable[..., dict[str, Any]], key: str) -> Format:
    def read_row(line: bytes, **options: Any) -> dict[str, Any]:
        return row(json_records.load(line), **options)

    def read_key(line: bytes) -> str | None:
        try:
            found = json_records.load(line).get(key)
        except Reject:
            found = None
        return None if found is None else str(found)

    return Format(json_records.cut, _json_lines, read_row, read_key)


def _table_rows(piece: delimited.Rows, name: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    return ((piece.columns, fields) for fields in piece.rows)


def _table_row(record: tuple[tuple[str, ...], list[str]], **options: Any) -> dict[str, Any]:
    return uniprot_table.row(*record, **options)


def _table_key(record: tuple[tuple[str, ...], list[str]]) -> str | None:
    columns, fields = record
    at = columns.index("accession")
    return fields[at].strip() or None if at < len(fields) else None


FORMATS = {
    "flat": Format(flatfile.cut, _flat_records, swissprot.row, swissprot.key),
    "table": Format(delimited.cut, _table_rows, _table_row, _table_key),
    "uniprot_json": _json(uniprot_json.row, "primaryAccession"),
    "conversations": _json(conversations.row, "id"),
}
"""Flat files, text tables (exports of UniProt's site and plain ones) and the two kinds of JSON."""
