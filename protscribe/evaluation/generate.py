"""Answers of a tuned system to the test questions."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from protscribe.atomic import read_json, write_json
from protscribe.batching import token_budget_batches
from protscribe.embeddings.store import EmbeddingStore
from protscribe.errors import InputError
from protscribe.evaluation.examples import SEQUENCE_CONDITION, AskedExample, read_test
from protscribe.models.checkpoint import encoder_facts, load_captioner
from protscribe.prompts import PLACEHOLDER_ID, PROTEIN_MARKER, PromptBuilder
from protscribe.tables import write_table


def predict_system(
    models: Mapping[int, Path],
    language_model: Path,
    store: Path,
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
) -> None:
    """Answer every test question greedily, once per training seed.

    All batches are planned before the first one runs, so that neither a restart nor the order
    of work changes what is generated together. Each finished batch is kept in `state`; a job
    that was killed goes on from there.

    Parameters
    ----------
    models
        Folder of the finished model of each training seed.
    language_model
        Folder of the language model that they were tuned on.
    store
        Folder of the protein embeddings.
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

    Raises
    ------
    InputError
        If a model, the store and the conversations do not belong together, there is nothing
        to test on, or a prompt exceeds the budget.
    """
    torch.set_num_threads(threads)
    examples = read_test(conversations)
    embeddings = EmbeddingStore(store)
    rows: list[dict[str, Any]] = []
    training: list[Mapping[str, int]] = []
    for seed, folder in sorted(models.items()):
        answers, counts = _answer_all(
            folder,
            language_model,
            embeddings,
            examples,
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
    facts = {
        "predictor": predictor,
        # Of several trainings the longest: batches may differ a little from seed to seed.
        "training_examples": str(max(c["examples"] for c in training)),
        "training_steps": str(max(c["steps"] for c in training)),
    }
    write_table(output, "predictions", rows, facts)
    shutil.rmtree(state, ignore_errors=True)


def _answer_all(
    folder: Path,
    language_model: Path,
    embeddings: EmbeddingStore,
    examples: Sequence[AskedExample],
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
    captioner, builder, facts = load_captioner(folder, language_model, device=device)
    _check_belongs(facts, folder, predictor, seed, embeddings)
    lengths = embeddings.lengths([example.accession for example in examples])
    prompts = [
        builder.prompt(example.question, captioner.connector.token_count(length))
        for example, length in zip(examples, lengths, strict=True)
    ]
    batches = token_budget_batches(
        [len(prompt) + max_new_tokens for prompt in prompts], max_tokens=batch_tokens
    )
    answers: dict[str, dict[str, Any]] = {}
    for number, batch in enumerate(tqdm(batches, desc=f"{predictor} {seed}", mininterval=5)):
        kept = state / f"batch-{number:06d}.json"
        if not kept.exists():
            generated = captioner.generate(
                [prompts[i] for i in batch],
                [embeddings[examples[i].accession] for i in batch],
                max_new_tokens,
            )
            pairs = zip(batch, generated, strict=True)
            write_json(kept, {examples[i].id: {"ids": a[0], "finish": a[1]} for i, a in pairs})
        answers |= read_json(kept)
    if answers.keys() != {example.id for example in examples}:
        raise RuntimeError(f"{state}: the answers are not those of the test ids; delete the folder")
    cut = sum(answer["finish"] == "length" for answer in answers.values())
    print(
        f"{predictor} {seed}: {cut} of {len(answers)} answers were cut at {max_new_tokens} tokens",
        file=sys.stderr,
    )
    rows = [
        {
            "id": example.id,
            "task": example.task,
            "fold": example.fold,
            "condition": SEQUENCE_CONDITION,
            "training_seed": seed,
            "accession": example.accession,
            "prompt": _readable(builder, prompt),
            "reference": _reference(builder, example.answer, reference_max_tokens),
            "prediction": builder.decode(answers[example.id]["ids"]),
            "finish_reason": answers[example.id]["finish"],
            "tokens": len(answers[example.id]["ids"]),
            # Greedy decoding draws no random number.
            "seed": None,
        }
        for example, prompt in zip(examples, prompts, strict=True)
    ]
    return rows, facts["training"]


def _check_belongs(
    facts: Mapping[str, Any], folder: Path, predictor: str, seed: int, embeddings: EmbeddingStore
) -> None:
    if (facts["name"], facts["training_seed"]) != (predictor, seed):
        raise InputError(
            f"{folder}: is the model {facts['name']} of training seed {facts['training_seed']}, "
            f"not {predictor} of {seed}"
        )
    if facts["encoder"] != encoder_facts(embeddings.manifest):
        raise InputError(
            f"{folder}: was trained on other embeddings than those of {embeddings.folder}; "
            "run embed_proteins and the training again"
        )


def _readable(builder: PromptBuilder, prompt: Sequence[int]) -> str:
    """Return the prompt as the model reads it, with one marker for the protein."""
    first = prompt.index(PLACEHOLDER_ID)
    after = first + prompt.count(PLACEHOLDER_ID)
    before, behind = (
        builder.tokenizer.decode(list(ids), skip_special_tokens=False)
        for ids in (prompt[:first], prompt[after:])
    )
    return before + PROTEIN_MARKER + behind


def _reference(builder: PromptBuilder, answer: str, max_tokens: int | None) -> str:
    if max_tokens is None:
        return answer
    ids, cut = builder.answer(answer, max_tokens)
    # The published code decodes what is left of the ids; an uncut text needs no such detour.
    return builder.decode(ids) if cut else answer
