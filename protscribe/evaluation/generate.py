"""Answers of a tuned system to the test questions."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from protscribe.errors import InputError
from protscribe.evaluation.answering import Answers, cut_answers, readable_prompt
from protscribe.evaluation.examples import (
    CONDITIONS,
    SEQUENCE_CONDITION,
    SHUFFLED_CONDITION,
    AskedExample,
    choose_controls,
    read_test,
)
from protscribe.evaluation.trained import load_predictor, training_facts
from protscribe.models.checkpoint import encoder_facts
from protscribe.models.proteins import Proteins, open_proteins
from protscribe.prompts import PromptBuilder
from protscribe.tables import write_table

ProteinFiles = tuple[Path | None, Path | None]
"""Folder of embeddings and table of proteins; a system needs one of them, or both."""


def predict_system(
    models: Mapping[int, Path],
    language_model: Path,
    conversations: Sequence[Path],
    output: Path,
    *,
    predictor: str,
    max_new_tokens: int,
    reference_max_tokens: int | None,
    batch_tokens: int,
    state: Path,
    device: str,
    threads: int,
    corpora: Sequence[str] | None = None,
    conditions: Sequence[str] = (SEQUENCE_CONDITION,),
    store: Path | None = None,
    shuffled_store: Path | None = None,
    proteins: Path | None = None,
    shuffled_proteins: Path | None = None,
    control_examples: int | None = None,
) -> None:
    """Answer every test question greedily, once per training seed and condition.

    All batches of a model are planned before the first one runs, so that neither a restart nor
    the order of work changes what is generated together. Each finished batch is kept in
    `state`; a job that was killed goes on from there.

    Parameters
    ----------
    models
        Folder of the finished model of each training seed.
    language_model
        Folder of the language model that they were tuned on.
    conversations
        Tables of conversations in the system's own prompt; the test folds are answered.
    output
        Table of predictions to write; its metadata names the predictor and the training.
    predictor
        Name of the system.
    max_new_tokens
        Most ids of an answer, its end-of-turn included.
    reference_max_tokens
        Cut references at so many ids, as the published code does; None keeps them whole.
    batch_tokens
        Most positions of a batch, prompt and answer together.
    state
        Folder for finished batches, which belongs to this very job; removed at the end.
    device, threads
        Where the model runs.
    corpora
        Names of the corpora to answer; None for all in the tables.
    conditions
        Any of ``sequence``, ``shuffled`` (the same questions about the same proteins with
        their residues shuffled) and ``blind`` (the same prompts with the protein left out).
    store, shuffled_store
        Folders of the embeddings of proteins and of shuffled proteins, for a system with an
        encoder; the second is needed for ``shuffled``.
    proteins, shuffled_proteins
        Tables of them, for a system with residue tokens.
    control_examples
        Most examples of each task and fold under a condition other than ``sequence``, chosen
        by `choose_controls`; None for all.

    Raises
    ------
    InputError
        If a condition does not exist or lacks its proteins, a model, the store and the
        conversations do not belong together, there is nothing to test on, or a prompt exceeds
        the budget.
    """
    files = {
        SEQUENCE_CONDITION: (store, proteins),
        SHUFFLED_CONDITION: (shuffled_store, shuffled_proteins),
    }
    _check_conditions(conditions, files)
    torch.set_num_threads(threads)
    examples = read_test(conversations, corpora)
    controls = choose_controls(examples, control_examples)
    asked = {
        condition: examples if condition == SEQUENCE_CONDITION else controls
        for condition in CONDITIONS
        if condition in conditions
    }
    rows: list[dict[str, Any]] = []
    training: list[Mapping[str, int]] = []
    for seed, folder in sorted(models.items()):
        answers, counts = _answer_all(
            folder,
            language_model,
            files,
            asked,
            predictor=predictor,
            seed=seed,
            max_new_tokens=max_new_tokens,
            reference_max_tokens=reference_max_tokens,
            batch_tokens=batch_tokens,
            state=state / str(seed),
            device=device,
        )
        rows += answers
        training.append(counts)
    write_table(output, "predictions", rows, training_facts(predictor, training))
    shutil.rmtree(state, ignore_errors=True)


def _check_conditions(conditions: Sequence[str], files: Mapping[str, ProteinFiles]) -> None:
    unknown = sorted(set(conditions) - set(CONDITIONS))
    if unknown or not conditions:
        raise InputError(
            f"predict.conditions is {', '.join(unknown) or 'empty'}; "
            f"allowed: {', '.join(CONDITIONS)}"
        )
    if SHUFFLED_CONDITION in conditions and files[SHUFFLED_CONDITION] == (None, None):
        raise InputError(
            "predict.conditions has shuffled, but there are no shuffled proteins; run "
            "shuffle_sequences and embed_proteins"
        )


def _answer_all(
    folder: Path,
    language_model: Path,
    files: Mapping[str, ProteinFiles],
    asked: Mapping[str, Sequence[AskedExample]],
    *,
    predictor: str,
    seed: int,
    max_new_tokens: int,
    reference_max_tokens: int | None,
    batch_tokens: int,
    state: Path,
    device: str,
) -> tuple[list[dict[str, Any]], Mapping[str, int]]:
    # The model lives in this function alone, so that two seeds are never in memory together.
    captioner, builder, facts = load_predictor(
        folder, language_model, predictor=predictor, seed=seed, device=device
    )
    sources: dict[str, Proteins | None] = {
        condition: open_proteins(
            facts["system"],
            store=files[condition][0],
            proteins=files[condition][1],
            connector=captioner.connector,
            residues=builder.residues,
        )
        if condition in files
        else None
        for condition in asked
    }
    for source in sources.values():
        _check_embeddings(facts, folder, source)
    # Earlier answers of a conversation are cut as they were in training.
    max_answer_tokens = facts["system"]["tune"].get("max_answer_tokens")
    plans = {
        condition: Answers(
            _prompts(builder, examples, sources[condition], max_answer_tokens),
            sources[condition],
            [example.accession for example in examples],
            max_new_tokens=max_new_tokens,
            batch_tokens=batch_tokens,
        )
        for condition, examples in asked.items()
    }
    rows: list[dict[str, Any]] = []
    for condition, plan in plans.items():
        title = f"{predictor} {seed} {condition}"
        answers = plan.generate(captioner, state / condition, title)
        print(
            f"{title}: {cut_answers(answers)} of {len(answers)} answers were cut at "
            f"{max_new_tokens} tokens",
            file=sys.stderr,
        )
        rows += [
            example.predicted(
                builder.decode(ids),
                finish,
                condition=condition,
                training_seed=seed,
                prompt=readable_prompt(builder, prompt),
                reference=_reference(builder, example.answer, reference_max_tokens),
                tokens=len(ids),
            )
            for example, prompt, (ids, finish) in zip(
                asked[condition], plan.prompts, answers, strict=True
            )
        ]
    return rows, facts["training"]


def _prompts(
    builder: PromptBuilder,
    examples: Sequence[AskedExample],
    proteins: Proteins | None,
    max_answer_tokens: int | None,
) -> list[list[int]]:
    """Return each example's prompt, without its protein where there are no proteins."""
    read: Sequence[Sequence[int]] = [()] * len(examples)
    if proteins is not None:
        read = proteins.prompt_ids([example.accession for example in examples])
    return [
        builder.prompt(example.question, ids, max_answer_tokens)
        for example, ids in zip(examples, read, strict=True)
    ]


def _check_embeddings(facts: Mapping[str, Any], folder: Path, proteins: Proteins | None) -> None:
    if proteins is None:
        return
    store = proteins.store
    if facts["encoder"] != encoder_facts(None if store is None else store.manifest):
        where = "none at all" if store is None else f"those of {store.folder}"
        raise InputError(
            f"{folder}: was trained on other embeddings than {where}; run embed_proteins and "
            "the training again"
        )


def _reference(builder: PromptBuilder, answer: str, max_tokens: int | None) -> str:
    if max_tokens is None:
        return answer
    ids, cut = builder.answer(answer, max_tokens)
    # The published code decodes what is left of the ids; an uncut text needs no such detour.
    return builder.decode(ids) if cut else answer
