"""Big files: fetched in as many parts as it takes, whole and verified when they appear."""

import errno
import hashlib
import itertools
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from filelock import FileLock
from tqdm import tqdm

from protscribe.atomic import write_json
from protscribe.errors import InputError
from protscribe.sources.http.identity import redact
from protscribe.sources.http.request_log import RequestLog
from protscribe.sources.http.response_cache import Transient
from protscribe.sources.http.transport import Transport, gzip_is_whole

WORTH_ANOTHER_ROUND = 1 << 20
"""Bytes. Tries that all failed but brought so much are followed by as many more."""
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416


@dataclass(frozen=True)
class Wanted:
    """A file as its publisher announces it: its size in bytes and MD5, where known."""

    url: str
    name: str
    size: int | None
    md5: str | None

    def problem(self, path: Path) -> tuple[str, dict[str, str | int]]:
        """Return what is wrong with a fetched file (nothing if empty), and its checksums."""
        facts = checksums(path, self.name)
        if self.size is not None and facts["bytes"] != self.size:
            return f"{self.name} has {facts['bytes']} bytes, expected {self.size}", facts
        if self.md5 is not None and facts["md5"] != self.md5.lower():
            return f"{self.name} has MD5 {facts['md5']}, expected {self.md5}", facts
        if self.md5 is None and self.name.endswith(".gz"):
            with path.open("rb") as file:
                if not gzip_is_whole(file):
                    return f"{self.name} is not a whole gzip file", facts
        return "", facts


class Part:
    """What has come of a file so far, beside what its server said of the whole.

    The bytes stand in ``<name>.part``; ``<name>.part.json`` says of which version of which
    address they are.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._note = target.with_name(target.name + ".part.json")

    @property
    def bytes(self) -> int:
        """How much has come."""
        return self.path.stat().st_size if self.path.exists() else 0

    def note(self) -> dict[str, Any]:
        """Return ``url``, ``validator`` and ``total`` of the version that has been begun."""
        try:
            note = json.loads(self._note.read_bytes())
            return note if isinstance(note, dict) else {}
        except (FileNotFoundError, ValueError):
            return {}

    def start(self, note: dict[str, Any]) -> None:
        """Begin with another version."""
        self.drop()
        write_json(self._note, note)

    def drop(self) -> None:
        """Forget all of it, the bytes first, so that none outlive their note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Put the whole file in its place."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(self.path, target)
        self._note.unlink(missing_ok=True)


def download(
    transport: Transport,
    log: RequestLog,
    provider: str,
    url: str,
    target: Path,
    *,
    size: int | None = None,
    md5: str | None = None,
) -> dict[str, str | int]:
    """Fetch a file, going on where an earlier call stopped.

    A target that is there and has the size and MD5 asked for is not fetched again. Two processes
    with one target do not disturb each other: the second waits and finds it done. A file that
    fails its check is fetched once more from the start.

    Parameters
    ----------
    target
        Where the file shall be. Until it is whole, ``<name>.part`` beside it holds what has come.
    size, md5
        What the publisher announces. Without an MD5 the stream of a ``.gz`` file is tested.

    Returns
    -------
    dict
        ``name``, ``bytes``, ``sha256`` and ``md5`` of the file.

    Raises
    ------
    InputError
        If it cannot be fetched, differs from what was announced, or does not fit on the disk.
    """
    wanted = Wanted(url, target.name, size, md5)
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = target.with_name(target.name + ".lock")
    with FileLock(lock, poll_interval=0.2):
        problem, facts = wanted.problem(target) if target.exists() else ("missing", {})
        if problem:
            facts = _Fetch(transport, log, provider, wanted, Part(target)).rounds()
            Part(target).finish(target)
        # While it is held: who waits for it notices and takes a new one.
        lock.unlink(missing_ok=True)
    return facts


def checksums(path: Path, name: str) -> dict[str, str | int]:
    """Return ``name``, ``bytes``, ``sha256`` and ``md5`` of a file in one reading."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            sha256.update(piece)
            md5.update(piece)
        count = file.tell()
    return {"name": name, "bytes": count, "sha256": sha256.hexdigest(), "md5": md5.hexdigest()}


@dataclass
class _Fetch:
    transport: Transport
    log: RequestLog
    provider: str
    wanted: Wanted
    part: Part
    spoiled: int = 0

    def rounds(self) -> dict[str, str | int]:
        """Fetch until the part is whole and verified; return its checksums."""
        what = f"GET {redact(self.wanted.url)}"
        if self.transport.network.offline:
            raise InputError(
                f"network.offline: {what} ({self.provider}) is not here as {self.wanted.name}: run "
                "once online, or put the file there"
            )
        attempts = itertools.count(1)
        while True:
            before = self.part.bytes
            try:
                return self.transport.retried(what, lambda: self.attempt(next(attempts)))
            except InputError:
                if self.part.bytes < before + WORTH_ANOTHER_ROUND:
                    raise

    def attempt(self, number: int) -> dict[str, str | int]:
        """Fetch what is missing and check the whole."""
        url = redact(self.wanted.url)
        shown = {"provider": self.provider, "method": "GET", "url": url, "cached": "false"}
        with self.log.row(**shown, attempt=number) as row:
            note = self.part.note()
            if note.get("url") != self.wanted.url:
                self.part.drop()
            if not self.part.bytes or self.part.bytes != self._total(note):
                self._more(row)
            problem, facts = self.wanted.problem(self.part.path)
            if not problem:
                row["sha256"] = facts["sha256"]
                return facts
            self.part.drop()
            self.spoiled += 1
            # Once may be the way here; twice is what the server has.
            if self.spoiled > 1:
                raise InputError(
                    f"{url}: {problem}, twice: the file or what is announced of it has changed; "
                    "check the release"
                )
            raise Transient(problem)

    def _total(self, note: dict[str, Any]) -> int | None:
        return note.get("total") if self.wanted.size is None else self.wanted.size

    def _more(self, row: dict[str, Any]) -> None:
        note, come = self.part.note(), self.part.bytes
        # The coding must be none: ranges and sizes are those of the file itself.
        headers = {"accept-encoding": "identity"}
        validator = note.get("validator")
        # Without a validator only the MD5 can tell if two parts are of one version.
        if come and (validator or self.wanted.md5):
            headers["range"] = f"bytes={come}-"
            if validator:
                headers["if-range"] = validator
        with self.transport.open(
            self.provider, self.wanted.url, headers=headers, accept=(RANGE_NOT_SATISFIABLE,)
        ) as answer:
            row["status"] = answer.status_code
            row["release"] = answer.headers.get("x-uniprot-release", "")
            if answer.status_code == RANGE_NOT_SATISFIABLE:
                if _content_range(answer) != (None, come):
                    self.part.drop()
                    raise Transient("the server has less than has come: begun anew")
                return
            self._admit(answer, come, validator)
            try:
                self._append(answer, row)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise InputError(
                    f"no space left on the disk while writing {self.part.path}: free some and run "
                    "again; what has come is kept"
                ) from None

    def _admit(self, answer: requests.Response, come: int, validator: str | None) -> None:
        """Make the part ready for the answer's body, which begins it or goes on with it."""
        found = _validator(answer)
        if answer.status_code == PARTIAL_CONTENT:
            start, total = _content_range(answer)
            if start != come or (validator and found and found != validator):
                self.part.drop()
                raise Transient("the part that came does not fit: begun anew")
        else:
            length = answer.headers.get("content-length", "")
            total = int(length) if length.isdigit() else None
            self.part.start({"url": self.wanted.url, "validator": found, "total": total})
        if self.wanted.size is not None and total not in (None, self.wanted.size):
            raise Transient(f"the server has {total} bytes, expected {self.wanted.size}")

    def _append(self, answer: requests.Response, row: dict[str, Any]) -> None:
        row["bytes"] = 0
        bar = tqdm(
            desc=self.wanted.name,
            initial=self.part.bytes,
            total=self._total(self.part.note()),
            unit="B",
            unit_scale=True,
            mininterval=5,
        )
        with bar, self.part.path.open("ab") as file:
            for piece in self.transport.pieces(answer):
                file.write(piece)
                row["bytes"] += len(piece)
                bar.update(len(piece))


def _validator(answer: requests.Response) -> str | None:
    """Return what names a version of a file: a strong ETag, else the time of its last change."""
    etag = answer.headers.get("etag", "")
    return etag if etag.startswith('"') else answer.headers.get("last-modified")


def _content_range(answer: requests.Response) -> tuple[int | None, int | None]:
    """Return where a part starts and how long the whole is, from ``bytes 5-9/10``."""
    text = answer.headers.get("content-range", "")
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", text)
    if not found:
        return None, None
    start, total = found.groups()
    return (int(start) if start else None), (int(total) if total else None)
