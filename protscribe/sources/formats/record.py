"""One protein's row, whichever format it came in: completing it and deciding whether it is used."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pyarrow as pa

from protscribe.atomic import sha256_text
from protscribe.schemas import TABLES
from protscribe.sources.formats import comments

RESIDUES = frozenset("ACDEFGHIKLMNPQRSTVWYUOBZXJ")
"""Protein letters of IUPAC: 20 standard ones, U and O, and the ambiguous B, Z, J and X."""

EVIDENCE_CLASSES = {
    "ECO:0000269": "experiment",
    "ECO:0000303": "author_statement",
    "ECO:0000305": "curator",
    "ECO:0007744": "combined",
    "ECO:0000250": "similarity",
    "ECO:0000255": "model",
    "ECO:0000312": "imported",
    "ECO:0000256": "automatic",
    "ECO:0007829": "automatic",
    "ECO:0000313": "automatic",
    "ECO:0000259": "automatic",
    "ECO:0008006": "automatic",
}
"""Class of each evidence code that UniProt uses, the strongest first."""

_STRENGTH = {code: rank for rank, code in enumerate(EVIDENCE_CLASSES)}
_EMPTY = {field.name: pa.types.is_list(field.type) for field in TABLES["proteins"].schema}


class Reject(Exception):
    """A record that cannot be used: a short reason, the same for all its like, and the detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def function_columns(texts: Iterable[str], evidence: Collection[str] = ()) -> dict[str, Any]:
    """Read the FUNCTION comments of one entry into the columns that hold them.

    Parameters
    ----------
    texts
        Each comment without its ``FUNCTION:``, with evidence tags as in a flat file.
    evidence
        Wanted ECO codes. A comment is kept if one of its evidence records has one of them; with
        none wanted all are kept.

    Returns
    -------
    dict
        ``function``: the kept comments as one text, None if the entry has no comment that says
        something, and an empty text if it has some but none with wanted evidence.
        ``function_evidence``: records of the kept ones.
    """
    statements = [comments.function_statement(text) for text in texts]
    kept = [
        statement
        for statement in statements
        if not evidence or any(record["eco"] in evidence for record in statement.evidence)
    ]
    text = " ".join(statement.text for statement in kept if statement.text)
    unwanted = not text and any(statement.text for statement in statements)
    return {
        "function": text or ("" if unwanted else None),
        "function_evidence": [record for statement in kept for record in statement.evidence],
    }


def complete(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with every column of the proteins table, those that follow from others too.

    Parameters
    ----------
    row
        Any columns; a missing one becomes None or an empty list. ``length``, ``text_hash``,
        ``sequence_hash`` and ``function_class`` are worked out here.
    """
    full: dict[str, Any] = {name: [] if is_list else None for name, is_list in _EMPTY.items()}
    full |= {name: value for name, value in row.items() if value is not None}
    if sequence := full["sequence"]:
        full["length"] = len(sequence)
        full["sequence_hash"] = sha256_text(sequence)
    if full["function"]:
        full["function_class"] = function_class(full["function_evidence"])
        full["text_hash"] = sha256_text(full["function"])
    return full


def function_class(evidence: Iterable[Mapping[str, Any]]) -> str:
    """Return the class of the strongest evidence.

    Codes outside `EVIDENCE_CLASSES` are ``other``; ``untagged`` is a text without any code.
    """
    codes = {record["eco"] for record in evidence} - {None}
    if known := codes & _STRENGTH.keys():
        return EVIDENCE_CLASSES[min(known, key=_STRENGTH.__getitem__)]
    return "other" if codes else "untagged"


def check(row: Mapping[str, Any], filters: Mapping[str, Any]) -> None:
    """Check that a row can be used and passes the filters.

    Parameters
    ----------
    row
        A row as `complete` returns it.
    filters
        ``min_length`` and ``max_length`` in residues (None: no limit), ``fragments`` (keep or
        drop), ``reviewed`` (any; only: those that UniProt calls unreviewed are dropped).

    Raises
    ------
    Reject
        With the first reason that applies.
    """
    sequence = row["sequence"]
    if not row["accession"]:
        raise Reject("no accession")
    if not sequence:
        raise Reject("no sequence")
    if illegal := sorted(set(sequence) - RESIDUES):
        raise Reject("illegal sequence", f"not protein letters: {' '.join(illegal)}")
    length, least, most = len(sequence), filters["min_length"], filters["max_length"]
    if length < least:
        raise Reject("too short", f"{length} residues, at least {least} are needed")
    if most is not None and length > most:
        raise Reject("too long", f"{length} residues, at most {most} are wanted")
    if row["fragment"] and filters["fragments"] == "drop":
        raise Reject("fragment")
    if row["reviewed"] is False and filters["reviewed"] == "only":
        raise Reject("unreviewed")
    if row["function"] is None:
        raise Reject("no FUNCTION comment")
    if not row["function"]:
        raise Reject("no FUNCTION comment with the wanted evidence")
