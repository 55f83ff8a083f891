"""Proteins in which the order of three residues, and nothing else, decides a word of the text."""

import math
import random
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from flat_entries import RESIDUES, entry
from tiny_models import write_tiny_bert, write_tiny_encoder, write_tiny_language_model

MOTIFS = {"zinc": "ALS", "copper": "LSA", "iron": "SAL"}
"""Each word and its motif.

The motifs are turns of one another, so that composition says nothing. Their residues score low
in alignments and their copies are few, so that a search for homologues finds little.
"""

COPIES = 2
PROTEINS = 600
HIDDEN, HEADS = 64, 8


def word_of(text: str) -> str | None:
    """Return the one word of `MOTIFS` that a text holds, None if it holds none or several."""
    found = [word for word in MOTIFS if word in text]
    return found[0] if len(found) == 1 else None


def motif_protein(rng: random.Random, motif: str) -> str:
    """Return 36 to 48 random residues with copies of a motif that never touch.

    The residues of the motif occur nowhere else.
    """
    others = [residue for residue in RESIDUES if residue not in motif]
    pieces = rng.choices(others, k=rng.randint(36, 48) - 1 - COPIES * len(motif))
    for place in sorted(rng.sample(range(1, len(pieces)), COPIES), reverse=True):
        pieces.insert(place, motif)
    return "M" + "".join(pieces)


def write_entries(path: Path, seed: int) -> Path:
    """Write entries, as many of each word; return the path."""
    rng = random.Random(seed)
    words = list(MOTIFS) * (PROTEINS // len(MOTIFS))
    path.write_text(
        "".join(
            entry(
                f"P{number:04d}9",
                motif_protein(rng, MOTIFS[word]),
                f"Binds {word} ions",
                # A reference of its own, since one on both sides of the split would bind them.
                pubmed_id=10_000_000 + number,
                keyword=word.capitalize(),
            )
            for number, word in enumerate(words)
        )
    )
    return path


def write_encoder(folder: Path, seed: int) -> Path:
    """Write a random encoder whose heads each look at another residue near by.

    Fresh small weights attend to all residues alike: their states hold no order worth the name.
    Here what query and key add whatever the residue is large, and turned against each other in
    the fastest plane of the rotary positions by an angle of the head's own, which is a distance
    of up to three residues before or after.
    """
    write_tiny_encoder(folder, seed=seed, hidden=HIDDEN, layers=1, heads=HEADS)
    generator = torch.Generator().manual_seed(seed)
    size = HIDDEN // HEADS
    query = torch.full((HEADS, size), 3.0)
    key = query.clone()
    angles = 2 * math.pi * torch.rand(HEADS, generator=generator)
    # Rotation pairs each number of a head with the one half a head away.
    key[:, 0] = 3 * math.sqrt(2) * angles.cos()
    key[:, size // 2] = 3 * math.sqrt(2) * angles.sin()
    weights = load_file(folder / "model.safetensors")
    for name, value in weights.items():
        if name.endswith("query.bias"):
            weights[name] = query.flatten()
        elif name.endswith("key.bias"):
            weights[name] = key.flatten()
        elif name.endswith("word_embeddings.weight"):
            weights[name] = torch.randn(value.shape, generator=generator)
        elif name.endswith(("value.weight", "dense.weight")):
            scale = value.shape[1] ** -0.5
            weights[name] = torch.randn(value.shape, generator=generator) * scale
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def write_language_model(folder: Path, seed: int) -> Path:
    """Write a random language model with weights large enough for its words to differ."""
    write_tiny_language_model(folder, seed=seed, hidden=HIDDEN, layers=2)
    weights = load_file(folder / "model.safetensors")
    for name, value in weights.items():
        if value.ndim > 1:
            weights[name] = value * (10 if "embed_tokens" in name else 5)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def motif_settings(folder: Path, seed: int) -> dict[str, Any]:
    """Write entries and models below a folder and return a configuration that uses them."""
    models = folder / "models"
    paths = {
        "encoder": ("protein_encoder", write_encoder(models / "encoder", seed)),
        "reader": ("language_model", write_language_model(models / "reader", seed)),
        "scorer": ("text_encoder", write_tiny_bert(models / "scorer")),
    }
    return {
        "name": "planted motif",
        "seed": seed,
        "training_seeds": [seed],
        "source": {
            "type": "files",
            "paths": [str(write_entries(folder / "entries.dat", seed))],
            "licence": "none",
        },
        "split": {
            "fractions": {
                "validation": 0.1,
                "test_in_distribution": 0.1,
                "test_low_homology": 0.1,
            },
        },
        "models": {
            name: {"kind": kind, "source": "path", "path": str(path)}
            for name, (kind, path) in paths.items()
        },
        "compute": {"torch_threads": 1, "device": "cpu"},
        "evaluation": {"bertscore_model": "scorer", "language_model": {"max_new_tokens": 20}},
        # All proteins share three texts.
        "qa": {"writers": ["template"], "filters": {"max_shared": PROTEINS}},
        "knowledge": {
            "writers": ["template"],
            "relations": ["keyword"],
            "embedding": {"dim": 8, "epochs": 2},
            "sampling": {"method": "uniform", "draws": 1600},
            "tasks": {"design": 0.5, "annotate": 0.5, "verify": 0, "explain": 0},
        },
        "design": {
            "terms": [f"KW:{word.capitalize()}" for word in MOTIFS],
            "evaluation": {"min_residues": 20},
        },
        "systems": {
            "motif": {
                "encoder": {"model": "encoder", "layer": 1},
                "language_model": "reader",
                "connector": {"type": "projector", "hidden": 128, "dropout": 0.0},
                "prompt": {"system_message": ""},
                "align": {
                    "objective": "contrastive",
                    "text_layer": 1,
                    "batch_size": 32,
                    "epochs": 12,
                    "learning_rate": 3.0e-3,
                },
                "tune": {
                    "objective": "instruction",
                    "lora": {"rank": 8, "alpha": 16, "dropout": 0.0},
                    "batch_tokens": 2048,
                    "batches_per_step": 1,
                    "epochs": 8,
                    "learning_rate": 3.0e-3,
                },
                "predict": {"conditions": ["sequence", "shuffled"], "max_new_tokens": 20},
            },
            "asked": {
                "encoder": {"model": "encoder", "layer": 1},
                "language_model": "reader",
                "connector": {
                    "type": "resampler",
                    "latents": 8,
                    "depth": 2,
                    "heads": 4,
                    "head_dim": 16,
                },
                "prompt": {"system_message": "", "question": "What does this protein do?"},
                "align": {
                    "objective": "captioning",
                    "batch_tokens": 1024,
                    "batches_per_step": 1,
                    "epochs": 10,
                    "learning_rate": 5.0e-3,
                    "weight_decay": 0.1,
                },
                "tune": {
                    "objective": "instruction",
                    "corpora": ["qa"],
                    "lora": {"rank": 8, "alpha": 16, "dropout": 0.0},
                    "batch_tokens": 1024,
                    "batches_per_step": 1,
                    "epochs": 16,
                    "learning_rate": 1.0e-3,
                    "weight_decay": 0.1,
                },
                "predict": {"conditions": ["sequence", "shuffled"], "max_new_tokens": 24},
            },
            "written": {
                "residues": {"max_residues": 60},
                "language_model": "reader",
                "prompt": {"system_message": ""},
                "align": {
                    "objective": "language_modelling",
                    "corpora": ["sequences"],
                    "context": 256,
                    "lora": {"rank": 8, "alpha": 16, "dropout": 0.0},
                    "batch_tokens": 2048,
                    "batches_per_step": 1,
                    "epochs": 20,
                    "learning_rate": 5.0e-3,
                    "weight_decay": 0.1,
                },
                "tune": {
                    "objective": "instruction",
                    "corpora": ["knowledge"],
                    "directions": ["describe", "design"],
                    "lora": {"rank": 8, "alpha": 16, "dropout": 0.0},
                    "max_answer_tokens": 60,
                    "batch_tokens": 2048,
                    "batches_per_step": 1,
                    "epochs": 8,
                    "learning_rate": 3.0e-3,
                    "weight_decay": 0.1,
                },
                "predict": {"conditions": ["sequence", "shuffled"], "max_new_tokens": 60},
                "design": {
                    "number": 40,
                    "temperature": 0.8,
                    "top_p": 0.95,
                    "min_residues": 20,
                    "max_residues": 60,
                },
            },
        },
    }
