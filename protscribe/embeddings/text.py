"""Pooled hidden states of a frozen language model, one vector pair per distinct text."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm
from transformers import AutoConfig, AutoModel, AutoTokenizer

from protscribe.atomic import sha256_text, write_json
from protscribe.batching import token_budget_batches
from protscribe.embeddings.encoders import quiet_loading, resolve_layer
from protscribe.embeddings.pooling import pooled
from protscribe.errors import InputError
from protscribe.prompts import PromptBuilder
from protscribe.provenance import model_manifest
from protscribe.tables import read_table, write_table

TRAINING_FOLD = "train"


def embed_texts(
    conversations: Sequence[Path],
    language_model: Path,
    vectors: Path,
    spread: Path,
    *,
    layer: int,
    max_tokens: int,
    drop_first: bool,
    center: bool,
    batch_tokens: int,
    device: str,
    threads: int,
) -> None:
    """Pool the hidden states of one layer over each distinct answer text.

    A text is the last assistant turn of a conversation with its end-of-turn token and nothing
    before it, as in stage 1 of Prot2Text-V2. Its vectors are the mean and the population
    standard deviation over its tokens. In raw form those of different texts are nearly
    parallel, because the first position is an attention sink and because all texts share one
    large common part; `drop_first` and `center` take both away, and the published code does
    neither.

    Parameters
    ----------
    conversations
        Tables ``conversations``.
    language_model
        Folder of the language model.
    vectors
        Table ``text_vectors`` to write; one row per distinct text, by its SHA-256.
    spread
        JSON file to write: how far the vectors are apart, raw and as written.
    layer
        Hidden state to read: 0 is the embedding, the last one carries the final norm, negative
        numbers count from the end. Layers above it are neither loaded nor computed.
    max_tokens
        Longest text in tokens, the end-of-turn included, which a cut text keeps.
    drop_first
        Leave out position 0 of every text that has others.
    center
        Subtract the mean of mean and of standard deviation over the distinct training texts.
    batch_tokens
        Most tokens of a padded batch.
    device
        Torch device.
    threads
        CPU threads.

    Raises
    ------
    InputError
        If an input is missing or unfit, there is no text, or no training text to centre with.
    """
    torch.set_num_threads(threads)
    texts, training = _distinct_texts(conversations)
    builder = PromptBuilder(AutoTokenizer.from_pretrained(language_model))
    answers = {key: builder.answer(text, max_tokens) for key, text in texts.items()}
    model = load_first_layers(language_model, layer, device)

    order = sorted(texts)
    ids = [answers[key][0] for key in order]
    raw = _pool_all(model, ids, drop_first, batch_tokens)
    in_training = np.array([key in training for key in order])
    if center and not in_training.any():
        raise InputError(f"{conversations[0]}: no training text to centre the text vectors with")
    written = raw - raw[in_training].mean(axis=0, keepdims=True) if center else raw
    written = written.astype(np.float32)

    manifest = model_manifest(language_model)
    facts = {
        "language_model": manifest["name"],
        "weights_sha256": manifest["weights_sha256"],
        "layer": layer,
        "max_tokens": max_tokens,
        "drop_first": drop_first,
        "center": center,
    }
    half = written.shape[1] // 2
    rows = [
        {"text_hash": key, "mean": vector[:half], "std": vector[half:]}
        for key, vector in zip(order, written, strict=True)
    ]
    write_table(vectors, "text_vectors", rows, {key: str(value) for key, value in facts.items()})
    report: dict[str, Any] = {
        **facts,
        "texts": len(order),
        "training_texts": int(in_training.sum()),
        "texts_cut": sum(truncated for _, truncated in answers.values()),
        "raw": spread_of(raw),
        "written": spread_of(written),
    }
    write_json(spread, report)
    cosine = report["written"]["mean_pairwise_cosine"]
    print(f"{len(order)} distinct texts, mean pairwise cosine {cosine}", file=sys.stderr)


def load_first_layers(folder: Path, layer: int, device: str) -> torch.nn.Module:
    """Load a decoder up to one layer, in float32, so that its output is that hidden state.

    Parameters
    ----------
    folder
        Folder of a language model.
    layer
        See `embed_texts`.
    device
        Torch device.

    Raises
    ------
    InputError
        If the model has no such layer, lacks weights, or is built so differently that its
        final norm cannot be found.
    """
    config = AutoConfig.from_pretrained(folder)
    layers = config.num_hidden_layers
    config.num_hidden_layers = resolve_layer(layer, layers, "align.text_layer")
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[: config.num_hidden_layers]
    with quiet_loading():
        model, info = AutoModel.from_pretrained(
            folder, config=config, dtype=torch.float32, output_loading_info=True
        )
    if info["missing_keys"] or info["mismatched_keys"]:
        wrong = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))
        raise InputError(f"{folder}: the weights do not fit the configuration: {wrong[0]}")
    if not isinstance(getattr(model, "norm", None), torch.nn.Module):
        raise InputError(f"{folder}: {type(model).__name__} has no final norm where decoders do")
    if config.num_hidden_layers < layers:
        model.norm = torch.nn.Identity()
    return model.to(device).eval()


def spread_of(vectors: np.ndarray) -> dict[str, float | None]:
    """Return how far vectors are apart.

    Parameters
    ----------
    vectors
        Shape (texts, dimensions).

    Returns
    -------
    dict
        ``mean_pairwise_cosine`` over all pairs of different rows (None below two rows), and
        the mean, smallest and largest norm.
    """
    exact = vectors.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1)
    count = len(exact)
    cosine = None
    if count > 1:
        # The sum over all pairs, without the matrix of pairs.
        units = exact / np.maximum(norms, 1e-12)[:, None]
        total = np.square(units.sum(axis=0)).sum() - np.square(units).sum()
        cosine = round(float(total) / (count * (count - 1)), 6)
    return {
        "mean_pairwise_cosine": cosine,
        "mean_norm": round(float(norms.mean()), 6),
        "min_norm": round(float(norms.min()), 6),
        "max_norm": round(float(norms.max()), 6),
    }


def _distinct_texts(conversations: Sequence[Path]) -> tuple[Mapping[str, str], set[str]]:
    texts: dict[str, str] = {}
    training: set[str] = set()
    for path in conversations:
        table = read_table(path, "conversations", ["id", "fold", "turns"])
        for row in table.to_pylist():
            turns = row["turns"]
            if not turns or turns[-1]["role"] != "assistant":
                raise InputError(f"{path}: conversation {row['id']} has no answer at its end")
            key = sha256_text(turns[-1]["content"])
            texts[key] = turns[-1]["content"]
            if row["fold"] == TRAINING_FOLD:
                training.add(key)
    if not texts:
        raise InputError(f"{', '.join(map(str, conversations))}: no conversations to embed")
    return texts, training


@torch.inference_mode()
def _pool_all(
    model: torch.nn.Module, ids: Sequence[Sequence[int]], drop_first: bool, batch_tokens: int
) -> np.ndarray:
    """Return [mean; std] of each text, float64 (texts, 2 x dimensions)."""
    device = next(model.parameters()).device
    result: dict[int, np.ndarray] = {}
    batches = token_budget_batches([len(tokens) for tokens in ids], max_tokens=batch_tokens)
    for batch in tqdm(batches, desc="texts", unit="batch", mininterval=5):
        width = max(len(ids[i]) for i in batch)
        # Padded on the right, where a causal model cannot see it; the id does not matter.
        padded = torch.zeros((len(batch), width), dtype=torch.int64)
        mask = torch.zeros((len(batch), width), dtype=torch.int64)
        for row, i in enumerate(batch):
            padded[row, : len(ids[i])] = torch.tensor(ids[i])
            mask[row, : len(ids[i])] = 1
        padded, mask = padded.to(device), mask.to(device)
        hidden = model(input_ids=padded, attention_mask=mask, use_cache=False).last_hidden_state
        counted = mask.clone()
        if drop_first:
            counted[:, 0] = mask.sum(dim=1) == 1
        vectors = torch.cat(pooled(hidden, counted), dim=1).double().cpu().numpy()
        result.update(zip(batch, vectors, strict=True))
    return np.stack([result[i] for i in range(len(ids))])
