"""The check that no training protein is a homologue of a low-homology test protein.

It trusts nothing that the split did: it reads the finished tables, searches anew and applies the
criterion itself. It searches dropped proteins as well: that the search finds them again shows that
it sees, and it makes E-values those of the pruning.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.atomic import sha256_json, sha256_text, write_json
from protscribe.errors import InputError
from protscribe.homology import mmseqs
from protscribe.homology.criterion import (
    check_criterion,
    matching,
    residue_share,
    search_record,
    similar_pairs,
)
from protscribe.homology.split import FOLDS, LOW_HOMOLOGY, TRAIN, VALIDATION
from protscribe.tables import read_table

LOOSE_EVALUE = 10.0
"""Largest E-value of a recorded hit where every pair is aligned."""
_SHOWN = 3
_PART = 10_000


def audit_split(
    proteins: Path,
    split: Path,
    conversations: list[Path],
    audit: Path,
    *,
    criterion: Mapping[str, float],
    threads: int,
) -> None:
    """Audit a split and write what was found.

    Parameters
    ----------
    proteins, split
        The tables.
    conversations
        All corpora; their folds have to be those of the split.
    audit
        JSON file to write: criterion, search (MMseqs2's version, flags, pairs, best hits below
        the criterion), proteins and clusters per fold, dropped proteins, violations (none), how
        many texts, whole conversations and function-scoped references each pair of folds shares,
        and for each corpus how many of the publications behind it, all and those that are
        function-scoped.
    criterion
        ``min_identity``, ``min_coverage`` (of the test protein) and ``max_evalue``.
    threads
        CPU threads; no influence on the result.

    Raises
    ------
    InputError
        If a training or validation protein meets the criterion, a publication that describes a
        test protein stands behind a training or validation conversation, a corpus disagrees with
        the split, or a protein has no fold and no reason. The audit file is then not written.
    """
    check_criterion(criterion)
    facts = read_table(proteins, "proteins", ["accession", "sequence", "text_hash"]).to_pylist()
    rows = read_table(split, "split").to_pylist()
    sequence_of = {row["accession"]: row["sequence"] for row in facts}
    fold_of = {row["accession"]: row["fold"] for row in rows}
    _check_split(split, rows, set(sequence_of))
    tests = {a: sequence_of[a] for a, fold in fold_of.items() if fold == LOW_HOMOLOGY}
    others = {a: sequence_of[a] for a, fold in fold_of.items() if fold in (TRAIN, VALIDATION)}
    dropped = {a: sequence_of[a] for a, fold in fold_of.items() if fold is None}
    share = residue_share(others | dropped, dropped)
    sizes = len(tests), len(others) + len(dropped)
    loose = LOOSE_EVALUE if mmseqs.aligns_every_pair(*sizes) else criterion["max_evalue"] / share
    pairs = similar_pairs(tests, others | dropped, max_evalue=loose, threads=threads)
    again = pc.is_in(pairs["other"], pa.array(sorted(dropped), pa.string()))
    hits = pairs.filter(pc.invert(again))
    matched = matching(hits, criterion, share)
    violations = _once(matched)
    if violations:
        leaked = len({violation["other"] for violation in violations})
        shown = "; ".join(_words(v, fold_of) for v in violations[:_SHOWN])
        raise InputError(
            f"{split}: {leaked} training or validation proteins meet the homology "
            f"criterion against the low-homology test fold: {shown}"
            f"{'; ...' if len(violations) > _SHOWN else ''}; make the split again with this "
            "criterion (rule prune_train)"
        )
    texts = {"proteins": _sets(((row["accession"], row["text_hash"]) for row in facts), fold_of)}
    corpora: dict[str, dict[str, int]] = {}
    citations = _read_citations(proteins)
    exchanges: dict[str, dict[str, int]] = {}
    publications: dict[str, dict[str, Any]] = {}
    for path in conversations:
        corpus, name = _corpus(path, fold_of)
        corpora[name] = {fold: sum(row["fold"] == fold for row in corpus) for fold in FOLDS}
        answers = (
            (row["accession"], sha256_text(turn["content"]))
            for row in corpus
            for turn in row["turns"]
            if turn["role"] == "assistant"
        )
        texts[name] = _sets(answers, fold_of)
        whole = (
            (row["accession"], sha256_json([turn["content"] for turn in row["turns"]]))
            for row in corpus
        )
        exchanges[name] = _shared(_sets(whole, fold_of))
        publications[name] = _publications(path, corpus, citations, fold_of)
    references = (
        (accession, pubmed_id)
        for accession, protein in citations.items()
        for pubmed_id in protein.scoped
    )
    write_json(
        audit,
        {
            "criterion": dict(criterion),
            "search": {
                "mmseqs2_version": mmseqs.version(),
                "runs": search_record(*sizes, loose),
                "share_of_residues_left": share,
                "dropped_found_again": len(
                    matching(pairs.filter(again), criterion, share)["other"].unique()
                ),
                "hits_up_to_loose_evalue": hits.num_rows,
                "closest": _closest(hits, criterion, share),
            },
            "folds": {
                fold: {
                    "proteins": sum(row["fold"] == fold for row in rows),
                    "clusters": len({row["cluster"] for row in rows if row["fold"] == fold}),
                }
                for fold in FOLDS
            },
            "dropped": sum(row["fold"] is None for row in rows),
            "violations": [],
            "conversations": corpora,
            "shared_texts": {name: _shared(sets) for name, sets in texts.items()},
            "shared_conversations": exchanges,
            "shared_function_references": _shared(_sets(references, fold_of)),
            "publications": publications,
        },
    )


class _Citations(NamedTuple):
    """PubMed ids that a protein's entry cites: all, with a function scope, for its function."""

    cited: frozenset[str]
    scoped: frozenset[str]
    function: frozenset[str]

    @classmethod
    def of(cls, protein: Mapping[str, Any]) -> "_Citations":
        references = protein["references"] or []
        cited = frozenset(r["pubmed_id"] for r in references if r["pubmed_id"])
        scoped = frozenset(
            r["pubmed_id"]
            for r in references
            if r["pubmed_id"] and "FUNCTION" in (r["scope"] or "").upper()
        )
        evidence = {r["pubmed_id"] for r in protein["function_evidence"] or [] if r["pubmed_id"]}
        return cls(cited, scoped, scoped | evidence)


def _read_citations(proteins: Path) -> dict[str, _Citations]:
    table = read_table(proteins, "proteins", ["accession", "references", "function_evidence"])
    # By parts, because the records hold whole statements.
    parts = (batch.to_pylist() for batch in table.to_batches(max_chunksize=_PART))
    return {row["accession"]: _Citations.of(row) for rows in parts for row in rows}


def _publications(
    path: Path,
    corpus: Sequence[Mapping[str, Any]],
    citations: Mapping[str, _Citations],
    fold_of: Mapping[str, str | None],
) -> dict[str, Any]:
    """Check that no publication about a test protein stands behind a training conversation.

    It is about the proteins whose entries cite it for their function, and about those that a
    conversation was made of from it although their entries do not cite it at all. One that the
    entry cites for something else, such as a genome, is no evidence of function.
    """
    about: dict[str, str] = {}
    for accession in sorted(a for a, fold in fold_of.items() if _is_test(fold)):
        for pubmed_id in citations[accession].function:
            about.setdefault(pubmed_id, accession)
    behind = [row for row in corpus if row["pubmed_id"]]
    for row in behind:
        if _is_test(row["fold"]) and row["pubmed_id"] not in citations[row["accession"]].cited:
            about.setdefault(row["pubmed_id"], row["accession"])
    leaks = [row for row in behind if not _is_test(row["fold"]) and row["pubmed_id"] in about]
    if leaks:
        shown = "; ".join(
            f"{row['id']} ({row['fold']}) stands on PubMed {row['pubmed_id']}, which describes "
            f"{about[row['pubmed_id']]} ({fold_of[about[row['pubmed_id']]]})"
            for row in leaks[:_SHOWN]
        )
        raise InputError(
            f"{path}: {len(leaks)} training or validation conversations come from publications "
            f"that describe a test protein: {shown}{'; ...' if len(leaks) > _SHOWN else ''}; "
            "make the corpus again from this split"
        )
    function = {pubmed_id for protein in citations.values() for pubmed_id in protein.function}
    pairs = [(row["accession"], row["pubmed_id"]) for row in behind]
    scoped = [(accession, pubmed_id) for accession, pubmed_id in pairs if pubmed_id in function]
    return {
        "conversations_without": len(corpus) - len(behind),
        "distinct": len({pubmed_id for _, pubmed_id in pairs}),
        "shared": _shared(_sets(pairs, fold_of)),
        "shared_function_scoped": _shared(_sets(scoped, fold_of)),
    }


def _is_test(fold: str | None) -> bool:
    return fold is not None and fold not in (TRAIN, VALIDATION)


def _once(hits: pa.Table) -> list[dict[str, Any]]:
    """Return each pair once, with the better of its two directions, by both accessions."""
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for hit in hits.to_pylist():
        best.setdefault((hit["test"], hit["other"]), hit)
    return list(best.values())


def _closest(hits: pa.Table, criterion: Mapping[str, float], share: float) -> list[dict[str, Any]]:
    """Return the significant hits nearest to the criterion, for the reader's judgement."""
    significant = matching(hits, {**criterion, "min_identity": 0.0, "min_coverage": 0.0}, share)
    order = [("identity", "descending"), ("test", "ascending"), ("other", "ascending")]
    table = significant.sort_by([*order, ("evalue", "ascending")])
    # Of each pair both directions.
    return _once(table.slice(0, 2 * _SHOWN).drop_columns("forward"))[:_SHOWN]


def _check_split(split: Path, rows: list[dict[str, Any]], accessions: set[str]) -> None:
    if {row["accession"] for row in rows} != accessions:
        raise InputError(f"{split}: holds other proteins than the proteins table; make it again")
    for row in rows:
        if row["fold"] is None and not row["dropped_reason"]:
            raise InputError(f"{split}: {row['accession']} has no fold and no reason for it")
        if row["fold"] is not None and row["fold"] not in FOLDS:
            raise InputError(f"{split}: {row['accession']} has the unknown fold {row['fold']!r}")


def _corpus(path: Path, fold_of: Mapping[str, str | None]) -> tuple[list[dict[str, Any]], str]:
    columns = ["id", "accession", "corpus", "fold", "turns", "pubmed_id"]
    rows = read_table(path, "conversations", columns).to_pylist()
    for row in rows:
        if (fold := fold_of.get(row["accession"])) != row["fold"] or fold is None:
            raise InputError(
                f"{path}: row {row['id']} says fold {row['fold']!r}, the split says {fold!r} for "
                f"{row['accession']}; make the corpus again from this split"
            )
    return rows, rows[0]["corpus"] if rows else path.stem


def _sets(
    pairs: Iterable[tuple[str, str]], fold_of: Mapping[str, str | None]
) -> dict[str, set[str]]:
    """Collect the values of (accession, value) pairs by fold."""
    sets: dict[str, set[str]] = {fold: set() for fold in FOLDS}
    for accession, value in pairs:
        if fold := fold_of.get(accession):
            sets[fold].add(value)
    return sets


def _shared(sets: Mapping[str, set[str]]) -> dict[str, int]:
    return {f"{a} and {b}": len(sets[a] & sets[b]) for a, b in combinations(FOLDS, 2)}


def _words(hit: Mapping[str, Any], fold_of: Mapping[str, str | None]) -> str:
    return (
        f"{hit['other']} ({fold_of[hit['other']]}) has {hit['identity']:.3f} identity over "
        f"{hit['coverage']:.3f} of {hit['test']} at E {hit['evalue']:.1e}"
    )
