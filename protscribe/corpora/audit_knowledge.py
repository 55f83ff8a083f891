"""The audit of what is made from the knowledge graph: no edge of a test protein is in it."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.corpora.holdout import TRAINED_ON, Holdout, refuse
from protscribe.homology.split import TRAIN, fold_counts
from protscribe.tables import read_table

_TRIPLE = ["accession", "relation", "annotation"]
_PROTEIN = "protein"


def audit_triples(path: Path, holdout: Holdout) -> dict[str, Any]:
    """Audit table ``knowledge_triples``: each edge is of the fold of its protein.

    Returns
    -------
    dict
        Edges of each fold, the annotations of test proteins, and how many of them no training
        protein has.

    Raises
    ------
    InputError
        If a fold disagrees with the split, or a training protein is identical to a test protein.
    """
    table = read_table(path, "knowledge_triples")
    folds = holdout.folds(path, table["accession"])
    wrong = pc.or_kleene(pc.is_null(table["fold"]), pc.not_equal(table["fold"], folds))
    if bad := _names(table.filter(wrong)):
        refuse(path, f"{len(bad)} edges are of another fold than their protein", bad)
    training = table.filter(pc.equal(folds, TRAIN))
    holdout.trained_on(path, training, "training edges")
    tests = holdout.of_tests(table)["annotation"].unique()
    known = pc.is_in(tests, training["annotation"].unique())
    return {
        "rows": fold_counts(table),
        "annotations_of_tests": len(tests),
        "annotations_of_tests_never_trained_on": len(tests) - (pc.sum(known).as_py() or 0),
    }


def audit_sampled(path: Path, triples: Path | None, holdout: Holdout) -> dict[str, Any]:
    """Audit table ``sampled_triples``: all are edges of training proteins.

    Returns
    -------
    dict
        Edges and draws.

    Raises
    ------
    InputError
        If one is of a test protein, of one identical to it, of one not for training, or not in
        the graph.
    """
    table = read_table(path, "sampled_triples")
    if bad := _names(holdout.of_tests(table)):
        refuse(path, f"{len(bad)} edges are those of a test protein", bad)
    placed = holdout.trained_on(path, table, "edges")
    if bad := placed.filter(pc.not_equal(placed["fold"], TRAIN))["accession"].to_pylist():
        refuse(path, f"edges of {len(bad)} proteins that are not for training", bad)
    if triples is not None:
        graph = read_table(triples, "knowledge_triples", _TRIPLE)
        if bad := _names(table.join(graph, _TRIPLE, join_type="left anti")):
            refuse(path, f"{len(bad)} edges are not in the graph", bad)
    return {"rows": table.num_rows, "draws": pc.sum(table["draws"]).as_py() or 0}


def audit_vectors(path: Path, holdout: Holdout) -> dict[str, Any]:
    """Audit table ``knowledge_vectors``: proteins with a vector are training proteins.

    Returns
    -------
    dict
        Vectors of each kind.

    Raises
    ------
    InputError
        If one is of a test protein, of one identical to it, or of one not for training.
    """
    table = read_table(path, "knowledge_vectors", ["id", "kind"])
    # Whatever its kind: an accession is no name of anything else.
    tests = holdout.of_tests(table.rename_columns(["accession", "kind"]))
    if bad := tests["accession"].to_pylist():
        refuse(path, f"vectors of {len(bad)} test proteins", bad)
    proteins = table.filter(pc.equal(table["kind"], _PROTEIN)).rename_columns(["accession", "kind"])
    placed = holdout.trained_on(path, proteins, "vectors")
    if bad := placed.filter(pc.not_equal(placed["fold"], TRAIN))["accession"].to_pylist():
        refuse(path, f"vectors of {len(bad)} proteins that are not for training", bad)
    kinds = table["kind"].value_counts().to_pylist()
    return {"rows": {row["values"]: row["counts"] for row in kinds}}


def audit_conversations(path: Path, holdout: Holdout) -> dict[str, Any]:
    """Audit table ``conversations``: each is of the fold of its protein.

    Returns
    -------
    dict
        Conversations of each fold and task.

    Raises
    ------
    InputError
        If one that is trained on is of a test protein or of one identical to it, or a fold
        disagrees with the split.
    """
    table = read_table(path, "conversations", ["id", "accession", "task", "fold"])
    folds = holdout.folds(path, table["accession"])
    trained = table.filter(pc.is_in(table["fold"], pa.array(TRAINED_ON)))
    holdout.trained_on(path, trained, "conversations")
    wrong = pc.or_kleene(pc.is_null(table["fold"]), pc.not_equal(table["fold"], folds))
    if bad := table.filter(wrong)["id"].to_pylist():
        refuse(path, f"{len(bad)} rows are of another fold than their protein", bad)
    tasks = table["task"].value_counts().to_pylist()
    return {
        "rows": fold_counts(table),
        "tasks": {row["values"]: row["counts"] for row in tasks},
    }


def _names(edges: pa.Table) -> list[str]:
    return sorted(
        "({})".format(", ".join(row.values())) for row in edges.select(_TRIPLE).to_pylist()
    )
