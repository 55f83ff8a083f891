"""The designs that a generator wrote: reading them, and FASTA for everyone else."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from protscribe.atomic import atomic_path
from protscribe.errors import InputError
from protscribe.models.sampling import EMPTY, FINISH_REASONS
from protscribe.seeds import derive_seed
from protscribe.tables import read_table

WIDTH = 60
"""Residues on a line of FASTA."""


def design_id(request: str, number: int) -> str:
    """Return the id of a request's design; numbers begin at 1 and are padded, so that they sort."""
    return f"{request}:{number:04}"


def design_seed(seed: int, training_seed: int, request: str, number: int) -> int:
    """Return the seed of one design, which depends on nothing that is designed beside it."""
    return derive_seed(seed, "design", training_seed, request, number)


def read_designs(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Read tables ``designs`` of one or more systems, in the order of paths and keys.

    Raises
    ------
    InputError
        If a row lacks its sequence or its way of ending, or two files hold the same design.
    """
    rows: list[dict[str, Any]] = []
    seen: dict[tuple[str, str, int], Path] = {}
    for path in paths:
        for row in read_table(path, "designs").to_pylist():
            key = row["id"], row["system"], row["training_seed"]
            if key in seen:
                raise InputError(
                    f"{path}: design {key[0]} of {key[1]} is also in {seen[key]}; "
                    "give each table once"
                )
            seen[key] = path
            if row["sequence"] is None or row["request"] is None:
                raise InputError(f"{path}: design {key[0]} lacks its sequence or request")
            if row["finish_reason"] not in FINISH_REASONS:
                raise InputError(
                    f"{path}: design {key[0]} ended by {row['finish_reason']!r}; "
                    f"allowed: {', '.join(FINISH_REASONS)}"
                )
            if (row["finish_reason"] == EMPTY) != (row["sequence"] == ""):
                raise InputError(
                    f"{path}: design {key[0]} has {len(row['sequence'])} residues and ended by "
                    f"{row['finish_reason']!r}; design again"
                )
            rows.append(row)
    return rows


def write_fasta(designs: Path, path: Path) -> None:
    """Write the designs of a table ``designs`` as FASTA.

    A header begins with system, training seed and id, joined by bars and with underscores for
    spaces. Key=value pairs follow: request, relation, length, finish and the seed of the draws.
    Designs without a residue are left out; those that never closed are there, with
    ``finish=length``.

    Parameters
    ----------
    designs
        The table.
    path
        The file to write; it appears whole.
    """
    rows = read_designs([designs])
    kept = [row for row in rows if row["sequence"]]
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        for row in kept:
            name = "|".join((row["system"], str(row["training_seed"]), row["id"]))
            facts = {
                "request": f'"{row["request"]}"',
                "relation": row["relation"],
                "length": len(row["sequence"]),
                "finish": row["finish_reason"],
                "seed": row["seed"],
            }
            words = " ".join(f"{key}={value}" for key, value in facts.items())
            file.write(f">{'_'.join(name.split())} {words}\n")
            for start in range(0, len(row["sequence"]), WIDTH):
                file.write(row["sequence"][start : start + WIDTH] + "\n")
    print(f"{path}: {len(kept)} of {len(rows)} designs have residues", file=sys.stderr)
