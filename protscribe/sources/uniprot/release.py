"""Swiss-Prot as a whole: the flat file of a release, from UniProt's file server.

The current release has the file itself. Of previous ones there is an archive with it in several
formats, for two years; after that only the first release of a year (``YYYY_01``) is kept. Sizes and
MD5 sums are those of the ``RELEASE.metalink`` in each folder.
"""

import gzip
import re
import tarfile
import zlib
from datetime import datetime
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from typing import Any

from protscribe.atomic import atomic_path, sha256_file, write_json
from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.uniprot.metalink import Metalink, read_metalink

PROVIDER = "uniprot_files"
LICENCE = "CC BY 4.0"
FLAT_FILE = "uniprot_sprot.dat.gz"
CURRENT = "current_release/knowledgebase/complete"
PREVIOUS = "previous_releases/release-{release}/knowledgebase"
NOT_FOUND = 404


def get_uniprot_release(output: Path, manifest: Path, *, release: str, client: Client) -> None:
    """Download the flat file of a release.

    Parameters
    ----------
    output
        ``uniprot_sprot.dat.gz``, some 0.7 GB. Beside it, while a previous release is fetched, its
        archive of some 1.7 GB.
    manifest
        Release and its date (None where the archive does not tell), name, size and checksums of
        the file, and of the archive it came from. Written last.
    release
        Such as ``2026_01``, or ``current``.
    client
        The network.

    Raises
    ------
    InputError
        If there is no such release, or its file cannot be had whole.
    """
    if release != "current" and not re.fullmatch(r"\d{4}_\d{2}", release):
        raise InputError(f"UniProt has no release {release!r}: give current or one like 2026_01")
    # What is current changes, so it is never taken from the cache.
    answer = client.get(PROVIDER, f"{CURRENT}/RELEASE.metalink", use_cache=False)
    current = read_metalink(answer.body)
    if release in ("current", current.release):
        facts = _download(client, CURRENT, current, FLAT_FILE, output)
        release, archive = current.release, None
        date = _date(client.get(PROVIDER, f"{CURRENT}/reldate.txt", use_cache=False).text, release)
    else:
        archive, date = _from_archive(client, release, current.release, output)
        facts = {"bytes": output.stat().st_size, "sha256": sha256_file(output)}
    _check_start(output)
    file = {"bytes": facts["bytes"], "sha256": facts["sha256"], "format": "swissprot"}
    write_json(
        manifest,
        {
            "source": "uniprot_release",
            "release": release,
            "release_date": date,
            "licence": LICENCE,
            "files": [{"name": output.name, **file}],
            "archive": archive,
            "warnings": [],
        },
    )


def _from_archive(
    client: Client, release: str, current: str, output: Path
) -> tuple[dict[str, Any], str | None]:
    """Take the flat file out of a previous release's archive, and delete the archive."""
    folder = PREVIOUS.format(release=release)
    answer = client.get(PROVIDER, f"{folder}/RELEASE.metalink", accept=(NOT_FOUND,))
    if answer.status == NOT_FOUND:
        raise InputError(
            f"UniProt has no release {release}: the current one is {current}, and of those more "
            "than two years old only the first of each year (YYYY_01) is kept; configure one of "
            "these"
        )
    listed = read_metalink(answer.body)
    name = f"uniprot_sprot-only{release}.tar.gz"
    archive = output.with_name(name)
    facts = _download(client, folder, listed, name, archive)
    date = _extract(archive, output, release)
    archive.unlink()
    return facts, date


def _download(
    client: Client, folder: str, listed: Metalink, name: str, target: Path
) -> dict[str, Any]:
    if name not in listed.files:
        raise InputError(f"UniProt's file server: {folder}/RELEASE.metalink does not list {name}")
    size, md5 = listed.files[name]
    return client.download(PROVIDER, f"{folder}/{name}", target, size=size, md5=md5)


def _extract(archive: Path, output: Path, release: str) -> str | None:
    """Write the archive's flat file to `output`; return the date if the archive tells it.

    The archive is read as a stream and no name in it is used as a path.
    """
    found, date = False, None
    try:
        with tarfile.open(archive, mode="r|gz") as tar, atomic_path(output) as partial:
            for member in tar:
                name = PurePosixPath(member.name).name
                content = tar.extractfile(member) if member.isfile() else None
                if content and name == FLAT_FILE and not found:
                    with partial.open("wb") as out:
                        copyfileobj(content, out, 1 << 20)
                    found = True
                elif content and name == "reldate.txt":
                    date = _date(content.read(10_000).decode("utf-8", "replace"), release)
            if not found:
                raise InputError(f"{archive}: holds no {FLAT_FILE}; delete it and run again")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{archive}: damaged ({error}); delete it and run again") from None
    return date


def _check_start(output: Path) -> None:
    """Check that the file starts with an entry; for the rest its MD5 speaks."""
    try:
        with gzip.open(output) as file:
            start = file.read(5)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        start = b""
    if start != b"ID   ":
        output.unlink()
        raise InputError(f"{output.name}: what UniProt's file server has is not a flat file")


def _date(text: str, release: str) -> str | None:
    """Return the date in reldate.txt (``... Swiss-Prot Release 2026_02 of 10-Jun-2026``)."""
    found = re.search(rf"Swiss-Prot Release {release} of (\d\d-[A-Za-z]{{3}}-\d{{4}})", text)
    return datetime.strptime(found.group(1), "%d-%b-%Y").date().isoformat() if found else None
