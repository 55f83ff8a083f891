"""Files of weights: torch files read as plain tensors, safetensors written from them."""

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from protscribe.errors import InputError
from protscribe.sources.fetch import WEIGHTS, first_line


def load_torch_file(path: Path) -> Any:
    """Read a torch file that may hold tensors, plain values and `argparse.Namespace` alone.

    Raises
    ------
    InputError
        If the file is damaged or holds other objects, which could run code.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{path.name}: not a torch file of plain tensors: {first_line(error)}"
        ) from None


def write_weights(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write tensors as safetensors that others may read, sorted by name.

    Tied weights share their memory, which safetensors does not store; each gets its own copy.
    """
    stored: set[int] = set()
    plain = {}
    for key in sorted(weights):
        tensor = weights[key].contiguous()
        plain[key] = tensor.clone() if tensor.data_ptr() in stored else tensor
        stored.add(tensor.data_ptr())
    save_file(plain, path, metadata={"format": "pt"})
    make_readable(path.parent)


def make_readable(folder: Path) -> None:
    """Let others read new weights: safetensors makes files that only their owner can."""
    for path in folder.glob(WEIGHTS[0]):
        path.chmod(0o644)


def take(source: Path, target: Path, owned: bool) -> None:
    """Move a file of our own making, copy a user's file.

    A user's file is never linked: it could be rewritten in place later, and the model would
    change under a checksum that embeddings and trained systems are identified by.
    """
    if owned:
        source.replace(target)
    else:
        shutil.copyfile(source, target)
