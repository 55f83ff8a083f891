"""The untuned language model, which answers from the question alone.

What it gets right needs no protein: general knowledge, and what the question gives away.
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from protscribe.errors import InputError
from protscribe.evaluation.answering import Answers, cut_answers, readable_prompt
from protscribe.evaluation.examples import read_test
from protscribe.evaluation.trained import training_facts
from protscribe.llm.pretrained import load_language_model, load_tokenizer
from protscribe.models.captioner import Captioner
from protscribe.models.published.prompts import format_for, prompt_builder
from protscribe.prompts import PROTEIN_MARKER
from protscribe.tables import write_table


def predict_language_model(
    language_model: Path,
    conversations: Sequence[Path],
    output: Path,
    *,
    predictor: str,
    question: str,
    max_new_tokens: int,
    batch_tokens: int,
    state: Path,
    device: str,
    threads: int,
    precision: str = "float32",
) -> None:
    """Answer every test question greedily with a language model that sees no protein.

    Like those of every baseline, the rows have the condition ``sequence``, although the model
    sees none: they stand beside what systems say under that condition.

    Parameters
    ----------
    language_model
        Folder of an instruction-tuned language model.
    conversations
        Tables of conversations as corpora hold them, not in a system's prompt; the test folds
        are answered.
    output
        Table of predictions to write.
    predictor
        Name to write into its metadata.
    question
        Asked in place of a user turn that holds nothing but the protein.
    max_new_tokens
        Most ids of an answer, its end-of-turn included.
    batch_tokens
        Most positions of a batch, prompt and answer together.
    state
        Folder for finished batches, which belongs to this very job; removed at the end.
    device, threads
        Where the model runs.
    precision
        ``float32`` or ``bf16``.

    Raises
    ------
    InputError
        If the question is empty, the language model is missing or has no chat template, there
        is nothing to test on, or a prompt exceeds the budget.
    """
    if not question.strip():
        raise InputError("the question to ask about a bare protein is empty")
    torch.set_num_threads(threads)
    examples = read_test(conversations)
    tokenizer = load_tokenizer(language_model)
    builder = prompt_builder({"format": format_for(tokenizer)}, tokenizer)
    answers = Answers(
        [builder.prompt(without_protein(example.question, question), ()) for example in examples],
        None,
        [example.accession for example in examples],
        max_new_tokens=max_new_tokens,
        batch_tokens=batch_tokens,
    )
    model = load_language_model(language_model, device=device, precision=precision)
    captioner = Captioner(model, None, builder.end_of_turn_id)
    generated = answers.generate(captioner, state, predictor)
    print(
        f"{predictor}: {cut_answers(generated)} of {len(generated)} answers were cut at "
        f"{max_new_tokens} tokens",
        file=sys.stderr,
    )
    rows = [
        example.predicted(
            builder.decode(ids),
            finish,
            prompt=readable_prompt(builder, prompt),
            tokens=len(ids),
        )
        for example, prompt, (ids, finish) in zip(examples, answers.prompts, generated, strict=True)
    ]
    write_table(output, "predictions", rows, training_facts(predictor, ()))
    shutil.rmtree(state, ignore_errors=True)


def without_protein(turns: Sequence[Mapping[str, str]], question: str) -> list[dict[str, str]]:
    """Return turns in which only words are left.

    Parameters
    ----------
    turns
        ``{"role", "content"}`` records with the protein marker in a user turn.
    question
        Put where a user turn held the protein alone.

    Returns
    -------
    list of dict
        The marker now stands at the very start of the first user turn, where the prompt
        builder wants it and puts no protein token.
    """
    words = [dict(turn) for turn in turns]
    users = [turn for turn in words if turn["role"] == "user"]
    for turn in users:
        turn["content"] = turn["content"].replace(PROTEIN_MARKER, "").strip() or question
    for turn in users[:1]:
        turn["content"] = PROTEIN_MARKER + turn["content"]
    return words
