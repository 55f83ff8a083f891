"""How surprising a sequence is to a protein language model that fills gaps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import transformers

from protscribe.embeddings.encoders import letters_to_ids, quiet_loading, read_vocabulary
from protscribe.errors import InputError
from protscribe.provenance import model_manifest

HEAD = "lm_head."
"""Starts the names of the weights that turn hidden states into residues."""


def pseudo_perplexity(
    folder: Path, sequences: Sequence[str], *, device: str, batch_tokens: int
) -> np.ndarray:
    """Return the pseudo-perplexity of each sequence.

    Each residue in turn is masked and predicted from all others; the pseudo-perplexity is the
    exponential of their mean negative log-likelihood (Salazar et al., ACL 2020). Time grows with
    the cube of the length.

    Parameters
    ----------
    folder
        An ESM model with its language-model head, as `get_model` leaves it.
    sequences
        Upper-case letters.
    device
        As torch names it.
    batch_tokens
        Most tokens of a batch.

    Returns
    -------
    numpy.ndarray
        Shape (sequences,); NaN for an empty sequence.

    Raises
    ------
    InputError
        If the model is of another kind, or lacks the weights of its head: those of an encoder
        alone do not say what residue stands where.
    """
    manifest = model_manifest(folder)
    if manifest["format"] != "transformers":
        raise InputError(
            f"{folder}: pseudo-perplexity needs an ESM model in the format of transformers, this "
            f"is {manifest['format']}; leave design.evaluation.encoder empty"
        )
    with quiet_loading():
        model, info = transformers.EsmForMaskedLM.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
    missing = sorted(key for key in info["missing_keys"] if key.startswith(HEAD))
    if missing:
        raise InputError(
            f"{folder}: {manifest['name']} has no language-model head (lacks {missing[0]}), so it "
            "gives no pseudo-perplexity; leave design.evaluation.encoder empty, or take a "
            "checkpoint that has one"
        )
    others = [
        key
        for key in info["missing_keys"]
        if "contact_head." not in key and not key.endswith("inv_freq")
    ]
    if others or info["mismatched_keys"]:
        wrong = sorted(others) + sorted(map(str, info["mismatched_keys"]))
        raise InputError(f"{folder}: the weights do not fit an ESM model: {wrong[0]}")
    letters = read_vocabulary(folder / "vocab.txt")
    if "<mask>" not in letters:
        raise InputError(f"{folder}/vocab.txt: lacks <mask>, so that nothing can be predicted")
    model = model.to(device).eval()
    return np.array(
        [
            _one(model, letters, sequence, torch.device(device), batch_tokens)
            for sequence in sequences
        ]
    )


@torch.inference_mode()
def _one(
    model: transformers.PreTrainedModel,
    letters: dict[str, int],
    sequence: str,
    device: torch.device,
    batch_tokens: int,
) -> float:
    if not sequence:
        return float("nan")
    ids = letters_to_ids([sequence], letters)[0].to(device)
    rows = max(1, batch_tokens // len(ids))
    loss = 0.0
    for places in torch.arange(1, len(sequence) + 1, device=device).split(rows):
        masked = ids.repeat(len(places), 1)
        own = torch.arange(len(places), device=device)
        masked[own, places] = letters["<mask>"]
        logits = model(input_ids=masked, attention_mask=torch.ones_like(masked)).logits
        shares = torch.log_softmax(logits[own, places].double(), dim=1)
        loss -= float(shares[own, ids[places]].sum())
    return float(np.exp(loss / len(sequence)))
