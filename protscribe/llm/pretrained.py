"""Pretrained language models and their tokenizers, from local folders."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from protscribe.errors import InputError
from protscribe.prompts import PromptBuilder
from protscribe.provenance import model_manifest


def load_language_model(folder: Path | str, *, device: str = "cpu", precision: str) -> Any:
    """Load a causal language model from a local folder, frozen and in evaluation mode.

    Parameters
    ----------
    folder
        A Hugging Face folder with safetensors and ``manifest.json``.
    device
        ``cpu`` or ``cuda``.
    precision
        ``float32``, or ``bf16`` for weights in bfloat16.

    Returns
    -------
    transformers.PreTrainedModel

    Raises
    ------
    InputError
        If the folder has no model or the precision is unknown.
    """
    identity(folder)
    types = {"float32": torch.float32, "bf16": torch.bfloat16}
    if precision not in types:
        raise InputError(f"precision is {precision!r}; allowed: {', '.join(types)}")
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=types[precision], local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: no causal language model ({error})") from None
    return model.requires_grad_(False).eval().to(device)


def load_prompt_builder(folder: Path | str) -> PromptBuilder:
    """Return the prompt builder over a local folder's tokenizer and chat template.

    Raises
    ------
    InputError
        If the folder has no tokenizer, or its tokenizer no chat template.
    """
    return PromptBuilder(load_tokenizer(folder))


def load_tokenizer(folder: Path | str) -> Any:
    """Return the tokenizer of a local folder.

    Raises
    ------
    InputError
        If the folder has none.
    """
    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: no tokenizer ({error})") from None


def hidden_size(folder: Path | str) -> int:
    """Return the width of a local language model's embeddings, from its config alone."""
    return _config(folder, "hidden_size")


def vocabulary_size(folder: Path | str) -> int:
    """Return the number of rows of a local language model's embeddings, from its config alone."""
    return _config(folder, "vocab_size")


def identity(folder: Path | str) -> dict[str, str]:
    """Return what tells one local model folder from another.

    Returns
    -------
    dict
        ``name`` and ``weights_sha256``, from the folder's manifest.

    Raises
    ------
    InputError
        If the folder has no manifest: it is not complete.
    """
    manifest = model_manifest(folder)
    return {"name": manifest["name"], "weights_sha256": manifest["weights_sha256"]}


def _config(folder: Path | str, key: str) -> int:
    try:
        return getattr(AutoConfig.from_pretrained(str(folder), local_files_only=True), key)
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{folder}: no language model configuration ({error})") from None
