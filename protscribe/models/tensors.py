"""Tensors in safetensors files, with one JSON value of facts about them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from protscribe.atomic import atomic_path
from protscribe.errors import InputError


def write_tensors(path: Path | str, tensors: Mapping[str, Tensor], facts: Any = None) -> None:
    """Write tensors as safetensors, atomically and with the same bytes every time.

    Parameters
    ----------
    path
        The file.
    tensors
        Any device; written as they are.
    facts
        A JSON value that travels as the file's one metadata entry.
    """
    plain = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    # One entry only: several come out in random order.
    metadata = {"protscribe": json.dumps(facts, sort_keys=True)} if facts is not None else None
    with atomic_path(path) as partial:
        save_file(plain, partial, metadata)


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], Any]:
    """Read what `write_tensors` wrote: the tensors, on the CPU, and the facts.

    Raises
    ------
    InputError
        If the file is missing or is not safetensors.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; train the model first") from None
    except SafetensorError as error:
        raise InputError(f"{path}: not a whole safetensors file ({error})") from None
    return tensors, json.loads(metadata.get("protscribe", "null"))


def check_tensors(
    path: Path | str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> None:
    """Check that a file's tensors are those that a model needs.

    Raises
    ------
    InputError
        If a name is missing or unknown, or a shape differs.
    """
    if missing := sorted(set(wanted) - set(found)):
        raise InputError(f"{path}: lacks {missing[0]} ({len(missing)} missing in all)")
    if unknown := sorted(set(found) - set(wanted)):
        raise InputError(f"{path}: holds {unknown[0]}, which the model has no place for")
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape:
            raise InputError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, "
                f"the model needs {tuple(wanted[name].shape)}"
            )
