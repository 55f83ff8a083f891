"""Curated statements of the proteins table as questions and answers, in templates of our own."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from protscribe.corpora.qa.categories import category_of
from protscribe.corpora.qa.checks import TEMPLATE
from protscribe.corpora.qa.phrases import PHRASES, field_text
from protscribe.corpora.qa.templates import CATEGORY, QUESTIONS, revision
from protscribe.errors import InputError
from protscribe.schemas import TABLES
from protscribe.seeds import unit_hash
from protscribe.sources.literature.contexts import FUNCTION_STATEMENT
from protscribe.tables import read_metadata, read_table, write_table

FIELDS = tuple(PHRASES)
"""Columns of the proteins table that are phrased."""

_EXPERIMENT = "ECO:0000269"
_BATCH = 10_000

Row = Mapping[str, Any]


def phrase_statements(proteins: Path, split: Path, output: Path, *, licence: str) -> None:
    """Write curated facts as pairs.

    Functions, reactions, cofactors, locations, pathways, family, EC numbers, domains, and the
    keywords that name ligands, processes and modifications are phrased. The questions are picked
    by a hash of accession and column. The evidence is a slice of the column's own text, which is
    its values joined by `phrases.SEPARATOR`. Names are taken out later (`filtering.filter_qa`).

    Parameters
    ----------
    proteins, split
        The tables; only proteins with a fold are phrased.
    output
        Table ``qa_pairs`` to write, with writer ``template``.
    licence
        Licence of the statements.

    Raises
    ------
    InputError
        If the tables do not belong together, or nothing can be phrased.
    """
    facts = read_table(proteins, "proteins", ["accession", "function_evidence", *FIELDS])
    placed = read_table(split, "split", ["accession", "fold"]).to_pydict()
    fold_of = dict(zip(placed["accession"], placed["fold"], strict=True))
    if set(fold_of) != set(facts["accession"].to_pylist()):
        raise InputError(f"{split}: holds other proteins than {proteins}; make it again")
    hash_ = revision()
    schema = TABLES["qa_pairs"].schema
    # Rows as dictionaries take several times the room, and all of Swiss-Prot gives millions.
    tables = [schema.empty_table()]
    phrased = 0
    for batch in facts.to_batches(max_chunksize=_BATCH):
        rows: list[dict[str, Any]] = []
        for protein in batch.to_pylist():
            if fold_of[protein["accession"]] is not None:
                own = list(pairs_of(protein, licence=licence, writer_revision=hash_))
                phrased += bool(own)
                rows += own
        tables.append(pa.Table.from_pylist(rows, schema=schema))
    table = pa.concat_tables(tables)
    if not table.num_rows:
        raise InputError(
            f"{proteins}: no protein with a fold has a statement to phrase; leave template out of "
            "qa.writers"
        )
    write_table(output, "qa_pairs", table, read_metadata(proteins))
    counts = Counter(table["category"].to_pylist())
    print(
        f"{table.num_rows} pairs on {phrased} proteins: "
        + ", ".join(f"{count} {category}" for category, count in sorted(counts.items())),
        file=sys.stderr,
    )


def pairs_of(protein: Row, *, licence: str, writer_revision: str) -> Iterator[dict[str, Any]]:
    """Yield the pairs of one protein as rows of table qa_pairs.

    Parameters
    ----------
    protein
        Row of table proteins with accession, function_evidence and `FIELDS`.
    licence
        Licence of its statements.
    writer_revision
        What `templates.revision` returns.
    """
    accession = protein["accession"]
    for field in FIELDS:
        text = field_text(protein, field)
        for number, phrase in enumerate(PHRASES[field](protein) if text else (), start=1):
            assert text is not None
            span = text[phrase.start : phrase.end]
            asked = phrase.question or _pick(QUESTIONS[phrase.kind], f"{accession}:{phrase.kind}")
            yield {
                "id": f"{accession}:{field}:{TEMPLATE}:{number}",
                "accession": accession,
                "context_id": f"{accession}:{field}",
                "context": FUNCTION_STATEMENT if field == "function" else field,
                "category": category_of(asked) if phrase.question else CATEGORY[phrase.kind],
                "question": asked,
                "answer": phrase.answer,
                "evidence_span": span,
                "span_start": phrase.start,
                "span_end": phrase.end,
                "pubmed_id": _pubmed_id(protein, span) if field == "function" else None,
                "licence": licence,
                "writer": TEMPLATE,
                "writer_revision": writer_revision,
                "prompt_hash": None,
                "seed": None,
            }


def _pick(questions: Sequence[str], key: str) -> str:
    return questions[int(unit_hash(0, key) * len(questions))]


def _pubmed_id(protein: Row, span: str) -> str | None:
    """Return the publication behind a statement, one with an experiment before others."""
    records = [
        record
        for record in protein["function_evidence"] or ()
        if record["pubmed_id"]
        and record["statement"]
        and (record["statement"] in span or span in record["statement"])
    ]
    records.sort(key=lambda record: record["eco"] != _EXPERIMENT)
    return records[0]["pubmed_id"] if records else None
