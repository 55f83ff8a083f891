"""The source ``files``: flat files that the user already has."""

from pathlib import Path
from typing import IO

from tqdm import tqdm

from protscribe.atomic import atomic_path, sha256_file, write_json
from protscribe.errors import InputError
from protscribe.sources.flatfile import open_flat_file, split_entries


def collect_files(paths: list[Path], output: Path, manifest: Path) -> None:
    """Concatenate the user's flat files into one.

    Parameters
    ----------
    paths
        Flat files in UniProt's format, plain or gzip-compressed, in the order in which their
        entries are to stand.
    output
        The flat file to write, plain.
    manifest
        JSON file: name, SHA-256 and number of entries of each file, in the same order. Written
        last.

    Raises
    ------
    InputError
        If no file is given, or one is missing, empty, truncated, damaged or not a flat file.
    """
    if not paths:
        raise InputError("source.paths: no file is given; name at least one flat file")
    files = []
    total = 0
    with atomic_path(output) as partial, _writer(partial) as out:
        for path in paths:
            entries = 0
            with open_flat_file(path) as lines:
                progress = tqdm(lines, desc=f"read {path.name}", unit=" lines", mininterval=5)
                for entry in split_entries(progress, path):
                    out.write(entry)
                    entries += 1
            files.append({"name": path.name, "sha256": sha256_file(path), "entries": entries})
            total += entries
    write_json(
        manifest,
        {
            "source": "files",
            "files": files,
            "entries": total,
            "sha256": sha256_file(output),
            "warnings": [],
        },
    )


def _writer(path: Path) -> IO[str]:
    # Bytes that are not UTF-8 pass through as they are; the parser rejects their entry.
    return path.open("w", encoding="utf-8", errors="surrogateescape", newline="\n")
