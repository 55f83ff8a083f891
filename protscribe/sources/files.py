"""The source ``files``: entries that the user already has, read where they lie."""

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from protscribe.atomic import sha256_file, write_json
from protscribe.errors import InputError
from protscribe.sources.formats.flatfile import END, split_entries
from protscribe.sources.formats.sniffing import sniff
from protscribe.sources.text_files import open_bytes

_BLOCK = 2**20
_LAST = {b"I": END.encode(), b"[": b"]", b"{": b"}"}
"""What a file that is whole ends with, by how it starts; of tables the end shows nothing."""


def check_files(paths: Sequence[Path], manifest: Path) -> None:
    """Find out what the user's files are and whether they are whole.

    Parameters
    ----------
    paths
        Files in any of the formats of `protscribe.sources.formats.sniffing`.
    manifest
        JSON file to write: name, bytes, SHA-256 and format of each file, in the same order. Bytes
        and SHA-256 are those of the file as it lies there.

    Raises
    ------
    InputError
        If no file is given, or one is missing, empty, truncated, damaged or in no known format.
    """
    if not paths:
        raise InputError("source.paths: no file is given; name at least one")
    files = [_facts(path) for path in paths]
    write_json(manifest, {"source": "files", "files": files, "warnings": []})


def _facts(path: Path) -> dict[str, Any]:
    name = sniff(path)
    # Read to its end, a compressed file shows whether it is whole.
    with open_bytes(path) as file:
        tail = file.read(_BLOCK)
        first = tail.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        while block := file.read(_BLOCK):
            tail = (tail + block)[-_BLOCK:]
    if name != "table" and not tail.rstrip().endswith(_LAST[first]):
        if name == "flat":
            # Says in which entry.
            split_entries(tail.rpartition(b"\n//")[2].decode(errors="replace"), path)
        raise InputError(
            f"{path}: the file is truncated: it ends with {tail.rstrip()[-30:]!r}; "
            "download it again"
        )
    return {
        "name": path.name,
        "bytes": path.stat().st_size,
        "sha256": sha256_file(path),
        "format": name,
    }
