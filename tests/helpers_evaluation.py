"""Small tables for tests of evaluation and report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protscribe.prompts import PROTEIN_MARKER
from protscribe.schemas import TABLES
from protscribe.tables import write_table


def fill(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole row of a table, null where nothing is given."""
    return {column: row.get(column) for column in TABLES[name].schema.names}


def write_conversations(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write one conversation per row of accession, fold and answer (task and id may be given)."""
    write_table(
        path,
        "conversations",
        [
            fill(
                "conversations",
                {
                    "id": f"descriptions:{row['accession']}",
                    "task": "describe",
                    "corpus": "descriptions",
                    "turns": [
                        {"role": "user", "content": PROTEIN_MARKER},
                        {"role": "assistant", "content": row["answer"]},
                    ],
                }
                | dict(row),
            )
            for row in rows
        ],
    )
    return path


def qa_row(
    accession: str, fold: str, question: str, answer: str, number: int = 1
) -> dict[str, Any]:
    """Return a row for `write_conversations` that asks a question about a protein."""
    return {
        "id": f"qa:{accession}:{number}",
        "accession": accession,
        "corpus": "qa",
        "task": "answer",
        "fold": fold,
        "answer": answer,
        "turns": [
            {"role": "user", "content": f"{PROTEIN_MARKER}\n{question}"},
            {"role": "assistant", "content": answer},
        ],
    }


def write_proteins(path: Path, sequences: Mapping[str, str]) -> Path:
    """Write a proteins table of accessions and sequences."""
    write_table(
        path,
        "proteins",
        [fill("proteins", {"accession": a, "sequence": s}) for a, s in sequences.items()],
    )
    return path


def write_split(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write a split table of accession, cluster, fold and max_train_identity."""
    write_table(path, "split", [fill("split", row) for row in rows])
    return path


def write_predictions(
    path: Path,
    predictor: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    examples: int = 10,
    steps: int = 0,
) -> Path:
    """Write predictions of accession, reference and prediction (fold etc. may be given)."""
    facts = {
        "predictor": predictor,
        "training_examples": str(examples),
        "training_steps": str(steps),
    }
    defaults = {
        "task": "describe",
        "fold": "test_low_homology",
        "condition": "sequence",
        "training_seed": 0,
        "finish_reason": "stop",
    }
    whole = [defaults | {"id": f"descriptions:{row['accession']}"} | dict(row) for row in rows]
    write_table(path, "predictions", [fill("predictions", row) for row in whole], facts)
    return path
