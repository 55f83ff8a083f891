"""Question and answer pairs, the proteins that they are about, and how both are written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers_data import write_proteins, write_split
from protscribe.tables import write_table

SPAN = "ACC1 binds zinc ions in the cytosol"

SEQUENCES = {
    "TRAIN1": "MKVLA",
    "TRAIN2": "MKWLAGG",
    "VALID1": "MSTNP",
    "TEST1": "MHHWQRS",
    "TEST2": "MCCDE",
    "GONE1": "MNNPQ",
}
FOLDS: dict[str, str | None] = {
    "TRAIN1": "train",
    "TRAIN2": "train",
    "VALID1": "validation",
    "TEST1": "test_low_homology",
    "TEST2": "test_in_distribution",
    "GONE1": None,
}


def pair(accession: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """Return a row of the table of pairs, written from an abstract; PubMed id by `pubmed_id`."""
    pubmed_id = more.get("pubmed_id", f"100{number}")
    writer = more.get("writer", "language_model")
    row = {
        "id": f"{accession}:{pubmed_id}:{writer}:{number}",
        "accession": accession,
        "context_id": f"{accession}:{pubmed_id}",
        "context": "abstract",
        "category": "binding",
        "question": f"What does this protein bind, number {number}?",
        "answer": "This protein binds zinc ions.",
        "evidence_span": SPAN,
        "span_start": 4,
        "span_end": 4 + len(SPAN),
        "pubmed_id": pubmed_id,
        "licence": "CC BY 4.0",
        "writer": writer,
        "writer_revision": "0" * 64,
        "prompt_hash": "1" * 64,
        "seed": 7,
    }
    return row | more


def write_pairs(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write a table of pairs."""
    write_table(path, "qa_pairs", rows)
    return path


def write_house(
    folder: Path, folds: Mapping[str, str | None] = FOLDS, **facts: Mapping[str, Any]
) -> tuple[Path, Path]:
    """Write the proteins and split tables; `facts` maps accessions to further columns."""
    sequences = {name: SEQUENCES[name] for name in folds}
    named = {
        name: {"protein_name": f"Protein {name}"} | dict(facts.get(name, {})) for name in folds
    }
    proteins = write_proteins(folder / "proteins.parquet", sequences, **named)
    return proteins, write_split(folder / "split.parquet", folds)


def write_scores(path: Path, blind: Mapping[str, float], max_loss: float = 1.0) -> Path:
    """Write a table of scores; `blind` maps pair ids to losses."""
    rows = [
        {
            "id": name,
            "answer_tokens": 5,
            "blind_loss": loss,
            "prior_loss": 2 * loss,
            "answered_blind": loss <= max_loss,
        }
        for name, loss in blind.items()
    ]
    facts = {"blind_name": "tiny", "blind_max_loss": str(max_loss), "release": "none"}
    write_table(path, "qa_scores", rows, facts)
    return path
