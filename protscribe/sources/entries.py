"""Entries in any of the formats, cut into pieces, parsed side by side, put into one sorted table.

Files are cut in this process, which hardly looks at them; pieces are parsed by other processes,
each into a sorted run on disk; the runs are merged in blocks of rows. Neither the number of
processes nor their speed changes a byte of the result, and no process ever holds more than some
pieces or one block.
"""

import gc
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from protscribe.atomic import sha256_json
from protscribe.errors import InputError
from protscribe.processes import ordered_map
from protscribe.sources.formats.record import Reject, check, complete
from protscribe.sources.formats.sniffing import FORMATS, sniff
from protscribe.sources.runs import merge_runs, write_run
from protscribe.sources.tally import tally
from protscribe.sources.text_files import open_bytes
from protscribe.tables import table_writer, write_table

STAGE = "parse_entries"

PIECE_BYTES = 2**23
"""Bytes of a piece: about 1,000 entries of a flat file."""

POOL_FROM = 4
"""Pieces that are worth starting processes for, which costs about a second."""


@dataclass(frozen=True)
class _Piece:
    """Some records of one file, not parsed yet."""

    number: int
    file: str
    format: str
    content: Any


@dataclass(frozen=True)
class _Parsed:
    """What came of a piece.

    Parameters
    ----------
    records
        How many it had.
    accessions, indices
        Of the rows in the run, sorted: accession, and which record of the piece it was.
    rejects
        Index of the record, key, reason, detail.
    """

    records: int
    accessions: list[str]
    indices: list[int]
    rejects: list[tuple[int, str | None, str, str]]


def parse_entries(
    files: Sequence[Path],
    proteins: Path,
    rejects: Path,
    *,
    filters: Mapping[str, Any],
    metadata: Mapping[str, str],
    processes: int,
    work: Path,
) -> None:
    """Parse files into the proteins table; what cannot be used goes to the rejects table.

    Parameters
    ----------
    files
        In any mix of the formats of `protscribe.sources.formats.sniffing`. Of several usable
        records of an accession the earliest is kept.
    proteins, rejects
        The tables to write. Records in = proteins + rejects.
    filters
        ``proteins`` of the configuration, see `protscribe.sources.formats.record.check`, and
        ``function_evidence``: ECO codes of which a FUNCTION comment must have one; empty for all.
    metadata
        Facts for the tables' files.
    processes
        How many parse; few records are parsed in this one.
    work
        Folder for the temporary folder ``runs``, which takes about a fifth of the bytes of flat
        files, not compressed.

    Raises
    ------
    InputError
        If a file is missing, truncated or in no known format, no protein is left, or a process
        was killed.
    """
    if not files:
        raise InputError("source.paths: no file is given; name at least one")
    formats = [sniff(file) for file in files]
    with _folder(work / "runs") as runs:
        parsed = list(_parse_all(_cut_all(files, formats), filters, runs, processes))
        total = sum(part.records for part in parsed)
        order, rejected = _resolve(parsed)
        kept = pc.sum(order["kept"], min_count=0).as_py()
        told = tally(Counter(reject["reason"] for reject in rejected))
        print(f"{kept} proteins from {total} entries; rejected: {told}", file=sys.stderr)
        if not kept:
            raise InputError(
                f"{', '.join(file.name for file in files)}: no protein is left of {total} entries "
                f"({told}); check the files and proteins.min_length ({filters['min_length']}) and "
                "the other filters"
            )
        if kept + len(rejected) != total:
            raise RuntimeError(f"{total} entries, but {kept} + {len(rejected)} came out")
        write_table(rejects, "rejects", rejected, metadata)
        with table_writer(proteins, "proteins", metadata) as write:
            for block in merge_runs([_run_path(runs, n) for n in range(len(parsed))], order):
                write(block)


def entry_facts(manifest: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts about entries that travel with every table made from them.

    Parameters
    ----------
    manifest
        Of the raw files: what was found.
    source
        ``source`` of the configuration: what the user calls it.
    """
    sums = [file["sha256"] for file in manifest.get("files", [])]
    facts = {
        "source": source["type"],
        "release": manifest.get("release") or source["release"],
        "release_date": manifest.get("release_date") or "",
        "licence": manifest.get("licence") or source["licence"],
        "sha256": manifest.get("sha256") or (sums[0] if len(sums) == 1 else sha256_json(sums)),
    }
    return {name: str(value) for name, value in facts.items() if value}


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    # A killed run may have left one.
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _cut_all(files: Sequence[Path], formats: Sequence[str]) -> Iterator[_Piece]:
    number = 0
    for path, name in zip(files, formats, strict=True):
        with open_bytes(path) as file:
            for content in FORMATS[name].cut(file, str(path), PIECE_BYTES):
                yield _Piece(number, str(path), name, content)
                number += 1


def _parse_all(
    pieces: Iterator[_Piece], filters: Mapping[str, Any], runs: Path, processes: int
) -> Iterator[_Parsed]:
    first = list(islice(pieces, POOL_FROM))
    pieces = chain(first, pieces)
    with tqdm(desc="parse entries", unit=" entries", mininterval=5) as progress:
        parse = partial(_parse, filters=filters, runs=runs)
        # A process takes longer to start than few pieces take to parse.
        parts = ordered_map(parse, pieces, processes if len(first) == POOL_FROM else 1)
        for part in parts:
            progress.update(part.records)
            yield part


def _parse(piece: _Piece, filters: Mapping[str, Any], runs: Path) -> _Parsed:
    reader = FORMATS[piece.format]
    rows: list[tuple[str, int, dict[str, Any]]] = []
    rejects: list[tuple[int, str | None, str, str]] = []
    index = -1
    # Rows have no cycles; looking for some among so many objects would take a third of the time.
    gc.disable()
    try:
        for index, record in enumerate(reader.records(piece.content, piece.file)):
            try:
                row = complete(reader.row(record, evidence=filters["function_evidence"]))
                check(row, filters)
                rows.append((row["accession"], index, row))
            except Reject as reject:
                rejects.append((index, reader.key(record), reject.reason, reject.detail))
        rows.sort(key=lambda row: row[:2])
        write_run(_run_path(runs, piece.number), [row for *_, row in rows])
    finally:
        gc.enable()
    return _Parsed(index + 1, [row[0] for row in rows], [row[1] for row in rows], rejects)


def _run_path(runs: Path, number: int) -> Path:
    return runs / f"{number}.arrow"


def _resolve(parsed: Sequence[_Parsed]) -> tuple[pa.Table, list[dict[str, str]]]:
    """Decide which rows are kept.

    Returns
    -------
    pyarrow.Table
        All rows in the order of the result: the run that holds each, and whether it is kept.
    list of dict
        The rejects, in the order of the records.
    """
    starts = np.cumsum([0, *(part.records for part in parsed)])[:-1].tolist()
    rows = pa.table(
        {
            "accession": pa.array([a for part in parsed for a in part.accessions], pa.string()),
            "number": [n + i for n, part in zip(starts, parsed, strict=True) for i in part.indices],
            "run": np.repeat(np.arange(len(parsed)), [len(part.indices) for part in parsed]),
        }
    ).sort_by([("accession", "ascending"), ("number", "ascending")])
    again = pc.equal(rows["accession"][1:], rows["accession"][:-1])
    kept = np.append(True, ~again.to_numpy())[: rows.num_rows]
    unused = [
        (n + index, *reject)
        for n, part in zip(starts, parsed, strict=True)
        for index, *reject in part.rejects
    ]
    unused += [
        (
            row["number"],
            row["accession"],
            "duplicate accession",
            "an earlier entry has it and is kept",
        )
        for row in rows.filter(pa.array(~kept)).to_pylist()
    ]
    rejected: dict[str, dict[str, str]] = {}
    for number, name, reason, detail in sorted(unused, key=lambda reject: reject[0]):
        key = name or f"entry {number + 1}"
        key = key if key not in rejected else f"{key} (entry {number + 1})"
        rejected[key] = {"stage": STAGE, "key": key, "reason": reason, "detail": detail}
    return pa.table({"run": rows["run"], "kept": kept}), list(rejected.values())
