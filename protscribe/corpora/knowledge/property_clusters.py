"""Clusters of training proteins that are alike in sequence and in what is known of them.

Homologues with different functions are hard examples for a model, so they must not share the one
chance to be drawn that a cluster has.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.corpora.knowledge.training_triples import read_training_triples
from protscribe.errors import InputError
from protscribe.homology import mmseqs
from protscribe.tables import read_metadata, read_table, write_table


def cluster_knowledge(
    proteins: Path,
    triples: Path,
    vectors: Path,
    output: Path,
    *,
    min_identity: float,
    min_coverage: float,
    max_distance: float,
    threads: int,
) -> None:
    """Cluster the training proteins of the graph by sequence and, within that, by property.

    Parameters
    ----------
    proteins
        The proteins table, for the sequences.
    triples
        Table ``knowledge_triples``; proteins without a training triple are left out.
    vectors
        Table ``knowledge_vectors``, with a vector of length 1 for each of these proteins.
    output
        Table ``clusters`` to write; a cluster is named after its leader. Its metadata says how
        many clusters there are, by sequence alone and by both.
    min_identity, min_coverage
        Fractions that a protein shares with its sequence cluster's representative.
    max_distance
        Largest L2 distance to the leader's vector. That of unrelated vectors of length 1 is about
        1.41, so that the published 1.4 parts only proteins that have next to nothing in common; 2
        leaves the sequence clusters whole.
    threads
        CPU threads; no influence on the result.

    Raises
    ------
    InputError
        If `max_distance` is negative, or a training protein has no sequence or no vector.
    """
    if not max_distance >= 0:
        raise InputError(
            f"knowledge.sampling.max_distance is {max_distance!r}; give 0 (alike in every "
            "triple) to 2 (any)"
        )
    accessions = read_training_triples(triples)["accession"].unique().to_pylist()
    sequences = _sequences(proteins, accessions)
    points = _vectors(vectors, accessions)
    by_sequence = mmseqs.cluster(
        sequences, min_identity=min_identity, min_coverage=min_coverage, threads=threads
    )
    found = split_by_property(by_sequence, dict(zip(accessions, points, strict=True)), max_distance)
    counts = {
        "sequence_clusters": str(len(set(by_sequence.values()))),
        "property_clusters": str(len(set(found.values()))),
    }
    rows = [{"accession": a, "cluster": c} for a, c in found.items()]
    write_table(output, "clusters", rows, {**read_metadata(triples), **counts})
    print(f"{len(rows)} proteins, clusters: {counts}", file=sys.stderr)


def split_by_property(
    clusters: Mapping[str, str], vectors: Mapping[str, np.ndarray], max_distance: float
) -> dict[str, str]:
    """Split clusters so that each member's vector is near that of its cluster's leader.

    The first protein leads, all within `max_distance` of it join it, the first of those that are
    left leads the next cluster, and so on. The old representative comes first, then the others
    by accession. This gives what MMseqs2's own clusters give, nearness to one member that stands
    for the cluster. Linkage methods would need the distances of all pairs, and a family can have
    tens of thousands of members; here memory grows with the members alone.

    Parameters
    ----------
    clusters
        Accession to the accession of its cluster's representative.
    vectors
        Accession to vector (dim).
    max_distance
        Largest L2 distance to the leader.

    Returns
    -------
    dict
        Accession to the accession of its leader, in order of accessions.
    """
    members: dict[str, list[str]] = {}
    for accession in sorted(clusters):
        members.setdefault(clusters[accession], []).append(accession)
    leader_of: dict[str, str] = {}
    for representative, group in members.items():
        names = np.array(sorted(group, key=lambda name: (name != representative, name)))
        points = np.stack([vectors[name] for name in names]).astype(np.float64)
        while len(names):
            near = np.linalg.norm(points - points[0], axis=1) <= max_distance
            near[0] = True
            leader_of |= dict.fromkeys(names[near].tolist(), str(names[0]))
            names, points = names[~near], points[~near]
    return {accession: leader_of[accession] for accession in sorted(leader_of)}


def _sequences(proteins: Path, accessions: list[str]) -> dict[str, str]:
    table = read_table(proteins, "proteins", ["accession", "sequence"])
    table = table.filter(pc.is_in(table["accession"], value_set=pa.array(accessions, pa.string())))
    columns = (table[column].to_pylist() for column in ("accession", "sequence"))
    sequences = {a: s for a, s in zip(*columns, strict=True) if s}
    _need(proteins, accessions, sequences, "sequence", "make the graph again from this table")
    return sequences


def _vectors(path: Path, accessions: list[str]) -> np.ndarray:
    """Return the proteins' vectors (proteins x dim) in the order of the accessions."""
    table = read_table(path, "knowledge_vectors")
    table = table.filter(pc.equal(table["kind"], "protein")).combine_chunks()
    names = table["id"].to_pylist()
    _need(path, accessions, dict.fromkeys(names), "vector", "embed the graph again")
    lengths = pc.list_value_length(table["vector"]).unique().to_pylist()
    if len(lengths) != 1:
        raise InputError(f"{path}: vectors have {lengths} numbers; embed the graph again")
    numbers = pc.list_flatten(table["vector"]).to_numpy().reshape(len(names), lengths[0])
    row_of = {name: row for row, name in enumerate(names)}
    return numbers[[row_of[accession] for accession in accessions]]


def _need(
    path: Path, accessions: list[str], present: Mapping[str, object], what: str, remedy: str
) -> None:
    if missing := [accession for accession in accessions if accession not in present]:
        raise InputError(
            f"{path}: {len(missing)} training proteins of the graph have no {what}, "
            f"first {missing[0]}; {remedy}"
        )
