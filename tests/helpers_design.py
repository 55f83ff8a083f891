"""A small world of protein families for tests of designs: tables, and designs of every quality."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers_data import natural_protein, plant_homologue, write_proteins
from protscribe.evaluation.design.tables import design_id
from protscribe.tables import write_table

FAMILIES = 4
TRAINED = 5
HELD_OUT = 3


@dataclass
class World:
    """Paths of tables, and what is in them.

    Parameters
    ----------
    folder
        Where tables lie.
    founders
        The sequence that each family varies.
    sequences
        All proteins: ``T`` for training and ``H`` for held out, family, number.
    """

    folder: Path
    founders: Sequence[str]
    sequences: Mapping[str, str]

    def path(self, name: str) -> Path:
        """Return the path of a table."""
        return self.folder / f"{name}.parquet"

    def inputs(self) -> tuple[Path, Path, Path]:
        """Return the paths of proteins, split and triples."""
        return self.path("proteins"), self.path("split"), self.path("triples")


def make_world(folder: Path, seed: int = 0) -> World:
    """Write families of homologues at 55% identity, the annotation of each being its keyword.

    Held-out members have clusters of their own, but for one of the first family, which shares
    that of a training protein. All families beside the last also have the broader ``KW:Broad``.
    """
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    founders = [natural_protein(rng, 90 + 10 * i) for i in range(FAMILIES)]
    sequences, split, triples = {}, [], []
    for family, founder in enumerate(founders):
        for kind, count in (("T", TRAINED), ("H", HELD_OUT)):
            for number in range(count):
                accession = f"{kind}{family}{number}"
                sequences[accession] = plant_homologue(rng, founder, 0.55, 1.0)
                fold = "train" if kind == "T" else ("validation", "test_low_homology")[number % 2]
                cluster = accession
                if accession == "H02":
                    cluster, fold = "T00", "test_temporal"
                split.append(split_row(accession, cluster, fold))
                for label in (f"KW:F{family}", *(["KW:Broad"] if family < 3 else [])):
                    triples.append(triple(accession, label, fold))
    sequences["D1"] = natural_protein(rng, 100)
    split.append(split_row("D1", "D1", None))
    world = World(folder, founders, sequences)
    write_proteins(world.path("proteins"), sequences)
    write_table(world.path("split"), "split", split)
    write_table(world.path("triples"), "knowledge_triples", triples)
    names = [annotation(f"KW:F{family}", f"Family {family}") for family in range(FAMILIES)]
    names += [annotation("KW:Broad", "Broad"), annotation("KW:Unused", "Unused")]
    write_table(world.path("annotations"), "knowledge_annotations", names)
    return world


def split_row(accession: str, cluster: str, fold: str | None) -> dict[str, Any]:
    """Return a row of the split table."""
    return {
        "accession": accession,
        "cluster": cluster,
        "fold": fold,
        "dropped_reason": None if fold else "matches a test protein",
        "max_train_identity": None,
        "max_train_coverage": None,
        "nearest_train_accession": None,
    }


def triple(accession: str, annotation: str, fold: str, relation: str = "keyword") -> dict[str, Any]:
    """Return a row of the triples."""
    return {
        "accession": accession,
        "relation": relation,
        "annotation": annotation,
        "fold": fold,
    }


def annotation(name: str, text: str | None, kind: str = "keyword") -> dict[str, Any]:
    """Return a row of the annotations."""
    return {"id": name, "kind": kind, "name": text, "source": "test"}


def request_row(name: str, **changes: Any) -> dict[str, Any]:
    """Return a request for a known keyword."""
    row = {
        "id": name,
        "relation": "keyword",
        "annotation": name,
        "name": name,
        "text": f"Design a protein that carries the keyword {name}.",
        "lead_in": "Here it is:",
        "training_proteins": TRAINED,
        "held_out_proteins": HELD_OUT,
        "seen": True,
    }
    return row | changes


def design_row(request: str, number: int, sequence: str, **changes: Any) -> dict[str, Any]:
    """Return a design that closed."""
    row = {
        "id": design_id(request, number),
        "system": "writer",
        "training_seed": 0,
        "request": request,
        "relation": "keyword",
        "annotation": request,
        "number": number,
        "prompt": f"Design {request}.",
        "sequence": sequence,
        "finish_reason": "closed" if sequence else "empty",
        "tokens": len(sequence) + 1,
        "seed": number,
    }
    return row | changes


def good_designs(world: World, each: int = 4, seed: int = 1) -> list[dict[str, Any]]:
    """Return designs that are new members of the family that was asked for."""
    rng = random.Random(seed)
    return [
        design_row(f"KW:F{family}", number, plant_homologue(rng, founder, 0.6, 1.0))
        for family, founder in enumerate(world.founders)
        for number in range(1, each + 1)
    ]


def write_requests(world: World, *rows: Mapping[str, Any]) -> Path:
    """Write requests, by default one for each family."""
    path = world.path("requests")
    write_table(path, "design_requests", rows or [request_row(f"KW:F{i}") for i in range(FAMILIES)])
    return path
