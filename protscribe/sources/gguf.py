"""GGUF files, turned into plain Hugging Face folders.

transformers reads a GGUF file by dequantising it, but refuses to save what it has read. So the
dequantised weights are written here as safetensors with a clean configuration, and the result
is loaded again and compared.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from protscribe.errors import InputError

PROBE = "Enzyme 1234: what does  2-oxoglutarate do?\n"


def convert_gguf(file: Path, folder: Path) -> None:
    """Write a GGUF language model as configuration, safetensors and tokenizer files.

    Weights are kept in float32, so that they equal the dequantised ones exactly. Configuration,
    special tokens and chat template come from the file's own metadata.

    Parameters
    ----------
    file
        A GGUF file of an architecture that transformers can read.
    folder
        Existing folder to write into.

    Raises
    ------
    InputError
        If the file is not GGUF, or is of an architecture that transformers cannot read.
    RuntimeError
        If the written model, loaded again, does not compute the same as the one read.
    """
    with open(file, "rb") as start:
        if start.read(4) != b"GGUF":
            raise InputError(f"{file.name}: not a GGUF file")
    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, dtype=torch.float32
        ).eval()
    except (ValueError, KeyError, NotImplementedError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{file.name}: transformers cannot read it: {reason[:300]}") from None
    _split_digits(file, tokenizer)

    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # A tied weight is one tensor under two names, of which the file may hold only one.
    tied = model.all_tied_weights_keys if config.tie_word_embeddings else {}
    weights = {
        key: value.contiguous() for key, value in model.state_dict().items() if key not in tied
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _compare(folder, model, tokenizer)


def _split_digits(file: Path, tokenizer: Any) -> None:
    """Restore what transformers leaves out of the SmolLM tokenizer: each digit stands alone."""
    from gguf import GGUFReader

    field = GGUFReader(file).fields.get("tokenizer.ggml.pre")
    if field is not None and field.contents() == "smollm":
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )


@torch.inference_mode()
def _compare(folder: Path, model: Any, tokenizer: Any) -> None:
    again, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    if info["missing_keys"] or info["unexpected_keys"] or info["mismatched_keys"]:
        raise RuntimeError(f"{folder}: the converted weights do not fit: {info}")
    saved = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(PROBE)["input_ids"]
    if saved(PROBE)["input_ids"] != ids or saved.chat_template != tokenizer.chat_template:
        raise RuntimeError(f"{folder}: the saved tokenizer differs from the one in the GGUF file")
    batch = torch.tensor([ids])
    if not torch.equal(again.eval()(batch).logits, model(batch).logits):
        raise RuntimeError(f"{folder}: the saved model computes something else than the GGUF file")
