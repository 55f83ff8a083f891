"""How many triples each relation has, and how they spread over proteins and annotations."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.atomic import atomic_path

TRAIN = "train"
SIDES = {"protein": "accession", "annotation": "annotation"}
"""Column of the triples on each side of a relation."""


def count_relations(triples: pa.Table, relations: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows of table ``knowledge_counts``, one for each relation, empty ones too."""
    training = triples.filter(pc.equal(triples["fold"], TRAIN))
    counted = triples.group_by("relation").aggregate(
        [("accession", "count"), ("accession", "count_distinct"), ("annotation", "count_distinct")]
    )
    rows = {row["relation"]: row for row in counted.to_pylist()}
    trained = {
        row["values"]: row["counts"] for row in training["relation"].value_counts().to_pylist()
    }
    return [
        {
            "relation": relation,
            "triples": rows.get(relation, {}).get("accession_count", 0),
            "proteins": rows.get(relation, {}).get("accession_count_distinct", 0),
            "annotations": rows.get(relation, {}).get("annotation_count_distinct", 0),
            "training_triples": trained.get(relation, 0),
        }
        for relation in relations
    ]


def write_degrees(triples: pa.Table, path: Path) -> None:
    """Write how many proteins and annotations have how many triples of a relation.

    Parameters
    ----------
    triples
        Table ``knowledge_triples``.
    path
        TSV file with the columns ``relation``, ``side`` (``protein`` or ``annotation``),
        ``degree`` (triples of the relation that one has) and ``count`` (how many have as many),
        sorted by these. A degree that none has, zero too, is left out.
    """
    rows: list[tuple[str, str, int, int]] = []
    for side, column in SIDES.items():
        degrees = triples.group_by(["relation", column]).aggregate([([], "count_all")])
        spread = degrees.group_by(["relation", "count_all"]).aggregate([(column, "count")])
        rows += [
            (row["relation"], side, row["count_all"], row[f"{column}_count"])
            for row in spread.to_pylist()
        ]
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("relation", "side", "degree", "count"))
        writer.writerows(sorted(rows))
