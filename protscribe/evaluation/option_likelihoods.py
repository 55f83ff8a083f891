"""Likelihoods of the options of questions, by tuned systems and by the untuned language model."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from protscribe.errors import InputError
from protscribe.evaluation.asked_proteins import AskedProteins
from protscribe.evaluation.classification.tasks import is_pairing, read_questions
from protscribe.evaluation.examples import BLIND_CONDITION, SEQUENCE_CONDITION
from protscribe.evaluation.option_prompts import OptionPrompts
from protscribe.evaluation.option_work import OptionWork
from protscribe.evaluation.ranking import OptionLikelihoods
from protscribe.evaluation.trained import load_predictor, training_facts
from protscribe.llm.pretrained import load_language_model, load_tokenizer
from protscribe.models.captioner import Captioner
from protscribe.models.published.prompts import format_for, prompt_builder
from protscribe.prompts import PromptStyle
from protscribe.tables import write_table

OPTION_CONDITIONS = (SEQUENCE_CONDITION, BLIND_CONDITION)

Row = Mapping[str, Any]


def score_options(
    models: Mapping[int, Path],
    language_model: Path,
    questions: Sequence[Path],
    output: Path,
    *,
    predictor: str,
    batch_tokens: int,
    state: Path,
    device: str,
    threads: int,
    conditions: Sequence[str] = OPTION_CONDITIONS,
    stores: Sequence[Path] = (),
    proteins: Path | None = None,
) -> None:
    """Score the options of every question, once per training seed and condition.

    A question is asked in the system's own prompt. Its options are compared by the likelihood of
    their whole texts; a pairing question has requests for options, and what is compared is the
    likelihood of the protein after each. Finished work is kept in `state`; a job that was killed
    goes on from there.

    Parameters
    ----------
    models
        Folder of the finished model of each training seed.
    language_model
        Folder of the language model that they were tuned on.
    questions
        Tables of questions.
    output
        Table ``option_scores`` to write; its metadata names the predictor and the training.
        ``prior_log_likelihoods`` are those of the same prompt without the protein, under
        ``blind`` the very ones of the row. Pairing questions have none, and no row under
        ``blind``; a system without residue tokens has no row for them at all.
    predictor
        Name of the system.
    batch_tokens
        Most positions in memory; see `protscribe.evaluation.ranking.option_log_likelihoods`.
    state
        Folder for finished work, which belongs to this very job; removed at the end.
    device, threads
        Where the model runs.
    conditions
        Any of ``sequence`` and ``blind`` (the prompt without the protein, which is the prior).
    stores
        Folders of embeddings that hold every protein under its
        `protscribe.evaluation.asked_proteins.protein_key`, for a system with an encoder.
    proteins
        The proteins table, for a prompt that names the protein or its organism.

    Raises
    ------
    InputError
        If a condition does not exist, models, embeddings and questions do not belong together, a
        question cannot be asked, or one exceeds the budget.
    """
    if not conditions or set(conditions) - set(OPTION_CONDITIONS):
        raise InputError(
            f"the conditions are {', '.join(conditions) or 'empty'}; "
            f"allowed: {', '.join(OPTION_CONDITIONS)}"
        )
    torch.set_num_threads(threads)
    asked = read_questions(questions)
    rows: list[dict[str, Any]] = []
    training: list[Mapping[str, int]] = []
    for seed, folder in sorted(models.items()):
        found, counts = _score_model(
            folder,
            language_model,
            asked,
            predictor=predictor,
            seed=seed,
            batch_tokens=batch_tokens,
            state=state / str(seed),
            device=device,
            conditions=conditions,
            stores=stores,
            proteins=proteins,
        )
        rows += found
        training.append(counts)
    write_table(output, "option_scores", rows, training_facts(predictor, training))
    shutil.rmtree(state, ignore_errors=True)


def score_language_model(
    language_model: Path,
    questions: Sequence[Path],
    output: Path,
    *,
    predictor: str,
    batch_tokens: int,
    state: Path,
    device: str,
    threads: int,
    precision: str = "float32",
) -> None:
    """Score the options of every question by a language model that sees no protein.

    Like those of every baseline, the rows have the condition ``sequence``, although the model
    sees none, and so what is scored is its own prior. Pairing questions, which ask for a protein,
    have no row.

    Parameters
    ----------
    language_model
        Folder of a language model.
    questions, output, predictor, batch_tokens, state, device, threads
        As for `score_options`.
    precision
        ``float32`` or ``bf16``.

    Raises
    ------
    InputError
        If the language model is missing or does not suit, a question cannot be asked, or one
        exceeds the budget.
    """
    torch.set_num_threads(threads)
    rows = _answerable(read_questions(questions), False, predictor)
    tokenizer = load_tokenizer(language_model)
    builder = prompt_builder({"format": format_for(tokenizer)}, tokenizer)
    model = load_language_model(language_model, device=device, precision=precision)
    captioner = Captioner(model, None, builder.end_of_turn_id)
    prompts = OptionPrompts(builder, PromptStyle(""), rows)
    work = OptionWork(captioner, prompts, batch_tokens, state, predictor)
    found = work.priors(rows)
    scored = [
        _scored(row, predictor, 0, SEQUENCE_CONDITION, found[row["id"]], found[row["id"]])
        for row in rows
    ]
    write_table(output, "option_scores", scored, training_facts(predictor, ()))
    shutil.rmtree(state, ignore_errors=True)


def _score_model(
    folder: Path,
    language_model: Path,
    asked: Sequence[Row],
    *,
    predictor: str,
    seed: int,
    batch_tokens: int,
    state: Path,
    device: str,
    conditions: Sequence[str],
    stores: Sequence[Path],
    proteins: Path | None,
) -> tuple[list[dict[str, Any]], Mapping[str, int]]:
    # The model lives in this function alone, so that two seeds are never in memory together.
    captioner, builder, facts = load_predictor(
        folder, language_model, predictor=predictor, seed=seed, device=device
    )
    rows = _answerable(asked, builder.residues is not None, f"{predictor} {seed}")
    source = AskedProteins(facts, captioner, builder, stores, rows)
    style = PromptStyle(**facts["system"].get("prompt", {"system_message": ""}))
    prompts = OptionPrompts(builder, style, rows, source, proteins)
    work = OptionWork(captioner, prompts, batch_tokens, state, f"{predictor} {seed}")
    priors = work.priors([row for row in rows if not is_pairing(row["task"])])
    scored: list[dict[str, Any]] = []
    if SEQUENCE_CONDITION in conditions:
        found = work.answers(rows)
        scored += [
            _scored(
                row, predictor, seed, SEQUENCE_CONDITION, found[row["id"]], priors.get(row["id"])
            )
            for row in rows
        ]
    if BLIND_CONDITION in conditions:
        scored += [
            _scored(row, predictor, seed, BLIND_CONDITION, priors[row["id"]], priors[row["id"]])
            for row in rows
            if row["id"] in priors
        ]
    return scored, facts["training"]


def _answerable(rows: Sequence[Row], writes: bool, title: str) -> list[Row]:
    """Return the questions that a model can answer: all, or those for words."""
    kept = [row for row in rows if writes or not is_pairing(row["task"])]
    if left_out := len(rows) - len(kept):
        print(
            f"{title}: {left_out} questions are left out, because they ask for the likelihood of "
            "a protein and the model has no residue tokens",
            file=sys.stderr,
        )
    return kept


def _scored(
    row: Row,
    predictor: str,
    seed: int,
    condition: str,
    found: OptionLikelihoods,
    prior: OptionLikelihoods | None,
) -> dict[str, Any]:
    return {
        "predictor": predictor,
        "id": row["id"],
        "task": row["task"],
        "fold": row["fold"],
        "condition": condition,
        "training_seed": seed,
        "accession": row["accession"],
        "log_likelihoods": found.log_likelihoods,
        "tokens": found.tokens,
        "prior_log_likelihoods": None if prior is None else prior.log_likelihoods,
    }
