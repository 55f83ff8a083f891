"""Which pairs of proteins count as homologues, and which protein is the nearest one."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.errors import InputError
from protscribe.homology import kmers, mmseqs

PAIR_SCHEMA = pa.schema(
    [
        ("test", pa.string()),
        ("other", pa.string()),
        ("identity", pa.float64()),
        ("coverage", pa.float64()),
        ("evalue", pa.float64()),
        ("bits", pa.float64()),
        ("forward", pa.bool_()),
    ]
)
"""Columns of `similar_pairs`; the coverage is that of the test protein."""


def check_criterion(criterion: Mapping[str, float]) -> None:
    """Check the settings of a homology criterion.

    Raises
    ------
    InputError
        If one is missing, unknown or out of range.
    """
    names = {"min_identity", "min_coverage", "max_evalue"}
    if set(criterion) != names:
        raise InputError(f"split.criterion must hold exactly {', '.join(sorted(names))}")
    for name in ("min_identity", "min_coverage"):
        if not 0 <= criterion[name] <= 1:
            raise InputError(f"split.criterion.{name} must be between 0 and 1")
    if criterion["max_evalue"] <= 0:
        raise InputError("split.criterion.max_evalue must be above 0")


def similar_pairs(
    tests: Mapping[str, str], others: Mapping[str, str], *, max_evalue: float, threads: int
) -> pa.Table:
    """Search test proteins against others, and the others against them, since E-values differ.

    Identical sequences are pairs at an E-value of 0 whatever the search says: MMseqs2 finds no hit
    for very short or repetitive ones.

    Parameters
    ----------
    tests, others
        Accession to sequence.
    max_evalue
        Largest E-value of a pair, relative to the side that was searched.
    threads
        CPU threads; no influence on the result.

    Returns
    -------
    pyarrow.Table
        Columns of `PAIR_SCHEMA`, by both accessions and then the best direction first. A pair
        stands there once for each direction that has a hit; ``forward`` is true where the others
        were searched.
    """
    if mmseqs.aligns_every_pair(len(tests), len(others)):
        forward = mmseqs.search(tests, others, max_evalue=max_evalue, threads=threads)
        backward = mmseqs.search(others, tests, max_evalue=max_evalue, threads=threads)
    else:
        forward, backward = kmers.search_both_ways(
            tests, others, max_evalue=max_evalue, threads=threads
        )
    names = ["query", "target", "identity", "query_coverage", "evalue", "bits"]
    turned = ["target", "query", "identity", "target_coverage", "evalue", "bits"]
    found = [
        hits.select(columns)
        .append_column("forward", pa.array([way] * hits.num_rows, pa.bool_()))
        .rename_columns(PAIR_SCHEMA.names)
        for hits, columns, way in ((forward, names, True), (backward, turned, False))
    ]
    table = pa.concat_tables([*found, _identical(tests, others)])
    order = [("test", "ascending"), ("other", "ascending"), ("bits", "descending")]
    return table.sort_by([*order, ("forward", "descending")])


def search_record(tests: int, others: int, max_evalue: float) -> list[dict[str, Any]]:
    """Return how `similar_pairs` searches so many proteins, for an audit's record."""
    every = mmseqs.aligns_every_pair(tests, others)
    flags = mmseqs.search_flags(max_evalue) if every else kmers.search_flags(max_evalue)
    command = "easy-search" if every else "prefilter, align"
    directions = (("test against others", tests, others), ("others against test", others, tests))
    return [
        {
            "direction": direction,
            "command": command,
            "flags": flags,
            "queries": queries,
            "targets": targets,
            "every_pair_aligned": every,
        }
        for direction, queries, targets in directions
    ]


def matching(pairs: pa.Table, criterion: Mapping[str, float], share: float = 1.0) -> pa.Table:
    """Return the pairs that meet a criterion.

    Parameters
    ----------
    pairs
        A table of `similar_pairs`.
    criterion
        ``min_identity`` (of the alignment), ``min_coverage`` (of the test protein) and
        ``max_evalue``; a row has to meet all three.
    share
        Share of the others' residues that counts. An E-value is proportional to the size of the
        searched side, so those of ``forward`` rows are multiplied by it.
    """
    scale = pc.if_else(pairs["forward"], share, 1.0)
    meets = pc.and_(
        pc.greater_equal(pairs["identity"], criterion["min_identity"]),
        pc.greater_equal(pairs["coverage"], criterion["min_coverage"]),
    )
    evalues = pc.multiply(pairs["evalue"], scale)
    return pairs.filter(pc.and_(meets, pc.less_equal(evalues, criterion["max_evalue"])))


def residue_share(sequences: Mapping[str, str], removed: Iterable[str]) -> float:
    """Return the share of the residues that is left without some of the proteins."""
    total = sum(map(len, sequences.values()))
    gone = sum(len(sequences[accession]) for accession in set(removed))
    return (total - gone) / total if total else 1.0


def find_leaks(
    tests: Mapping[str, str],
    others: Mapping[str, str],
    criterion: Mapping[str, float],
    *,
    threads: int,
) -> pa.Table:
    """Find the others that match a test protein once all that do are gone.

    Each removal shrinks what is searched, and with it the E-values of the rest. They follow from
    those of one search.

    Returns
    -------
    pyarrow.Table
        Columns of `PAIR_SCHEMA`: each such protein once, with its best match.
    """
    limit = 2 * criterion["max_evalue"]
    while True:
        pairs = similar_pairs(tests, others, max_evalue=limit, threads=threads)
        share, found = 1.0, matching(pairs, criterion)
        while (left := residue_share(others, found["other"].to_pylist())) < share:
            share, found = left, matching(pairs, criterion, left)
        if limit * share >= criterion["max_evalue"] or not share:
            break
        limit = 2 * criterion["max_evalue"] / share
    return first_rows(found.sort_by([("bits", "descending"), ("test", "ascending")]), "other")


def nearest_hits(
    queries: Mapping[str, str], targets: Mapping[str, str], *, max_evalue: float, threads: int
) -> dict[str, dict[str, Any]]:
    """Return each query's hit with the best bit score (then E-value, then accession).

    Returns
    -------
    dict
        Accession to a row of `mmseqs.HIT_SCHEMA`; queries without a hit are missing.
    """
    every = mmseqs.aligns_every_pair(len(queries), len(targets))
    search = mmseqs.search if every else kmers.search_nearest
    hits = search(queries, targets, max_evalue=max_evalue, threads=threads)
    # The hits of a query come best first.
    return {hit["query"]: hit for hit in first_rows(hits, "query").to_pylist()}


def first_rows(table: pa.Table, column: str) -> pa.Table:
    """Return the first row of each value of a column."""
    numbered = table.append_column("row", pa.array(range(table.num_rows), pa.int64()))
    rows = numbered.group_by(column).aggregate([("row", "min")])["row_min"].sort()
    return table.take(rows)


def _identical(tests: Mapping[str, str], others: Mapping[str, str]) -> pa.Table:
    """Return the pairs with identical sequences; without a score, so that hits come before."""
    by_sequence: dict[str, list[str]] = {}
    for test, sequence in tests.items():
        by_sequence.setdefault(sequence, []).append(test)
    facts = {"identity": 1.0, "coverage": 1.0, "evalue": 0.0, "bits": 0.0, "forward": True}
    rows = [
        {"test": test, "other": other, **facts}
        for other, sequence in others.items()
        for test in by_sequence.get(sequence, ())
    ]
    return pa.Table.from_pylist(rows, schema=PAIR_SCHEMA)
