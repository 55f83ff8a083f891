"""A folder in which instructions are written from the made-up world of the knowledge graph."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from helpers_data import write_split
from helpers_knowledge import RELATIONS, World, write_world
from protscribe.corpora.knowledge.chains import chain_knowledge
from protscribe.corpora.knowledge.graph import build_knowledge_graph
from protscribe.corpora.knowledge.instructions import join_instructions, write_instructions
from protscribe.llm.writers import make_writer
from protscribe.schemas import TABLES
from protscribe.tables import read_table, write_table

SHARES = {"design": 0.25, "annotate": 0.35, "verify": 0.25, "explain": 0.15}
MODEL = {
    "type": "server",
    "model": "writer",
    "url": "set by the tests",
    "revision": "r1",
    "temperature": 0.0,
    "max_new_tokens": 60,
    "batch_tokens": 8000,
    "precision": "float32",
    "concurrency": 2,
    "timeout": 10,
    "tries": 2,
    "max_instructions": None,
}
TABLE_OF = {
    "triples": "knowledge_triples",
    "annotations": "knowledge_annotations",
    "edges": "knowledge_edges",
    "chains": "knowledge_chains",
    "sampled": "sampled_triples",
    "proteins": "proteins",
    "split": "split",
}


@dataclass
class Desk:
    """The tables, and the writing."""

    root: Path

    def path(self, name: str) -> Path:
        """Return where a table lies."""
        return self.root / f"{name}.parquet"

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table."""
        return read_table(self.path(name), TABLE_OF[name]).to_pylist()

    def change(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Write a table anew."""
        schema = TABLES[TABLE_OF[name]].schema
        write_table(self.path(name), TABLE_OF[name], pa.Table.from_pylist(rows, schema))

    def sample(self, draws: int = 2) -> None:
        """Draw each training triple so many times."""
        columns = ("accession", "relation", "annotation")
        self.change(
            "sampled",
            [
                {column: row[column] for column in columns} | {"draws": draws}
                for row in self.rows("triples")
                if row["fold"] == "train"
            ],
        )

    def write(
        self,
        name: str = "out",
        *,
        shard: int = 0,
        shards: int = 1,
        seed: int = 0,
        model: Path | None = None,
        cache: str = "cache",
        **settings: Any,
    ) -> list[dict[str, Any]]:
        """Write a shard and return its rows; `language_model` adds to `MODEL`."""
        chosen = {"writers": ["template"], "tasks": SHARES, "max_held_out": 20, **settings}
        chosen = {"negatives": "matched", "wording": "own", **chosen}
        chosen["language_model"] = MODEL | chosen.get("language_model", {})
        modelled = "language_model" in chosen["writers"]
        writer = None
        if modelled:
            writer = make_writer(chosen["language_model"], model, device="cpu", threads=1)
        closure = self.root / "ontology_closure.parquet"
        write_instructions(
            *(self.path(table) for table in ("triples", "annotations", "edges")),
            closure if closure.exists() else None,
            *(self.path(table) for table in ("chains", "sampled", "proteins", "split")),
            *self.outputs(name),
            settings=chosen,
            writer=writer,
            cache=self.root / cache,
            seed=seed,
            shard=shard,
            shards=shards,
            licence="CC BY 4.0",
        )
        return read_table(self.outputs(name)[0], "conversations").to_pylist()

    def outputs(self, name: str = "out") -> list[Path]:
        """Return the paths of conversations, rejects and statistics."""
        ends = ("conversations.parquet", "rejects.parquet", "statistics.json")
        return [self.root / f"{name}.{end}" for end in ends]

    def rejects(self, name: str = "out") -> list[dict[str, Any]]:
        """Return the rows of a table of rejects."""
        return read_table(self.outputs(name)[1], "rejects").to_pylist()

    def statistics(self, name: str = "out") -> dict[str, Any]:
        """Return the statistics of a shard."""
        found: dict[str, Any] = json.loads(self.outputs(name)[2].read_text())
        return found

    def join(self, names: list[str], name: str) -> list[Path]:
        """Join shards and return the paths of table and statistics."""
        parts = [self.outputs(part) for part in names]
        output = [self.root / f"{name}.joined.parquet", self.root / f"{name}.joined.json"]
        join_instructions([part[0] for part in parts], [part[2] for part in parts], *output)
        return output


def make_desk(folder: Path) -> Desk:
    """Return a folder with all tables of the world, each training triple drawn twice."""
    world: World = write_world(folder)
    desk = Desk(folder)
    build_knowledge_graph(
        world.proteins,
        world.split,
        desk.path("annotations"),
        desk.path("triples"),
        desk.path("edges"),
        desk.path("counts"),
        folder / "degrees.tsv",
        desk.path("graph_rejects"),
        relations=RELATIONS,
        vocabularies=world.vocabularies(),
    )
    tables = (desk.path(name) for name in ("triples", "annotations", "edges", "chains"))
    chain_knowledge(*tables, max_steps=4)
    desk.sample()
    return desk


def make_crowd(
    folder: Path, owned: dict[str, list[str]], folds: dict[str, str], edges: list[tuple[str, str]]
) -> Desk:
    """Return a folder with molecular functions alone: who has which, and what is what.

    Parameters
    ----------
    folder
        Where the tables go.
    owned
        Annotations of each protein; names are "name of" and the id.
    folds
        Fold of each protein.
    edges
        Child and parent of each edge.
    """
    desk = Desk(folder)
    kind = "molecular_function"
    ids = sorted(
        {id_ for own in owned.values() for id_ in own} | {e for pair in edges for e in pair}
    )
    desk.change(
        "annotations",
        [{"id": i, "kind": kind, "name": f"name of {i}", "source": "test"} for i in ids],
    )
    triples = [
        {"accession": a, "relation": kind, "annotation": i, "fold": folds[a]}
        for a, own in owned.items()
        for i in own
    ]
    desk.change("triples", triples)
    columns = ("child", "relation", "parent", "source")
    desk.change(
        "edges", [dict(zip(columns, (c, "is_a", p, "test"), strict=True)) for c, p in edges]
    )
    desk.change("chains", [])
    schema = TABLES["proteins"].schema
    blank = dict.fromkeys(schema.names)
    desk.change("proteins", [blank | {"accession": a} for a in owned])
    write_split(desk.path("split"), dict(folds))
    desk.sample(1)
    return desk
