"""A tiny but real run up to the door of training: entries, embeddings, text vectors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from protscribe.atomic import sha256_text
from protscribe.embeddings.store import EmbeddingStore, embed_proteins
from protscribe.embeddings.text import embed_texts
from protscribe.llm.pretrained import hidden_size, identity
from protscribe.models.checkpoint import (
    connector_weights,
    encoder_facts,
    save_weights,
    weight_facts,
)
from protscribe.models.connectors import build_connector
from protscribe.prompts import PromptStyle
from protscribe.schemas import TABLES
from protscribe.tables import write_table
from protscribe.training.launch import TrainingJob
from tiny_models import write_tiny_encoder, write_tiny_language_model

STYLE = PromptStyle("You describe what a protein does.")
WORDS = ("Binds DNA.", "Binds RNA and ATP.", "Transports ions.", "Inhibits a protein kinase.")


SCHEDULE: dict[str, Any] = {
    "epochs": 2,
    "max_steps": None,
    "learning_rate": 1e-3,
    "weight_decay": 0.01,
    "warmup_fraction": 0.06,
    "clip_norm": 1.0,
    "evaluate_every": None,
}
ANSWERS: dict[str, Any] = {
    "corpora": ["descriptions"],
    "max_examples": None,
    "max_validation_examples": None,
    "max_answer_tokens": 24,
    "batch_tokens": 600,
    "batches_per_step": 2,
    "examples_per_step": None,
}
ALIGN: dict[str, dict[str, Any]] = {
    "captioning": {"objective": "captioning", **ANSWERS, **SCHEDULE},
    "contrastive": {
        "objective": "contrastive",
        "corpora": ["descriptions"],
        "pooling": ["mean", "std"],
        "text_layer": 2,
        "text_max_tokens": 32,
        "text_drop_first": True,
        "text_center": True,
        "loss": "concat",
        "term_weights": [1.0, 1.0],
        "symmetric": True,
        "temperature": 0.05,
        "learn_temperature": False,
        "gather_negatives": True,
        "mask_identical_texts": True,
        "batch_size": 8,
        "batches_per_step": 1,
        **SCHEDULE,
    },
}
RESAMPLER: dict[str, Any] = {
    "type": "resampler",
    "latents": 4,
    "depth": 2,
    "heads": 2,
    "head_dim": 8,
    "multiplier": 2,
    "positions": "one",
}


@dataclass(frozen=True)
class House:
    """Paths of a tiny run."""

    root: Path
    encoder: Path
    language_model: Path
    store: Path
    texts: Path
    conversations: Path

    def job(self, stage: str, name: str, system: dict[str, Any], **changes: Any) -> TrainingJob:
        inputs = {"store": str(self.store), "conversations": [str(self.conversations)]}
        if system[stage]["objective"] == "contrastive":
            inputs["texts"] = str(self.texts)
        else:
            inputs["language_model"] = str(self.language_model)
        if stage == "tune":
            inputs["weights"] = str(self.root / name / "align" / "weights.safetensors")
        settings: dict[str, Any] = {
            "stage": stage,
            "system_name": "tiny",
            "system": system,
            "training_seed": 0,
            "inputs": inputs,
            "state": str(self.root / name / f"state-{stage}"),
            "output": str(self.root / name / stage),
            "torch_threads": 1,
        }
        return TrainingJob(**(settings | changes))


def tiny_system(align: dict[str, Any] | None = None, **tune: Any) -> dict[str, Any]:
    """Settings of a system with every key present."""
    align = align or {}
    return {
        "faithful": False,
        "encoder": {
            "model": "encoder",
            "layer": -1,
            "max_residues": 40,
            "special_tokens": True,
            "dtype": "float32",
        },
        "language_model": "language_model",
        "precision": "float32",
        "connector": {
            "type": "projector",
            "hidden": 48,
            "activation": "gelu",
            "dropout": 0.1,
            "token_norm": "l2",
        },
        "prompt": {
            "system_message": STYLE.system_message,
            "user_template": STYLE.user_template,
            "question": STYLE.question,
            "format": STYLE.format,
        },
        "align": ALIGN[align.get("objective", "contrastive")] | align,
        "tune": {
            "objective": "instruction",
            **ANSWERS,
            "lora": {"rank": 4, "alpha": 8, "dropout": 0.1, "targets": "all-linear"},
            "train_connector": True,
            "connector_learning_rate": None,
            "residue_learning_rate": None,
            **SCHEDULE,
        }
        | tune,
    }


def captioning_system(**align: Any) -> dict[str, Any]:
    """Settings of a system that captions with a resampler."""
    return tiny_system({"objective": "captioning", **align}) | {"connector": dict(RESAMPLER)}


def build_house(
    root: Path,
    *,
    proteins: int = 18,
    validation: int = 4,
    seed: int = 0,
    **sizes: int,
) -> House:
    """Write everything that training reads, with random sequences and tiny random models."""
    encoder = write_tiny_encoder(root / "models" / "encoder")
    folder = root / "models" / "language_model"
    language_model = write_tiny_language_model(folder, **sizes)
    rng = np.random.default_rng(seed)
    rows, conversations = [], []
    for number in range(proteins):
        accession = f"P{number:05d}"
        sequence = "".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), size=rng.integers(12, 36)))
        text = f"{WORDS[number % len(WORDS)]} It is number {number // 2}."
        row = dict.fromkeys(TABLES["proteins"].schema.names)
        row |= {
            "accession": accession,
            "sequence": sequence,
            "length": len(sequence),
            "function": text,
            "sequence_hash": sha256_text(sequence),
            "text_hash": sha256_text(text),
        }
        rows.append(row)
        conversation = dict.fromkeys(TABLES["conversations"].schema.names)
        conversation |= {
            "id": f"descriptions:{accession}",
            "accession": accession,
            "corpus": "descriptions",
            "task": "describe",
            "fold": "validation" if number < validation else "train",
            "turns": [
                {"role": "system", "content": STYLE.system_message},
                {"role": "user", "content": STYLE.user_turn()},
                {"role": "assistant", "content": text},
            ],
            "prompt_hash": STYLE.hash,
        }
        conversations.append(conversation)
    write_table(root / "proteins.parquet", "proteins", rows)
    write_table(root / "conversations.parquet", "conversations", conversations)
    embed_proteins(
        root / "proteins.parquet",
        encoder,
        root / "store",
        cache=root / "cache",
        layer=-1,
        max_residues=40,
        special_tokens=True,
        dtype="float32",
        batch_tokens=512,
        shard_tokens=10_000,
        device="cpu",
        threads=1,
    )
    embed_texts(
        [root / "conversations.parquet"],
        language_model,
        root / "texts.parquet",
        root / "texts.json",
        layer=2,
        max_tokens=32,
        drop_first=True,
        center=True,
        batch_tokens=512,
        device="cpu",
        threads=1,
    )
    return House(
        root,
        encoder,
        language_model,
        root / "store",
        root / "texts.parquet",
        root / "conversations.parquet",
    )


def write_connector(house: House, name: str, system: dict[str, Any]) -> None:
    """Put an untrained connector where the aligned one would be."""
    manifest = EmbeddingStore(house.store).manifest
    torch.manual_seed(0)
    width = hidden_size(house.language_model)
    save_weights(
        house.root / name / "align" / "weights.safetensors",
        connector_weights(build_connector(system["connector"], manifest["dim"], width)),
        weight_facts(system, encoder_facts(manifest), identity(house.language_model)),
    )
