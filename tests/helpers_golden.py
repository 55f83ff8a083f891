"""The published code's tiny model, assembled from the reference files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from protscribe.atomic import read_json
from protscribe.models.captioner import Captioner
from protscribe.models.language_model import add_lora
from protscribe.models.projector import Projector
from protscribe.prompts import PLACEHOLDER_ID

PUBLISHED_PLACEHOLDER = 499
END_OF_TURN = 505
PAD = 498
NEVER = -1
"""An end-of-turn that no model produces."""


@dataclass
class Golden:
    """Inputs, expected values, and a captioner with the same weights."""

    folder: Path
    inputs: dict[str, Tensor]
    expected: dict[str, Tensor]
    captioner: Captioner

    @property
    def states(self) -> list[Tensor]:
        hidden = self.expected["encoder.last_hidden_state"]
        mask = self.inputs["protein_attention_mask"].bool()
        return [rows[keep] for rows, keep in zip(hidden, mask, strict=True)]

    def ids(self, name: str) -> Tensor:
        ids = self.inputs[name]
        return ids.masked_fill(ids == PUBLISHED_PLACEHOLDER, PLACEHOLDER_ID)

    def prompts(self) -> list[list[int]]:
        mask = self.inputs["prompt_attention_mask"].bool()
        rows = zip(self.ids("prompt_input_ids"), mask, strict=True)
        return [row[keep].tolist() for row, keep in rows]


def load_golden(golden: Path, end_of_turn_id: int = NEVER) -> Golden:
    """Load the reference files of Prot2Text-V2 and build its model from our parts."""
    folder = golden / "prot2text_v2"
    model = AutoModelForCausalLM.from_pretrained(golden / "lora" / "llama", dtype=torch.float32)
    connector = Projector(32, 48, hidden=40)
    weights = load_file(folder / "checkpoint" / "model.safetensors")
    used = {k.removeprefix("adapter."): v for k, v in weights.items() if "adapter.fc" in k}
    connector.load_state_dict(used)
    captioner = Captioner(model.requires_grad_(False), connector, end_of_turn_id).eval()
    return Golden(
        folder,
        load_file(folder / "inputs.safetensors"),
        load_file(folder / "expected.safetensors"),
        captioner,
    )


def published_adapter(golden: Path) -> Golden:
    """Return our captioner with the published code's trained adapter and projector."""
    reference = load_golden(golden)
    reference.expected |= load_file(golden / "lora" / "expected.safetensors")
    lora = {"rank": 8, "alpha": 16, "dropout": 0.0, "targets": "all-linear"}
    captioner = reference.captioner
    captioner.language_model = add_lora(captioner.language_model, lora, 0).eval()
    stored = load_file(golden / "lora" / "adapter_full" / "adapter_model.safetensors")
    stored = {name.replace("llama_decoder.", ""): tensor for name, tensor in stored.items()}
    prefix = "base_model.model.adapter."
    for name, parameter in captioner.named_parameters():
        key = name.removeprefix("language_model.").replace(".default", "")
        key = key.replace("connector.", prefix)
        if parameter.requires_grad:
            parameter.data.copy_(stored.pop(key))
    assert not stored
    return reference


def suggested_tolerances(folder: Path) -> dict[str, float]:
    """Return the absolute tolerance that the reference states for each of its values."""
    found: dict[str, float] = {}

    def collect(value: Any) -> None:
        for key, inner in value.items() if isinstance(value, dict) else ():
            if isinstance(inner, dict) and "suggested_atol" in inner:
                found[key] = inner["suggested_atol"]
            collect(inner)

    collect(read_json(folder / "README.json"))
    return found


def close(found: Tensor, wanted: Tensor, atol: float) -> None:
    torch.testing.assert_close(found, wanted, rtol=0, atol=atol)
