"""UniProt's ``RELEASE.metalink``: release, size and MD5 of each file of a folder.

The format is Metalink 3.0 (XML, namespace http://www.metalinker.org/).
"""

from dataclasses import dataclass
from xml.etree import ElementTree

from protscribe.errors import InputError


@dataclass(frozen=True)
class Metalink:
    """A folder's release, and the size in bytes and MD5 of each of its files, by name."""

    release: str
    files: dict[str, tuple[int, str]]


def read_metalink(body: bytes) -> Metalink:
    """Read a metalink file.

    Raises
    ------
    InputError
        If it is not a whole metalink file with a release and with size and MD5 of every file.
    """
    try:
        if b"<!DOCTYPE" in body:
            raise ValueError("it has a document type, like an HTML page")
        root = ElementTree.fromstring(body)
        if root.tag.rpartition("}")[2] != "metalink":
            raise ValueError(f"it starts with <{root.tag.rpartition('}')[2]}>")
        release = (root.findtext("{*}version") or "").strip()
        if not release:
            raise ValueError("it names no release")
        files = {}
        for file in root.iterfind("{*}files/{*}file"):
            md5 = file.findtext("{*}verification/{*}hash[@type='md5']") or ""
            files[file.attrib["name"]] = (
                int(file.findtext("{*}size") or ""),
                md5.strip().lower(),
            )
        if not files or not all(md5 for _, md5 in files.values()):
            raise ValueError("it lacks files or their MD5 sums")
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise InputError(
            f"RELEASE.metalink: not a metalink file ({error}); look at what the address of "
            "UniProt's file server returns"
        ) from None
    return Metalink(release, files)
