"""The check that no training protein is a homologue of a low-homology test protein.

It trusts nothing that the split did: it reads the finished tables, searches anew as thoroughly
as MMseqs2 can, with an E-value far above the criterion's, and applies the criterion itself.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.atomic import sha256_text, write_json
from protscribe.errors import InputError
from protscribe.homology import mmseqs
from protscribe.homology.criterion import check_criterion
from protscribe.homology.split import FOLDS, LOW_HOMOLOGY, TRAIN, VALIDATION
from protscribe.tables import read_table

SENSITIVITY = 7.5
LOOSE_EVALUE = 10.0
_SHOWN = 3


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
        the criterion), proteins and clusters per fold, dropped proteins, violations (none), and
        how many texts and function-scoped references each pair of folds shares.
    criterion
        ``min_identity``, ``min_coverage`` (of the test protein) and ``max_evalue``.
    threads
        CPU threads; no influence on the result.

    Raises
    ------
    InputError
        If a training or validation protein meets the criterion, a corpus disagrees with the
        split, or a protein has no fold and no reason. The audit file is then not written.
    """
    check_criterion(criterion)
    columns = ["accession", "sequence", "text_hash", "references"]
    facts = read_table(proteins, "proteins", columns).to_pylist()
    rows = read_table(split, "split").to_pylist()
    sequence_of = {row["accession"]: row["sequence"] for row in facts}
    fold_of = {row["accession"]: row["fold"] for row in rows}
    _check_split(split, rows, set(sequence_of))
    tests = {a: sequence_of[a] for a, fold in fold_of.items() if fold == LOW_HOMOLOGY}
    others = {a: sequence_of[a] for a, fold in fold_of.items() if fold in (TRAIN, VALIDATION)}
    hits, searches = _search_both_ways(tests, others, threads)
    violations = _violations(hits, criterion, tests, others)
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
    references = (
        (row["accession"], reference["pubmed_id"])
        for row in facts
        for reference in row["references"] or []
        if "FUNCTION" in (reference["scope"] or "").upper()
    )
    write_json(
        audit,
        {
            "criterion": dict(criterion),
            "search": {
                "mmseqs2_version": mmseqs.version(),
                "runs": searches,
                "hits_up_to_loose_evalue": hits.num_rows,
                "closest": _closest(hits, criterion),
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
            "shared_function_references": _shared(_sets(references, fold_of)),
        },
    )


def _search_both_ways(
    tests: Mapping[str, str], others: Mapping[str, str], threads: int
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Return hits with the columns test, other, identity, coverage, evalue and bits."""
    settings: dict[str, Any] = {"sensitivity": SENSITIVITY, "max_evalue": LOOSE_EVALUE}
    tables, searches = [], []
    for forward in (True, False):
        queries, targets = (tests, others) if forward else (others, tests)
        hits = mmseqs.search(queries, targets, **settings, threads=threads)
        names = ["query", "target", "identity", "query_coverage", "evalue", "bits"]
        if not forward:
            names = ["target", "query", "identity", "target_coverage", "evalue", "bits"]
        tables.append(hits.select(names).rename_columns(_COLUMNS))
        sizes = len(queries), len(targets)
        searches.append(
            {
                "direction": "test against others" if forward else "others against test",
                "command": "easy-search",
                "flags": mmseqs.search_flags(*sizes, **settings),
                "queries": sizes[0],
                "targets": sizes[1],
                "every_pair_aligned": mmseqs.aligns_every_pair(*sizes),
            }
        )
    return pa.concat_tables(tables), searches


_COLUMNS = ["test", "other", "identity", "coverage", "evalue", "bits"]


def _violations(
    hits: pa.Table,
    criterion: Mapping[str, float],
    tests: Mapping[str, str],
    others: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return the pairs that meet the criterion, and those with identical sequences."""
    meets = pc.and_(
        pc.and_(
            pc.greater_equal(hits["identity"], criterion["min_identity"]),
            pc.greater_equal(hits["coverage"], criterion["min_coverage"]),
        ),
        pc.less_equal(hits["evalue"], criterion["max_evalue"]),
    )
    # Both directions may show the same pair.
    pairs = {(hit["test"], hit["other"]): hit for hit in hits.filter(meets).to_pylist()}
    by_sequence: dict[str, list[str]] = {}
    for accession, sequence in others.items():
        by_sequence.setdefault(sequence, []).append(accession)
    for test, sequence in tests.items():
        for other in by_sequence.get(sequence, []):
            same = {"identity": 1.0, "coverage": 1.0, "evalue": 0.0}
            pairs.setdefault((test, other), {"test": test, "other": other, **same})
    return [pairs[pair] for pair in sorted(pairs)]


def _closest(hits: pa.Table, criterion: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the significant hits nearest to the criterion, for the reader's judgement."""
    significant = hits.filter(pc.less_equal(hits["evalue"], criterion["max_evalue"]))
    order = [("identity", "descending"), ("test", "ascending"), ("other", "ascending")]
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for hit in significant.sort_by([*order, ("evalue", "ascending")]).to_pylist():
        best.setdefault((hit["test"], hit["other"]), hit)
        if len(best) == _SHOWN:
            break
    return list(best.values())


def _check_split(split: Path, rows: list[dict[str, Any]], accessions: set[str]) -> None:
    if {row["accession"] for row in rows} != accessions:
        raise InputError(f"{split}: holds other proteins than the proteins table; make it again")
    for row in rows:
        if row["fold"] is None and not row["dropped_reason"]:
            raise InputError(f"{split}: {row['accession']} has no fold and no reason for it")
        if row["fold"] is not None and row["fold"] not in FOLDS:
            raise InputError(f"{split}: {row['accession']} has the unknown fold {row['fold']!r}")


def _corpus(path: Path, fold_of: Mapping[str, str | None]) -> tuple[list[dict[str, Any]], str]:
    columns = ["id", "accession", "corpus", "fold", "turns"]
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
