"""Files that appear whole or not at all, and their checksums."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from protscribe.errors import InputError


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that replaces it when the block succeeds.

    Parameters
    ----------
    path
        The final file. Missing parent folders are made.

    Yields
    ------
    Path
        Where to write. On an error it is removed and `path` stays as it was.

    Raises
    ------
    InputError
        If the disk is full; names the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last, because some writers choose the format by it.
    partial = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        yield partial
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except Exception as error:
        _explain_full_disk(error, path)
        raise
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Yield a temporary sibling folder that replaces `path` when the block succeeds.

    Parameters
    ----------
    path
        The final folder; one that exists is replaced.

    Yields
    ------
    Path
        The empty folder to fill. On an error it is removed and `path` stays as it was.

    Raises
    ------
    InputError
        If the disk is full; names the folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        os.replace(partial, path)
    except Exception as error:
        _explain_full_disk(error, path)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _explain_full_disk(error: Exception, path: Path) -> None:
    # Libraries written in other languages pass the operating system's words on as text.
    if "No space left on device" in str(error) or "os error 28" in str(error):
        raise InputError(
            f"no space left on the disk while writing {path}: free some and run again; "
            "nothing half-written was kept"
        ) from error


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as sorted, indented JSON with a final newline, atomically."""
    with atomic_path(path) as partial:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        If the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not a JSON file ({error})") from None


def sha256_file(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes as 64 hex digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON (sorted keys, no spaces)."""
    return sha256_text(json.dumps(value, sort_keys=True, separators=(",", ":")))
