"""Questions and answers that a language model writes from texts about proteins."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protscribe.atomic import sha256_json
from protscribe.corpora.qa.instructions import answer_schema, prompt_hash, writing_turns
from protscribe.errors import InputError
from protscribe.llm.answering import write_answers
from protscribe.llm.cache import AnswerCache
from protscribe.llm.writers import Request, Writer
from protscribe.seeds import derive_seed, unit_hash
from protscribe.tables import read_metadata, read_table, write_table

STAGE = "write_qa"
WRITER = "language_model"
_PROTEIN_COLUMNS = (
    *("accession", "protein_name", "alternative_names", "gene_names", "organism"),
    *("keywords", "ec"),
)


def write_qa(
    contexts: Path,
    proteins: Path,
    split: Path,
    output: Path,
    rejects: Path,
    *,
    writer: Writer,
    settings: Mapping[str, Any],
    cache: Path,
    seed: int,
    shard: int = 0,
    shards: int = 1,
) -> None:
    """Have one shard of the contexts read and written about.

    Batches are planned over all contexts before they are dealt to shards, so that no answer
    depends on the number of shards. Answers are kept one by one as they come, and what is kept
    is not written again: a job that was killed goes on where it was. A batch of which any answer
    is missing is written whole, with the answers beside it that it would always have had.
    Contexts with the same prompt share one answer.

    Parameters
    ----------
    contexts, proteins, split
        The tables.
    output
        The table ``written_answers`` to write, with one row per context of this shard.
    rejects
        The table of this shard's contexts that are too long, which are never cut.
    writer
        Who writes.
    settings
        ``kinds`` of context, ``max_contexts`` to choose of them or None, ``max_questions`` of a
        context, ``max_context_tokens`` of a text.
    cache
        Folder of the answers of all runs.
    seed
        Decides which contexts are chosen, and what is drawn for each.
    shard, shards
        Which part of how many.

    Raises
    ------
    InputError
        If the tables do not belong together, there is nothing to write from, or the writer
        fails.
    """
    if not 0 <= shard < shards:
        raise InputError(f"there is no shard {shard} of {shards}")
    rows = _choose(contexts, split, settings, seed)
    facts = _protein_facts(proteins, rows)
    long = _too_long(rows, writer, settings["max_context_tokens"])

    contexts_of: dict[str, list[str]] = {}
    turns_of: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["id"] not in long:
            protein = facts[row["accession"]]
            turns = writing_turns(protein, row["text"], settings["max_questions"])
            key = sha256_json(turns)
            turns_of[key] = turns
            contexts_of.setdefault(key, []).append(row["id"])
    requests = [
        Request(key, turns_of[key], derive_seed(seed, STAGE, key)) for key in sorted(turns_of)
    ]
    mine = writer.plan(requests)[shard::shards]
    answers = write_answers(
        mine, writer, answer_schema(settings["max_questions"]), AnswerCache(cache)
    )

    hash_ = prompt_hash(settings["max_questions"])
    accession_of = {row["id"]: row["accession"] for row in rows}
    written = [
        {
            "context_id": context,
            "writer": WRITER,
            "accession": accession_of[context],
            "writer_revision": writer.revision,
            "prompt_hash": hash_,
            "seed": request.seed,
            "answer": answers[request.key].text,
            "finish_reason": answers[request.key].finish_reason,
            "tokens": answers[request.key].tokens,
        }
        for batch in mine
        for request in batch
        for context in contexts_of[request.key]
    ]
    dropped = sorted(long)[shard::shards]
    table = {"writer": writer.name, "writer_revision": writer.revision, "prompt_hash": hash_}
    write_table(output, "written_answers", written, {**read_metadata(contexts), **table})
    reasons = [
        {"stage": STAGE, "key": key, "reason": "context too long", "detail": long[key]}
        for key in dropped
    ]
    write_table(rejects, "rejects", reasons)
    ended = Counter(row["finish_reason"] for row in written)
    print(
        f"shard {shard} of {shards}: {len(written)} of {len(rows)} contexts written about "
        f"({', '.join(f'{reason} {count}' for reason, count in sorted(ended.items()))}), "
        f"{len(dropped)} too long",
        file=sys.stderr,
    )


def _choose(
    contexts: Path, split: Path, settings: Mapping[str, Any], seed: int
) -> list[dict[str, Any]]:
    """Return the contexts of the kinds wanted whose protein has a fold, at most so many."""
    placed = read_table(split, "split", ["accession", "fold"])
    fold_of = dict(zip(*placed.to_pydict().values(), strict=True))
    kinds = set(settings["kinds"])
    rows = read_table(contexts, "contexts", ["id", "accession", "context", "text"]).to_pylist()
    for row in rows:
        if row["accession"] not in fold_of:
            raise InputError(
                f"{split}: lacks {row['accession']}, which context {row['id']} is about; make "
                "the tables again"
            )
    chosen = [
        row
        for row in rows
        if row["context"] in kinds and row["text"] and fold_of[row["accession"]] is not None
    ]
    if not chosen:
        raise InputError(
            f"{contexts}: no context of kind {' or '.join(sorted(kinds))} whose protein has a "
            "fold; change qa.language_model.kinds or leave language_model out of qa.writers"
        )
    chosen.sort(key=lambda row: (unit_hash(seed, row["id"]), row["id"]))
    return sorted(chosen[: settings["max_contexts"]], key=lambda row: row["id"])


def _protein_facts(proteins: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    wanted = {row["accession"] for row in rows}
    table = read_table(proteins, "proteins", _PROTEIN_COLUMNS)
    facts = {row["accession"]: row for row in table.to_pylist() if row["accession"] in wanted}
    if missing := sorted(wanted - facts.keys()):
        raise InputError(f"{proteins}: lacks {missing[0]}, which a context is about")
    return facts


def _too_long(rows: Sequence[Mapping[str, Any]], writer: Writer, max_tokens: int) -> dict[str, str]:
    """Return the ids of contexts that are too long, with what is said of them."""
    counts = {text: writer.count_tokens(text) for text in {row["text"] for row in rows}}
    return {
        row["id"]: f"{counts[row['text']]} tokens, {max_tokens} are allowed"
        for row in rows
        if counts[row["text"]] > max_tokens
    }
