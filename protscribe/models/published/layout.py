"""How a released checkpoint is laid out, and how its tensors become those of our modules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from protscribe.atomic import read_json
from protscribe.errors import InputError
from protscribe.models.connectors import Connector
from protscribe.provenance import model_manifest

KIND = "checkpoint"


@dataclass(frozen=True)
class Release:
    """What a released checkpoint says of itself.

    Parameters
    ----------
    folder
        The folder that `protscribe.sources.models.get_model` made.
    manifest
        Its manifest: name, source and checksums.
    config
        Its ``config.json``.
    """

    folder: Path
    manifest: dict[str, Any]
    config: dict[str, Any]

    @property
    def name(self) -> str:
        """Name under ``models`` in the configuration."""
        return self.manifest["name"]


@dataclass(frozen=True)
class Target:
    """The configured system that a release is to become.

    Parameters
    ----------
    name
        Its name under ``systems``.
    connector
        Its connector, with fresh weights.
    store
        Manifest of the protein embeddings that it reads.
    language_model
        Folder of its language model.
    """

    name: str
    connector: Connector
    store: Mapping[str, Any]
    language_model: Path


@dataclass(frozen=True)
class Imported:
    """A released model in our terms.

    Parameters
    ----------
    connector
        Tensors under the names of our connector.
    lora
        ``rank``, ``alpha``, ``dropout`` and ``targets`` of its adapter; None without one.
    adapter
        The adapter's tensors under peft's names.
    unused
        Names of dead weights: the release holds them, its own code never reads them.
    """

    connector: dict[str, Tensor]
    lora: dict[str, Any] | None = None
    adapter: dict[str, Tensor] = field(default_factory=dict)
    unused: tuple[str, ...] = ()


def read_release(folder: Path) -> Release:
    """Read what a checkpoint says of itself.

    Raises
    ------
    InputError
        If the folder is not that of a checkpoint.
    """
    manifest = model_manifest(folder)
    if manifest.get("kind") != KIND:
        raise InputError(
            f"models.{manifest['name']} is of kind {manifest.get('kind')}; a system's checkpoint "
            f"must be of kind {KIND}"
        )
    return Release(Path(folder), manifest, read_mapping(Path(folder) / "config.json"))


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    InputError
        If the file is missing or holds something else.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{path}: not a JSON object")
    return value


def read_all(paths: Iterable[Path], without: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """Read the tensors of several files as one.

    Parameters
    ----------
    paths
        Safetensors files.
    without
        Starts of names that are left in the files.

    Raises
    ------
    InputError
        If a file is not whole or two hold a tensor of the same name.
    """
    tensors: dict[str, Tensor] = {}
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118
                    if name in tensors:
                        raise InputError(
                            f"{path}: holds {name}, as another file of the checkpoint does"
                        )
                    if not name.startswith(without):
                        tensors[name] = file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path}: not a whole safetensors file ({error})") from None
    return tensors


def rename(
    found: Mapping[str, Tensor],
    names: Mapping[str, str],
    wanted: Mapping[str, Tensor],
    dead: Iterable[str],
    where: Path,
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Give released tensors our names; nothing may be missing, left over or of another shape.

    Parameters
    ----------
    found
        Released tensors by their own names.
    names
        Our name of each released name.
    wanted
        The state of our module: every name of it must be in `names`.
    dead
        Patterns of released names that may be there and are left out: weights that the
        published code builds, saves and never reads.
    where
        File or folder to name in an error.

    Returns
    -------
    tensors, unused
        float32 tensors under our names, and the dead ones' names.

    Raises
    ------
    InputError
        Names the tensor as the release does.
    """
    if set(names.values()) != set(wanted):
        raise RuntimeError(f"no released name for {sorted(set(wanted) ^ set(names.values()))}")
    if missing := sorted(set(names) - set(found)):
        raise InputError(f"{where}: lacks {missing[0]} ({len(missing)} missing in all)")
    patterns = tuple(dead)
    left = sorted(set(found) - set(names))
    unused = tuple(name for name in left if any(fnmatchcase(name, p) for p in patterns))
    if unknown := sorted(set(left) - set(unused)):
        raise InputError(
            f"{where}: holds {unknown[0]}, which the model has no place for "
            f"({len(unknown)} such tensors)"
        )
    for name, ours in names.items():
        if found[name].shape != wanted[ours].shape:
            raise InputError(
                f"{where}: {name} has shape {tuple(found[name].shape)}, with the configured "
                f"settings it would have {tuple(wanted[ours].shape)}"
            )
    return {ours: found[name].float() for name, ours in names.items()}, unused


def check_settings(
    release: Release, system_name: str, checks: Iterable[tuple[str, Any, str, Any]]
) -> None:
    """Check that a system is configured as the release was trained.

    Parameters
    ----------
    release
        The checkpoint.
    system_name
        The system's name.
    checks
        Option of the system, its value, where the release says otherwise, and the value there;
        or, as the last, a mapping that holds it under that key.

    Raises
    ------
    InputError
        Names the first option that differs.
    """
    for option, configured, key, released in checks:
        if isinstance(released, Mapping):
            released = released.get(key)
        if configured != released:
            raise InputError(
                f"systems.{system_name}.{option} is {configured!r}, but {release.name} was "
                f"trained with {released!r} ({key}); the two must agree"
            )
