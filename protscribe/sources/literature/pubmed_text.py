"""Citations in text: PubMed's own format (MEDLINE) and JSON lines of the user's."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from Bio import Medline

from protscribe.sources.literature.pubmed_xml import Citation, normal_pmcid, normal_year

_DOI = re.compile(r"(\S+) \[doi\]")


def read_medline(lines: Iterable[str]) -> Iterator[Citation]:
    """Read PubMed's text format, ``PMID- 12230038`` and so on, by `Bio.Medline`.

    Yields
    ------
    Citation
        With the same texts that the XML of the record gives, save that the format has no markup.
    """
    for record in Medline.parse(lines):
        if not record:
            continue
        ids = " ".join([*record.get("AID", []), *_listed(record.get("LID"))])
        doi = _DOI.search(ids)
        types = record.get("PT", [])
        yield Citation(
            record.get("PMID", "").strip(),
            1,
            {
                "pmcid": normal_pmcid(record.get("PMC")),
                "doi": doi.group(1) if doi else None,
                "title": _clean(record.get("TI")),
                "abstract": _clean(record.get("AB")),
                "journal": _clean(record.get("TA") or record.get("JT")),
                "year": normal_year(record.get("DP")),
                "retracted": "Retracted Publication" in types or "RIN" in record,
                # *Animals/blood: a star for a major topic, qualifiers after slashes.
                "mesh_terms": [t.lstrip("*").split("/")[0] for t in record.get("MH", [])],
            },
        )


def read_json_lines(lines: Iterable[str]) -> Iterator[Citation]:
    """Read JSON lines with ``pmid`` or ``pubmed_id``, ``title``, ``abstract`` and, where known,
    ``journal``, ``year``, ``pmcid``, ``doi``, ``mesh_terms``, ``retracted``; others are ignored.

    Yields
    ------
    Citation
        One of each line that is not blank; without an id, where a line is not such an object.
    """
    for line in lines:
        if not line.strip():
            continue
        try:
            given = json.loads(line)
            pubmed_id = str(given.get("pubmed_id") or given.get("pmid") or "").strip()
            row = {
                "pmcid": normal_pmcid(given.get("pmcid")),
                "doi": _clean(given.get("doi")),
                "title": _clean(given.get("title")),
                "abstract": _clean(given.get("abstract")),
                "journal": _clean(given.get("journal")),
                "year": normal_year(str(given.get("year"))),
                "retracted": given.get("retracted") is True,
                "mesh_terms": [_clean(str(term)) for term in given.get("mesh_terms") or []],
            }
        except (ValueError, AttributeError, TypeError):
            pubmed_id, row = "", {}
        yield Citation(pubmed_id, 1, row)


def _clean(text: Any) -> str | None:
    # Bytes outside UTF-8 come as half characters, which no table takes.
    return " ".join(text.split()).encode("utf-8", "replace").decode() or None if text else None


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
