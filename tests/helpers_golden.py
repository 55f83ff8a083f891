"""The published codes' tiny models, assembled from the reference files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from helpers_releases import embedded, made
from protscribe.atomic import read_json
from protscribe.embeddings.store import EmbeddingStore
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import load_captioner
from protscribe.models.language_model import add_lora
from protscribe.models.projector import Projector
from protscribe.models.published.importing import import_model
from protscribe.prompts import PLACEHOLDER_ID, PromptBuilder

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


@dataclass
class GoldenProtein2Text:
    """Its inputs and expected values, and its release after it went through our import."""

    folder: Path
    inputs: dict[str, Tensor]
    expected: dict[str, Tensor]
    rows: list[dict[str, Any]]
    store: EmbeddingStore
    captioner: Captioner
    builder: PromptBuilder
    facts: dict[str, Any]

    @property
    def states(self) -> list[Tensor]:
        return [self.store[row["id"]] for row in self.rows]

    def prompts(self) -> list[list[int]]:
        """Return our prompts for its questions, 8 placeholders each."""
        questions = [row["conversations"][0]["value"] for row in self.rows]
        return [
            self.builder.prompt([{"role": "user", "content": q}], [PLACEHOLDER_ID] * 8)
            for q in questions
        ]

    def spliced(self, name: str, filler: int) -> Tensor:
        """Return a batch tensor with 8 places of `filler` where its one placeholder stands."""
        ids = self.inputs["batch.input_ids"]
        rows = []
        for row, values in zip(ids, self.inputs[name], strict=True):
            place = row.tolist().index(PLACEHOLDER_ID)
            middle = torch.full((8,), filler)
            rows.append(torch.cat([values[:place], middle, values[place + 1 :]]))
        return torch.stack(rows)


PROTEIN2TEXT = {
    "checkpoint": "protein2text",
    "precision": "float32",
    "connector": {
        "type": "resampler",
        "latents": 8,
        "depth": 2,
        "heads": 4,
        "head_dim": 8,
        "multiplier": 2,
        "positions": "one",
    },
    "prompt": {"format": "protein2text", "system_message": ""},
}


def import_protein2text(golden: Path, release: Path, root: Path) -> GoldenProtein2Text:
    """Take a release of Protein2Text and its two models in, embed its proteins and load it."""
    folder = golden / "protein2text"
    checkpoint = made("protein2text", "checkpoint", release, root)
    encoder = made("esm2_tiny", "protein_encoder", folder / "facebook" / "esm2_tiny", root)
    llama = made("llama_base", "language_model", folder / "llama_base", root)
    rows = read_json(folder / "rows.json")
    sequences = {row["id"]: row["amino_seq"] for row in rows}
    store = embedded(encoder, root, sequences, layer=-2, special_tokens="end")
    import_model(
        checkpoint,
        store,
        llama,
        root / "model",
        name="protein2text",
        system=PROTEIN2TEXT,
        training_seed=0,
    )
    return GoldenProtein2Text(
        folder,
        load_file(folder / "inputs.safetensors"),
        load_file(folder / "expected.safetensors"),
        rows,
        EmbeddingStore(store),
        *load_captioner(root / "model", llama),
    )


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
