"""The embeddings of a run's proteins: made once, read by accession."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from tqdm import tqdm

from protscribe.atomic import atomic_folder, read_json, sha256_text, write_json
from protscribe.batching import token_budget_batches
from protscribe.embeddings.cache import TENSOR, EmbeddingCache
from protscribe.embeddings.encoders import (
    ProteinEncoder,
    SpecialTokens,
    kept_rows,
    load_encoder,
    resolve_layer,
)
from protscribe.errors import InputError
from protscribe.provenance import model_manifest
from protscribe.tables import read_table, write_table

MANIFEST = "manifest.json"
INDEX = "index.parquet"
OPEN_SHARDS = 256


def embed_proteins(
    proteins: Path,
    model: Path,
    output: Path,
    *,
    cache: Path,
    layer: int,
    max_residues: int,
    special_tokens: SpecialTokens,
    dtype: str,
    batch_tokens: int,
    shard_tokens: int,
    device: str,
    threads: int,
) -> None:
    """Encode each distinct sequence once and index the result by accession.

    Sequences longer than `max_residues` are cut at their C-terminal end; the index says by
    how much. The store holds hard links to the cache's shards, so that nothing is stored
    twice and each stays whole if the other is deleted.

    Batches are planned over the whole sorted list, before the cache is asked, and a shard ends
    with a batch: a killed and resumed run makes the same files as an undisturbed one.

    Parameters
    ----------
    proteins
        Table ``proteins``.
    model
        Folder of the encoder.
    output
        Folder for the store; one that exists is replaced.
    cache
        Folder of the caches that all runs share.
    layer
        Hidden state to keep, 0 for the embedding, negative from the end.
    max_residues
        Longest sequence in residues.
    special_tokens
        True keeps the rows of the start and end tokens, False neither of them, ``end`` the
        end token's alone. The end token follows the last residue that is left after the cut.
    dtype
        ``float32`` or ``bfloat16``.
    batch_tokens
        Most tokens of a padded batch.
    shard_tokens
        A shard is closed when it holds that many tokens.
    device
        Torch device.
    threads
        CPU threads.

    Raises
    ------
    InputError
        If an input is missing or unfit, or the disk is full.
    """
    torch.set_num_threads(threads)
    rows_kept = kept_rows(special_tokens)
    # The encoder is loaded even if the cache has everything: it knows its layers and its size.
    encoder = load_encoder(model, device=device, dtype=dtype)
    weights = model_manifest(model)["weights_sha256"]
    names = {True: "special", False: "bare"}
    settings = {
        "weights": weights,
        "layer": resolve_layer(layer, encoder.layers, "encoder.layer"),
        "dtype": dtype,
        "special_tokens": special_tokens if special_tokens == "end" else names[special_tokens],
    }
    known = EmbeddingCache(cache, settings)

    table = read_table(proteins, "proteins", ["accession", "sequence", "sequence_hash"])
    if table.num_rows == 0:
        raise InputError(f"{proteins}: no proteins to embed")
    rows = table.to_pylist()
    cut = {row["sequence"]: row["sequence"][:max_residues] for row in rows}
    hashes = {sequence: sha256_text(sequence) for sequence in cut.values()}
    _encode_missing(encoder, known, hashes, settings, rows_kept, batch_tokens, shard_tokens)

    index = []
    for row in rows:
        sequence = cut[row["sequence"]]
        place = known[hashes[sequence]]
        index.append(
            {
                "accession": row["accession"],
                "sequence_hash": row["sequence_hash"],
                "shard": place.shard,
                "start": place.start,
                "length": place.length,
                "residues_cut": len(row["sequence"]) - len(sequence),
            }
        )
    shards = sorted({row["shard"] for row in index})
    with atomic_folder(output) as partial:
        for shard in shards:
            _link(known.folder / shard, partial / shard)
        write_table(partial / INDEX, "embedding_index", index, {"encoder": encoder.name})
        write_json(
            partial / MANIFEST,
            {
                "model": encoder.name,
                "weights_sha256": weights,
                "layer": settings["layer"],
                "layers": encoder.layers,
                "dtype": dtype,
                "special_tokens": special_tokens,
                "max_residues": max_residues,
                "dim": encoder.hidden_size,
                "proteins": len(rows),
                "distinct_sequences": len(hashes),
                "proteins_cut": sum(row["residues_cut"] > 0 for row in index),
                "residues_cut": sum(row["residues_cut"] for row in index),
                "shards": shards,
            },
        )


def _encode_missing(
    encoder: ProteinEncoder,
    known: EmbeddingCache,
    hashes: dict[str, str],
    settings: dict[str, Any],
    rows_kept: slice,
    batch_tokens: int,
    shard_tokens: int,
) -> None:
    order = sorted(hashes, key=hashes.__getitem__)
    batches = token_budget_batches([len(s) + 2 for s in order], max_tokens=batch_tokens)
    hits = sum(hashes[sequence] in known for sequence in order)
    print(f"{len(order)} distinct sequences, {hits} of them in the cache", file=sys.stderr)

    kept: list[tuple[str, Tensor]] = []
    tokens = 0
    done = tqdm(total=len(order), initial=hits, desc="proteins", unit="seq", mininterval=5)
    for number, batch in enumerate(batches, 1):
        new = [order[i] for i in batch if hashes[order[i]] not in known]
        if new:
            # Cloned, because a slice would keep the whole padded batch in memory.
            for sequence, hidden in zip(new, encoder.encode(new, settings["layer"]), strict=True):
                kept.append((hashes[sequence], hidden[rows_kept].clone()))
                tokens += len(kept[-1][1])
            done.update(len(new))
        if kept and (tokens >= shard_tokens or number == len(batches)):
            known.add(*zip(*kept, strict=True))
            kept, tokens = [], 0
    done.close()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Another file system, or one without hard links.
        target.symlink_to(source.resolve())


class EmbeddingStore:
    """Read a store: hidden states by accession, memory-mapped.

    Parameters
    ----------
    folder
        Folder that `embed_proteins` made.

    Attributes
    ----------
    dim : int
        Dimensions of a token.
    manifest : dict
        What the store was made from.

    Raises
    ------
    InputError
        If the store is missing or not whole.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        if not (self.folder / MANIFEST).is_file():
            raise InputError(f"{self.folder}: no finished embeddings; run the rule embed_proteins")
        self.manifest: dict[str, Any] = read_json(self.folder / MANIFEST)
        self.dim: int = self.manifest["dim"]
        index = read_table(
            self.folder / INDEX, "embedding_index", ["accession", "shard", "start", "length"]
        ).to_pydict()
        places = zip(index["shard"], index["start"], index["length"], strict=True)
        self._places = dict(zip(index["accession"], places, strict=True))
        self._slices: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, accession: object) -> bool:
        return accession in self._places

    def __getitem__(self, accession: str) -> Tensor:
        """Return the hidden states of a protein, float32, shape (tokens, `dim`).

        Raises
        ------
        InputError
            If the protein is not in the store, or its shard is missing or damaged.
        """
        shard, start, length = self._place(accession)
        return self._open(shard)[start : start + length].float()

    def lengths(self, accessions: Sequence[str]) -> list[int]:
        """Return the number of tokens of each protein."""
        return [self._place(accession)[2] for accession in accessions]

    def _place(self, accession: str) -> tuple[str, int, int]:
        try:
            return self._places[accession]
        except KeyError:
            raise InputError(
                f"{self.folder}: no embedding of protein {accession}; "
                "was the store made from another proteins table?"
            ) from None

    def _open(self, shard: str) -> Any:
        if shard not in self._slices:
            # A process may hold only so many files open.
            if len(self._slices) >= OPEN_SHARDS:
                self._slices.pop(next(iter(self._slices)))
            try:
                file = safe_open(self.folder / shard, framework="pt")
                self._slices[shard] = file.get_slice(TENSOR)
            except (SafetensorError, OSError) as error:
                raise InputError(
                    f"{self.folder / shard}: missing or damaged ({error}); "
                    "delete it here and in the cache and run embed_proteins again"
                ) from None
        return self._slices[shard]

    def __getstate__(self) -> dict[str, Any]:
        # Open files do not travel to other processes.
        return {**self.__dict__, "_slices": {}}
