"""A system built around its language model, before anything of it is trained or loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from protscribe.llm.pretrained import hidden_size, load_language_model, load_tokenizer
from protscribe.models.captioner import Captioner
from protscribe.models.connectors import build_connector
from protscribe.models.language_model import add_lora
from protscribe.models.published.prompts import prompt_builder
from protscribe.models.residue_rows import ResidueRows
from protscribe.prompts import PromptBuilder
from protscribe.seeds import derive_seed


def trained_whole(system: Mapping[str, Any]) -> bool:
    """Return whether a system's language model is trained whole, without adapters."""
    return "tune" in system and "lora" in system["tune"] and system["tune"]["lora"] is None


def build_captioner(
    system: Mapping[str, Any],
    language_model: Path | str,
    *,
    input_size: int | None,
    precision: str,
    lora: Mapping[str, Any] | None,
    whole: bool = False,
    seed: int,
) -> tuple[Captioner, PromptBuilder]:
    """Build a system around its language model, with fresh weights of its own.

    Parameters
    ----------
    system
        ``connector``, ``residues`` and ``prompt`` of a system; those that it lacks may be left
        out or None.
    language_model
        Local folder.
    input_size
        Width of the encoder's states; None for a system without an encoder.
    precision
        ``float32`` or ``bf16``.
    lora
        What `add_lora` needs; None for no adapters.
    whole
        Without adapters: whether the language model itself is trained.
    seed
        Decides all fresh weights.

    Returns
    -------
    captioner, prompt_builder

    Raises
    ------
    InputError
        If the language model and its tokenizer do not suit.
    """
    model = load_language_model(language_model, precision=precision)
    connector = None
    if (settings := system.get("connector")) is not None:
        assert input_size is not None
        torch.manual_seed(derive_seed(seed, "connector"))
        connector = build_connector(settings, input_size, hidden_size(language_model))
    rows = ResidueRows(model, seed) if system.get("residues") else None
    # As prediction has it, so that their prompts are the same.
    builder = prompt_builder(
        system.get("prompt", {}), load_tokenizer(language_model), rows and rows.residues
    )
    if lora is not None:
        model = add_lora(model, lora, seed=seed)
    elif whole:
        model.requires_grad_(True)
    return Captioner(model, connector, builder.end_of_turn_id, rows), builder
