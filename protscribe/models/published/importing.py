"""A released checkpoint becomes an ordinary model folder, and predicts like any other system."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from protscribe.atomic import atomic_folder
from protscribe.embeddings.store import EmbeddingStore
from protscribe.errors import InputError
from protscribe.llm.pretrained import hidden_size, identity
from protscribe.models.checkpoint import (
    ADAPTER,
    connector_weights,
    encoder_facts,
    save_weights,
    weight_facts,
)
from protscribe.models.connectors import build_connector
from protscribe.models.published import prot2text_v2, protein2text
from protscribe.models.published.layout import Release, Target, read_mapping, read_release
from protscribe.models.system_file import WEIGHTS, write_system

LAYOUTS: dict[str, ModuleType] = {
    module.MODEL_TYPE: module for module in (protein2text, prot2text_v2)
}
"""Modules that can read a release, by the ``model_type`` of its ``config.json``."""

TRAINER_STATE = "trainer_state.json"


def import_model(
    checkpoint: Path,
    store: Path,
    language_model: Path,
    folder: Path,
    *,
    name: str,
    system: Mapping[str, Any],
    training_seed: int,
) -> None:
    """Write a model folder that `protscribe.models.checkpoint.load_captioner` loads.

    Parameters
    ----------
    checkpoint
        Folder of the release, a model of kind ``checkpoint``.
    store
        Folder of the protein embeddings that the system reads.
    language_model
        Folder of its language model.
    folder
        Model folder to write; one that exists is replaced.
    name
        The system's name.
    system
        Its settings: ``connector``, ``precision`` and ``prompt``.
    training_seed
        Recorded, so that the run's other systems and this one are asked alike; nothing here
        is random.

    Raises
    ------
    InputError
        If the release is of no known layout, differs from the configured settings, lacks a
        tensor, or holds one that is neither used nor known to be dead.
    """
    release = read_release(checkpoint)
    kind = release.config.get("model_type")
    if kind not in LAYOUTS:
        raise InputError(
            f"{release.folder / 'config.json'}: model_type is {kind!r}; can import "
            f"{', '.join(sorted(LAYOUTS))}"
        )
    layout = LAYOUTS[kind]
    manifest = EmbeddingStore(store).manifest
    settings = system["connector"]
    connector = build_connector(settings, manifest["dim"], hidden_size(language_model))
    target = Target(name, connector, manifest, Path(language_model))
    layout.check(release, target)
    imported = layout.read(release, target)
    connector.load_state_dict(imported.connector)
    encoder, own = encoder_facts(manifest), identity(language_model)
    with atomic_folder(folder) as partial:
        weights = connector_weights(connector)
        weights |= {ADAPTER + key: tensor for key, tensor in imported.adapter.items()}
        save_weights(partial / WEIGHTS, weights, weight_facts(system, encoder, own))
        write_system(
            partial,
            name=name,
            training_seed=training_seed,
            # Nothing was tuned here; readers of a finished model look for these settings.
            system={"tune": {}} | dict(system),
            encoder=encoder,
            language_model=own,
            training=_training(release),
            lora=imported.lora,
            release={
                "name": release.name,
                "model_type": kind,
                "source": release.manifest["source"],
                "weights_sha256": release.manifest["weights_sha256"],
                "files": release.manifest["files"],
                "unused": list(imported.unused),
            },
        )


def _training(release: Release) -> dict[str, Any]:
    """Return what a release says of its training; 0 stands for a number that it does not tell."""
    facts = {"examples": 0, "steps": 0, "published": True}
    path = release.folder / TRAINER_STATE
    if path.exists():
        steps = read_mapping(path).get("global_step")
        facts["steps"] = steps if isinstance(steps, int) else 0
    return facts
