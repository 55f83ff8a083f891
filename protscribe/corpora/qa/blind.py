"""How much of each answer a language model knows without the protein.

A question that a language model answers from general knowledge, or from the question's own words,
tells nothing about what another model reads from a sequence. Pairs are scored and flagged here,
not dropped: a test set of easy questions is a finding too.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from protscribe.batching import token_budget_batches
from protscribe.errors import InputError
from protscribe.llm.pretrained import identity, load_language_model, load_prompt_builder
from protscribe.prompts import IGNORED_LABEL, PromptBuilder
from protscribe.tables import read_metadata, read_table, write_table

NO_QUESTION = ""
"""Stands for the question where none is asked; the words of the chat template stay."""

_DIGITS = 4  # Batches of other widths differ in the sixth.
_SCALED_LOGITS = ("final_logit_softcapping", "logit_scale", "logits_scaling")

_MANY = 8  # Answers to one question from which they are worth batches of their own.

Text = tuple[str, str]
"""A question and its answer."""

Row = tuple[list[int], list[int]]
"""Ids of a prompt and of the answer to it."""


def score_pairs(
    pairs: Path,
    output: Path,
    *,
    language_model: Path,
    max_loss: float,
    batch_tokens: int,
    device: str,
    threads: int,
    precision: str = "float32",
) -> None:
    """Score each answer under a bare language model that does not see the protein.

    Parameters
    ----------
    pairs
        Table ``qa_pairs``.
    output
        Table ``qa_scores`` to write: for each pair the mean negative log likelihood of the
        answer's tokens in nats, after the question (``blind_loss``) and after an empty one
        (``prior_loss``). The end-of-turn token is left out: it says how long an answer is, and in
        a short one it would weigh as much as the fact. The metadata names model and threshold.
    language_model
        Folder of an instruction-tuned language model; its own chat template is used.
    max_loss
        A pair whose ``blind_loss`` is not above it counts as answered blind.
    batch_tokens
        Most tokens of a padded batch.
    device, threads, precision
        Where and how the model runs; `precision` as for `load_language_model`.

    Raises
    ------
    InputError
        If the model is unfit, an answer has no token, or a pair exceeds `batch_tokens`.
    """
    torch.set_num_threads(threads)
    rows = read_table(pairs, "qa_pairs", ["id", "question", "answer"]).to_pylist()
    for row in rows:
        if not row["question"] or not row["answer"]:
            raise InputError(f"{pairs}: {row['id']} lacks its question or answer; filter again")
    builder = load_prompt_builder(language_model)
    model = load_language_model(language_model, device=device, precision=precision)
    texts = {
        (question, row["answer"]) for row in rows for question in (row["question"], NO_QUESTION)
    }
    found = answer_losses(model, builder, texts, batch_tokens)
    scores = []
    for row in rows:
        tokens, blind = found[row["question"], row["answer"]]
        _, prior = found[NO_QUESTION, row["answer"]]
        scores.append(
            {
                "id": row["id"],
                "answer_tokens": tokens,
                "blind_loss": blind,
                "prior_loss": prior,
                "answered_blind": blind <= max_loss,
            }
        )
    model_facts = {f"blind_{name}": value for name, value in identity(language_model).items()}
    facts = read_metadata(pairs) | model_facts | {"blind_max_loss": str(max_loss)}
    write_table(output, "qa_scores", scores, facts)
    answered = sum(row["answered_blind"] for row in scores)
    share = f" ({answered / len(scores):.1%})" if scores else ""
    print(
        f"{answered} of {len(scores)} pairs{share} are answered without the protein "
        f"(at most {max_loss} nats a token)",
        file=sys.stderr,
    )


@torch.inference_mode()
def answer_losses(
    model: Any, builder: PromptBuilder, texts: Iterable[Text], batch_tokens: int
) -> dict[Text, tuple[int, float]]:
    """Return the tokens of each answer and their mean loss, each distinct text computed once.

    What the prompts of a batch begin with alike is computed once for all of them, and answers to
    the same question come in batches of their own, so that of a question asked many times, of the
    empty one and of the chat template's words little more than the answers is left to compute.

    Parameters
    ----------
    model
        A transformers causal language model.
    builder
        Its prompts.
    texts
        Questions with their answers; order and repetition change nothing.
    batch_tokens
        Most tokens of a padded batch.

    Returns
    -------
    dict
        By question and answer: number of tokens, and mean negative log likelihood in nats,
        rounded to four digits. The end-of-turn token does not count.

    Raises
    ------
    InputError
        If the model changes its logits after the output layer, an answer has no token, or a text
        exceeds `batch_tokens`.
    """
    for key in _SCALED_LOGITS:
        if getattr(model.config, key, None) not in (None, 1, 1.0):
            raise InputError(
                f"the language model's config.json sets {key}, which scoring does not support; "
                "choose another qa.blind.model"
            )
    order = sorted(set(texts))
    prompts = {question: _prompt(builder, question) for question, _ in order}
    rows = [(prompts[question], builder.answer(answer)[0][:-1]) for question, answer in order]
    for (_, answer), (_, ids) in zip(order, rows, strict=True):
        if not ids:
            raise InputError(f"the answer {answer!r} has no token; filter the pairs again")
    batches = _plan([question for question, _ in order], rows, batch_tokens)
    found: dict[Text, tuple[int, float]] = {}
    for batch in tqdm(batches, desc="answers without the protein", unit="batch", mininterval=5):
        losses = _mean_losses(model, [rows[i] for i in batch])
        for i, loss in zip(batch, losses, strict=True):
            found[order[i]] = len(rows[i][1]), round(loss, _DIGITS)
    return found


def _plan(questions: Sequence[str], rows: Sequence[Row], batch_tokens: int) -> list[list[int]]:
    """Return batches of positions, the answers to a question together where they are many."""
    times = Counter(questions)
    groups: dict[str | None, list[int]] = {}
    for i, question in enumerate(questions):
        groups.setdefault(question if times[question] >= _MANY else None, []).append(i)
    batches = []
    for group in groups.values():
        lengths = [len(rows[i][0]) + len(rows[i][1]) for i in group]
        planned = token_budget_batches(lengths, max_tokens=batch_tokens)
        batches += [[group[i] for i in batch] for batch in planned]
    return batches


def _prompt(builder: PromptBuilder, question: str) -> list[int]:
    text = builder.tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
    )
    return builder.tokenizer(text, add_special_tokens=False)["input_ids"]


def _mean_losses(model: Any, rows: Sequence[Row]) -> list[float]:
    """Return the mean loss of each row's answer, logits being computed at its positions alone."""
    device = model.get_input_embeddings().weight.device
    decoder = model.get_decoder()
    # The last id of a prompt is what the answer's first one is predicted from.
    shared = _common_start([prompt[:-1] for prompt, _ in rows])
    past = None
    if shared and len(rows) > 1:
        past = decoder(
            input_ids=torch.tensor([shared], device=device), use_cache=True
        ).past_key_values
        past.batch_repeat_interleave(len(rows))
        rows = [(prompt[len(shared) :], answer) for prompt, answer in rows]
    before = len(shared) if past is not None else 0
    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    # Padded on the right, where a causal model cannot see it; the id does not matter.
    ids = torch.zeros((len(rows), width), dtype=torch.int64)
    mask = torch.zeros((len(rows), before + width), dtype=torch.int64)
    labels = torch.full_like(ids, IGNORED_LABEL)
    for row, (prompt, answer) in enumerate(rows):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor(prompt + answer)
        mask[row, : before + end] = 1
        labels[row, len(prompt) : end] = torch.tensor(answer)
    ids, mask, labels = ids.to(device), mask.to(device), labels.to(device)
    hidden = decoder(
        input_ids=ids,
        attention_mask=mask,
        past_key_values=past,
        use_cache=past is not None,
    ).last_hidden_state
    # The state at one position predicts the id at the next.
    wanted = labels[:, 1:] != IGNORED_LABEL
    logits: Tensor = model.get_output_embeddings()(hidden[:, :-1][wanted])
    losses = F.cross_entropy(logits.float(), labels[:, 1:][wanted], reduction="none")
    counts = [len(answer) for _, answer in rows]
    return [float(part.double().mean()) for part in losses.split(counts)]


def _common_start(lists: Sequence[list[int]]) -> list[int]:
    # Sorted, the first and the last list differ first where any two do.
    low, high = min(lists), max(lists)
    unlike = (i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b)
    return low[: next(unlike, len(low))]
