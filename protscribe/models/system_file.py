"""``system.json``: what a finished model is, and the checksums of the files beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from protscribe.atomic import read_json, sha256_file, write_json
from protscribe.errors import InputError

WEIGHTS = "weights.safetensors"
SYSTEM = "system.json"


def write_system(
    folder: Path,
    *,
    name: str,
    training_seed: int,
    system: Mapping[str, Any],
    encoder: Mapping[str, Any] | None,
    language_model: Mapping[str, Any],
    training: Mapping[str, Any],
    lora: Mapping[str, Any] | None,
    **more: Any,
) -> None:
    """Write ``system.json``, the last file of a model folder.

    Parameters
    ----------
    folder
        Holds the weights.
    name, training_seed, system, encoder, language_model, training
        As for `save_model`.
    lora
        What `protscribe.models.language_model.add_lora` needs to build the adapter; None if
        the language model is not adapted.
    more
        Further facts to record.
    """
    write_json(
        folder / SYSTEM,
        {
            "name": name,
            "training_seed": training_seed,
            "system": dict(system),
            "encoder": None if encoder is None else dict(encoder),
            "language_model": dict(language_model),
            "training": dict(training),
            "lora": None if lora is None else dict(lora),
            "files": {WEIGHTS: sha256_file(folder / WEIGHTS)},
            **more,
        },
    )


def read_system(folder: Path) -> dict[str, Any]:
    """Read ``system.json`` and check that the files beside it are those it was written for.

    Raises
    ------
    InputError
        If it or one of the files is missing or was changed.
    """
    if not (folder / SYSTEM).exists():
        raise InputError(f"{folder}: no finished model (no {SYSTEM}); run tune")
    facts = read_json(folder / SYSTEM)
    expected = {
        *("name", "training_seed", "system", "encoder", "language_model", "training", "lora"),
        "files",
    }
    if not isinstance(facts, dict) or (missing := sorted(expected - set(facts))):
        raise InputError(f"{folder / SYSTEM}: lacks {', '.join(missing)}; no model of protscribe")
    for name, expected_sum in facts["files"].items():
        if not (folder / name).exists():
            raise InputError(f"{folder / name}: no such file; run tune again")
        if sha256_file(folder / name) != expected_sum:
            raise InputError(f"{folder / name}: differs from what {SYSTEM} records; run tune again")
    return facts
