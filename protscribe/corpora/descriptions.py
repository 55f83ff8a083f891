"""The corpus ``descriptions``: each protein's curated function statement as one conversation."""

import sys
from pathlib import Path

from protscribe.errors import InputError
from protscribe.prompts import PROTEIN_MARKER
from protscribe.tables import read_metadata, read_table, write_table

CORPUS = "descriptions"


def make_descriptions(
    proteins: Path,
    split: Path,
    conversations: Path,
    *,
    licence: str,
) -> None:
    """Write one conversation per protein that has a fold.

    Parameters
    ----------
    proteins, split
        The tables.
    conversations
        The conversations table to write: a user turn that holds the bare protein, and the
        function statement as the assistant's turn. A system's own words come later
        (`prompted.make_prompts`).
    licence
        Licence of the statements.

    Raises
    ------
    InputError
        If the tables do not belong together or nothing has a fold.
    """
    texts = read_table(proteins, "proteins", ["accession", "function"]).to_pylist()
    function_of = {row["accession"]: row["function"] for row in texts}
    placed = read_table(split, "split", ["accession", "fold"]).to_pylist()
    if {row["accession"] for row in placed} != set(function_of):
        raise InputError(f"{split}: holds other proteins than {proteins}; make it again")
    rows = []
    for row in placed:
        if row["fold"] is None:
            continue
        rows.append(
            {
                "id": f"{CORPUS}:{row['accession']}",
                "accession": row["accession"],
                "corpus": CORPUS,
                "task": "describe",
                "fold": row["fold"],
                "context": "function_statement",
                "turns": [
                    {"role": "user", "content": PROTEIN_MARKER},
                    {"role": "assistant", "content": function_of[row["accession"]]},
                ],
                "evidence_span": None,
                "pubmed_id": None,
                "licence": licence,
                "writer": "curated",
                "writer_revision": None,
                "prompt_hash": None,
                "seed": None,
            }
        )
    if not rows:
        raise InputError(f"{split}: no protein has a fold, so there is nothing to describe")
    write_table(conversations, "conversations", rows, read_metadata(proteins))
    print(
        f"{len(rows)} descriptions; {len(placed) - len(rows)} proteins are dropped by the split",
        file=sys.stderr,
    )
