"""The corpus ``qa``: filtered pairs as conversations, bound to the split."""

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.atomic import write_json
from protscribe.corpora.qa.llava import export_record, write_conversations
from protscribe.corpora.qa.statistics import corpus_statistics
from protscribe.errors import InputError
from protscribe.prompts import PROTEIN_MARKER
from protscribe.sources.literature.pmc import may_share
from protscribe.tables import read_metadata, read_table, write_table

CORPUS = "qa"
TASK = "answer"
STAGE = "make_qa_conversations"
SHAREABLE = ("CC0", "CC BY")
"""Licences under which a text may be given to others, versions aside."""

_TEST_PREFIX = "test_"
_FUNCTION_SCOPE = "FUNCTION"
_CARRIED = (
    *("context", "evidence_span", "pubmed_id", "licence", "writer"),
    *("writer_revision", "prompt_hash", "seed"),
)


def make_qa_conversations(
    pairs: Path,
    scores: Path | None,
    proteins: Path,
    split: Path,
    conversations: Path,
    llava: Path,
    statistics: Path,
    rejects: Path,
    *,
    publications: Path | None = None,
    allow: Collection[str] = SHAREABLE,
) -> None:
    """Write one conversation per pair whose protein has a fold and whose publication keeps to it.

    A publication that describes a test protein may not stand behind a training or validation
    pair. It describes a protein if the protein's entry cites it with a scope that names its
    function or as evidence of its function, or if a pair about the protein was written from it
    although the entry does not cite it. A publication that the entry cites for something else,
    such as a genome, is no evidence of function and binds nothing. Two test folds may share one.

    Parameters
    ----------
    pairs
        Table ``qa_pairs``, filtered.
    scores
        Table ``qa_scores`` of these pairs; None if they were not scored. It drops nothing.
    proteins, split
        The tables.
    conversations
        The table to write; its user turns are the bare protein and the question. A system's own
        words come later (`protscribe.corpora.prompted.make_prompts`).
    llava
        JSON file of the same pairs in the LLaVA convention, made to be shared: evidence stands
        there as PubMed id and offsets, its text only under a licence in `allow`.
    statistics
        JSON file, see `protscribe.corpora.qa.statistics.corpus_statistics`.
    rejects
        The table to write. Pairs = conversations + rejects.
    publications
        Table ``publications``, for PMCIDs in the LLaVA file.
    allow
        Licences such as ``CC0`` and ``CC BY``.

    Raises
    ------
    InputError
        If the tables do not belong together or no pair is left.
    """
    rows = read_table(pairs, "qa_pairs").to_pylist()
    columns = [
        *("accession", "protein_name", "sequence"),
        *("references", "function_evidence"),
    ]
    placed = read_table(split, "split", ["accession", "fold"]).to_pydict()
    folds: dict[str, str | None] = dict(zip(placed["accession"], placed["fold"], strict=True))
    table = read_table(proteins, "proteins", columns)
    known = set(table["accession"].to_pylist())
    if set(folds) != known:
        raise InputError(f"{split}: holds other proteins than {proteins}; make it again")
    for row in rows:
        if row["accession"] not in known:
            raise InputError(
                f"{proteins}: lacks {row['accession']}, which {row['id']} is about; write and "
                "filter the pairs again"
            )
    # Of all others, which may be many, nothing is asked.
    wanted = {row["accession"] for row in rows}
    wanted |= {accession for accession, fold in folds.items() if _is_test(fold)}
    chosen = table.filter(pc.is_in(table["accession"], pa.array(sorted(wanted), pa.string())))
    facts = {row["accession"]: row for row in chosen.to_pylist()}
    scored = _read_scores(scores, rows)
    kept, rejected = _bind(rows, folds, described_by(rows, facts, folds))
    if not kept:
        raise InputError(
            f"{pairs}: no pair of {len(rows)} is left to make a conversation of; see the rejects "
            "of filter_qa, and add template to qa.writers or choose a better writer"
        )
    fold_of = {accession: fold for accession, fold in folds.items() if fold is not None}
    metadata = read_metadata(proteins) | read_metadata(pairs)
    write_table(
        conversations,
        "conversations",
        [_conversation(row, fold_of[row["accession"]]) for row in kept],
        metadata,
    )
    records = _records(kept, facts, fold_of, scored, _pmcids(publications), allow)
    write_conversations(llava, records)
    scored_with = {
        name: value
        for name, value in (read_metadata(scores) if scores else {}).items()
        if name.startswith("blind_")
    }
    lengths = {accession: len(row["sequence"]) for accession, row in facts.items()}
    write_json(statistics, corpus_statistics(kept, fold_of, lengths, scored, scored_with))
    write_table(rejects, "rejects", rejected, metadata)
    _tell(kept, rejected, fold_of)


def described_by(
    pairs: Sequence[Mapping[str, Any]],
    proteins: Mapping[str, Mapping[str, Any]],
    folds: Mapping[str, str | None],
) -> dict[str, str]:
    """Return the publications that describe a test protein, with the first such protein.

    Parameters
    ----------
    pairs
        Rows with accession and pubmed_id.
    proteins
        By accession: references and function_evidence of the proteins table.
    folds
        By accession; None for a protein without a fold.
    """
    found: dict[str, str] = {}
    written: dict[str, set[str]] = {}
    for row in pairs:
        if row["pubmed_id"]:
            written.setdefault(row["accession"], set()).add(row["pubmed_id"])
    for accession in sorted(name for name, fold in folds.items() if _is_test(fold)):
        references = proteins[accession]["references"] or []
        cited = {reference["pubmed_id"] for reference in references}
        described = {
            reference["pubmed_id"]
            for reference in references
            if _FUNCTION_SCOPE in (reference["scope"] or "").upper()
        }
        described |= {r["pubmed_id"] for r in proteins[accession]["function_evidence"] or []}
        described |= written.get(accession, set()) - cited
        for pubmed_id in described - {None}:
            found.setdefault(pubmed_id, accession)
    return found


def _bind(
    rows: Sequence[Mapping[str, Any]],
    folds: Mapping[str, str | None],
    described: Mapping[str, str],
) -> tuple[list[Mapping[str, Any]], list[dict[str, Any]]]:
    kept, rejected = [], []
    for row in rows:
        fold = folds[row["accession"]]
        test_protein = described.get(row["pubmed_id"] or "")
        if fold is None:
            reason, detail = "protein dropped by the split", row["accession"]
        elif any(PROTEIN_MARKER in row[column] for column in ("question", "answer")):
            reason, detail = "holds the protein token", row["question"]
        elif test_protein and not _is_test(fold):
            reason = "abstract also describes a test protein"
            detail = f"PubMed {row['pubmed_id']} describes {test_protein} ({folds[test_protein]})"
        else:
            kept.append(row)
            continue
        rejected.append({"stage": STAGE, "key": row["id"], "reason": reason, "detail": detail})
    return kept, rejected


def _is_test(fold: str | None) -> bool:
    return (fold or "").startswith(_TEST_PREFIX)


def _conversation(row: Mapping[str, Any], fold: str) -> dict[str, Any]:
    return {
        "id": f"{CORPUS}:{row['id']}",
        "accession": row["accession"],
        "corpus": CORPUS,
        "task": TASK,
        "fold": fold,
        "turns": [
            {"role": "user", "content": f"{PROTEIN_MARKER}\n{row['question']}"},
            {"role": "assistant", "content": row["answer"]},
        ],
    } | {column: row[column] for column in _CARRIED}


def _read_scores(
    scores: Path | None, rows: Sequence[Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]] | None:
    if scores is None:
        return None
    found = {row["id"]: row for row in read_table(scores, "qa_scores").to_pylist()}
    if found.keys() != {row["id"] for row in rows}:
        raise InputError(f"{scores}: scores other pairs than these; score them again")
    return found


def _pmcids(publications: Path | None) -> dict[str, str]:
    if publications is None:
        return {}
    columns = ["pubmed_id", "pmcid"]
    ids = read_table(publications, "publications", columns).to_pydict()
    return {p: pmcid for p, pmcid in zip(ids["pubmed_id"], ids["pmcid"], strict=True) if pmcid}


def _records(
    rows: Sequence[Mapping[str, Any]],
    proteins: Mapping[str, Mapping[str, Any]],
    fold_of: Mapping[str, str],
    scored: Mapping[str, Mapping[str, Any]] | None,
    pmcids: Mapping[str, str],
    allow: Collection[str],
) -> Iterator[dict[str, Any]]:
    numbers: Counter[str] = Counter()
    for row in sorted(rows, key=lambda row: row["id"]):
        accession = row["accession"]
        numbers[accession] += 1
        yield export_record(
            row,
            proteins[accession],
            number=numbers[accession],
            fold=fold_of[accession],
            pmcid=pmcids.get(row["pubmed_id"] or ""),
            with_span=may_share(row["licence"], allow),
            answered_blind=scored[row["id"]]["answered_blind"] if scored else None,
        )


def _tell(
    kept: Sequence[Mapping[str, Any]],
    rejected: Sequence[Mapping[str, Any]],
    fold_of: Mapping[str, str],
) -> None:
    placed = Counter(fold_of[row["accession"]] for row in kept)
    parts = [f"{count} in {fold}" for fold, count in sorted(placed.items())]
    parts += [
        f"{count} left out ({reason})"
        for reason, count in sorted(Counter(row["reason"] for row in rejected).items())
    ]
    print(f"{len(kept)} conversations: {', '.join(parts)}", file=sys.stderr)
