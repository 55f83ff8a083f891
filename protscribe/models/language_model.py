"""The adapters that are trained inside a frozen language model."""

from collections.abc import Mapping
from typing import Any

import torch
from peft import LoraConfig, TaskType, get_peft_model

from protscribe.seeds import derive_seed


def add_lora(language_model: Any, settings: Mapping[str, Any], seed: int) -> Any:
    """Add trainable low-rank adapters to a frozen language model, in place.

    With ``targets: all-linear`` these are all linear layers of the decoder, without the
    output layer: 83,886,080 parameters for LLaMA-3.1-8B at rank 32. The adapters are
    float32 also where the frozen weights are bfloat16, because updates of late training
    are smaller than bfloat16 resolves.

    Parameters
    ----------
    language_model
        What `load_language_model` returned.
    settings
        ``rank``, ``alpha``, ``dropout`` and ``targets``.
    seed
        Decides the initial values. The adapted model equals the bare one until it is trained.

    Returns
    -------
    peft.PeftModel
    """
    torch.manual_seed(derive_seed(seed, "lora"))
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=settings["rank"],
        lora_alpha=settings["alpha"],
        lora_dropout=settings["dropout"],
        target_modules=settings["targets"],
        bias="none",
    )
    return get_peft_model(language_model, config)
