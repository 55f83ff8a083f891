"""Raw records of PubMed on disk, shared by all runs, so that none is fetched twice.

An answer is kept as ``{name}.xml.gz`` exactly as it came, and ``{name}.json`` tells which ids were
asked for and which it holds; the name is a checksum of both. The JSON file is written last: an
answer without it does not count.
"""

import gzip
import hashlib
import sys
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from protscribe.atomic import atomic_path, read_json, sha256_file, sha256_json, write_json
from protscribe.errors import InputError

_NAME_LENGTH = 64


class PubmedStore:
    """A folder of raw answers.

    Parameters
    ----------
    folder
        Where they lie; made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, dict[str, Any]] = {}
        self._asked: set[str] = set()
        self._held: dict[str, str] = {}
        self._checked: set[str] = set()

    def scan(self, wanted: Collection[str]) -> None:
        """Take note of answers that are new in the folder.

        Those with a wanted id are checked against their checksum; a damaged one is deleted, so
        that its ids are fetched again.
        """
        wanted = frozenset(wanted)
        for path in sorted(self.folder.glob("*.json")):
            if path.stem not in self.facts and len(path.stem) == _NAME_LENGTH:
                with suppress(InputError, KeyError, TypeError):  # Deleted or damaged meanwhile.
                    facts = read_json(path)
                    self.facts[path.stem] = {
                        key: facts[key] for key in ("requested", "returned", "sha256", "bytes")
                    }
        for name in sorted(self.facts.keys() - self._checked):
            facts = self.facts[name]
            if wanted.isdisjoint(facts["requested"]):
                continue
            if not self._is_whole(name):
                print(
                    f"warning: {self.folder / name}.xml.gz is damaged; its ids are fetched again",
                    file=sys.stderr,
                )
                self._path(name, ".json").unlink(missing_ok=True)
                self._path(name, ".xml.gz").unlink(missing_ok=True)
                del self.facts[name]
                continue
            self._checked.add(name)
            self._asked.update(facts["requested"])
            for pubmed_id in facts["returned"]:
                # Of two answers with one id the first by name counts, whichever came first.
                self._held[pubmed_id] = min(name, self._held.get(pubmed_id, name))

    def missing(self, wanted: Collection[str]) -> set[str]:
        """Return the wanted ids for which PubMed was never asked, as far as `scan` knows."""
        return set(wanted) - self._asked

    def held(self, wanted: Collection[str]) -> dict[str, list[str]]:
        """Return each answer with the wanted ids for which it counts, all sorted."""
        answers: dict[str, list[str]] = {}
        for pubmed_id in sorted(wanted, key=int):
            if name := self._held.get(pubmed_id):
                answers.setdefault(name, []).append(pubmed_id)
        return dict(sorted(answers.items()))

    def file(self, name: str) -> Path:
        """Return the file of an answer."""
        return self._path(name, ".xml.gz")

    def keep(self, requested: Sequence[str], body: bytes, returned: Sequence[str]) -> None:
        """Keep an answer that has been checked."""
        checksum = hashlib.sha256(body).hexdigest()
        name = sha256_json({"requested": list(requested), "sha256": checksum})
        data = gzip.compress(body, 6, mtime=0)
        with atomic_path(self._path(name, ".xml.gz")) as partial:
            partial.write_bytes(data)
        facts = {
            "requested": list(requested),
            "returned": list(returned),
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
        }
        write_json(self._path(name, ".json"), facts)

    @contextmanager
    def claim(self, wanted: Collection[str]) -> Iterator[list[str]]:
        """Yield those missing ids that no other process fetches now, and keep others off them.

        The claim ends with the block, or with the process, since the operating system takes the
        lock back from one that dies.
        """
        claims = self.folder / "claims"
        claims.mkdir(parents=True, exist_ok=True)
        own = claims / uuid.uuid4().hex
        lock = FileLock(own.with_suffix(".lock"))
        with FileLock(claims / "all", poll_interval=0.02):
            # Claims first: what is no longer claimed when they are read stands in the folder.
            others = _live_claims(claims)
            self.scan(wanted)
            mine = sorted(self.missing(wanted) - others, key=int)
            lock.acquire()
            write_json(own.with_suffix(".json"), mine)
        try:
            yield mine
        finally:
            own.with_suffix(".json").unlink(missing_ok=True)
            own.with_suffix(".lock").unlink(missing_ok=True)
            lock.release()

    def _is_whole(self, name: str) -> bool:
        path = self.file(name)
        return path.is_file() and sha256_file(path) == self.facts[name]["sha256"]

    def _path(self, name: str, suffix: str) -> Path:
        return self.folder / f"{name}{suffix}"


def _live_claims(claims: Path) -> set[str]:
    """Return the ids that running processes have claimed; forget claims of dead ones."""
    claimed: set[str] = set()
    for path in sorted(claims.glob("*.json")):
        lock = FileLock(path.with_suffix(".lock"))
        try:
            with lock.acquire(timeout=0):
                path.unlink(missing_ok=True)
                path.with_suffix(".lock").unlink(missing_ok=True)
        except Timeout:
            with suppress(InputError):  # It ended in this moment.
                claimed.update(read_json(path))
    return claimed
