"""One shard of the instructions at work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from protscribe.atomic import sha256_json
from protscribe.corpora.knowledge import wording
from protscribe.corpora.knowledge.facts import Chains, Facts
from protscribe.corpora.knowledge.instruction_statistics import Tally
from protscribe.corpora.knowledge.name_index import NameIndex
from protscribe.corpora.knowledge.phrasing import (
    SCHEMA,
    Item,
    phrasing_turns,
    prompt_hash,
    read_answer,
)
from protscribe.corpora.knowledge.rendering import (
    Author,
    conversation,
    items_of,
    phrase,
    published_phrase,
    wording_numbers,
)
from protscribe.corpora.knowledge.tasks import Plan, in_shard
from protscribe.llm.answering import write_answers
from protscribe.llm.cache import AnswerCache
from protscribe.llm.writers import Answer, Request, Writer
from protscribe.schemas import TABLES
from protscribe.seeds import derive_seed
from protscribe.sources.formats.record import Reject
from protscribe.tables import table_writer

STAGE = "write_instructions"
TEMPLATE, LANGUAGE_MODEL = "template", "language_model"
ROWS = 20_000
"""Instructions in memory at a time, about."""


@dataclass
class InstructionShard:
    """The instructions of one shard: which they are, who writes them, and what is left out.

    Parameters
    ----------
    facts, chains
        The graph.
    plan
        All instructions, of all shards.
    seed
        Decides wordings and the model's random choices.
    licence
        Licence of the facts.
    published
        Whether to take the published wording where there is one.
    shard, shards
        Which part of how many: of the templates' instructions by protein, of the model's by batch.
    tally
        Counts of what is written and left out.
    rejected
        Rows of table rejects.
    metadata
        Facts about the model, for the files.
    """

    facts: Facts
    chains: Chains
    plan: Plan
    seed: int
    licence: str
    published: bool
    shard: int
    shards: int
    tally: Tally = field(default_factory=Tally)
    rejected: list[dict[str, str]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._own_protein = in_shard(self.facts.accessions, self.shard, self.shards)
        self._mine = self._own_protein[self.plan.protein]
        self._dropped = np.zeros(len(self.plan), bool)
        self._item_of: dict[int, int] = {}
        self._texts: list[tuple[str, str] | Reject | None] = []
        self._authors: list[Author] = []

    def pass_over(self, triple: int, reason: str) -> None:
        """Note a triple that nothing is asked about."""
        protein = int(self.facts.protein[triple])
        if self._own_protein[protein]:
            annotation = self.facts.ids[self.facts.annotation[triple]]
            self._reject(f"{self.facts.accessions[protein]}:{annotation}", reason, "")

    def drop(self, row: int, reason: str) -> None:
        """Note an instruction that cannot be asked."""
        self._dropped[row] = True
        if self._mine[row]:
            (identifier,) = self.plan.take(np.array([row])).ids(self.facts)
            self._reject(identifier, reason, "")

    def ask_model(self, rows: np.ndarray, writer: Writer, cache: AnswerCache) -> None:
        """Have the model write this shard's part, batch by batch.

        An instruction belongs to the shard of its batch. Instructions that say the same share
        one answer, whatever proteins they are about.
        """
        rows = rows[~self._dropped[rows]]
        numbers: dict[Item, int] = {}
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            items = items_of(self.plan.take(part), self.facts, self.chains)
            for row, (item, _) in zip(part.tolist(), items, strict=True):
                self._item_of[row] = numbers.setdefault(item, len(numbers))
        requests: dict[str, Request] = {}
        keys: list[str] = []
        for item in numbers:
            turns = phrasing_turns(item)
            # Nucleus the component and nucleus the location may be asked for in one prompt.
            key = sha256_json(turns)
            requests[key] = Request(key, turns, derive_seed(self.seed, STAGE, key))
            keys.append(key)
        batches = writer.plan([requests[key] for key in sorted(requests)])
        mine = batches[self.shard :: self.shards]
        answers = write_answers(mine, writer, SCHEMA, cache)
        self._read(answers, list(numbers), [requests[key] for key in keys], writer)
        self._mine[rows] = [self._texts[self._item_of[row]] is not None for row in rows.tolist()]

    def _read(
        self,
        answers: Mapping[str, Answer],
        items: Sequence[Item],
        requests: Sequence[Request],
        writer: Writer,
    ) -> None:
        """Note what was written of each item, nothing where that is another shard's work."""
        index = NameIndex(self.facts.names)
        hash_ = prompt_hash()
        for item, request in zip(items, requests, strict=True):
            text: tuple[str, str] | Reject | None = None
            if request.key in answers:
                try:
                    text = read_answer(item, answers[request.key], index)
                except Reject as reject:
                    text = reject
            self._texts.append(text)
            self._authors.append(Author(LANGUAGE_MODEL, writer.revision, hash_, request.seed))
        self.metadata |= {
            "writer": writer.name,
            "writer_revision": writer.revision,
            "prompt_hash": hash_,
        }

    def write(self, path: Path, metadata: Mapping[str, str]) -> None:
        """Write the instructions of this shard, a few thousand at a time."""
        rows = np.flatnonzero(self._mine & ~self._dropped)
        rows = rows[np.lexsort((self.plan.protein[rows], self.plan.task[rows]))]
        # All instructions of a task on a protein stay together, so that ids rise.
        place = self.plan.task[rows].astype(np.int64) * len(self.facts.accessions)
        place += self.plan.protein[rows]
        ends = [*(np.flatnonzero(np.diff(place)) + 1).tolist(), len(rows)]
        template = Author(TEMPLATE, wording.revision())
        schema = TABLES["conversations"].schema
        with table_writer(path, "conversations", metadata) as write:
            start = 0
            for end in ends:
                if end - start < ROWS and end < len(rows):
                    continue
                made = self._conversations(rows[start:end], template)
                if made:
                    write(pa.Table.from_pylist(made, schema=schema))
                start = end
            if not self.tally.counts["instructions"]:
                write(schema.empty_table())

    def _conversations(self, rows: np.ndarray, template: Author) -> list[dict[str, Any]]:
        plan, facts = self.plan.take(rows), self.facts
        made = []
        for row, identifier, number, (item, ids), protein in zip(
            rows.tolist(),
            plan.ids(facts),
            wording_numbers(plan, facts, self.seed),
            items_of(plan, facts, self.chains),
            plan.protein.tolist(),
            strict=True,
        ):
            author, text = template, None
            if row in self._item_of:
                author, found = self._authors[self._item_of[row]], self._texts[self._item_of[row]]
                if isinstance(found, Reject):
                    self._reject(identifier, found.reason, found.detail)
                    continue
                text = found
            text = text or (published_phrase(item) if self.published else None)
            text = text or phrase(item, number)
            fold = facts.folds[protein]
            accession = facts.accessions[protein]
            made.append(
                conversation(identifier, accession, fold, item, ids, text, author, self.licence)
            )
            relation = item.steps[-1][0]
            self.tally.add(item.task, relation, fold, author.writer, item.positive)
        return sorted(made, key=lambda row: row["id"])

    def _reject(self, key: str, reason: str, detail: str) -> None:
        self.tally.reject(reason)
        self.rejected.append({"stage": STAGE, "key": key, "reason": reason, "detail": detail})
