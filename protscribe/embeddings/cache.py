"""Hidden states on disk, each distinct sequence once for all runs.

A cache folder belongs to one encoder with one set of settings (its name is made from them) and
only grows: shards are added whole, so a killed job loses at most the shard it was working on.
A shard is one safetensors file: the tensor ``tokens`` of shape (tokens, dimensions) holds the
sequences one after the other, the metadata say which.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from protscribe.atomic import atomic_path, sha256_json
from protscribe.errors import InputError

TENSOR = "tokens"


@dataclass(frozen=True)
class Location:
    """Where the tokens of a sequence stand: rows `start` to ``start + length`` of a shard."""

    shard: str
    start: int
    length: int


class EmbeddingCache:
    """The shards of one encoder with one set of settings.

    Parameters
    ----------
    root
        Folder of all caches.
    settings
        What a hidden state depends on beside the sequence: checksum of the weights, layer,
        dtype, special tokens.

    Raises
    ------
    InputError
        If a shard that is there cannot be read.
    """

    def __init__(self, root: Path, settings: Mapping[str, Any]) -> None:
        name = "-".join(str(settings[key])[:16] for key in sorted(settings))
        self.folder = Path(root) / f"{name}-{sha256_json(dict(settings))[:8]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._locations: dict[str, Location] = {}
        for shard in sorted(self.folder.glob("shard-*.safetensors")):
            self._remember(shard.name, read_contents(shard))

    def __contains__(self, sequence_hash: str) -> bool:
        return sequence_hash in self._locations

    def __len__(self) -> int:
        return len(self._locations)

    def __getitem__(self, sequence_hash: str) -> Location:
        return self._locations[sequence_hash]

    def add(self, sequence_hashes: Sequence[str], tokens: Sequence[Tensor]) -> None:
        """Write one shard, whole or not at all.

        Parameters
        ----------
        sequence_hashes
            What identifies each sequence.
        tokens
            Hidden states of each sequence, shape (tokens, dimensions) each.

        Raises
        ------
        InputError
            If the disk is full.
        """
        contents = list(zip(sequence_hashes, map(len, tokens), strict=True))
        name = f"shard-{sha256_json(contents)[:16]}.safetensors"
        # One metadata key alone: several come out in random order.
        metadata = {"sequences": json.dumps(contents, separators=(",", ":"))}
        with atomic_path(self.folder / name) as partial:
            save_file({TENSOR: torch.cat(list(tokens))}, partial, metadata=metadata)
            # The cache is shared; safetensors makes files that only their owner can read.
            partial.chmod(0o644)
        self._remember(name, contents)

    def _remember(self, shard: str, contents: Sequence[tuple[str, int]]) -> None:
        start = 0
        for sequence_hash, length in contents:
            # Two jobs may have encoded a sequence at the same time; the first shard by name wins.
            self._locations.setdefault(sequence_hash, Location(shard, start, length))
            start += length


def read_contents(shard: Path) -> list[tuple[str, int]]:
    """Return the sequence hashes in a shard with their numbers of tokens, in order.

    Raises
    ------
    InputError
        If the file is damaged or is no shard.
    """
    try:
        with safe_open(shard, framework="pt") as file:
            contents = json.loads(file.metadata()["sequences"])
            rows, _ = file.get_slice(TENSOR).get_shape()
        if rows != sum(length for _, length in contents):
            raise ValueError("its contents do not add up")
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{shard}: not a shard of embeddings ({error}); delete it, it will be made again"
        ) from None
    return [(sequence_hash, length) for sequence_hash, length in contents]
