"""The knowledge graph: triples of proteins, and edges between their annotations.

After the graph of InstructProtein (Wang et al. 2024), which takes nine fields of Swiss-Prot as
relations; here there are more (`relations.RELATIONS`), and the annotations are linked as well.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.corpora.knowledge.annotations import (
    Annotation,
    Reading,
    Refusal,
    settle,
    settled_edges,
)
from protscribe.corpora.knowledge.degrees import count_relations, write_degrees
from protscribe.corpora.knowledge.edges import add_wider, check_acyclic
from protscribe.corpora.knowledge.relations import check_relations
from protscribe.corpora.knowledge.statements import COLUMNS, Numbers, Statements, read_statements
from protscribe.corpora.knowledge.vocabularies import Vocabularies
from protscribe.errors import InputError
from protscribe.tables import read_metadata, read_table, write_table

STAGE = "build_knowledge_graph"
UNNAMED, NO_KNOWLEDGE, DROPPED = "unnamed", "no_knowledge", "dropped_by_split"


def build_knowledge_graph(
    proteins: Path,
    split: Path,
    annotations: Path,
    triples: Path,
    edges: Path,
    counts: Path,
    degrees: Path,
    rejects: Path,
    *,
    relations: Sequence[str],
    vocabularies: Mapping[str, Path],
) -> None:
    """Make the tables of the knowledge graph.

    A statement is a distinct value of a field of a protein's entry. It gives one triple or more
    (a family and its subfamily; statements that mean the same give the same triple), or a row of
    rejects; what it says of a relation that was not chosen is passed over.

    Parameters
    ----------
    proteins, split
        The tables. Proteins without a fold are left out, and listed in the rejects.
    annotations
        Table ``knowledge_annotations``: annotations of proteins, and all that is wider.
    triples
        Table ``knowledge_triples``.
    edges
        Table ``knowledge_edges``: edges whose both ends are in `annotations`.
    counts
        Table ``knowledge_counts``.
    degrees
        TSV file of degrees (`degrees.write_degrees`).
    rejects
        Statements, annotations and proteins that are not in the graph, each with its reason.
    relations
        Relations to take, of `relations.RELATIONS`.
    vocabularies
        Tables by name, of `vocabularies.TABLES`; each may be missing, those of the ontology
        together. Without the ontology, terms have no names, so that all of them are rejected.

    Raises
    ------
    InputError
        If a relation is unknown, the tables do not belong together, the graph is empty, or its
        edges is_a and part_of form a cycle.
    """
    chosen = check_relations(relations)
    known = Vocabularies(vocabularies)
    rows = read_table(proteins, "proteins", COLUMNS)
    placed, dropped = _with_folds(rows, proteins, split)
    statements = read_statements(placed, known, chosen)
    settled = settle(pair for found in statements for pair in found.weighted_mentions())
    table = _triples(placed, statements, settled, chosen)
    if not table.num_rows:
        raise InputError(
            f"{proteins}: no entry says anything that knowledge.relations "
            f"({', '.join(chosen)}) asks for; set ontology.source, or choose more relations"
        )
    used = set(table["annotation"].unique().to_pylist())
    links = settled_edges(_readings(statements), settled, chosen)
    used.update(end for link in links for end in (link.child, link.parent))
    nodes = {a.id: a for a in settled.values() if a.id in used}
    wider, unnamed = add_wider(nodes, known)
    links |= wider
    check_acyclic(links, vocabularies)
    unnamed |= _nameless(statements)
    refused = _refused_statements(placed, statements)
    facts = read_metadata(proteins)
    write_table(annotations, "knowledge_annotations", _columns(sorted(nodes.values())), facts)
    table = write_table(triples, "knowledge_triples", table, facts)
    write_table(edges, "knowledge_edges", [link._asdict() for link in sorted(links)], facts)
    write_table(counts, "knowledge_counts", count_relations(table, chosen), facts)
    write_degrees(table, degrees)
    in_graph = pc.is_in(placed["accession"], pc.unique(table["accession"]))
    others = [
        *((identifier, UNNAMED, detail) for identifier, detail in sorted(unnamed.items())),
        *(
            (accession, NO_KNOWLEDGE, "no statement of the entry is in the graph")
            for accession in placed["accession"].filter(pc.invert(in_graph)).to_pylist()
        ),
        *((accession, DROPPED, "the split gives it no fold") for accession in dropped),
    ]
    refused = pa.concat_tables(
        [refused, _rejects(*zip(*others, strict=True))] if others else [refused]
    )
    write_table(rejects, "rejects", refused, facts)
    _report(statements, table, nodes, len(links), refused)


def _with_folds(rows: pa.Table, proteins: Path, split: Path) -> tuple[pa.Table, list[str]]:
    """Return the proteins that have a fold, with it, and the accessions of the others."""
    folds = read_table(split, "split", ["accession", "fold"])
    fold_of = dict(zip(folds["accession"].to_pylist(), folds["fold"].to_pylist(), strict=True))
    accessions = rows["accession"].to_pylist()
    if fold_of.keys() != set(accessions):
        raise InputError(f"{split}: holds other proteins than {proteins}; make it again")
    rows = rows.append_column("fold", pa.array([fold_of[a] for a in accessions], pa.string()))
    placed = pc.is_valid(rows["fold"])
    return rows.filter(placed), rows.filter(pc.invert(placed))["accession"].to_pylist()


def _readings(statements: Iterable[Statements]) -> Iterator[Reading]:
    for found in statements:
        yield from (reading for reading in found.readings if isinstance(reading, Reading))


def _triples(
    placed: pa.Table,
    statements: Iterable[Statements],
    settled: Mapping[tuple[str, str], Annotation],
    chosen: Sequence[str],
) -> pa.Table:
    nodes = sorted(set(settled.values()))
    number_of = {node: number for number, node in enumerate(nodes)}
    pairs = [np.empty(0, np.int64)]
    for found in statements:
        # Numbers of the annotations of each value, one value after the other.
        numbers = [
            sorted({number_of[settled[m.key]] for m in reading.mentions if m.kind in chosen})
            if isinstance(reading, Reading)
            else []
            for reading in found.readings
        ]
        lengths = np.array([len(own) for own in numbers], np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        flat = np.array([number for own in numbers for number in own], np.int64)
        times = lengths[found.codes]
        within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        at = np.repeat(starts[found.codes], times) + within
        pairs.append(np.repeat(found.rows, times) * len(nodes) + flat[at])
    once: Numbers = np.unique(np.concatenate(pairs))
    rows, annotations = once // max(len(nodes), 1), once % max(len(nodes), 1)
    ids = pa.array([node.id for node in nodes], pa.string())
    kinds = pa.array([node.kind for node in nodes], pa.string())
    return pa.table(
        {
            "accession": placed["accession"].take(pa.array(rows)),
            "relation": kinds.take(pa.array(annotations)),
            "annotation": ids.take(pa.array(annotations)),
            "fold": placed["fold"].take(pa.array(rows)),
        }
    )


def _refused_statements(placed: pa.Table, statements: Iterable[Statements]) -> pa.Table:
    tables = [_rejects([], [], [])]
    for found in statements:
        refusals = [r if isinstance(r, Refusal) else Refusal("", "") for r in found.readings]
        refused = np.array([isinstance(r, Refusal) for r in found.readings], bool)[found.codes]
        codes = pa.array(found.codes[refused])
        accessions = placed["accession"].take(pa.array(found.rows[refused])).combine_chunks()
        said = found.values.take(codes)
        keys = pc.binary_join_element_wise(accessions, found.field, said, " ")
        reasons = pa.array([refusal.reason for refusal in refusals], pa.string()).take(codes)
        details = pa.array([refusal.detail for refusal in refusals], pa.string()).take(codes)
        tables.append(_rejects(keys, reasons, details))
    return pa.concat_tables(tables)


def _nameless(statements: Iterable[Statements]) -> dict[str, str]:
    """Return each annotation that has an id but no name, and how many statements go with it."""
    lost: Counter[str] = Counter()
    for found in statements:
        numbers = np.bincount(found.codes, minlength=len(found.values)).tolist()
        for reading, number in zip(found.readings, numbers, strict=True):
            if isinstance(reading, Refusal) and reading.annotation:
                lost[reading.annotation] += number
    return {key: f"has no name; {number} statements go with it" for key, number in lost.items()}


def _rejects(keys: Any, reasons: Any, details: Any) -> pa.Table:
    columns = {"key": keys, "reason": reasons, "detail": details}
    arrays = {
        name: column if isinstance(column, pa.Array) else pa.array(list(column), pa.string())
        for name, column in columns.items()
    }
    stage = pa.array([STAGE] * len(arrays["key"]), pa.string())
    return pa.table({"stage": stage, **arrays})


def _columns(nodes: Sequence[Annotation]) -> list[dict[str, str]]:
    return [node._asdict() for node in nodes]


def _report(
    statements: Sequence[Statements],
    triples: pa.Table,
    nodes: Mapping[str, Annotation],
    links: int,
    rejected: pa.Table,
) -> None:
    for found in statements:
        refused = np.array([isinstance(r, Refusal) for r in found.readings], bool)[found.codes]
        print(
            f"{found.field}: {len(found.rows)} statements, {int(refused.sum())} of them rejected",
            file=sys.stderr,
        )
    print(
        f"{triples.num_rows} triples of {len(triples['accession'].unique())} proteins; "
        f"{len(nodes)} annotations with {links} edges",
        file=sys.stderr,
    )
    for row in sorted(rejected["reason"].value_counts().to_pylist(), key=lambda r: r["values"]):
        print(f"rejected: {row['counts']} {row['values']}", file=sys.stderr)
