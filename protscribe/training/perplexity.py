"""How well a model predicts text and proteins that it was not trained on."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from protscribe.models.captioner import Captioner
from protscribe.prompts import PromptBuilder
from protscribe.training.documents import read_documents
from protscribe.training.packing import collate, pack


@torch.no_grad()
def held_out_perplexity(
    captioner: Captioner,
    builder: PromptBuilder,
    documents: Sequence[str],
    system: Mapping[str, Any],
) -> dict[str, dict[str, float | None]]:
    """Return the perplexity of the validation fold of each pretraining corpus.

    Over the whole vocabulary, words and residues: a model that expects residues in the middle of
    an English sentence pays for it here. That is how the collapse of the published model shows,
    whose perplexity on plain text is worse than that of guessing.

    Parameters
    ----------
    captioner
        The model; its training mode is kept.
    builder
        Its prompt builder.
    documents
        Tables of pretraining documents.
    system
        A system's settings: ``align.corpora``, ``align.context``, ``align.batch_tokens`` and
        ``align.max_validation_documents`` say what is read and how.

    Returns
    -------
    dict
        For each corpus ``perplexity`` (None where the fold is empty), ``documents`` and
        ``tokens``.
    """
    settings = system["align"]
    found = read_documents(
        documents,
        settings["corpora"],
        "validation",
        builder,
        limit=settings["max_validation_documents"],
    )
    training = captioner.training
    captioner.eval()
    width = settings["context"]
    numbers: dict[str, dict[str, float | None]] = {}
    for name, part in sorted(found.items()):
        rows = pack(part.lengths.tolist(), width, seed=0)
        total, tokens = 0.0, 0
        size = max(1, settings["batch_tokens"] // width)
        for first in range(0, len(rows), size):
            batch = collate(rows[first : first + size], part, width, pad_id=0)
            ids, labels, positions, mask = (tensor.to(captioner.device) for tensor in batch)
            with captioner.autocast():
                losses = captioner.token_losses(ids, mask, labels, None, positions)
            total += float(losses.double().sum())
            tokens += len(losses)
        numbers[name] = {
            "perplexity": round(math.exp(min(total / tokens, 700.0)), 4) if tokens else None,
            "documents": len(part),
            "tokens": tokens,
        }
    captioner.train(training)
    return numbers
