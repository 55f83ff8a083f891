"""Entries of Swiss-Prot flat files into rows of the proteins table.

Both styles of the format are read, the one since UniProt release 1 and the older one (dates
with releases, names in one line, features in columns). Lines that no column comes from (authors,
titles, most cross-references) are left out before Biopython parses the rest: they are two thirds
of an entry.
"""

import io
import re
from collections.abc import Collection
from datetime import date
from typing import Any

from Bio import SwissProt

from protscribe.sources.formats import comments, features
from protscribe.sources.formats.flatfile import entry_name
from protscribe.sources.formats.record import Reject, function_columns

_REVIEWED = {"Reviewed": True, "STANDARD": True, "Unreviewed": False, "PRELIMINARY": False}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_UNUSED_LINES = frozenset({"RA", "RC", "RG", "RL", "RT", "OG", "OH", "PE", "**"})
_REFERENCE_LINES = frozenset({"RN", "RP", "RX"})
_REFERENCE_NUMBER = re.compile(r"RN   \[\d+\]")
_PUBMED = re.compile(r"(?:   |; )PubMed(?:=|; )(\d+)", re.IGNORECASE)
_DATABASES = ("DR   GO;", "DR   InterPro;", "DR   Pfam;")
_TOPICS = frozenset(
    {
        *("FUNCTION", "CATALYTIC ACTIVITY", "SUBCELLULAR LOCATION"),
        *("COFACTOR", "PATHWAY", "SIMILARITY"),
    }
)
_ACCESSION = re.compile(r"^AC   ([A-Z0-9]+);", re.MULTILINE)
_SEQUENCE_VERSION = re.compile(r"\nDT   [^\n]*sequence version (\d+)", re.IGNORECASE)
_TAGS = re.compile(r"\s*\{[^{}]*\}")
_DATE = re.compile(r"(\d\d)-([A-Z]{3})-(\d{4})")


def row(entry: str, *, evidence: Collection[str] = ()) -> dict[str, Any]:
    """Read one entry.

    Parameters
    ----------
    entry
        The entry's text with its closing ``//`` line.
    evidence
        Wanted ECO codes, see `protscribe.sources.formats.record.function_columns`.

    Returns
    -------
    dict
        The columns of the proteins table that the entry gives.

    Raises
    ------
    Reject
        If the entry cannot be parsed or its sequence does not have the length it states.
    """
    if not entry.isascii():
        raise Reject("not parsable", "holds characters that the format does not have")
    try:
        lines = _sort_lines(entry)
        text = comments.join_broken_words("\n".join(lines["record"]))
        record = SwissProt.read(io.StringIO(text))
        columns = _columns(record, text, evidence)
        columns["gene_names"] = _gene_names(lines["genes"])
        columns["keywords"] = _keywords(lines["keywords"])
        columns |= _cross_references(lines["cross_references"])
        columns["references"] = _references(lines["references"])
        columns["features"] = features.read_lines(lines["features"])
    except (ValueError, AssertionError, IndexError, KeyError, TypeError, AttributeError) as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise Reject("not parsable", detail) from None
    if record.seqinfo and record.sequence and record.seqinfo[0] != len(record.sequence):
        detail = f"{len(record.sequence)} residues, but the SQ line says {record.seqinfo[0]}"
        raise Reject("wrong sequence length", detail)
    return columns


def key(entry: str) -> str:
    """Return what to call an entry: its accession, else its name or how it starts."""
    found = _ACCESSION.search(entry)
    return found.group(1) if found else entry_name(entry)


def _sort_lines(entry: str) -> dict[str, list[str]]:
    """Return the used lines by who reads them: Biopython (record), or functions of this module.

    What has many lines and a plain form is read here, because that is much quicker.
    """
    record: list[str] = []
    references: list[str] = []
    cross_references: list[str] = []
    keywords: list[str] = []
    genes: list[str] = []
    feature_lines: list[str] = []
    wanted = wanted_feature = True
    for line in entry.split("\n"):
        code = line[:2]
        # The most frequent first.
        if code == "DR":
            if line.startswith(_DATABASES):
                cross_references.append(line)
        elif code == "FT":
            if line[5:6] != " ":
                wanted_feature = features.is_wanted(line)
            if wanted_feature:
                feature_lines.append(line)
        elif code in _UNUSED_LINES:
            continue
        elif code == "CC":
            if line.startswith("-!-", 5):
                wanted = line[9:].partition(":")[0].strip().upper() in _TOPICS
            if wanted:
                record.append(line)
        elif code in _REFERENCE_LINES:
            references.append(line)
        elif code == "KW":
            keywords.append(line[5:])
        elif code == "GN":
            genes.append(line)
        else:
            record.append(line)
    return {
        "record": record,
        "references": references,
        "cross_references": cross_references,
        "keywords": keywords,
        "genes": genes,
        "features": feature_lines,
    }


def _references(lines: list[str]) -> list[dict[str, str]]:
    """Return the references that PubMed has, and what each is cited for."""
    found: list[tuple[list[str], list[str]]] = []
    for line in comments.join_broken_words("\n".join(lines)).split("\n") if lines else ():
        code = line[:2]
        if code == "RN":
            if not _REFERENCE_NUMBER.match(line):
                raise ValueError(f"no reference number: {line}")
            found.append(([], []))
        elif code == "RP":
            found[-1][0].append(line[5:].rstrip())
        else:
            found[-1][1].extend(_PUBMED.findall(line))
    return [
        {"pubmed_id": identifier, "scope": " ".join(scopes).rstrip(".")}
        for scopes, identifiers in found
        for identifier in identifiers
    ]


def _cross_references(lines: list[str]) -> dict[str, list[dict[str, str | None]]]:
    domains: list[dict[str, str | None]] = []
    go: list[dict[str, str | None]] = []
    for line in lines:
        database, identifier, *more = line[5:].rstrip().rstrip(".").split("; ")
        if database != "GO":
            name = more[0] if more and more[0] != "-" else None
            domains.append({"db": database, "id": identifier, "name": name})
        elif len(more) > 1:
            evidence = more[1].partition(":")[0]
            go.append({"id": identifier, "aspect": more[0][:1], "evidence": evidence})
    return {"domains": domains, "go": go}


def _columns(record: SwissProt.Record, text: str, evidence: Collection[str]) -> dict[str, Any]:
    if not record.accessions or not record.accessions[0]:
        raise ValueError("no accession")
    topics: dict[str, list[str]] = {}
    for comment in record.comments:
        topic, _, prose = comment.partition(":")
        topics.setdefault(topic.strip().upper(), []).append(prose.strip())
    version = _SEQUENCE_VERSION.search(text)
    return {
        "accession": record.accessions[0].rstrip(";"),
        "entry_name": record.entry_name,
        "reviewed": _REVIEWED.get(record.data_class),
        **comments.names(record.description),
        "organism": comments.clean(record.organism).rstrip(".") or None,
        "taxon_id": int(record.taxonomy_id[0]) if record.taxonomy_id else None,
        "lineage": record.organism_classification,
        "sequence": record.sequence,
        **function_columns(topics.get("FUNCTION", []), evidence),
        "catalytic_activity": comments.values(topics.get("CATALYTIC ACTIVITY", []), "Reaction"),
        "subcellular_location": comments.unique(
            place
            for location in topics.get("SUBCELLULAR LOCATION", [])
            for place in comments.locations(location)
        ),
        "cofactors": comments.values(topics.get("COFACTOR", []), "Name"),
        "pathway": comments.values(topics.get("PATHWAY", [])),
        "family": comments.family(topics.get("SIMILARITY", [])),
        "entry_created": _date(record.created),
        # Older files give the release here, not the version.
        "sequence_version": int(version.group(1)) if version else None,
    }


def _keywords(lines: list[str]) -> list[str]:
    # Tags may go on over several lines.
    words = _TAGS.sub("", " ".join(lines)).split(";")
    return comments.unique(word.strip().rstrip(".") for word in words)


def _gene_names(lines: list[str]) -> list[str]:
    block = comments.present_gene_lines("\n" + "".join(f"{line}\n" for line in lines))
    text = _TAGS.sub("", " ".join(line[5:] for line in block.split("\n")))
    kinds = (part.partition("=")[2] for part in text.split(";"))
    return comments.unique(name.strip() for kind in kinds for name in kind.split(", "))


def _date(created: tuple[str, Any] | None) -> date | None:
    found = _DATE.match(created[0]) if created else None
    if not found or found.group(2) not in _MONTHS:
        return None
    month = _MONTHS.index(found.group(2)) + 1
    return date(int(found.group(3)), month, int(found.group(1)))
