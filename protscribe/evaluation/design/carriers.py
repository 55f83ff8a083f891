"""Which proteins have an annotation, and which of them a generator cannot have learned from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.errors import InputError
from protscribe.homology.split import TRAIN
from protscribe.tables import read_table

IMPLIES = ("is_a", "part_of")
"""Edges along which a protein that has the child has the parent too."""


@dataclass(frozen=True)
class Placed:
    """Proteins that the split did not drop.

    Parameters
    ----------
    folds, clusters
        Fold and homology cluster of each accession.
    sequences
        Sequence of each accession; empty where nobody asked for them.
    """

    folds: Mapping[str, str]
    clusters: Mapping[str, str]
    sequences: Mapping[str, str]

    @cached_property
    def training(self) -> dict[str, str]:
        """Sequences of the training fold, by accession, in its order."""
        return {a: self.sequences[a] for a in sorted(self.folds) if self.folds[a] == TRAIN}

    @cached_property
    def held_out(self) -> list[str]:
        """Accessions of all other folds, sorted."""
        return sorted(a for a, fold in self.folds.items() if fold != TRAIN)

    @cached_property
    def evidence(self) -> list[str]:
        """Accessions of other folds whose whole cluster is outside the training fold, sorted.

        Test proteins of the in-distribution and the temporal fold can have training proteins in
        their clusters; what those teach a classifier, a generator may have learned by heart.
        """
        known = {self.clusters[a] for a, fold in self.folds.items() if fold == TRAIN}
        return [a for a in self.held_out if self.clusters[a] not in known]


def read_placed(split: Path, proteins: Path | None = None) -> Placed:
    """Read which proteins have a fold, and their sequences where a table of them is given.

    Raises
    ------
    InputError
        If no protein is for training, or a protein of the split is not in the proteins table.
    """
    table = read_table(split, "split", ["accession", "cluster", "fold"])
    table = table.filter(pc.is_valid(table["fold"]))
    accessions, clusters, folds = (table[name].to_pylist() for name in table.column_names)
    if TRAIN not in folds:
        raise InputError(f"{split}: no protein is in fold {TRAIN}; split again with more proteins")
    sequences: dict[str, str] = {}
    if proteins is not None:
        rows = read_table(proteins, "proteins", ["accession", "sequence"])
        rows = rows.filter(pc.is_in(rows["accession"], pa.array(accessions, pa.string())))
        sequences = dict(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True))
        if missing := sorted(set(accessions) - set(sequences)):
            raise InputError(f"{proteins}: lacks {missing[0]}, which {split} holds; split again")
    placed = dict(zip(accessions, folds, strict=True))
    return Placed(placed, dict(zip(accessions, clusters, strict=True)), sequences)


def read_carriers(
    triples: Path, annotations: Collection[str], edges: Path | None = None
) -> dict[str, set[str]]:
    """Return the proteins that have each annotation.

    Parameters
    ----------
    triples
        Table ``knowledge_triples``, of all folds.
    annotations
        Ids of annotations; one that no protein has gets an empty set.
    edges
        Table ``knowledge_edges``: a protein that has a descendant of an annotation along
        `IMPLIES` has the annotation too. Without it, only what triples say counts.

    Returns
    -------
    dict
        Annotation to accessions.
    """
    narrower = _descendants(edges, annotations) if edges else {a: {a} for a in annotations}
    wanted: dict[str, list[str]] = {}
    for annotation in sorted(narrower):
        for child in sorted(narrower[annotation]):
            wanted.setdefault(child, []).append(annotation)
    table = read_table(triples, "knowledge_triples", ["accession", "annotation"])
    table = table.filter(pc.is_in(table["annotation"], pa.array(sorted(wanted), pa.string())))
    carriers: dict[str, set[str]] = {annotation: set() for annotation in annotations}
    columns = (table[name].to_pylist() for name in table.column_names)
    for accession, child in zip(*columns, strict=True):
        for annotation in wanted[child]:
            carriers[annotation].add(accession)
    return carriers


def _descendants(edges: Path, annotations: Collection[str]) -> dict[str, set[str]]:
    """Return each annotation with all that imply it."""
    table = read_table(edges, "knowledge_edges", ["child", "relation", "parent"])
    table = table.filter(pc.is_in(table["relation"], pa.array(IMPLIES)))
    children: dict[str, list[str]] = {}
    columns = (table[name].to_pylist() for name in ("child", "parent"))
    for child, parent in zip(*columns, strict=True):
        children.setdefault(parent, []).append(child)
    found: dict[str, set[str]] = {}
    for annotation in annotations:
        reached, waiting = {annotation}, [annotation]
        while waiting:
            new = [c for c in children.get(waiting.pop(), ()) if c not in reached]
            reached.update(new)
            waiting += new
        found[annotation] = reached
    return found
