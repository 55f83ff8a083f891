"""Responses, and the folder that keeps them raw so that nothing is asked twice."""

import gzip
import hashlib
import json
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protscribe.atomic import atomic_path, sha256_json, write_json
from protscribe.errors import InputError
from protscribe.sources.http.identity import CREDENTIALS, redact


class Transient(InputError):
    """An answer that another try may mend; raised in a `check`, it has the request repeated.

    Parameters
    ----------
    reason
        What is wrong, in a few words.
    retry_after
        Seconds that the server wants us to wait, if it says so.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Response:
    """A provider's answer: whole, decoded, and safe to show.

    Parameters
    ----------
    provider, url, status
        Who answered, to which address (sorted query, no secret), with which HTTP status.
    headers
        Those worth keeping, names in lower case.
    body
        The content without its transfer coding.
    sha256
        Checksum of the body.
    key
        Name of the request in the cache.
    cached
        It came from the cache.
    """

    provider: str
    url: str
    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)
    sha256: str
    key: str
    cached: bool = False

    @property
    def text(self) -> str:
        """The body as UTF-8; `Transient` if it is not."""
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Transient(f"{self.url} answers with what is not UTF-8 ({error.reason})") from None

    def json(self) -> Any:
        """Return the body read as JSON; `Transient` if it is something else."""
        try:
            return json.loads(self.text)
        except json.JSONDecodeError:
            words = redact(first_words(self.body))
            raise Transient(f"{self.url} answers with what is not JSON: {words}") from None


def first_words(body: bytes, characters: int = 200) -> str:
    """Return the start of a body on one line, for people to read."""
    text = " ".join(body[: 4 * characters].decode("utf-8", "replace").split())
    return text[:characters] + ("..." if len(text) > characters else "")


def cache_key(method: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """Return a request's name: the same whoever asks, and in whatever order."""
    asked = sorted(pair for pair in fields if pair[0] not in CREDENTIALS)
    return sha256_json([method, url, asked])


class ResponseCache:
    """A folder with two files a response: ``<key>.gz``, the body, and ``<key>.json``, the rest.

    Both are the same for the same response, whenever and wherever it was fetched.
    """

    _writing = threading.Lock()

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, key: str, *, must: bool = False) -> Response | None:
        """Return the response of this name, or None if there is none or if it is damaged.

        Raises
        ------
        InputError
            If it is damaged and `must` be whole, because nothing can replace it.
        """
        body_path, facts_path = self._paths(key)
        if not facts_path.exists():
            return None
        try:
            facts: dict[str, Any] = json.loads(facts_path.read_bytes())
            body = gzip.decompress(body_path.read_bytes())
            whole = len(body) == facts.pop("bytes")
            response = Response(**facts, body=body, key=key, cached=True)
            whole = whole and hashlib.sha256(body).hexdigest() == response.sha256
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zlib.error):
            whole = False
        if whole:
            return response
        if must:
            raise InputError(
                f"{body_path}: damaged, and network.offline forbids to fetch it again: take it "
                "from a backup or run online"
            )
        return None

    def save(self, response: Response) -> None:
        """Keep a response.

        Raises
        ------
        InputError
            If the folder cannot be written or the disk is full.
        """
        body_path, facts_path = self._paths(response.key)
        facts = {
            name: getattr(response, name)
            for name in ("provider", "url", "status", "headers", "sha256")
        } | {"bytes": len(response.body)}
        try:
            # Two threads of one process would share the temporary file.
            with self._writing:
                with atomic_path(body_path) as partial:
                    partial.write_bytes(gzip.compress(response.body, 6, mtime=0))
                write_json(facts_path, facts)
        except PermissionError as error:
            raise InputError(
                f"{error.filename}: cannot be written; set network.cache to a folder of yours"
            ) from None

    def drop(self, key: str) -> None:
        """Forget one response."""
        for path in reversed(self._paths(key)):
            path.unlink(missing_ok=True)

    def _paths(self, key: str) -> tuple[Path, Path]:
        # Two letters make 256 folders, so that none holds too many files.
        stem = self.folder / key[:2] / key
        return stem.with_suffix(".gz"), stem.with_suffix(".json")
