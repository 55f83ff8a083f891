"""Tables for tests of sources, split and corpora."""

import random
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from protscribe.atomic import sha256_text
from protscribe.schemas import TABLES
from protscribe.tables import write_table

# Shares of the 20 residues in Swiss-Prot, so that made-up sequences align like real ones.
RESIDUES = "ALGVESIKRDTPNQFYMHCW"
SHARES = [826, 966, 707, 687, 671, 664, 591, 580, 553, 546, 535, 474, 406, 393, 386, 292, 241]
SHARES += [227, 138, 110]


def natural_protein(rng: random.Random, length: int) -> str:
    """Return a random sequence with the composition of Swiss-Prot."""
    return "".join(rng.choices(RESIDUES, SHARES, k=length))


def plant_homologue(rng: random.Random, sequence: str, identity: float, coverage: float) -> str:
    """Return a sequence of the same length that shares a part of `sequence`.

    The part covers `coverage` of it and keeps `identity` of its residues, both ends included,
    so that a local alignment reaches over all of it.
    """
    size = round(coverage * len(sequence))
    start = rng.randrange(len(sequence) - size + 1)
    ends = [*range(6), *range(size - 6, size)]
    inner = rng.sample(range(6, size - 6), round(identity * size) - len(ends))
    kept = {*ends, *inner}
    part = "".join(
        residue if i in kept else rng.choice([r for r in RESIDUES if r != residue])
        for i, residue in enumerate(sequence[start : start + size])
    )
    rest = len(sequence) - size
    before = rng.randrange(rest + 1)
    return natural_protein(rng, before) + part + natural_protein(rng, rest - before)


def protein_row(accession: str, sequence: str, **facts: Any) -> dict[str, Any]:
    """Return a row of the proteins table with everything else empty."""
    row = dict.fromkeys(TABLES["proteins"].schema.names)
    function = facts.get("function", f"Does what {accession} does.")
    row |= {
        "accession": accession,
        "sequence": sequence,
        "length": len(sequence),
        "function": function,
        "entry_created": date(2000, 1, 1),
        "references": [],
        "text_hash": sha256_text(function),
        "sequence_hash": sha256_text(sequence),
    }
    return row | facts


def write_proteins(path: Path, sequences: Mapping[str, str], **facts: Mapping[str, Any]) -> Path:
    """Write a proteins table; `facts` maps accessions to further columns."""
    rows = [protein_row(a, s, **facts.get(a, {})) for a, s in sequences.items()]
    write_table(path, "proteins", rows)
    return path


def write_split(path: Path, folds: Mapping[str, str | None]) -> Path:
    """Write a split table with one cluster per protein and nothing known of neighbours."""
    rows = [
        {
            "accession": accession,
            "cluster": accession,
            "fold": fold,
            "dropped_reason": None if fold else "matches a test protein",
            "max_train_identity": None,
            "max_train_coverage": None,
            "nearest_train_accession": None,
        }
        for accession, fold in folds.items()
    ]
    write_table(path, "split", rows)
    return path
