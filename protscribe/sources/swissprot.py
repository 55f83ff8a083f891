"""Swiss-Prot flat files into the table of proteins."""

import io
import re
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from Bio import BiopythonParserWarning, SwissProt
from Bio.SeqFeature import UnknownPosition
from tqdm import tqdm

from protscribe.atomic import sha256_text
from protscribe.errors import InputError
from protscribe.sources import comments
from protscribe.sources.flatfile import entry_name, open_flat_file, split_entries
from protscribe.tables import TABLES, write_table

STAGE = "parse_entries"

RESIDUES = frozenset("ACDEFGHIKLMNPQRSTVWYUOBZXJ")
"""Protein letters of IUPAC: 20 standard ones, U and O, and the ambiguous B, Z, J and X."""

OBSERVATIONS = frozenset(
    {
        *("CONFLICT", "MUTAGEN", "UNSURE", "VARIANT", "VARSPLIC", "VAR_SEQ"),
        *("HELIX", "STRAND", "TURN", "NON_CONS", "NON_TER"),
    }
)
"""Feature types that are left out: about experiments and variants, not about what the chain has."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_BATCH = 2000


class _Reject(Exception):
    """An entry that cannot be used: a short reason and the detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def parse_entries(
    flat_file: Path,
    proteins: Path,
    rejects: Path,
    *,
    min_length: int,
    metadata: Mapping[str, str],
) -> None:
    """Parse a flat file into the proteins table; what cannot be used goes to the rejects table.

    Both styles of the format are read, the one since UniProt release 1 and the older one (dates
    with releases, names in one line, features in columns). Each entry is parsed on its own, so
    that a broken one is a reject.

    Parameters
    ----------
    flat_file
        The flat file, plain or gzip-compressed.
    proteins, rejects
        The tables to write. Entries in = proteins + rejects.
    min_length
        Fewest residues of a protein.
    metadata
        Facts for the tables' files: release, licence, SHA-256 of the flat file.

    Raises
    ------
    InputError
        If the file is missing, truncated or not a flat file, or no protein is left.
    """
    rows: list[dict[str, Any]] = []
    batches: list[pa.Table] = []
    rejected: dict[str, dict[str, str]] = {}
    seen: set[str] = set()
    total = 0
    schema = TABLES["proteins"].schema
    with open_flat_file(flat_file) as lines:
        entries = split_entries(lines, flat_file)
        progress = tqdm(entries, desc="parse entries", unit=" entries", mininterval=5)
        for total, entry in enumerate(progress, start=1):
            try:
                row = parse_entry(entry, min_length=min_length)
                if row["accession"] in seen:
                    raise _Reject("duplicate accession", "an earlier entry has it and is kept")
            except _Reject as reject:
                key = _reject_key(entry, total, rejected)
                rejected[key] = {
                    "stage": STAGE,
                    "key": key,
                    "reason": reject.reason,
                    "detail": reject.detail,
                }
                continue
            seen.add(row["accession"])
            rows.append(row)
            if len(rows) == _BATCH:
                batches.append(pa.Table.from_pylist(rows, schema=schema))
                rows = []
    batches.append(pa.Table.from_pylist(rows, schema=schema))
    reasons = Counter(reject["reason"] for reject in rejected.values())
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "none"
    print(f"{len(seen)} proteins from {total} entries; rejected: {told}", file=sys.stderr)
    if not seen:
        raise InputError(
            f"{flat_file}: no protein is left of {total} entries ({told}); "
            f"check the file and proteins.min_length ({min_length})"
        )
    table = pa.concat_tables(batches)
    if table.num_rows + len(rejected) != total:
        raise RuntimeError(f"{total} entries, but {table.num_rows} + {len(rejected)} came out")
    write_table(rejects, "rejects", list(rejected.values()), metadata)
    write_table(proteins, "proteins", table, metadata)


def parse_entry(entry: str, *, min_length: int = 1) -> dict[str, Any]:
    """Parse one entry into a row of the proteins table.

    Parameters
    ----------
    entry
        The entry's text with its closing ``//`` line.
    min_length
        Fewest residues.

    Returns
    -------
    dict
        The row, all columns.

    Raises
    ------
    Exception
        A private one with a reason, if the entry cannot be parsed or does not pass the filters.
    """
    if not entry.isascii():
        raise _Reject("not parsable", "holds characters that the format does not have")
    try:
        with warnings.catch_warnings():
            # Old reference lines that Biopython does not know cost a cross-reference, no more.
            warnings.simplefilter("ignore", BiopythonParserWarning)
            text = comments.join_broken_words(comments.present_gene_lines(entry))
            record = SwissProt.read(io.StringIO(text))
            row = _row(record, entry)
    except (ValueError, AssertionError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise _Reject(
            "not parsable", " ".join(str(error).split()) or type(error).__name__
        ) from None
    sequence = row["sequence"]
    if not sequence:
        raise _Reject("no sequence")
    if illegal := sorted(set(sequence) - RESIDUES):
        raise _Reject("illegal sequence", f"not protein letters: {' '.join(illegal)}")
    if record.seqinfo and record.seqinfo[0] != len(sequence):
        detail = f"{len(sequence)} residues, but the SQ line says {record.seqinfo[0]}"
        raise _Reject("wrong sequence length", detail)
    if len(sequence) < min_length:
        raise _Reject("too short", f"{len(sequence)} residues, at least {min_length} are needed")
    if not row["function"]:
        raise _Reject("no FUNCTION comment")
    return row


def _reject_key(entry: str, number: int, taken: Mapping[str, Any]) -> str:
    found = re.search(r"^AC   ([A-Z0-9]+);", entry, re.MULTILINE)
    key = found.group(1) if found else entry_name(entry)
    return key if key not in taken else f"{key} (entry {number})"


def _row(record: SwissProt.Record, entry: str) -> dict[str, Any]:
    if not record.accessions or not record.accessions[0]:
        raise ValueError("no accession")
    topics: dict[str, list[str]] = {}
    for comment in record.comments:
        topic, _, text = comment.partition(":")
        topics.setdefault(topic.strip().upper(), []).append(text.strip())
    statements = [comments.function_statement(text) for text in topics.get("FUNCTION", [])]
    function = " ".join(statement.text for statement in statements if statement.text)
    version = re.search(r"^DT   .*sequence version (\d+)", entry, re.MULTILINE | re.IGNORECASE)
    families = [re.search(r"belongs to the (.+)", t, re.I) for t in topics.get("SIMILARITY", [])]
    sequence = record.sequence
    return {
        "accession": record.accessions[0].rstrip(";"),
        "entry_name": record.entry_name,
        **comments.names(record.description),
        "gene_names": _gene_names(record.gene_name),
        "organism": comments.clean(record.organism).rstrip(".") or None,
        "taxon_id": int(record.taxonomy_id[0]) if record.taxonomy_id else None,
        "lineage": list(record.organism_classification),
        "sequence": sequence,
        "length": len(sequence),
        "function": function or None,
        "function_evidence": [e for statement in statements for e in statement.evidence],
        "catalytic_activity": _values(topics.get("CATALYTIC ACTIVITY", []), "Reaction"),
        "subcellular_location": comments.unique(
            place
            for text in topics.get("SUBCELLULAR LOCATION", [])
            for place in comments.locations(text)
        ),
        "cofactors": _values(topics.get("COFACTOR", []), "Name"),
        "pathway": _values(topics.get("PATHWAY", []), None),
        "family": next((comments.clean(f.group(1)).rstrip(".") for f in families if f), None),
        "domains": [
            {"db": x[0], "id": x[1], "name": x[2] if len(x) > 2 and x[2] != "-" else None}
            for x in record.cross_references
            if x[0] in ("InterPro", "Pfam") and len(x) > 1
        ],
        "features": [_feature(f) for f in record.features if f.type not in OBSERVATIONS],
        "keywords": comments.unique(record.keywords),
        "go": [
            {"id": x[1], "aspect": x[2][:1], "evidence": x[3].partition(":")[0]}
            for x in record.cross_references
            if x[0] == "GO" and len(x) > 3
        ],
        "references": [
            {"pubmed_id": identifier, "scope": " ".join(reference.positions).rstrip(".")}
            for reference in record.references
            for database, identifier in reference.references
            if database.lower() == "pubmed"
        ],
        "entry_created": _date(record.created),
        # Older files give the release here, not the version.
        "sequence_version": int(version.group(1)) if version else None,
        "text_hash": sha256_text(function),
        "sequence_hash": sha256_text(sequence),
    }


def _gene_names(genes: list[dict[str, Any]]) -> list[str]:
    names: list[str] = []
    for gene in genes:
        for kind in ("Name", "Synonyms", "OrderedLocusNames", "ORFNames"):
            value = gene.get(kind, [])
            names += [value] if isinstance(value, str) else list(value)
    return comments.unique(re.sub(r"\s*\{[^{}]*\}", "", name).strip() for name in names)


def _values(texts: list[str], key: str | None) -> list[str]:
    """Return a structured comment's values, or the whole of an unstructured one."""
    values: list[str] = []
    for text in texts:
        structured = comments.named_values(text, key) if key else []
        is_note = bool(key) and re.match(r"^(?:\[[^\]]+\]:\s*)?Note=", text)
        values += structured or ([] if is_note else [comments.clean(text)])
    return comments.unique(value.rstrip(".") for value in values)


def _feature(feature: SwissProt.FeatureTable) -> dict[str, Any]:
    def known(position: Any, shift: int) -> int | None:
        return None if isinstance(position, UnknownPosition) else int(position) + shift

    note = feature.qualifiers.get("note") or feature.qualifiers.get("description") or ""
    note = comments.clean(note).rstrip(".")
    if note.lower() in comments.QUALIFIERS:
        note = ""
    return {
        "type": feature.type,
        "start": known(feature.location.start, 1),
        "end": known(feature.location.end, 0),
        "note": note or None,
    }


def _date(created: tuple[str, Any] | None) -> date | None:
    found = re.match(r"(\d\d)-([A-Z]{3})-(\d{4})", created[0]) if created else None
    if not found or found.group(2) not in _MONTHS:
        return None
    month = _MONTHS.index(found.group(2)) + 1
    return date(int(found.group(3)), month, int(found.group(1)))
