"""ESM-2 checkpoints in the format of the fair-esm package.

The package's own loader unpickles whatever the file holds and looks for files on the network;
here a checkpoint is read without either, and only its numbers are used.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from esm import Alphabet
from esm.model.esm2 import ESM2
from esm.rotary_embedding import RotaryEmbedding, apply_rotary_pos_emb
from torch import Tensor, nn

from protscribe.embeddings.encoders import letters_to_ids, resolve_layer, split_rows
from protscribe.errors import InputError

CHECKPOINT = "checkpoint.pt"
PREFIXES = ("encoder.sentence_encoder.", "encoder.")


class FairEsmEncoder:
    """An `ESM2` of fair-esm; see `protscribe.embeddings.encoders.ProteinEncoder`."""

    def __init__(self, folder: Path, name: str, device: torch.device, dtype: torch.dtype) -> None:
        self.name = name
        self.model = read_checkpoint(folder / CHECKPOINT)
        for layer in self.model.layers:
            layer.self_attn.rot_emb = _ExactRotary(layer.self_attn.rot_emb.inv_freq)
        self.model = self.model.to(device=device, dtype=dtype).eval()
        self.hidden_size: int = self.model.embed_dim
        self.layers: int = self.model.num_layers
        self.device = device
        self.letters: dict[str, int] = self.model.alphabet.to_dict()

    @torch.inference_mode()
    def encode(self, sequences: Sequence[str], layer: int) -> list[Tensor]:
        """Return the hidden states of each sequence; see `ProteinEncoder.encode`."""
        stop = resolve_layer(layer, self.layers, "encoder.layer")
        ids = letters_to_ids(sequences, self.letters).to(self.device)
        model = self.model
        layers, norm = model.layers, model.emb_layer_norm_after
        # The model needs at least one layer to run, even to return the embedding.
        model.layers = layers[: max(stop, 1)]
        if stop < self.layers:
            model.emb_layer_norm_after = nn.Identity()
        try:
            hidden = model(ids, repr_layers=[stop])["representations"][stop]
        finally:
            model.layers, model.emb_layer_norm_after = layers, norm
        return split_rows(hidden, sequences)


def read_checkpoint(path: Path) -> ESM2:
    """Build an ESM-2 model from a checkpoint file, in float32 on the CPU.

    Parameters
    ----------
    path
        A file with ``cfg`` (``encoder_layers``, ``encoder_embed_dim``,
        ``encoder_attention_heads``, ``token_dropout``) and ``model``, as published.

    Raises
    ------
    InputError
        If the file is missing, holds anything but numbers and settings, is not an ESM-2
        checkpoint, or its weights do not fit its settings.
    """
    data = load_numbers(path)
    try:
        settings = data["cfg"]["model"]
        settings = settings if isinstance(settings, dict) else vars(settings)
        weights = {_plain_name(key): value.float() for key, value in data["model"].items()}
        model = ESM2(
            num_layers=settings["encoder_layers"],
            embed_dim=settings["encoder_embed_dim"],
            attention_heads=settings["encoder_attention_heads"],
            alphabet=Alphabet.from_architecture("ESM-1b"),
            token_dropout=settings["token_dropout"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not an ESM-2 checkpoint of fair-esm: lacks {error}") from None
    needed = model.state_dict()
    for key, value in needed.items():
        # The heads read hidden states, they do not make them; the frequencies are constants.
        if key.startswith(("contact_head.", "lm_head.")) or key.endswith(".inv_freq"):
            weights[key] = weights.get(key, value)
        if key not in weights or weights[key].shape != value.shape:
            raise InputError(f"{path}: the weights do not fit the checkpoint's settings: {key}")
    model.load_state_dict({key: weights[key] for key in needed})
    return model


def load_numbers(path: Path) -> Any:
    """Read a torch file that may hold tensors, plain values and `argparse.Namespace` alone.

    Raises
    ------
    InputError
        If the file is missing, damaged or holds other objects, which could run code.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path}: not a torch file of plain numbers ({reason[:200]})") from None


def _plain_name(key: str) -> str:
    for prefix in PREFIXES:
        if key.startswith(prefix):
            return key.removeprefix(prefix)
    return key


class _ExactRotary(RotaryEmbedding):
    """Rotary positions with float32 tables, also where the model runs in bfloat16."""

    def __init__(self, inv_freq: Tensor) -> None:
        nn.Module.__init__(self)
        self._inv_freq = inv_freq.float()

    def forward(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        positions = torch.arange(k.shape[-2], device=k.device, dtype=torch.float32)
        angles = torch.outer(positions, self._inv_freq.to(k.device))
        angles = torch.cat((angles, angles), dim=-1)[None]
        cos, sin = angles.cos().to(k.dtype), angles.sin().to(k.dtype)
        return apply_rotary_pos_emb(q, cos, sin), apply_rotary_pos_emb(k, cos, sin)
