"""Pairs from all writers through all filters, into one table and a table of what was dropped."""

import functools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from protscribe.corpora.qa.anonymisation import Identity, about_this, anonymise, identity_of
from protscribe.corpora.qa.categories import category_of
from protscribe.corpora.qa.checks import CHECKS, TEMPLATE, Case, first_failure
from protscribe.corpora.qa.drops import Row, dropped, dropped_pair, report_drops
from protscribe.corpora.qa.duplicates import (
    beyond_limit,
    repeated_within,
    shared_by_many,
    signatures,
)
from protscribe.corpora.qa.pairs import ANSWER_REASONS, parse_answer
from protscribe.corpora.qa.phrases import field_text
from protscribe.corpora.qa.statements import FIELDS
from protscribe.corpora.qa.wording import instruction
from protscribe.errors import InputError
from protscribe.provenance import model_manifest
from protscribe.schemas import TABLES
from protscribe.sources.formats.record import Reject
from protscribe.sources.literature.organisms import Organisms
from protscribe.tables import read_metadata, read_table, write_table

NO_PROTEIN = "protein not in the table"
NO_FOLD = "protein dropped by the split"
UNLIKE = "unlike its evidence"
REPEATED = "near-duplicate within the protein"
SHARED = "near-duplicate across proteins"
TOO_MANY = "too many pairs of the protein"
REASONS = (
    *ANSWER_REASONS, NO_PROTEIN, NO_FOLD, *CHECKS, UNLIKE, REPEATED, SHARED, TOO_MANY,
)  # fmt: skip
"""All reasons of rejects in the order of the filters."""

_IDENTITY = (
    *("accession", "entry_name", "protein_name", "alternative_names", "gene_names"),
    *("organism", "lineage"),
)
_KEPT_PROTEINS = 50_000


def filter_qa(
    answers: Sequence[Path],
    phrased: Sequence[Path],
    contexts: Path,
    proteins: Path,
    split: Path,
    pairs_out: Path,
    rejects_out: Path,
    *,
    settings: Mapping[str, Any],
    text_encoder: Path | None,
    seed: int,
    device: str,
    threads: int,
) -> None:
    """Read what was written, and keep the pairs that are good enough to learn from.

    A pair is dropped by the first filter that it fails, in the order of `REASONS`. Names are
    taken out of those that stay.

    Parameters
    ----------
    answers
        Tables ``written_answers``.
    phrased
        Tables ``qa_pairs``: from templates, or imported.
    contexts, proteins, split
        The tables that the pairs were written from.
    pairs_out, rejects_out
        The tables to write. Pairs, and answers that hold none, = pairs kept + rejects. The
        rejects have a pair's id as their key, or context and writer of an answer without pairs.
    settings
        ``min_support_overlap``, ``min_support_similarity``, ``max_similarity``, ``max_shared``
        and ``max_pairs``; see config/README.md.
    text_encoder
        Local folder of the encoder that compares answers with their evidence; without one that
        filter is left out.
    seed
        Decides which of several near-identical or too many pairs stay.
    device
        ``cpu`` or ``cuda``.
    threads
        CPU threads of torch.

    Raises
    ------
    InputError
        If the tables do not belong together or two pairs have the same id.
    """
    rejected: list[Row] = []
    rows = _parse_all(answers, contexts, rejected)
    for path in phrased:
        rows += read_table(path, "qa_pairs").to_pylist()
    rows.sort(key=lambda row: row["id"])
    for row, following in pairwise(rows):
        if row["id"] == following["id"]:
            raise InputError(
                f"{', '.join(map(str, [*answers, *phrased]))}: the pair {row['id']} stands twice; "
                "give each file of pairs once"
            )
    arrived = Counter(row["writer"] for row in rows)
    empty = len(rejected)
    total = len(rows) + empty

    kept = _check_all(rows, contexts, proteins, split, settings["min_support_overlap"], rejected)
    facts: dict[str, str] = {}
    if text_encoder is not None:
        facts["text_encoder"] = model_manifest(text_encoder)["name"]
        kept = _compare(kept, text_encoder, settings, device, threads, rejected)
    kept = _thin_out(kept, settings, seed, rejected)

    if len(kept) + len(rejected) != total:
        raise RuntimeError(f"{total} pairs, but {len(kept)} + {len(rejected)} came out")
    stayed = Counter(row["writer"] for row in kept)
    counts = {writer: {"in": arrived[writer], "kept": stayed[writer]} for writer in arrived}
    facts["writers"] = json.dumps(counts, sort_keys=True)
    metadata = read_metadata(proteins) | facts
    write_table(pairs_out, "qa_pairs", _table("qa_pairs", kept), metadata)
    write_table(rejects_out, "rejects", _table("rejects", rejected), metadata)
    report_drops(counts, rejected, empty, REASONS)


def _parse_all(answers: Sequence[Path], contexts: Path, rejected: list[Row]) -> list[Row]:
    tables = [read_table(path, "written_answers") for path in answers]
    written = [row for table in tables for row in table.to_pylist()]
    context_of = _contexts(contexts, {row["context_id"] for row in written})
    rows: list[Row] = []
    seen: set[str] = set()
    for answer in written:
        key = f"{answer['context_id']}:{answer['writer']}"
        if answer["context_id"] not in context_of:
            raise InputError(
                f"{contexts}: lacks {answer['context_id']}, which an answer was written from; "
                "write the answers again"
            )
        if key in seen:
            raise InputError(
                f"{', '.join(map(str, answers))}: the answer {key} stands twice; give each shard "
                "once"
            )
        seen.add(key)
        try:
            rows += parse_answer(answer, context_of[answer["context_id"]])
        except Reject as reject:
            rejected.append(dropped(key, reject.reason, reject.detail))
    return rows


def _check_all(
    rows: Sequence[Row],
    contexts: Path,
    proteins: Path,
    split: Path,
    min_overlap: float,
    rejected: list[Row],
) -> list[Row]:
    """Return the pairs that pass all checks of single pairs, without names."""
    placed = read_table(split, "split", ["accession", "fold"]).to_pydict()
    fold_of = dict(zip(placed["accession"], placed["fold"], strict=True))
    table = read_table(proteins, "proteins", [*_IDENTITY, *FIELDS])
    organisms = Organisms(table["organism"].unique().to_pylist())
    row_of = {accession: i for i, accession in enumerate(table["accession"].to_pylist())}
    text_of = {
        id_: context["text"]
        for id_, context in _contexts(contexts, {row["context_id"] for row in rows}).items()
    }

    # Pairs come sorted by id, which begins with the accession, as a rule.
    @functools.lru_cache(_KEPT_PROTEINS)
    def protein_of(accession: str) -> tuple[Row, Identity]:
        facts = table.slice(row_of[accession], 1).to_pylist()[0]
        return facts, identity_of(facts)

    @functools.lru_cache(_KEPT_PROTEINS)
    def order_in(text: str) -> str | None:
        return instruction(text)

    kept: list[Row] = []
    for row in tqdm(rows, desc="filter pairs", unit=" pairs", mininterval=5):
        accession = row["accession"]
        if accession not in row_of:
            rejected.append(dropped_pair(row, NO_PROTEIN, accession))
            continue
        if fold_of.get(accession) is None:
            rejected.append(dropped_pair(row, NO_FOLD, accession))
            continue
        protein, identity = protein_of(accession)
        question, leak = anonymise(" ".join((row["question"] or "").split()), identity)
        answer, leak_of_answer = anonymise(" ".join((row["answer"] or "").split()), identity)
        text = text_of.get(row["context_id"]) or _own_text(row, protein)
        case = Case(
            pair=row,
            question=about_this(question),
            answer=answer,
            leak=leak or leak_of_answer,
            text=text,
            text_instruction=order_in(text) if text else None,
            protein=protein,
            identity=identity,
            organisms=organisms,
            min_overlap=min_overlap,
        )
        if failure := first_failure(case):
            rejected.append(dropped_pair(row, *failure))
            continue
        category = row["category"] or category_of(case.question)
        kept.append(row | {"question": case.question, "answer": answer, "category": category})
    return kept


def _own_text(row: Row, protein: Row) -> str | None:
    """Return the text of the protein's column that a template phrased."""
    accession, _, field = (row["context_id"] or "").partition(":")
    if row["writer"] != TEMPLATE or accession != row["accession"] or field not in FIELDS:
        return None
    return field_text(protein, field)


def _compare(
    rows: list[Row],
    text_encoder: Path,
    settings: Mapping[str, Any],
    device: str,
    threads: int,
    rejected: list[Row],
) -> list[Row]:
    """Return the pairs whose answer means what its evidence means."""
    # A template states its evidence in words of its own, often one word of it in a sentence.
    asked = [row for row in rows if row["writer"] != TEMPLATE and row["evidence_span"]]
    if not asked:
        return rows
    # Imported here, so that filters without an encoder do not load torch.
    import torch

    from protscribe.corpora.qa.support import TextEncoder

    torch.set_num_threads(threads)
    encoder = TextEncoder(text_encoder, device=device)
    cosines = encoder.similarities([(row["answer"], row["evidence_span"]) for row in asked])
    low = {
        row["id"]: cosine
        for row, cosine in zip(asked, cosines, strict=True)
        if cosine < settings["min_support_similarity"]
    }
    rejected += [
        dropped_pair(row, UNLIKE, f"cosine {low[row['id']]:.2f}")
        for row in rows
        if row["id"] in low
    ]
    return [row for row in rows if row["id"] not in low]


def _thin_out(
    rows: list[Row], settings: Mapping[str, Any], seed: int, rejected: list[Row]
) -> list[Row]:
    """Return the pairs without near-duplicates and at most so many of a protein."""
    hashes = signatures(rows, seed)
    threshold = settings["max_similarity"]
    like = repeated_within(rows, hashes, threshold)
    rejected += [
        dropped_pair(r, REPEATED, f"like {like[r['id']]}") for r in rows if r["id"] in like
    ]
    rows = [row for row in rows if row["id"] not in like]
    like = shared_by_many(rows, hashes, threshold, settings["max_shared"], seed)
    rejected += [dropped_pair(r, SHARED, f"like {like[r['id']]}") for r in rows if r["id"] in like]
    rows = [row for row in rows if row["id"] not in like]
    surplus = beyond_limit(rows, settings["max_pairs"], seed)
    rejected += [dropped_pair(row, TOO_MANY, "") for row in rows if row["id"] in surplus]
    return [row for row in rows if row["id"] not in surplus]


def _contexts(path: Path, wanted: Iterable[str | None]) -> dict[str, Row]:
    table = read_table(path, "contexts")
    ids = pa.array(sorted(id_ for id_ in wanted if id_ is not None), pa.string())
    chosen = table.filter(pc.is_in(table["id"], value_set=ids))
    return {row["id"]: row for row in chosen.to_pylist()}


def _table(name: str, rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=TABLES[name].schema)
