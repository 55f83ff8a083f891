"""Debian packages as files: downloaded without root, unpacked without installing.

`apt-get download` runs with lists and cache in private folders, so it needs no root and works
where the machine's own package lists are empty.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from protscribe.errors import InputError


class Unavailable(Exception):
    """A package cannot be had on this machine, in its client's words."""


def download_packages(names: Iterable[str], work: Path) -> tuple[dict[str, Path], str]:
    """Download Debian packages that do not lie in a folder yet.

    Parameters
    ----------
    names
        Names of the packages.
    work
        Folder of the package files, absolute.

    Returns
    -------
    found, reason
        The package files that there are, by name, and why others are missing.
    """
    wanted = list(names)
    found = {name: path for name in wanted for path in sorted(work.glob(f"{name}_*.deb"))[-1:]}
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        return {}, f"there is no {' and no '.join(missing)} on this machine"
    reason = ""
    if len(found) < len(wanted):
        with scratch_folder(work) as scratch:
            for folder in ("lists/partial", "cache/archives/partial", "debs"):
                (scratch / folder).mkdir(parents=True)
            apt = ["apt-get", "-q", "-o", f"Dir::State::lists={scratch}/lists"]
            apt += ["-o", f"Dir::Cache={scratch}/cache", "-o", "APT::Sandbox::User="]
            apt += ["-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=60"]
            try:
                run_client([*apt, "update"], scratch)
            except Unavailable as error:
                reason = str(error)
            for name in wanted:
                if name in found:
                    continue
                try:
                    run_client([*apt, "download", name], scratch / "debs")
                except Unavailable as error:
                    reason = str(error)
                    continue
                for deb in (scratch / "debs").glob(f"{name}_*.deb"):
                    found[name] = deb.replace(work / deb.name)
    return found, reason


@contextmanager
def unpacked(deb: Path, work: Path) -> Iterator[tuple[str, Path]]:
    """Yield the version of a package and a folder with its files, which is removed afterwards.

    Raises
    ------
    InputError
        If the package file is damaged; it is deleted, so that a new run downloads it again.
    """
    try:
        version = run_client(["dpkg-deb", "--field", str(deb), "Version"], work).strip()
        with scratch_folder(work) as scratch:
            run_client(["dpkg-deb", "--extract", str(deb), str(scratch)], work)
            yield version, scratch
    except Unavailable as error:
        deb.unlink()
        raise InputError(f"{deb.name}: damaged ({error}) and now deleted; run again") from None


@contextmanager
def scratch_folder(work: Path) -> Iterator[Path]:
    """Yield an empty folder inside `work` that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="partial-", dir=work) as name:
        yield Path(name).resolve()


def run_client(command: Sequence[str], folder: Path) -> str:
    """Run a package client in a folder and return what it prints.

    Raises
    ------
    Unavailable
        If it cannot be started, takes over 600 s or fails; in its own last words.
    """
    # The environment goes through, and with it the user's proxies and index settings.
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from None
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        said = [line for line in lines if line.startswith(("E:", "ERROR:"))] or lines or ["failed"]
        raise Unavailable(f"{Path(command[0]).name} says: {said[-1]}")
    return done.stdout
