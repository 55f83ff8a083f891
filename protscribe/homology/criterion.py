"""Which pairs of proteins count as homologues, and which protein is the nearest one."""

import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.errors import InputError
from protscribe.homology import mmseqs

_HIT_FACTS = ("identity", "evalue", "bits")


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


def matches(
    tests: Mapping[str, str],
    others: Mapping[str, str],
    criterion: Mapping[str, float],
    *,
    sensitivity: float,
    threads: int,
) -> list[dict[str, Any]]:
    """Find the pairs of a test protein and another one that meet a criterion.

    Both directions are searched, since E-values differ. Identical sequences count whatever the
    search says: MMseqs2 finds no hit for very short or repetitive ones.

    Parameters
    ----------
    tests, others
        Accession to sequence.
    criterion
        ``min_identity`` (of the alignment), ``min_coverage`` (of the test protein) and
        ``max_evalue``; a hit has to meet all three.
    sensitivity, threads
        As in `mmseqs.search`.

    Returns
    -------
    list of dict
        ``test``, ``other``, ``identity``, ``coverage``, ``evalue``, ``bits``, by both accessions;
        of the two directions the one with the higher score.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for forward in (True, False):
        hits = mmseqs.search(
            tests if forward else others,
            others if forward else tests,
            sensitivity=sensitivity,
            max_evalue=criterion["max_evalue"],
            threads=threads,
        )
        covered = "query_coverage" if forward else "target_coverage"
        keep = pc.and_(
            pc.greater_equal(hits["identity"], criterion["min_identity"]),
            pc.greater_equal(hits[covered], criterion["min_coverage"]),
        )
        for hit in hits.filter(keep).to_pylist():
            pair = (hit["query"], hit["target"]) if forward else (hit["target"], hit["query"])
            values = {"coverage": hit[covered], **{k: hit[k] for k in _HIT_FACTS}}
            if pair not in found or values["bits"] > found[pair]["bits"]:
                found[pair] = {"test": pair[0], "other": pair[1], **values}
    by_sequence: dict[str, list[str]] = {}
    for accession, sequence in others.items():
        by_sequence.setdefault(sequence, []).append(accession)
    for test, sequence in tests.items():
        for other in by_sequence.get(sequence, []):
            same = {"identity": 1.0, "coverage": 1.0, "evalue": 0.0, "bits": math.inf}
            found.setdefault((test, other), {"test": test, "other": other, **same})
    return [found[pair] for pair in sorted(found)]


def nearest_hits(
    queries: Mapping[str, str],
    targets: Mapping[str, str],
    *,
    max_evalue: float,
    sensitivity: float,
    threads: int,
) -> dict[str, dict[str, Any]]:
    """Return each query's hit with the best bit score (then E-value, then accession).

    Returns
    -------
    dict
        Accession to a row of `mmseqs.HIT_SCHEMA`; queries without a hit are missing.
    """
    hits = mmseqs.search(
        queries,
        targets,
        sensitivity=sensitivity,
        max_evalue=max_evalue,
        threads=threads,
    )
    # The hits of a query come best first.
    first = hits.append_column("row", pa.array(range(hits.num_rows), pa.int64()))
    rows = first.group_by("query").aggregate([("row", "min")])["row_min"].sort()
    return {hit["query"]: hit for hit in hits.take(rows).to_pylist()}
