"""The corpus ``sequences``: proteins without words, for pretraining.

Our own proteins keep the fold of the split. What comes from outside was never split, so it is
pruned: nothing stays that matches a test or validation protein by the split's own criterion.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from protscribe.errors import InputError
from protscribe.homology.criterion import check_criterion, find_leaks
from protscribe.homology.split import TRAIN, VALIDATION
from protscribe.seeds import derive_seed, unit_hash
from protscribe.tables import read_metadata, read_table, write_table

CORPUS = "sequences"
STAGE = "make_sequences"
OWN = "proteins"
"""Source of our own sequences; that of others is ``uniref`` and the clusters' identity."""
UNIREF = "uniref"
EXTERNAL = ("none", UNIREF)
HOMOLOGOUS = "homologous to a held-out protein"
"""Reason for which the search drops an external sequence."""
SETTINGS = ("external", "min_length", "max_length", "max_sequences")

_CLUSTER = re.compile(r"UniRef\d+_(?!UPI)([A-Z0-9]+)(?:-\d+)?")


class _Candidate(NamedTuple):
    """A sequence, named by its accession or cluster, and other names of the cluster's protein."""

    key: str
    fold: str
    sequence: str
    licence: str | None
    source: str
    names: tuple[str, ...] = ()


def make_sequences(
    proteins: Path,
    split: Path,
    output: Path,
    rejects: Path,
    *,
    external: Path | None,
    settings: Mapping[str, Any],
    criterion: Mapping[str, float],
    seed: int,
    threads: int,
    licence: str,
) -> None:
    """Write the distinct sequences of training and validation proteins, and external ones.

    No sequence stands in the table twice. A sequence of a test protein stands there never, one of
    a validation protein not in fold train. External sequences are of fold train. They may not
    match a protein of any test fold, nor one for validation, by the criterion of the split
    (`protscribe.homology.criterion.find_leaks`); nor may they be identical to a protein that the
    split dropped, or be of a cluster that is named after a protein that is not for training.

    Parameters
    ----------
    proteins, split
        The tables.
    output
        Table ``pretraining`` to write; ids are ``sequence:`` and the accession or the cluster.
    rejects
        The table to write. Training and validation proteins + external clusters = rows + rejects.
    external
        Table ``uniref_clusters``; None where `settings` ask for no external sequences.
    settings
        ``external`` (``none`` or ``uniref``), ``min_length`` and ``max_length`` in residues,
        ``max_sequences`` for training, own and external together, by a seeded hash before the
        search, so that fewer may be left; None for no limit.
    criterion
        ``min_identity`` (of the alignment), ``min_coverage`` (of the held-out protein) and
        ``max_evalue``.
    seed
        Seed of the hash.
    threads
        CPU threads; no influence on the result.
    licence
        Licence of our own sequences; that of others is in their table.

    Raises
    ------
    InputError
        If a setting is wrong, the tables do not belong together or nothing is left to train on.
    """
    _check_settings(settings, external)
    check_criterion(criterion)
    columns = ["accession", "entry_name", "sequence"]
    facts = {row["accession"]: row for row in read_table(proteins, "proteins", columns).to_pylist()}
    placed = read_table(split, "split", ["accession", "fold"]).to_pydict()
    fold_of: dict[str, str | None] = dict(zip(placed["accession"], placed["fold"], strict=True))
    if set(fold_of) != set(facts):
        raise InputError(f"{split}: holds other proteins than {proteins}; make it again")
    candidates = [
        _Candidate(accession, fold, facts[accession]["sequence"], licence, OWN)
        # What is held out claims a sequence first.
        for fold in (VALIDATION, TRAIN)
        for accession in sorted(a for a, its in fold_of.items() if its == fold)
    ]
    if external is not None and settings["external"] == UNIREF:
        candidates += _read_external(external)
    kept, rejected = _distinct(candidates, facts, fold_of, settings)
    kept = _limit(kept, rejected, settings["max_sequences"], derive_seed(seed, STAGE))
    kept = _prune(kept, rejected, facts, fold_of, criterion, threads)
    if not any(candidate.fold == TRAIN for candidate in kept):
        raise InputError(
            f"{proteins}: of {len(candidates)} sequences none is left to train on; see the rejects "
            "of make_sequences, and relax its min_length and max_length"
        )
    if len(kept) + len(rejected) != len(candidates):
        raise RuntimeError(
            f"{len(candidates)} sequences, but {len(kept)} rows and {len(rejected)} rejects"
        )
    metadata = read_metadata(proteins)
    write_table(output, "pretraining", [_row(candidate) for candidate in kept], metadata)
    write_table(rejects, "rejects", rejected, metadata)
    _tell(kept, rejected)


def named_after(cluster: str) -> str | None:
    """Return the accession in the id of a UniRef cluster, without the number of an isoform.

    Clusters are named ``UniRef50_P12345`` or, after an entry of UniParc, ``UniRef50_UPI...``,
    which gives None.
    """
    match = _CLUSTER.fullmatch(cluster)
    return match[1] if match else None


def _check_settings(settings: Mapping[str, Any], external: Path | None) -> None:
    where = "pretraining sequences"
    if set(settings) != set(SETTINGS):
        raise InputError(f"settings of {where} must hold exactly {', '.join(SETTINGS)}")
    if settings["external"] not in EXTERNAL:
        raise InputError(
            f"{where}: external is {settings['external']!r}; {' and '.join(EXTERNAL)} are known"
        )
    if settings["external"] == UNIREF and external is None:
        raise InputError(
            f"{where}: external is {UNIREF}, but there is no table of clusters; set "
            "vocabularies.uniref.source"
        )
    for name in ("min_length", "max_length", "max_sequences"):
        if settings[name] is not None and settings[name] < 1:
            raise InputError(f"{where}: {name} must be at least 1 or empty")
    least, most = settings["min_length"], settings["max_length"]
    if least is not None and most is not None and least > most:
        raise InputError(f"{where}: min_length {least} is above max_length {most}")


def _read_external(path: Path) -> Iterator[_Candidate]:
    licence = read_metadata(path).get("licence")
    table = read_table(
        path, "uniref_clusters", ["cluster", "identity", "representative", "sequence"]
    )
    for row in table.to_pylist():
        # The id of a cluster holds an accession, its representative is an entry name.
        names = (named_after(row["cluster"]), row["representative"])
        yield _Candidate(
            row["cluster"],
            TRAIN,
            row["sequence"],
            licence,
            f"{UNIREF}{row['identity']}",
            tuple(name for name in names if name),
        )


def _distinct(
    candidates: list[_Candidate],
    facts: Mapping[str, Mapping[str, Any]],
    fold_of: Mapping[str, str | None],
    settings: Mapping[str, Any],
) -> tuple[list[_Candidate], list[dict[str, str]]]:
    """Keep each sequence once, and none of a test protein."""
    tests: dict[str, str] = {}
    dropped: dict[str, str] = {}
    elsewhere: dict[str, str] = {}
    for accession in sorted(facts):
        fold, row = fold_of[accession], facts[accession]
        if fold is None:
            dropped.setdefault(row["sequence"], accession)
        elif fold not in (TRAIN, VALIDATION):
            tests.setdefault(row["sequence"], accession)
        if fold != TRAIN:
            elsewhere[accession] = accession
            if row["entry_name"]:
                elsewhere[row["entry_name"]] = accession
    least, most = settings["min_length"] or 1, settings["max_length"] or sys.maxsize
    taken: dict[str, str] = {}
    kept: list[_Candidate] = []
    rejected: list[dict[str, str]] = []
    for candidate in candidates:
        sequence, is_own = candidate.sequence, candidate.source == OWN
        named = next((elsewhere[name] for name in candidate.names if name in elsewhere), None)
        if sequence in tests:
            accession = tests[sequence]
            reason, detail = "sequence of a test protein", f"{accession} ({fold_of[accession]})"
        elif not is_own and sequence in dropped:
            reason, detail = "sequence of a protein dropped by the split", dropped[sequence]
        elif sequence in taken:
            reason, detail = "the same sequence as another", taken[sequence]
        elif named:
            reason, detail = "named after a protein not for training", named
        elif not least <= len(sequence) <= most:
            reason, detail = "too short or too long", f"{len(sequence)} residues"
        else:
            taken[sequence] = candidate.key
            kept.append(candidate)
            continue
        rejected.append(_reject(candidate, reason, detail))
    return kept, rejected


def _limit(
    kept: list[_Candidate], rejected: list[dict[str, str]], most: int | None, seed: int
) -> list[_Candidate]:
    """Keep so many sequences for training, and all others."""
    training = [candidate for candidate in kept if candidate.fold == TRAIN]
    if most is None or len(training) <= most:
        return kept
    training.sort(key=lambda candidate: (unit_hash(seed, candidate.key), candidate.key))
    beyond = {candidate.key for candidate in training[most:]}
    rejected += [
        _reject(candidate, "beyond max_sequences", f"{most} of {len(training)} are kept")
        for candidate in kept
        if candidate.key in beyond
    ]
    return [candidate for candidate in kept if candidate.key not in beyond]


def _prune(
    kept: list[_Candidate],
    rejected: list[dict[str, str]],
    facts: Mapping[str, Mapping[str, Any]],
    fold_of: Mapping[str, str | None],
    criterion: Mapping[str, float],
    threads: int,
) -> list[_Candidate]:
    """Drop external sequences that match a protein of a test fold or one for validation."""
    others = {c.key: c.sequence for c in kept if c.source != OWN}
    held_out = {a: facts[a]["sequence"] for a, fold in fold_of.items() if fold not in (None, TRAIN)}
    if not others or not held_out:
        return kept
    leaks = find_leaks(held_out, others, criterion, threads=threads).to_pylist()
    hits = {hit["other"]: hit for hit in leaks}
    for candidate in kept:
        if hit := hits.get(candidate.key):
            detail = (
                f"{hit['test']} ({fold_of[hit['test']]}): identity {hit['identity']:.3f} over "
                f"{hit['coverage']:.3f} of it, E-value {hit['evalue']:.1e}"
            )
            rejected.append(_reject(candidate, HOMOLOGOUS, detail))
    return [candidate for candidate in kept if candidate.key not in hits]


def _row(candidate: _Candidate) -> dict[str, Any]:
    return {
        "id": f"sequence:{candidate.key}",
        "corpus": CORPUS,
        "fold": candidate.fold,
        "accession": candidate.key if candidate.source == OWN else None,
        "pubmed_id": None,
        "text": None,
        "sequence": candidate.sequence,
        "licence": candidate.licence,
        "source": candidate.source,
    }


def _reject(candidate: _Candidate, reason: str, detail: str) -> dict[str, str]:
    return {"stage": STAGE, "key": candidate.key, "reason": reason, "detail": detail}


def _tell(kept: list[_Candidate], rejected: list[dict[str, str]]) -> None:
    places = Counter((candidate.fold, candidate.source) for candidate in kept)
    parts = [f"{count} of {source} for {fold}" for (fold, source), count in sorted(places.items())]
    reasons = Counter(row["reason"] for row in rejected)
    parts += [f"{count} left out ({reason})" for reason, count in sorted(reasons.items())]
    print(f"{len(kept)} sequences: {', '.join(parts)}", file=sys.stderr)
