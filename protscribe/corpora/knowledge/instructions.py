"""The corpus ``knowledge``: drawn triples as requests, questions and answers, in folds."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.atomic import read_json, write_json
from protscribe.corpora.knowledge.facts import Chains, read_facts
from protscribe.corpora.knowledge.instruction_shard import (
    LANGUAGE_MODEL,
    ROWS,
    STAGE,
    TEMPLATE,
    InstructionShard,
)
from protscribe.corpora.knowledge.instruction_statistics import join_counts, plan_statistics
from protscribe.corpora.knowledge.negatives import (
    NO_NEGATIVE,
    UNBALANCED,
    Lineage,
    ask_negatives,
)
from protscribe.corpora.knowledge.tasks import (
    BEYOND,
    TASKS,
    UNTOLD,
    Plan,
    check_shares,
    plan_instructions,
)
from protscribe.errors import InputError
from protscribe.llm.cache import AnswerCache
from protscribe.llm.writers import Writer
from protscribe.tables import read_metadata, read_table, table_writer, write_table

UNPLANNED = (UNTOLD, BEYOND, NO_NEGATIVE, UNBALANCED)
"""Reasons for which something is left out of the plan, and not of what was written."""


def write_instructions(
    triples: Path,
    annotations: Path,
    edges: Path,
    closure: Path | None,
    chains: Path,
    sampled: Path,
    proteins: Path,
    split: Path,
    conversations: Path,
    rejects: Path,
    statistics: Path,
    *,
    settings: Mapping[str, Any],
    writer: Writer | None,
    cache: Path,
    seed: int,
    shard: int = 0,
    shards: int = 1,
    licence: str,
) -> None:
    """Write one shard of the instructions.

    Every draw of a training triple becomes one instruction, and so do some triples of each
    protein outside training. What is asked of which protein is planned over all of them before
    the work is dealt to shards, so that no instruction depends on the number of shards.

    Parameters
    ----------
    triples, annotations, edges, chains, sampled
        Tables ``knowledge_triples``, ``knowledge_annotations``, ``knowledge_edges``,
        ``knowledge_chains`` and ``sampled_triples``.
    closure
        Table ``ontology_closure``; None if there is no ontology.
    proteins, split
        The tables.
    conversations
        The table to write, with the instructions of this shard. Its user turns are the bare
        protein and the question; in the task ``design`` the user asks for a protein, and the
        marker of the protein stands in the assistant's turn.
    rejects
        The table to write. Instructions planned for this shard = conversations + rejects with
        their ids; triples that were not planned stand there as accession and annotation.
    statistics
        JSON file to write: ``written`` of this shard, see `instruction_statistics.Tally`, and
        ``plan`` of all, see `instruction_statistics.plan_statistics`.
    settings
        ``writers`` (``template``, ``language_model`` or both), ``tasks`` (share of each),
        ``max_held_out`` (most triples of a protein outside training), ``negatives``
        (``matched`` or ``uniform``), ``wording`` (``own`` or ``published``) and
        ``language_model.max_instructions`` (of all, drawn by the seed; None for all). What the
        model does not write the templates do, if they are among the writers.
    writer
        The language model, None without it.
    cache
        Folder of the model's answers of all runs.
    seed
        Decides tasks, negatives and wordings.
    shard, shards
        Which part of how many.
    licence
        Licence of the facts.

    Raises
    ------
    InputError
        If the tables do not belong together, an annotation has no name, a triple of another fold
        than training was drawn, nothing can be asked, or the writer fails.
    """
    if not 0 <= shard < shards:
        raise InputError(f"there is no shard {shard} of {shards}")
    writers = _check_writers(settings["writers"], writer)
    shares = check_shares(settings["tasks"])
    facts = read_facts(triples, annotations, sampled, proteins, split)
    links = Chains(chains, facts)
    plan, passed_over = plan_instructions(facts, links, shares, seed, settings["max_held_out"])
    modelled = _modelled(plan, writers, settings)
    if TEMPLATE not in writers:
        plan, modelled = plan.take(modelled), np.arange(len(modelled))
    plan, unanswerable = ask_negatives(
        plan,
        facts,
        Lineage(facts, edges, closure),
        seed,
        uniform=settings["negatives"] == "uniform",
    )
    if len(plan) == len(unanswerable):
        raise InputError(
            f"{sampled}: no instruction can be made of {len(plan)} draws; sample more triples, or "
            "leave knowledge.writers empty"
        )
    job = InstructionShard(
        facts, links, plan, seed, licence, settings["wording"] == "published", shard, shards
    )
    for row, reason in passed_over:
        job.pass_over(row, reason)
    for row, reason in unanswerable:
        job.drop(row, reason)
    if writer is not None and len(modelled):
        job.ask_model(modelled, writer, AnswerCache(cache))
    metadata = read_metadata(proteins) | job.metadata
    job.write(conversations, metadata)
    write_table(rejects, "rejects", job.rejected, metadata)
    kept = np.delete(np.arange(len(plan)), [row for row, _ in unanswerable])
    facts_of_plan = plan_statistics(plan.take(kept), facts)
    write_json(statistics, {"written": job.tally.counts, "plan": facts_of_plan})
    counts = job.tally.counts
    tasks = ", ".join(f"{count} {task}" for task, count in sorted(counts["tasks"].items()))
    print(
        f"shard {shard} of {shards}: {counts['instructions']} instructions ({tasks}), "
        f"{len(job.rejected)} left out",
        file=sys.stderr,
    )


def join_instructions(
    shards: Sequence[Path], statistics: Sequence[Path], output: Path, statistics_out: Path
) -> None:
    """Join the instructions of all shards into one table, whose bytes do not depend on them.

    Parameters
    ----------
    shards
        Tables ``conversations``, one of each shard.
    statistics
        The statistics of each shard.
    output, statistics_out
        The table and the JSON file to write.

    Raises
    ------
    InputError
        If a shard is missing or given twice, they are not of the same instructions, or none is
        left.
    """
    found = [read_json(path) for path in statistics]
    for path, one in zip(statistics, found, strict=True):
        if one["plan"] != found[0]["plan"]:
            raise InputError(
                f"{path}: made from other tables or settings than {statistics[0]}; write all "
                "shards again"
            )
    counts = join_counts([one["written"] for one in found])
    lost = {k: n for k, n in counts["rejected"].items() if k not in UNPLANNED}
    with table_writer(output, "conversations", read_metadata(shards[0])) as write:
        written = 0
        # Ids begin with the task, so that one task at a time is in memory.
        for task in TASKS:
            parts = []
            for path in shards:
                table = read_table(path, "conversations")
                parts.append(table.filter(pc.equal(table["task"], task)))
            joined = pa.concat_tables(parts).sort_by("id")
            for start in range(0, joined.num_rows, ROWS):
                write(joined.slice(start, ROWS))
            written += joined.num_rows
        if not written:
            raise InputError(
                f"{shards[0]}: none of {len(shards)} shards holds an instruction; see the rejects "
                f"of {STAGE}, and add template to knowledge.writers or choose a better writer"
            )
        if written + sum(lost.values()) != found[0]["plan"]["instructions"]:
            raise InputError(
                f"{len(shards)} shards hold {written} instructions and {sum(lost.values())} "
                f"rejects of {found[0]['plan']['instructions']}; join all shards, each once"
            )
    write_json(statistics_out, {"written": counts, "plan": found[0]["plan"]})


def _check_writers(names: Sequence[str], writer: Writer | None) -> frozenset[str]:
    writers = frozenset(names)
    if not writers or writers - {TEMPLATE, LANGUAGE_MODEL}:
        raise InputError(
            f"knowledge.writers: {', '.join(sorted(writers)) or 'nobody'}; name {TEMPLATE}, "
            f"{LANGUAGE_MODEL} or both"
        )
    if (LANGUAGE_MODEL in writers) != (writer is not None):
        raise RuntimeError(f"writers {sorted(writers)}, but the writer is {writer}")
    return writers


def _modelled(plan: Plan, writers: frozenset[str], settings: Mapping[str, Any]) -> np.ndarray:
    """Return the rows that the language model writes, drawn by a hash."""
    if LANGUAGE_MODEL not in writers:
        return np.array([], np.int64)
    order = np.lexsort((np.arange(len(plan)), plan.chance[:, 1]))
    return np.sort(order[: settings["language_model"]["max_instructions"]])
