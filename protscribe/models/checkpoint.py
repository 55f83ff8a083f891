"""Weights on disk: those that were trained alone, and what they were trained on top of.

``weights.safetensors`` holds the connector (``connector.*``), the rows of residue tokens
(``residues.*``) and the adapter of the language model (``adapter.*``, under peft's names) or, if
it was trained whole, the language model (``language_model.*``): whichever of these a stage
trained. A model folder has ``system.json`` beside it, written last. Loading checks every fact;
what does not fit is an `InputError`, never a fresh random weight.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor

from protscribe.errors import InputError
from protscribe.llm.pretrained import identity
from protscribe.models.assembly import build_captioner, trained_whole
from protscribe.models.captioner import Captioner
from protscribe.models.connectors import Connector
from protscribe.models.system_file import WEIGHTS, read_system, write_system
from protscribe.models.tensors import check_tensors, read_tensors, write_tensors
from protscribe.prompts import PromptBuilder

ENCODER_FACTS = (
    *("model", "weights_sha256", "layer", "dtype"),
    *("special_tokens", "max_residues", "dim"),
)
CONNECTOR, RESIDUES, ADAPTER, WHOLE = "connector.", "residues.", "adapter.", "language_model."
"""How the names of tensors begin."""


def encoder_facts(manifest: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what makes one store of embeddings differ from another, but not its proteins.

    Parameters
    ----------
    manifest
        Manifest of an `protscribe.embeddings.store.EmbeddingStore`; None for a system without
        an encoder, which has no such facts.
    """
    return None if manifest is None else {key: manifest[key] for key in ENCODER_FACTS}


def weight_facts(
    system: Mapping[str, Any],
    encoder: Mapping[str, Any] | None,
    language_model: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what weights depend on, and must agree when they are loaded.

    Parameters
    ----------
    system
        A system's settings.
    encoder
        What `encoder_facts` returned.
    language_model
        What `protscribe.llm.pretrained.identity` returned.
    """
    connector = system.get("connector")
    if connector is not None:
        # Dropout acts in training alone; a later stage may choose another.
        connector = {k: v for k, v in connector.items() if k != "dropout"}
    return {
        "connector": connector,
        "encoder": None if encoder is None else dict(encoder),
        "language_model": dict(language_model),
    }


def save_weights(path: Path | str, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write trained weights; `facts` is what `weight_facts` returned."""
    write_tensors(path, weights, facts)


def connector_weights(connector: Connector) -> dict[str, Tensor]:
    """Return the weights of a connector under the names that they have on disk."""
    return {CONNECTOR + name: tensor for name, tensor in connector.state_dict().items()}


def captioner_weights(captioner: Captioner) -> dict[str, Tensor]:
    """Return all weights of a captioner that do not come with its language model.

    A language model without adapters counts if it is being trained.
    """
    weights = connector_weights(captioner.connector) if captioner.connector else {}
    if captioner.residues is not None:
        rows = captioner.residues.state_dict()
        weights |= {RESIDUES + name: tensor for name, tensor in rows.items()}
    model = captioner.language_model
    if isinstance(model, PeftModel):
        weights |= {ADAPTER + name: t for name, t in adapter_tensors(model).items()}
    elif any(parameter.requires_grad for parameter in model.parameters()):
        # Tied weights have two names and stand in the file once.
        weights |= {WHOLE + name: p.data for name, p in model.named_parameters()}
    return weights


def load_weights(
    path: Path | str, captioner: Captioner, expected: Mapping[str, Any], *, aligned: bool = False
) -> None:
    """Fill a captioner from a file.

    Parameters
    ----------
    path
        What `save_weights` wrote.
    captioner
        Built for the same system.
    expected
        The facts that the file must carry.
    aligned
        Whether the file is from alignment, which may have trained some parts only; the others
        are left as they are.

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
    wanted = captioner_weights(captioner)
    if aligned:
        parts = {name.partition(".")[0] for name in tensors}
        wanted = {n: tensor for n, tensor in wanted.items() if n.partition(".")[0] in parts}
    check_tensors(path, tensors, wanted)

    def part(prefix: str) -> dict[str, Tensor]:
        return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}

    if captioner.connector is not None and (connector := part(CONNECTOR)):
        captioner.connector.load_state_dict(connector)
    if captioner.residues is not None and (rows := part(RESIDUES)):
        captioner.residues.load_state_dict(rows)
    if adapter := part(ADAPTER):
        set_peft_model_state_dict(captioner.language_model, adapter)
    if whole := part(WHOLE):
        captioner.language_model.load_state_dict(whole, strict=False)


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
    encoder: Mapping[str, Any] | None,
    language_model: Mapping[str, Any],
    training: Mapping[str, Any],
) -> None:
    """Write a finished model.

    Parameters
    ----------
    folder
        The model folder; ``system.json`` in it is written last.
    captioner
        Its language model is a peft model with the adapter of ``tune.lora``, or trained
        whole, or bare.
    name, training_seed
        The system's name and the seed it was trained with.
    system
        The system's settings, with nothing left out.
    encoder, language_model
        As for `weight_facts`.
    training
        Numbers of examples and steps, at least ``examples`` and ``steps``.
    """
    folder = Path(folder)
    facts = weight_facts(system, encoder, language_model)
    save_weights(folder / WEIGHTS, captioner_weights(captioner), facts)
    adapted = isinstance(captioner.language_model, PeftModel)
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
    system, encoder = facts["system"], facts["encoder"]
    precision = precision or system["precision"]
    captioner, builder = build_captioner(
        system,
        language_model,
        input_size=None if encoder is None else encoder["dim"],
        precision=precision,
        lora=facts["lora"],
        whole=trained_whole(system),
        seed=0,
    )
    load_weights(folder / WEIGHTS, captioner, weight_facts(system, encoder, trained_on))
    if isinstance(captioner.language_model, PeftModel) and precision == "float32":
        captioner.language_model = captioner.language_model.merge_and_unload()
    return captioner.requires_grad_(False).eval().to(device), builder, facts
