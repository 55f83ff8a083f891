"""Texts to write questions from: abstracts, and the entries' own curated function statements."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa

from protscribe.errors import InputError
from protscribe.schemas import TABLES
from protscribe.tables import read_metadata, read_table, write_table

ABSTRACT = "abstract"
FUNCTION_STATEMENT = "function_statement"
STATEMENT_LICENCE = "CC BY 4.0"
"""UniProt's licence since 2018."""


def make_contexts(
    proteins: Path,
    publications: Path | None,
    mentions: Path | None,
    contexts: Path,
    *,
    kinds: Collection[str],
    statement_licence: str = STATEMENT_LICENCE,
) -> None:
    """Write one row per protein and text of the kinds wanted.

    Parameters
    ----------
    proteins
        The table; an entry with a function text gives one context of kind function_statement.
    publications, mentions
        The tables; a protein and a publication that mentions it, by any route, give one context of
        kind abstract, whose text is the abstract without its title.
    contexts
        The table to write.
    kinds
        Some of abstract and function_statement.
    statement_licence
        Licence of the entries' own texts.

    Raises
    ------
    InputError
        If a kind is unknown, or abstracts are wanted and there are no publications.
    """
    unknown = sorted(set(kinds) - {ABSTRACT, FUNCTION_STATEMENT})
    if unknown or not kinds:
        raise InputError(
            f"contexts: {unknown[0] if unknown else 'nothing'} is no kind of context; "
            f"{ABSTRACT} and {FUNCTION_STATEMENT} are"
        )
    rows: list[dict[str, Any]] = []
    if FUNCTION_STATEMENT in kinds:
        table = read_table(proteins, "proteins", ["accession", "function"])
        rows += [
            {
                "id": f"{accession}:function",
                "accession": accession,
                "context": FUNCTION_STATEMENT,
                "text": function,
                "pubmed_id": None,
                "licence": statement_licence,
                "source": "entry",
            }
            for accession, function in zip(*table.to_pydict().values(), strict=True)
            if function
        ]
    statements = len(rows)
    if ABSTRACT in kinds:
        if publications is None or mentions is None:
            raise InputError(
                f"contexts: {ABSTRACT} needs publications; set publications.source, or leave "
                f"{ABSTRACT} out"
            )
        rows += _abstracts(publications, mentions)
    print(f"{statements} function statements, {len(rows) - statements} abstracts", file=sys.stderr)
    schema = TABLES["contexts"].schema
    table = pa.Table.from_pylist(rows, schema=schema)
    write_table(contexts, "contexts", table, read_metadata(proteins))


def _abstracts(publications: Path, mentions: Path) -> list[dict[str, Any]]:
    columns = ["pubmed_id", "abstract", "licence", "source"]
    table = read_table(publications, "publications", columns)
    papers = {row["pubmed_id"]: row for row in table.to_pylist()}
    pairs = read_table(mentions, "mentions", ["accession", "pubmed_id"])
    rows = []
    for accession, pubmed_id in dict.fromkeys(zip(*pairs.to_pydict().values(), strict=True)):
        if pubmed_id not in papers:
            raise InputError(
                f"{mentions}: publication {pubmed_id} is not in {publications}; "
                "make both tables again"
            )
        paper = papers[pubmed_id]
        if paper["abstract"]:
            rows.append(
                {
                    "id": f"{accession}:{pubmed_id}",
                    "accession": accession,
                    "context": ABSTRACT,
                    "text": paper["abstract"],
                    "pubmed_id": pubmed_id,
                    "licence": paper["licence"],
                    "source": paper["source"],
                }
            )
    return rows
