"""Proteins and texts as a language model is pretrained on them: one document each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.errors import InputError
from protscribe.prompts import PromptBuilder
from protscribe.seeds import unit_hash
from protscribe.tables import read_table

SEQUENCES, LITERATURE = "sequences", "literature"
"""Corpora of a pretraining table: one holds proteins, the other plain text."""


class Documents(Sequence[list[int]]):
    """The documents of one corpus and fold, as token ids.

    A document opens as the tokenizer opens a text and ends with the end-of-text, so that a
    protein has an end beside its closing id. Proteins are encoded when they are asked for, which
    keeps a residue at one byte.

    Parameters
    ----------
    rows
        Rows of a pretraining table, all of one corpus.
    builder
        The system's prompt builder, which has its tokenizer and its residue tokens.

    Raises
    ------
    InputError
        If the builder has no residue tokens and the corpus holds proteins.

    Attributes
    ----------
    lengths : numpy.ndarray
        Tokens of each document.
    """

    def __init__(self, rows: pa.Table, builder: PromptBuilder) -> None:
        self._start = builder.tokenizer("", add_special_tokens=True)["input_ids"][:1]
        self._end = builder.end_of_turn_id
        self._residues = builder.residues
        self._sequences = rows["sequence"].combine_chunks()
        self._is_protein = len(rows) > 0 and self._sequences.null_count == 0
        if self._is_protein:
            if self._residues is None:
                raise InputError("align.corpora has sequences, but the system has no residues")
            # The ids before and after a protein, and its ends as a document.
            self.lengths = pc.utf8_length(self._sequences).to_numpy() + 3 + len(self._start)
            return
        texts = rows["text"].to_pylist()
        options = {"add_special_tokens": False, "split_special_tokens": True}
        ids = builder.tokenizer(texts, **options)["input_ids"] if texts else []
        self._edges = np.cumsum([0, *map(len, ids)])
        self._ids = np.concatenate([np.zeros(0, np.int32), *(np.asarray(i, np.int32) for i in ids)])
        self.lengths = np.diff(self._edges) + 1 + len(self._start)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, number: Any) -> Any:
        if not self._is_protein:
            first, last = self._edges[number : number + 2]
            return [*self._start, *self._ids[first:last].tolist(), self._end]
        assert self._residues is not None
        protein = self._residues.encode(self._sequences[number].as_py())
        return [*self._start, *protein, self._end]


def read_documents(
    tables: Sequence[str],
    corpora: Sequence[str],
    fold: str,
    builder: PromptBuilder,
    *,
    limit: int | None = None,
) -> dict[str, Documents]:
    """Read the documents of one fold by corpus.

    Parameters
    ----------
    tables
        Pretraining tables.
    corpora
        Which of their corpora.
    fold
        ``train`` or ``validation``.
    builder
        As for `Documents`.
    limit
        Most documents of each corpus, those with the smallest hash of the id; None for all.

    Raises
    ------
    InputError
        If a corpus is in none of the tables.
    """
    parts: dict[str, list[pa.Table]] = {name: [] for name in corpora}
    known: set[str] = set()
    for path in tables:
        table = read_table(path, "pretraining", ["id", "corpus", "fold", "text", "sequence"])
        known |= set(pc.unique(table["corpus"]).to_pylist())
        table = table.filter(pc.equal(table["fold"], fold))
        for name in corpora:
            parts[name].append(table.filter(pc.equal(table["corpus"], name)))
    if missing := sorted(set(corpora) - known):
        raise InputError(
            f"{', '.join(tables)}: no document of the corpus {missing[0]}; leave it out of "
            "align.corpora, or give it something to be made from"
        )
    joined = {name: pa.concat_tables(found) for name, found in parts.items()}
    return {name: Documents(_first(rows, limit), builder) for name, rows in joined.items()}


def _first(rows: pa.Table, limit: int | None) -> pa.Table:
    if limit is None or len(rows) <= limit:
        return rows
    ids = rows["id"].to_pylist()
    chosen = sorted(range(len(ids)), key=lambda i: (unit_hash(0, ids[i]), ids[i]))[:limit]
    return rows.take(sorted(chosen))
