"""UniRef: clusters with their sequences, and the clusters that our own proteins are in.

UniProt serves UniRef as FASTA for the current release alone; its archive of previous releases
holds XML in one tar file of hundreds of gigabytes, which nothing here reads.
"""

import hashlib
import heapq
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.formats.record import RESIDUES
from protscribe.sources.text_files import open_text
from protscribe.sources.vocabularies.sorted_rows import sorted_pieces
from protscribe.sources.vocabularies.static_files import get_files, table_facts
from protscribe.tables import read_table, table_writer, write_table

LICENCE = "CC BY 4.0"
MAPPING = "current_release/knowledgebase/idmapping/idmapping_selected.tab.gz"
MAPPING_COLUMNS = 22
ACCESSION, UNIREF100, UNIREF90, UNIREF50 = 0, 7, 8, 9
"""Columns of idmapping_selected.tab, from 0."""
_HEADER = re.compile(
    r">(UniRef(100|90|50)_\S+) (.*) n=(\d+) Tax=(.*?)(?: TaxID=(\d+))? RepID=(\S+)"
)
Row = dict[str, Any]


def get_uniref(
    folder: Path, manifest: Path, *, identity: int, release: str, client: Client
) -> None:
    """Download the sequences of one level of UniRef.

    Parameters
    ----------
    folder
        Where ``uniref{identity}.fasta.gz`` goes: some 10 GB for 50, 40 GB for 90, 90 GB for 100.
    manifest
        JSON file: source, release, licence, checksums. Written last.
    identity
        Percentage of identity: 50, 90 or 100.
    release
        UniProt's release, YYYY_MM, which must be the current one, or ``current``.
    client
        Who fetches.

    Raises
    ------
    InputError
        If the file cannot be had or is of another release.
    """
    place = f"current_release/uniref/uniref{identity}"
    _get(client, f"{place}/uniref{identity}.fasta.gz", folder, manifest, release)


def get_uniref_mapping(folder: Path, manifest: Path, *, release: str, client: Client) -> None:
    """Download ``idmapping_selected.tab.gz`` (some 10 GB); see `get_uniref`."""
    _get(client, MAPPING, folder, manifest, release)


def _get(client: Client, path: str, folder: Path, manifest: Path, release: str) -> None:
    get_files(
        client,
        "uniprot_files",
        [path],
        folder,
        manifest,
        release=release,
        licence=LICENCE,
        metalink=f"{path.rpartition('/')[0]}/RELEASE.metalink",
    )


def parse_uniref(
    fasta: Path,
    manifest: Path,
    tables: Mapping[str, Path],
    *,
    sample: int | None = None,
    seed: int = 0,
) -> None:
    """Make the table of UniRef clusters, in memory that does not grow with the file.

    Parameters
    ----------
    fasta
        ``uniref50.fasta``, ``uniref90.fasta`` or ``uniref100.fasta``, plain or
        gzip-compressed.
    manifest
        What `get_uniref` or `describe_files` wrote.
    tables
        Parquet files to write: ``uniref_clusters`` and ``rejects``.
    sample
        Most clusters to keep: those whose id has the smallest hash, so that a smaller sample is
        part of a larger one. None keeps all.
    seed
        Of the sample.

    Raises
    ------
    InputError
        If the file is damaged, truncated or no UniRef FASTA file.
    """
    rejects: list[dict[str, str]] = []
    facts = table_facts(manifest)
    with tempfile.TemporaryDirectory(
        prefix=".partial-", dir=tables["uniref_clusters"].parent
    ) as work:
        rows = _clusters(fasta, rejects)
        if sample is not None:
            rows = iter(_sampled(rows, sample, seed))
            facts |= {"sample": str(sample), "seed": str(seed)}
        with table_writer(tables["uniref_clusters"], "uniref_clusters", facts) as write:
            for piece in sorted_pieces(rows, "uniref_clusters", Path(work)):
                write(piece)
    write_table(tables["rejects"], "rejects", rejects, facts)


def parse_uniref_members(
    mapping: Path, proteins: Path, manifest: Path, tables: Mapping[str, Path]
) -> None:
    """Make the table of the clusters that our proteins are in.

    Parameters
    ----------
    mapping
        ``idmapping_selected.tab``, plain or gzip-compressed; read as a stream.
    proteins
        The proteins table; its accessions are looked up.
    manifest
        What `get_uniref_mapping` or `describe_files` wrote.
    tables
        Parquet files to write: ``uniref_members`` and ``rejects``, which lists the
        accessions that the mapping does not have.

    Raises
    ------
    InputError
        If the file is damaged or of another kind.
    """
    wanted = set(read_table(proteins, "proteins", ["accession"])["accession"].to_pylist())
    rows: dict[str, Row] = {}
    with open_text(mapping) as lines:
        progress = tqdm(lines, desc=f"read {mapping.name}", unit=" lines", mininterval=5)
        number = 0
        for number, line in enumerate(progress, 1):
            accession, separator, _ = line.partition("\t")
            if separator and accession not in wanted:
                continue
            columns = line.rstrip("\n").split("\t")
            if len(columns) != MAPPING_COLUMNS:
                raise InputError(
                    f"{mapping}: line {number} has {len(columns)} columns instead of "
                    f"{MAPPING_COLUMNS}; it is not UniProt's idmapping_selected.tab, or damaged"
                )
            rows[accession] = {
                "accession": accession,
                "uniref100": columns[UNIREF100] or None,
                "uniref90": columns[UNIREF90] or None,
                "uniref50": columns[UNIREF50] or None,
            }
    if not number:
        raise InputError(f"{mapping}: the file is empty; download it again")
    rejects = [
        _reject("parse_uniref_members", accession, "accession is not in the mapping", "")
        for accession in sorted(wanted - rows.keys())
    ]
    facts = table_facts(manifest)
    write_table(tables["uniref_members"], "uniref_members", list(rows.values()), facts)
    write_table(tables["rejects"], "rejects", rejects, facts)


def _clusters(path: Path, rejects: list[dict[str, str]]) -> Iterator[Row]:
    """Yield a row for each good record; list the others."""
    with open_text(path) as lines:
        progress = tqdm(
            _records(lines, path), desc=f"read {path.name}", unit=" clusters", mininterval=5
        )
        good = 0
        for number, (header, sequence) in enumerate(progress, 1):
            found = _HEADER.fullmatch(header)
            if found and sequence and not set(sequence) - RESIDUES:
                good += 1
                yield {
                    "cluster": found[1],
                    "identity": int(found[2]),
                    "representative": found[7],
                    "name": found[3].strip() or None,
                    "members": int(found[4]),
                    "taxon_id": int(found[6]) if found[6] else None,
                    "sequence": sequence,
                    "length": len(sequence),
                }
                continue
            reason = "header not in UniRef's format"
            if found:
                reason = "illegal sequence" if sequence else "no sequence"
            key = f"{path.name} record {number}"
            rejects.append(_reject("parse_uniref", key, reason, header[:200]))
    if not good:
        raise InputError(f"{path}: has no UniRef clusters; a FASTA file of UniRef is needed")


def _records(lines: Iterable[str], path: Path) -> Iterator[tuple[str, str]]:
    header = ""
    parts: list[str] = []
    for raw in lines:
        line = raw.strip()
        if line.startswith(">"):
            if header:
                yield header, "".join(parts)
            header, parts = line, []
        elif line and not header:
            raise InputError(
                f"{path}: starts with {line[:40]!r} instead of '>'; a FASTA file is needed"
            )
        else:
            parts.append(line)
    if not header:
        raise InputError(f"{path}: the file is empty; download it again")
    yield header, "".join(parts)


def _sampled(rows: Iterator[Row], size: int, seed: int) -> list[Row]:
    # A heap of the smallest hashes has the largest on top, hence the sign.
    heap: list[tuple[int, str, Row]] = []
    for row in rows:
        digest = hashlib.sha256(f"{seed} {row['cluster']}".encode()).digest()
        item = (-int.from_bytes(digest[:8], "big"), row["cluster"], row)
        if len(heap) < size:
            heapq.heappush(heap, item)
        elif item[:2] > heap[0][:2]:
            heapq.heapreplace(heap, item)
    return [row for _, _, row in heap]


def _reject(stage: str, key: str, reason: str, detail: str) -> dict[str, str]:
    return {"stage": stage, "key": key, "reason": reason, "detail": detail}
