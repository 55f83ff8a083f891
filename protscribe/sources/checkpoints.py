"""Released checkpoints of whole systems, and the ordinary models that are parts of them.

A released checkpoint keeps its own files; torch files among them become safetensors on the way
in. Prot2Text-V2 is released as one Hugging Face folder, whose encoder and language model are
taken out of it as ordinary model folders: ``esm_encoder.*`` and ``llama_decoder.*`` of its
weights, ``esm_config`` and ``llama_config`` of its ``config.json``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from protscribe.atomic import read_json, write_json
from protscribe.errors import InputError
from protscribe.provenance import model_manifest
from protscribe.sources.fetch import (
    LICENCE_FILES,
    RELEASE_FILES,
    RELEASE_PICKLES,
    SMALL_FILES,
    TOKENIZER_FILES,
    WEIGHTS,
    check_source,
    fetch,
    first_line,
    matches,
    only_pickles,
)
from protscribe.sources.weights import load_torch_file, take, write_weights

CHECKPOINT_KIND = "checkpoint"
CHECKPOINT_FILES = (*SMALL_FILES, *RELEASE_FILES, *WEIGHTS)
TOKENIZER_SOURCES = ("hub", "path")


@dataclass(frozen=True)
class Part:
    """Where a model stands in a released checkpoint.

    Parameters
    ----------
    prefix
        Start of the names of its weights.
    config
        Key of its configuration in ``config.json``.
    architecture
        Class of transformers that has these weights.
    tokenizer
        Names of the tokenizer files that it needs.
    unused
        Weights that the release holds and no model of this architecture reads: ESM-2 has
        rotary positions, whose frequencies follow from its sizes.
    """

    prefix: str
    config: str
    architecture: str
    tokenizer: tuple[str, ...]
    unused: tuple[str, ...] = ()


PARTS = {
    "protein_encoder": Part(
        "esm_encoder.",
        "esm_config",
        "EsmModel",
        ("vocab.txt",),
        (
            "embeddings.position_embeddings.weight",
            "embeddings.position_ids",
            "contact_head.regression.*",
            "*.rotary_embeddings.inv_freq",
        ),
    ),
    "language_model": Part(
        "llama_decoder.", "llama_config", "LlamaForCausalLM", TOKENIZER_FILES, ("*.inv_freq",)
    ),
}


def keep_checkpoint(found: Path, folder: Path, owned: bool) -> None:
    """Put a released checkpoint into a folder, torch files as safetensors of the same name.

    Parameters
    ----------
    found
        The folder as released.
    folder
        Existing folder to fill.
    owned
        Whether `found` is ours, so that files may be moved.

    Raises
    ------
    InputError
        If there is no ``config.json``, or a torch file holds anything but named tensors.
    """
    if not (found / "config.json").is_file():
        raise InputError(f"{found.name}: no config.json, so not the folder of a checkpoint")
    names = [path.name for path in sorted(found.iterdir()) if path.is_file()]
    for name in names:
        if matches(name, CHECKPOINT_FILES):
            take(found / name, folder / name, owned)
    for name in only_pickles(names, RELEASE_PICKLES):
        weights = load_torch_file(found / name)
        if not isinstance(weights, dict) or not all(
            isinstance(value, torch.Tensor) for value in weights.values()
        ):
            raise InputError(f"{name}: not a torch file of named tensors alone")
        # As transformers names safetensors: without the library in front.
        target = folder / name.removeprefix("pytorch_")
        write_weights(weights, target.with_suffix(".safetensors"))


def describe_checkpoint(folder: Path) -> dict[str, Any]:
    """Check that a checkpoint's weights can be read; return what it is."""
    files = sorted(folder.glob(WEIGHTS[0]))
    if not files:
        raise InputError("the checkpoint has no weights (*.safetensors or torch files)")
    config = read_json(folder / "config.json")
    if not isinstance(config, dict) or not config.get("model_type"):
        raise InputError("config.json of the checkpoint has no model_type")
    parameters = 0
    for path in files:
        for shape in weight_shapes(path).values():
            parameters += torch.Size(shape).numel()
    return {
        "format": CHECKPOINT_KIND,
        "architecture": (config.get("architectures") or [config["model_type"]])[0],
        "parameters": parameters,
    }


def check_part(spec: Mapping[str, Any]) -> None:
    """Check the keys that a model of source ``part`` needs.

    Raises
    ------
    InputError
        If checkpoints have no part of this kind, or its tokenizer's source is not complete.
    """
    if spec["kind"] not in PARTS:
        raise InputError(f"kind is {spec['kind']!r}; parts of checkpoints: {', '.join(PARTS)}")
    if spec.get("tokenizer"):
        try:
            check_source(spec["tokenizer"], TOKENIZER_SOURCES)
        except InputError as error:
            raise InputError(f"tokenizer: {error}") from None


def take_part(
    spec: Mapping[str, Any], checkpoint: Path | None, work: Path
) -> tuple[Path, dict[str, Any]]:
    """Make a plain model folder out of a part of a released checkpoint.

    Parameters
    ----------
    spec
        ``kind``, which says what part; ``of``, the checkpoint's name; and, unless the
        tokenizer lies in the checkpoint too, ``tokenizer``: ``source: hub`` with ``repo`` and
        ``revision``, or ``source: path`` with ``path``.
    checkpoint
        Folder of the checkpoint, as `get_model` made it.
    work
        Existing folder to work in.

    Returns
    -------
    path, facts
        The model folder, and what to record of its source.

    Raises
    ------
    InputError
        If the checkpoint has no such part, or nobody has its tokenizer.
    """
    if checkpoint is None:
        raise InputError(f"source part needs the folder of the checkpoint {spec['of']}")
    manifest = model_manifest(checkpoint)
    if manifest.get("kind") != CHECKPOINT_KIND:
        raise InputError(f"of: {manifest['name']} is no checkpoint; a part can only be of one")
    part = PARTS[spec["kind"]]
    config = read_json(checkpoint / "config.json")
    if not isinstance(config.get(part.config), dict):
        raise InputError(
            f"config.json of {manifest['name']} has no {part.config}, so no {spec['kind']} can be "
            "taken out of it; only checkpoints of Prot2Text-V2 have parts"
        )
    folder = work / "part"
    folder.mkdir()
    own = config[part.config] | {"architectures": [part.architecture]}
    own["torch_dtype"] = own.get("torch_dtype") or config.get("torch_dtype")
    write_json(folder / "config.json", own)
    _split_weights(checkpoint, part.prefix, folder)
    facts = {
        "source": "part",
        "of": manifest["name"],
        "checkpoint_sha256": manifest["weights_sha256"],
    }
    tokenizer = checkpoint
    if spec.get("tokenizer"):
        wanted = (*TOKENIZER_FILES, *LICENCE_FILES)
        tokenizer, facts["tokenizer"] = fetch(spec["tokenizer"], work, wanted, ())
    _copy(checkpoint, LICENCE_FILES, folder)
    if not tokenizer.is_dir() or not _copy(tokenizer, part.tokenizer, folder):
        raise InputError(
            f"{tokenizer.name} has no tokenizer files ({', '.join(part.tokenizer)}); say under "
            "tokenizer where they are (source: hub with repo and revision, or path)"
        )
    return folder, facts


def check_unused(unused: Iterable[str], part: str) -> None:
    """Check that a part's model leaves out only weights that are known to be unused.

    Raises
    ------
    InputError
        Names the first other one.
    """
    unknown = sorted(key for key in unused if not matches(key, PARTS[part].unused))
    if unknown:
        raise InputError(
            f"the checkpoint holds {PARTS[part].prefix}{unknown[0]}, which its {part} has no "
            f"place for ({len(unknown)} such weights)"
        )


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a safetensors file's tensors, without reading them.

    Raises
    ------
    InputError
        If the file is not whole.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path.name}: not a whole safetensors file: {first_line(error)}"
        ) from None


def _split_weights(checkpoint: Path, prefix: str, folder: Path) -> None:
    """Write a part's weights under their own names, one file for each that holds some of them.

    One file is in memory at a time: the published checkpoint has 22 GB.
    """
    parts = {}
    for path in sorted(checkpoint.glob("model*.safetensors")):
        if names := [name for name in weight_shapes(path) if name.startswith(prefix)]:
            parts[path] = names
    if not parts:
        raise InputError(f"the checkpoint has no weights called {prefix}*")
    places: dict[str, str] = {}
    for number, (path, names) in enumerate(parts.items(), 1):
        file_name = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        file_name = "model.safetensors" if len(parts) == 1 else file_name
        with safe_open(path, framework="pt") as file:
            own = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
        if twice := sorted(set(own) & set(places)):
            raise InputError(f"{path.name}: holds {prefix}{twice[0]}, as another file does")
        places |= dict.fromkeys(own, file_name)
        write_weights(own, folder / file_name)
    if len(parts) > 1:
        write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": places})


def _copy(source: Path, patterns: Iterable[str], folder: Path) -> bool:
    patterns = tuple(patterns)
    found = [p for p in sorted(source.iterdir()) if p.is_file() and matches(p.name, patterns)]
    for path in found:
        take(path, folder / path.name, owned=False)
    return bool(found)
