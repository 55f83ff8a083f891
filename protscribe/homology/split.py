"""Which protein is for training and which for testing.

Three steps: cluster, assign whole clusters to folds, and prune. Clustering alone does not keep
homologues apart, since members of different clusters can still match each other, so what matches
the low-homology test proteins is removed afterwards.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from protscribe.errors import InputError
from protscribe.homology import mmseqs
from protscribe.homology.criterion import check_criterion, find_leaks, nearest_hits
from protscribe.seeds import derive_seed, unit_hash
from protscribe.tables import read_metadata, read_table, write_table

TRAIN = "train"
VALIDATION = "validation"
IN_DISTRIBUTION = "test_in_distribution"
LOW_HOMOLOGY = "test_low_homology"
TEMPORAL = "test_temporal"
FOLDS = (TRAIN, VALIDATION, IN_DISTRIBUTION, LOW_HOMOLOGY, TEMPORAL)
SIZED_FOLDS = (LOW_HOMOLOGY, VALIDATION, IN_DISTRIBUTION)
"""Folds whose size is a setting, in the order in which they are filled."""


def cluster_proteins(
    proteins: Path, clusters: Path, *, min_identity: float, min_coverage: float, threads: int
) -> None:
    """Cluster all proteins by homology.

    Parameters
    ----------
    proteins
        The proteins table.
    clusters
        The clusters table to write; a cluster is named after its representative.
    min_identity, min_coverage
        Fractions that a member shares with its representative; the coverage is that of both.
    threads
        CPU threads; no influence on the result.
    """
    table = read_table(proteins, "proteins", ["accession", "sequence"])
    found = mmseqs.cluster(
        _mapping(table, "sequence"),
        min_identity=min_identity,
        min_coverage=min_coverage,
        threads=threads,
    )
    rows = [{"accession": a, "cluster": c} for a, c in found.items()]
    write_table(clusters, "clusters", rows, read_metadata(proteins))
    print(f"{len(rows)} proteins in {len(set(found.values()))} clusters", file=sys.stderr)


def assign_folds(
    proteins: Path,
    clusters: Path,
    folds: Path,
    *,
    fractions: Mapping[str, float],
    temporal_after: str | None,
    minimum: int,
    seed: int,
) -> None:
    """Assign each protein to a fold.

    Entries created on or after `temporal_after` form the temporal fold. Of the rest, whole
    clusters in the order of a seeded hash fill the low-homology and then the validation fold; a
    cluster more than twice as large as what is missing is passed over. Then single proteins,
    again by a seeded hash, fill the in-distribution fold whatever their clusters, identical
    sequences together. The others are for training.

    Parameters
    ----------
    proteins, clusters
        The tables.
    folds
        The folds table to write.
    fractions
        Share of the proteins for ``validation``, ``test_in_distribution`` and
        ``test_low_homology``; a fold that is missing or 0 stays empty.
    temporal_after
        ISO date; None for no temporal fold.
    minimum
        Fewest proteins of a fold. Where the folds would then take more than half of all proteins,
        it is lowered, with a warning.
    seed
        Seed of the hashes.

    Raises
    ------
    InputError
        If a setting is wrong, the tables do not belong together or there are too few clusters.
    """
    _check_fractions(fractions, minimum)
    after = _iso_date(temporal_after)
    table = read_table(proteins, "proteins", ["accession", "entry_created", "sequence_hash"])
    cluster_of = _mapping(read_table(clusters, "clusters"), "cluster")
    created = _mapping(table, "entry_created")
    identity = _mapping(table, "sequence_hash")
    if set(created) != set(cluster_of):
        raise InputError(
            f"{clusters}: holds other proteins than {proteins}; make it again from that table"
        )
    fold_of = {a: TEMPORAL for a, day in created.items() if after and day and day >= after}
    free = sorted(set(created) - set(fold_of))
    wanted = [fold for fold in SIZED_FOLDS if fractions.get(fold)]
    sizes = _fold_sizes({fold: fractions[fold] for fold in wanted}, len(free), minimum)
    distinct = len({cluster_of[a] for a in free})
    if distinct < len(wanted) + 1:
        raise InputError(
            f"{len(free)} proteins in {distinct} clusters cannot fill {len(wanted) + 1} folds: "
            "give more proteins, raise split.cluster.min_identity or set a fold's fraction to 0"
        )
    for fold in wanted:
        groups = identity if fold == IN_DISTRIBUTION else cluster_of
        remaining = [a for a in free if a not in fold_of]
        order = derive_seed(seed, "split", fold)
        picked = _fill(remaining, groups, sizes[fold], order)
        if len(picked) < sizes[fold]:
            raise InputError(
                f"fold {fold} needs {sizes[fold]} proteins, but only {len(picked)} fit: the "
                f"remaining {len(remaining)} are in {len({groups[a] for a in remaining})} "
                "clusters; lower split.minimum or the fold's fraction, or raise "
                "split.cluster.min_identity"
            )
        fold_of |= dict.fromkeys(picked, fold)
    if len(fold_of) == len(created):
        raise InputError("no protein is left for training: lower split.fractions")
    rows = [
        {"accession": a, "cluster": cluster_of[a], "fold": fold_of.get(a, TRAIN)} for a in created
    ]
    written = write_table(folds, "folds", rows, read_metadata(proteins))
    print(f"proteins per fold: {fold_counts(written)}", file=sys.stderr)


def prune_train(
    proteins: Path,
    folds: Path,
    split: Path,
    *,
    criterion: Mapping[str, float],
    threads: int,
) -> None:
    """Remove training and validation proteins that match a low-homology test protein.

    Both directions are searched, because E-values depend on the size of the searched side. They
    count as if only what is left had been searched (`find_leaks`). Removed proteins stay in the
    table without a fold. Then each test and validation protein gets its nearest training protein:
    the best bit score of those hits that reach the criterion's E-value, none if there is none.

    Parameters
    ----------
    proteins, folds
        The tables.
    split
        The split table to write.
    criterion
        ``min_identity`` (of the alignment), ``min_coverage`` (of the test protein) and
        ``max_evalue``; a hit has to meet all three.
    threads
        CPU threads; no influence on the result.

    Raises
    ------
    InputError
        If the criterion is wrong or no training protein is left.
    """
    check_criterion(criterion)
    sequence_of = _mapping(read_table(proteins, "proteins", ["accession", "sequence"]), "sequence")
    rows = read_table(folds, "folds").to_pylist()
    fold_of: dict[str, str | None] = {row["accession"]: row["fold"] for row in rows}
    tests = _pick(sequence_of, fold_of, [LOW_HOMOLOGY])
    others = _pick(sequence_of, fold_of, [TRAIN, VALIDATION])
    leaks = find_leaks(tests, others, criterion, threads=threads)
    dropped = {hit["other"]: _reason(hit) for hit in leaks.to_pylist()}
    fold_of |= dict.fromkeys(dropped)
    for fold in (TRAIN, VALIDATION):
        before = sum(row["fold"] == fold for row in rows)
        if before and not _pick(sequence_of, fold_of, [fold]):
            raise InputError(
                f"all {before} proteins of fold {fold} match a low-homology test protein: give "
                "more proteins or relax split.criterion"
            )
    nearest = nearest_hits(
        _pick(sequence_of, fold_of, [fold for fold in FOLDS if fold != TRAIN]),
        _pick(sequence_of, fold_of, [TRAIN]),
        max_evalue=criterion["max_evalue"],
        threads=threads,
    )
    out = []
    for row in rows:
        hit = nearest.get(row["accession"], {})
        out.append(
            {
                "accession": row["accession"],
                "cluster": row["cluster"],
                "fold": fold_of[row["accession"]],
                "dropped_reason": dropped.get(row["accession"]),
                "max_train_identity": hit.get("identity"),
                "max_train_coverage": hit.get("query_coverage"),
                "nearest_train_accession": hit.get("target"),
            }
        )
    written = write_table(split, "split", out, read_metadata(proteins))
    print(f"dropped {len(dropped)}; proteins per fold: {fold_counts(written)}", file=sys.stderr)


def fold_counts(table: pa.Table) -> dict[str, int]:
    """Return the number of proteins of each fold, empty ones included."""
    present = table["fold"].to_pylist()
    return {fold: present.count(fold) for fold in FOLDS}


def _fill(members: Sequence[str], groups: Mapping[str, str], size: int, seed: int) -> list[str]:
    """Pick whole groups in seeded order until there are `size` members."""
    grouped: dict[str, list[str]] = {}
    for member in members:
        grouped.setdefault(groups[member], []).append(member)
    picked: list[str] = []
    for group in sorted(grouped, key=lambda name: (unit_hash(seed, name), name)):
        if len(picked) >= size:
            break
        if len(grouped[group]) <= 2 * (size - len(picked)):
            picked += grouped[group]
    return picked


def _fold_sizes(fractions: Mapping[str, float], count: int, minimum: int) -> dict[str, int]:
    def sizes(fewest: int) -> dict[str, int]:
        return {fold: max(fewest, round(share * count)) for fold, share in fractions.items()}

    relaxed = min(minimum, max(1, count // (2 * max(1, len(fractions)))))
    if relaxed < minimum and sum(sizes(minimum).values()) > count / 2:
        print(
            f"warning: {count} proteins are too few for folds of at least {minimum}; "
            f"at least {relaxed} it is, and their numbers mean little",
            file=sys.stderr,
        )
        return sizes(relaxed)
    return sizes(minimum)


def _check_fractions(fractions: Mapping[str, float], minimum: int) -> None:
    if unknown := sorted(set(fractions) - set(SIZED_FOLDS)):
        raise InputError(
            f"split.fractions.{unknown[0]}: no such fold; allowed are {', '.join(SIZED_FOLDS)}"
        )
    if any(not 0 <= share < 1 for share in fractions.values()) or sum(fractions.values()) >= 1:
        raise InputError("split.fractions must each be at least 0 and together below 1")
    if minimum < 1:
        raise InputError("split.minimum must be at least 1")


def _iso_date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InputError(f"split.temporal_after: {text!r} is not a date like 2020-01-31") from None


def _mapping(table: pa.Table, column: str) -> dict[str, Any]:
    return dict(zip(table["accession"].to_pylist(), table[column].to_pylist(), strict=True))


def _pick(
    sequence_of: Mapping[str, str], fold_of: Mapping[str, str | None], folds: Iterable[str]
) -> dict[str, str]:
    wanted = set(folds)
    return {a: sequence_of[a] for a, fold in fold_of.items() if fold in wanted}


def _reason(hit: Mapping[str, Any]) -> str:
    return (
        f"matches low-homology test protein {hit['test']}: identity {hit['identity']:.3f} over "
        f"{hit['coverage']:.3f} of it, E-value {hit['evalue']:.1e}"
    )
