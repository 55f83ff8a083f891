"""Candidate pairs of protein and publication into the table of mentions."""

import functools
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from protscribe.errors import InputError
from protscribe.sources.literature.names import Found, Name, Text, find_name, protein_names
from protscribe.sources.literature.organisms import Organisms
from protscribe.tables import read_metadata, read_table, write_table

STAGE = "find_mentions"
ROUTES = ("curated", "name_search")

_PROTEIN = ["accession", "protein_name", "alternative_names", "gene_names", "organism", "lineage"]
_PUBLICATION = ["pubmed_id", "title", "abstract", "mesh_terms"]
_KEPT_PROTEINS = 50_000


def find_mentions(
    proteins: Path,
    publications: Path,
    candidates: Path,
    mentions: Path,
    rejects: Path,
) -> None:
    """Look for each candidate's protein in its publication and write those that count.

    The title is searched first, then the abstract. A curated candidate counts whether or not a
    name is found, since a curator tied the paper to this protein of this species; one from the
    search by name needs a found name, and a text and MeSH headings that do not name other
    organisms only. Offsets are in characters of the field as the publications table has it.

    Parameters
    ----------
    proteins, publications, candidates
        The tables.
    mentions, rejects
        The tables to write. Candidates = mentions + rejects.

    Raises
    ------
    InputError
        If a table is missing or a candidate has an unknown route.
    """
    accessions = read_table(proteins, "proteins", _PROTEIN)
    papers = read_table(publications, "publications", _PUBLICATION)
    pairs = read_table(candidates, "candidates").sort_by(
        [(key, "ascending") for key in ("pubmed_id", "accession", "route")]
    )
    row_of = {a: i for i, a in enumerate(accessions["accession"].to_pylist())}
    paper_of = {p: i for i, p in enumerate(papers["pubmed_id"].to_pylist())}
    organisms = Organisms(accessions["organism"].unique().to_pylist())

    @functools.lru_cache(_KEPT_PROTEINS)
    def protein(row: int) -> tuple[Mapping[str, Any], list[Name]]:
        facts = accessions.slice(row, 1).to_pylist()[0]
        return facts, protein_names(facts)

    # Pairs come sorted by publication.
    @functools.lru_cache(1)
    def fields_of(row: int) -> dict[str, Text]:
        facts = papers.slice(row, 1).to_pylist()[0]
        return {field: Text(facts[field] or "") for field in ("title", "abstract")}

    @functools.lru_cache(1)
    def organisms_in(row: int) -> dict[str, bool]:
        headings = papers["mesh_terms"][row].as_py() or ()
        return organisms.named([*fields_of(row).values(), *map(Text, headings)])

    rows: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []
    for pair in tqdm(pairs.to_pylist(), desc="find mentions", unit=" pairs", mininterval=5):
        if pair["route"] not in ROUTES:
            raise InputError(f"{candidates}: unknown route {pair['route']!r}; {ROUTES} are known")
        row, of_paper = row_of.get(pair["accession"]), paper_of.get(pair["pubmed_id"])
        if row is None or of_paper is None:
            reason = (
                "protein not in the table" if row is None else "no abstract of this publication"
            )
            rejected.append(_reject(pair, reason))
            continue
        facts, names = protein(row)
        field, found = _first(fields_of(of_paper), names)
        species: bool | None = True
        if pair["route"] == "name_search":
            if found is None:
                rejected.append(_reject(pair, "name not in the text"))
                continue
            named = organisms_in(of_paper)
            species = organisms.match(facts["organism"], facts["lineage"], named)
            if species is False:
                others = ", ".join(sorted(name for name, is_tool in named.items() if not is_tool))
                rejected.append(_reject(pair, "another species", others))
                continue
        rows.append(
            {
                **{key: pair[key] for key in ("accession", "pubmed_id", "route", "scope")},
                "matched_name": found.name if found else None,
                "field": field,
                "offset": found.start if found else None,
                "species_match": species,
            }
        )
    if len(rows) + len(rejected) != len(pairs):
        raise RuntimeError(f"{len(pairs)} pairs, but {len(rows)} + {len(rejected)} came out")
    _report(rows, rejected)
    facts_of_file = read_metadata(publications)
    write_table(rejects, "rejects", rejected, facts_of_file)
    write_table(mentions, "mentions", rows, facts_of_file)


def _first(fields: Mapping[str, Text], names: list[Name]) -> tuple[str | None, Found | None]:
    for field, text in fields.items():
        if found := find_name(text, names):
            return field, found
    return None, None


def _reject(pair: Mapping[str, Any], reason: str, detail: str = "") -> dict[str, str]:
    key = f"{pair['accession']} {pair['pubmed_id']} {pair['route']}"
    return {"stage": STAGE, "key": key, "reason": reason, "detail": detail}


def _report(rows: list[dict[str, Any]], rejected: list[dict[str, str]]) -> None:
    for route in ROUTES:
        of_route = [row for row in rows if row["route"] == route]
        named = sum(row["matched_name"] is not None for row in of_route)
        print(f"{route}: {len(of_route)} mentions, {named} with a name found", file=sys.stderr)
    for reason, count in sorted(Counter(reject["reason"] for reject in rejected).items()):
        print(f"rejected: {count} {reason}", file=sys.stderr)
