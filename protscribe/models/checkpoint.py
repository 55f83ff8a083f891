"""Finished models on disk: the trained weights alone, and what they were trained on top of.

A model folder holds ``connector.safetensors``, ``adapter_model.safetensors`` with
``adapter_config.json`` (peft's own layout) where the language model is adapted, and
``system.json``, written last. Loading checks every fact in it; what does not fit is an
`InputError`, never a fresh random weight.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor

from protscribe.atomic import write_json
from protscribe.errors import InputError
from protscribe.llm.pretrained import (
    hidden_size,
    identity,
    load_language_model,
    load_prompt_builder,
)
from protscribe.models.captioner import Captioner
from protscribe.models.connectors import Connector, build_connector
from protscribe.models.language_model import add_lora
from protscribe.models.published.prompts import prompt_builder
from protscribe.models.system_file import ADAPTER, CONNECTOR, read_system, write_system
from protscribe.models.tensors import check_tensors, read_tensors, write_tensors
from protscribe.prompts import PromptBuilder

ADAPTER_CONFIG = "adapter_config.json"
ENCODER_FACTS = (
    *("model", "weights_sha256", "layer", "dtype"),
    *("special_tokens", "max_residues", "dim"),
)


def save_connector(path: Path | str, connector: Connector, facts: Mapping[str, Any]) -> None:
    """Write a connector's weights; `facts` is what `connector_facts` returned."""
    write_tensors(path, connector.state_dict(), facts)


def encoder_facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes one store of embeddings differ from another, but not its proteins.

    Parameters
    ----------
    manifest
        Manifest of an `protscribe.embeddings.store.EmbeddingStore`.
    """
    return {key: manifest[key] for key in ENCODER_FACTS}


def connector_facts(
    system: Mapping[str, Any], encoder: Mapping[str, Any], language_model: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a connector's weights depend on, and must agree when they are loaded.

    Parameters
    ----------
    system
        A system's settings.
    encoder
        What `encoder_facts` returned.
    language_model
        What `protscribe.llm.pretrained.identity` returned.
    """
    # Dropout acts in training alone; a later stage may choose another.
    settings = {k: v for k, v in system["connector"].items() if k != "dropout"}
    return {
        "connector": settings,
        "encoder": dict(encoder),
        "language_model": dict(language_model),
    }


def load_connector(
    path: Path | str,
    settings: Mapping[str, Any],
    input_size: int,
    output_size: int,
    expected: Mapping[str, Any],
) -> Connector:
    """Build a connector and fill it from a file.

    Parameters
    ----------
    path
        What `save_connector` wrote.
    settings, input_size, output_size
        As for `build_connector`.
    expected
        The facts that the file must carry.

    Raises
    ------
    InputError
        If the file is missing or broken, was trained with other settings or models, or its
        keys or shapes differ.
    """
    tensors, facts = read_tensors(path)
    if facts != expected:
        differing = [
            key
            for key in sorted(expected)
            if not isinstance(facts, dict) or facts.get(key) != expected[key]
        ]
        raise InputError(
            f"{path}: was trained with another {' and another '.join(differing) or 'setting'} "
            "than is configured now; run the alignment again"
        )
    connector = build_connector(settings, input_size, output_size)
    check_tensors(path, tensors, connector.state_dict())
    connector.load_state_dict(tensors)
    return connector


def save_adapter(folder: Path | str, language_model: Any, name: str) -> None:
    """Write a peft model's adapter in peft's own layout.

    Parameters
    ----------
    folder
        Gets ``adapter_model.safetensors`` and ``adapter_config.json``.
    language_model
        A peft model.
    name
        The language model's name, recorded instead of a path that holds on one machine only.
    """
    folder = Path(folder)
    write_tensors(folder / ADAPTER, adapter_tensors(language_model))
    config = language_model.peft_config["default"].to_dict()
    config |= {"base_model_name_or_path": name, "inference_mode": True}
    # Sets have no order of their own, nor has JSON any sets.
    plain = {
        key: sorted(value) if isinstance(value, set) else value for key, value in config.items()
    }
    write_json(folder / ADAPTER_CONFIG, plain)


def adapter_tensors(language_model: Any) -> dict[str, Tensor]:
    """Return the adapter weights of a peft model under the names that peft stores."""
    # Looking for trained embeddings would ask the network; there are none.
    return get_peft_model_state_dict(language_model, save_embedding_layers=False)


def save_model(
    folder: Path | str,
    captioner: Captioner,
    *,
    name: str,
    training_seed: int,
    system: Mapping[str, Any],
    encoder: Mapping[str, Any],
    language_model: Mapping[str, Any],
    training: Mapping[str, Any],
) -> None:
    """Write a finished model.

    Parameters
    ----------
    folder
        The model folder; ``system.json`` in it is written last.
    captioner
        Its language model is a peft model with the adapter of ``tune.lora``, or bare.
    name, training_seed
        The system's name and the seed it was trained with.
    system
        The system's settings, with nothing left out.
    encoder, language_model
        As for `connector_facts`.
    training
        Numbers of examples and steps, at least ``examples`` and ``steps``.
    """
    folder = Path(folder)
    facts = connector_facts(system, encoder, language_model)
    assert captioner.connector is not None
    save_connector(folder / CONNECTOR, captioner.connector, facts)
    adapted = isinstance(captioner.language_model, PeftModel)
    if adapted:
        save_adapter(folder, captioner.language_model, language_model["name"])
    write_system(
        folder,
        name=name,
        training_seed=training_seed,
        system=system,
        encoder=encoder,
        language_model=language_model,
        training=training,
        lora=system["tune"]["lora"] if adapted else None,
    )


def load_captioner(
    folder: Path | str,
    language_model: Path | str,
    *,
    device: str = "cpu",
    precision: str | None = None,
) -> tuple[Captioner, PromptBuilder, dict[str, Any]]:
    """Load a finished model, ready to generate.

    Parameters
    ----------
    folder
        What `save_model` wrote, or the import of a released checkpoint.
    language_model
        Local folder of the very language model it was trained on.
    device
        ``cpu`` or ``cuda``.
    precision
        ``float32`` or ``bf16``; None takes the one of training. In float32 the adapter is
        merged into the weights, which is faster; in bfloat16 merging would round it.

    Returns
    -------
    captioner, prompt_builder, facts
        The last is ``system.json``: ``name``, ``training_seed``, ``system`` (all settings),
        ``encoder``, ``language_model``, ``training`` (``examples``, ``steps``), ``lora``. The
        prompt builder is the one of ``prompt.format``.

    Raises
    ------
    InputError
        If a file is missing, broken or changed, keys or shapes do not fit, or the model was
        trained on another language model.
    """
    folder = Path(folder)
    facts = read_system(folder)
    found, trained_on = identity(language_model), facts["language_model"]
    if found["weights_sha256"] != trained_on["weights_sha256"]:
        raise InputError(
            f"{folder}: was trained on the language model {trained_on['name']} with weights "
            f"{trained_on['weights_sha256'][:12]}, not on {language_model} with "
            f"{found['weights_sha256'][:12]}"
        )
    system = facts["system"]
    connector = load_connector(
        folder / CONNECTOR,
        system["connector"],
        facts["encoder"]["dim"],
        hidden_size(language_model),
        connector_facts(system, facts["encoder"], trained_on),
    )
    precision = precision or system["precision"]
    model = load_language_model(language_model, precision=precision)
    if facts["lora"] is not None:
        model = add_lora(model, facts["lora"], seed=0)
        tensors, _ = read_tensors(folder / ADAPTER)
        check_tensors(folder / ADAPTER, tensors, adapter_tensors(model))
        set_peft_model_state_dict(model, tensors)
        if precision == "float32":
            model = model.merge_and_unload()
    tokenizer = load_prompt_builder(language_model).tokenizer
    builder = prompt_builder(system.get("prompt", {}), tokenizer)
    captioner = Captioner(model, connector, builder.end_of_turn_id)
    return captioner.requires_grad_(False).eval().to(device), builder, facts
