"""Protein2Text as released: LLaVA's layout, on top of a language model that it does not hold.

``non_lora_trainables`` (or, of the first stage, ``mm_projector`` and a file of the resampler)
holds the connector, ``adapter_model`` with ``adapter_config.json`` the LoRA, ``model_args.json``
the sizes of the resampler and ``config.json`` what is read of the encoder. Names and defaults
are those of its public loader (commit 421e888).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from protscribe.errors import InputError
from protscribe.models.checkpoint import adapter_tensors
from protscribe.models.connectors import Connector
from protscribe.models.language_model import add_lora
from protscribe.models.published.layout import (
    Imported,
    Release,
    Target,
    check_settings,
    read_all,
    read_mapping,
    rename,
)
from protscribe.models.resampler import Resampler
from protscribe.models.tensors import check_tensors, read_tensors

PEFT_CONFIG, PEFT_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MODEL_TYPE = "llava_llama"
MODEL_ARGS = "model_args.json"
TRAINABLES = "non_lora_trainables.safetensors"
SIZES = {
    "num_media_tokens": 128,
    "perceiver_depth": 2,
    "perceiver_heads": 8,
    "dim_attention_head": 64,
    "ff_mult": 2,
}
"""Sizes of the resampler that ``model_args.json`` may leave out, as its loader takes them."""

FEATURES: dict[str, bool | str] = {"patch": "end", "cls_patch": True}
"""Our ``encoder.special_tokens`` for each ``mm_protein_select_feature``."""

MEDIA = "mm_resampler.media_pos_emb"
DEAD_ROWS = f"{MEDIA}[1:]"
"""Rows for second, third and further proteins of one question, which there never are."""

_WRAPPERS = re.compile(r"^(base_model\.)?(model\.){0,2}(?=mm_)")
_NAMES = (
    (re.compile(r"^projector\."), "mm_projector."),
    (re.compile(r"^blocks\.(\d+)\.attention\."), r"mm_resampler.layers.\1.0."),
    (re.compile(r"^blocks\.(\d+)\.feed_forward\."), r"mm_resampler.layers.\1.1."),
    (re.compile(r"^media$"), MEDIA),
    (re.compile(r"^(?=latents$|norm\.)"), "mm_resampler."),
)
_PLAIN_LORA = {
    "peft_type": "LORA",
    "bias": "none",
    "fan_in_fan_out": False,
    "use_dora": False,
    "use_rslora": False,
    "modules_to_save": None,
    "layers_to_transform": None,
    "rank_pattern": {},
    "alpha_pattern": {},
}


def check(release: Release, target: Target) -> None:
    """Check a system's settings against the release.

    A first stage has no ``model_args.json``: then what its tensors do not show, the number of
    heads, is as configured.

    Raises
    ------
    InputError
        If a setting differs, or the release is of a variant that is not supported.
    """
    config = release.folder / "config.json"
    sizes = _sizes(release)
    mode, feature = sizes["mm_use_resampler_gca"], sizes["mm_protein_select_feature"]
    # Older checkpoints say true, and their weights tell what is meant.
    if mode not in ("resampler", True):
        raise InputError(
            f"{config}: mm_use_resampler_gca is {mode!r}; only the released variant, resampler, "
            "can be imported"
        )
    if sizes["mm_projector_type"] != "mlp2x_gelu":
        raise InputError(
            f"{config}: mm_projector_type is {sizes['mm_projector_type']!r}; only mlp2x_gelu can "
            "be imported"
        )
    if feature not in FEATURES:
        raise InputError(
            f"{config}: mm_protein_select_feature is {feature!r}; only "
            f"{' and '.join(FEATURES)} can be imported"
        )
    layer = sizes["mm_protein_select_layer"]
    if isinstance(layer, int) and layer < 0:
        layer += target.store["layers"] + 1
    connector, store = target.connector, target.store
    kind = "resampler" if isinstance(connector, Resampler) else "another"
    check_settings(
        release,
        target.name,
        [
            ("connector.type", kind, "mm_use_resampler_gca", "resampler"),
            ("encoder.model's width", connector.input_size, "mm_hidden_size", sizes),
            ("language_model's width", connector.output_size, "llm_hidden_size", sizes),
            (
                "encoder.special_tokens",
                store["special_tokens"],
                "mm_protein_select_feature",
                FEATURES[feature],
            ),
            ("encoder.layer", store["layer"], "mm_protein_select_layer", layer),
        ],
    )
    assert isinstance(connector, Resampler)
    block = connector.blocks[0]
    heads = block.attention.heads
    own = {
        "num_media_tokens": ("latents", len(connector.latents)),
        "perceiver_depth": ("depth", len(connector.blocks)),
        "perceiver_heads": ("heads", heads),
        "dim_attention_head": ("head_dim", block.attention.to_q.out_features // heads),
        "ff_mult": ("multiplier", block.feed_forward[1].out_features // connector.input_size),
    }
    checks: list[tuple[str, Any, str, Any]] = [
        (f"connector.{option}", value, key, sizes)
        for key, (option, value) in own.items()
        if key in sizes
    ]
    checks.append(("connector.positions", connector.positions, "its code", "one"))
    check_settings(release, target.name, checks)


def read(release: Release, target: Target) -> Imported:
    """Read connector and adapter.

    Raises
    ------
    InputError
        If a tensor is missing, unknown or of another shape, or the adapter is of a kind that
        our own loading does not build.
    """
    connector, unused = _read_connector(release, target.connector)
    if not (release.folder / PEFT_WEIGHTS).exists():
        return Imported(connector, unused=unused)
    config = read_mapping(release.folder / PEFT_CONFIG)
    for key, plain in _PLAIN_LORA.items():
        if (config.get(key) or plain) != plain:
            raise InputError(
                f"{release.folder / PEFT_CONFIG}: {key} is {config[key]!r}; only plain LoRA "
                f"({key}: {plain!r}) can be imported"
            )
    try:
        targets = config["target_modules"]
        lora = {
            "rank": config["r"],
            "alpha": config["lora_alpha"],
            "dropout": config.get("lora_dropout", 0.0),
            "targets": targets if isinstance(targets, str) else sorted(targets),
        }
    except (KeyError, TypeError) as error:
        raise InputError(f"{release.folder / PEFT_CONFIG}: lacks {error}") from None
    adapter, _ = read_tensors(release.folder / PEFT_WEIGHTS)
    check_tensors(
        release.folder / PEFT_WEIGHTS, adapter, _adapter_shapes(target.language_model, lora)
    )
    return Imported(connector, lora, adapter, unused)


def _sizes(release: Release) -> dict[str, Any]:
    """Return what ``config.json`` and ``model_args.json`` say, under the names of both."""
    config = release.config
    sizes = {
        "mm_use_resampler_gca": config.get("mm_use_resampler_gca"),
        "mm_projector_type": config.get("mm_projector_type"),
        "mm_protein_select_feature": config.get("mm_protein_select_feature"),
        "mm_protein_select_layer": config.get("mm_protein_select_layer"),
        "mm_hidden_size": config.get("mm_hidden_size"),
        "llm_hidden_size": config.get("hidden_size"),
    }
    path = release.folder / MODEL_ARGS
    if path.exists() or (release.folder / TRAINABLES).exists():
        sizes |= SIZES | read_mapping(path)
    return sizes


def _read_connector(
    release: Release, connector: Connector
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    files = _connector_files(release.folder)
    where = files[0] if len(files) == 1 else release.folder
    found = {_WRAPPERS.sub("", key): value for key, value in read_all(files).items()}
    if MEDIA in found:
        shape = (connector.output_size, 1, connector.input_size)
        if found[MEDIA].shape != shape:
            raise InputError(
                f"{where}: {MEDIA} has shape {tuple(found[MEDIA].shape)}, with the configured "
                f"models it would have {shape}"
            )
        found[MEDIA] = found[MEDIA][0]
    wanted = connector.state_dict()
    names = {_released_name(ours): ours for ours in wanted}
    tensors, _ = rename(found, names, wanted, (), where)
    # Files of other variants, which the published loader does not read either.
    others = set(release.folder.glob("mm_*.safetensors")) - set(files)
    return tensors, (DEAD_ROWS, *sorted(path.name for path in others))


def _connector_files(folder: Path) -> list[Path]:
    whole = folder / TRAINABLES
    if whole.exists():
        return [whole]
    projector = folder / "mm_projector.safetensors"
    resamplers = sorted(folder.glob("*resampler*.safetensors"))
    if not projector.exists() or len(resamplers) != 1:
        raise InputError(
            f"{folder}: has neither non_lora_trainables nor mm_projector with one file of the "
            "resampler (*resampler*), as .bin or .safetensors"
        )
    return [projector, *resamplers]


def _released_name(ours: str) -> str:
    for pattern, replacement in _NAMES:
        if pattern.search(ours):
            return pattern.sub(replacement, ours)
    raise RuntimeError(f"no released name for {ours}")


def _adapter_shapes(language_model: Path, lora: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the adapter that the language model would get, without its numbers."""
    config = AutoConfig.from_pretrained(str(language_model), local_files_only=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        try:
            return adapter_tensors(add_lora(model, lora, seed=0))
        except ValueError as error:
            raise InputError(f"{PEFT_CONFIG} does not fit {language_model}: {error}") from None
