"""Files that a provider serves as they are: fetched, checked and described in a manifest."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from protscribe.atomic import read_json, sha256_file, write_json
from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.uniprot.metalink import read_metalink


def get_files(
    client: Client,
    provider: str,
    paths: Sequence[str],
    folder: Path,
    manifest: Path,
    *,
    release: str,
    licence: str,
    metalink: str | None = None,
    sha256: Mapping[str, str] | None = None,
    check: Callable[[Path], str] | None = None,
) -> None:
    """Download files of one release into a folder, and describe them in a manifest.

    Parameters
    ----------
    client, provider
        Who fetches, and from whom.
    paths
        Paths under the provider's address. Each file keeps its name.
    folder
        Where the files go.
    manifest
        JSON file: source, release, licence; name, size and checksums of each file. Written last.
    release
        Release to record; ``current`` for whichever the metalink or the files are of. Where
        there is a metalink, it must be the metalink's own.
    licence
        Licence to record.
    metalink
        Path of UniProt's ``RELEASE.metalink`` beside the files, for their sizes and MD5 sums.
    sha256
        SHA-256 that a file must have, by name.
    check
        Looks into each file, returns the version that it names, and raises `InputError` on a
        wrong one, which is then deleted.

    Raises
    ------
    InputError
        If a file cannot be had or is not the one that is wanted.
    """
    listed: Mapping[str, tuple[int, str]] = {}
    if metalink:
        found = read_metalink(client.get(provider, metalink, use_cache=False).body)
        if release not in ("current", found.release):
            raise InputError(
                f"{provider}: the files under {PurePosixPath(metalink).parent} are of release "
                f"{found.release}, not {release}; set the release to {found.release}, or give "
                f"your own files of {release}"
            )
        listed, release = found.files, found.release
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for path in paths:
        target = folder / PurePosixPath(path).name
        if metalink and target.name not in listed:
            raise InputError(f"{provider}: {metalink} does not list {target.name}")
        size, md5 = listed.get(target.name, (None, None))
        facts: dict[str, str | int] = {"path": path}
        facts |= client.download(provider, path, target, size=size, md5=md5)
        try:
            _check_sha256(target, str(facts["sha256"]), (sha256 or {}).get(target.name))
            if check:
                facts["version"] = check(target)
        except InputError:
            target.unlink()
            raise
        files.append(facts)
    if release == "current":
        release = str(files[0]["version"])
    _write_manifest(manifest, provider, release, licence, files)


def describe_files(
    paths: Sequence[Path], manifest: Path, *, source: str, release: str, licence: str
) -> None:
    """Write the manifest that `get_files` writes for files that a user already has.

    Raises
    ------
    InputError
        If a file is missing.
    """
    files = []
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        facts = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
        files.append({"name": path.name, **facts})
    _write_manifest(manifest, source, release, licence, files)


def table_facts(manifest: Path) -> dict[str, str]:
    """Return what a table records of the files it was made from: a manifest's main points.

    ``sha256`` is ``name=sum``, separated by blanks, in the manifest's order.
    """
    facts = read_json(manifest)
    sums = " ".join(f"{file['name']}={file['sha256']}" for file in facts["files"])
    return {key: str(facts[key]) for key in ("source", "release", "licence")} | {"sha256": sums}


def _write_manifest(
    manifest: Path, source: str, release: str, licence: str, files: list[dict[str, Any]]
) -> None:
    facts = {"source": source, "release": release, "licence": licence, "files": files}
    write_json(manifest, {**facts, "warnings": []})


def _check_sha256(path: Path, found: str, wanted: str | None) -> None:
    if wanted is not None and found != wanted:
        raise InputError(
            f"{path.name}: has the SHA-256 {found} instead of {wanted}; it is not the file that "
            "was pinned"
        )
