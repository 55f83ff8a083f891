"""Prot2Text-V2 as released: one Hugging Face folder with encoder, projector and decoder.

Its ``config.json`` nests those of ESM-2 (``esm_config``) and LLaMA (``llama_config``); the
weights are ``esm_encoder.*``, ``adapter.*`` and ``llama_decoder.*``. LoRA is merged into the
decoder, so there is no adapter of its own. Encoder and decoder become ordinary models through
the source ``part``; here its projector becomes ours.
"""

from protscribe.errors import InputError
from protscribe.models.projector import Projector
from protscribe.models.published.layout import (
    Imported,
    Release,
    Target,
    check_settings,
    read_all,
    rename,
)
from protscribe.provenance import model_manifest

MODEL_TYPE = "esm2llama_instruct"
PREFIX = "adapter."
PARTS = ("esm_encoder.", "llama_decoder.")
DEAD = ("adapter.ln1.*", "adapter.ln2.*")
"""Two layer norms that the published projector builds, marks as deprecated and never calls."""


def check(release: Release, target: Target) -> None:
    """Check a system's settings against the release.

    Raises
    ------
    InputError
        If a setting differs, ``config.json`` lacks a part, or the language model is not the
        one of the release: its LoRA is merged into it.
    """
    for key in ("esm_config", "adapter_config", "llama_config"):
        if not isinstance(release.config.get(key), dict):
            raise InputError(f"{release.folder / 'config.json'}: lacks {key}")
    adapter = release.config["adapter_config"]
    connector = target.connector
    kind = "projector" if isinstance(connector, Projector) else "another"
    check_settings(
        release,
        target.name,
        [
            ("connector.type", kind, "adapter_config", "projector"),
            ("encoder.model's width", connector.input_size, "input_dim", adapter),
            ("language_model's width", connector.output_size, "output_dim", adapter),
            ("encoder.special_tokens", target.store["special_tokens"], "its code", True),
            (
                "encoder.layer",
                target.store["layer"],
                "num_hidden_layers",
                release.config["esm_config"],
            ),
        ],
    )
    assert isinstance(connector, Projector)
    check_settings(
        release,
        target.name,
        [
            ("connector.hidden", connector.fc1.out_features, "intermediate_dim", adapter),
            ("connector.token_norm", connector.token_norm, "its code", "l2"),
        ],
    )
    manifest = model_manifest(target.language_model)
    if manifest["source"].get("checkpoint_sha256") != release.manifest["weights_sha256"]:
        raise InputError(
            f"systems.{target.name}.language_model is {manifest['name']}, which is no part of "
            f"{release.name}; name a model of source: part, of: {release.name}, part: "
            "language_model"
        )


def read(release: Release, target: Target) -> Imported:
    """Read the projector, and check the names of everything else.

    Raises
    ------
    InputError
        If a weight of the projector is missing or has another shape, or the checkpoint holds
        any weight that belongs neither to it nor to the two parts.
    """
    files = sorted(release.folder.glob("model*.safetensors"))
    if not files:
        raise InputError(f"{release.folder}: no model*.safetensors")
    # The parts have some 11 billion numbers; of them not even the names are of use here.
    found = read_all(files, without=PARTS)
    wanted = target.connector.state_dict()
    names = {PREFIX + ours: ours for ours in wanted}
    tensors, unused = rename(found, names, wanted, DEAD, release.folder)
    return Imported(tensors, unused=unused)
