"""A limit on requests per second that all processes and threads of this machine share."""

import hashlib
import json
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from protscribe.errors import InputError

HORIZON = 900.0
"""Seconds. No queue of slots is longer, so a later slot was never handed out by us."""
CATCHING_UP = 0.95
"""Distance of slots, as part of the even one, while slots that nobody could use are made up."""
MOST_MISSED = 10.0
"""Slots. More are not made up."""


class Limiter:
    """Hands out evenly spaced slots for requests to one provider.

    The next free slot stands in a small file of the temporary folder, guarded by a lock that the
    operating system takes back from a process that dies. Times are those of `time.monotonic`,
    which Python defines to be the same for all processes of a machine and which no change of the
    calendar's clock moves; it starts anew with the machine, which `_read` notices.

    On a machine with more work than cores a process may wake up long after its slot. It leaves
    that slot unused, because the next one is somebody else's, and takes a later one; the slots
    that follow then lie a little closer until the lost one is made up.

    Parameters
    ----------
    name
        Who is asked, for instance ``ncbi-eutils.ncbi.nlm.nih.gov``: limiters of one name share
        their slots.
    rate
        Requests per second. Where processes differ, each keeps the distance of its own rate to
        the slot before.
    folder
        Where the file lies; by default ``protscribe-<user id>`` in the temporary folder.

    Raises
    ------
    InputError
        If the folder cannot be written or is not this user's.
    """

    def __init__(self, name: str, rate: float, folder: Path | None = None) -> None:
        self.interval = 1.0 / rate
        # So any second holds at most (rate + tolerance * rate) / CATCHING_UP + 1 starts, which is
        # 3 at a rate of 2.5 and 10 at 9.
        self.tolerance = max(self.interval / 4, 0.02)
        folder = folder or Path(tempfile.gettempdir()) / f"protscribe-{os.getuid()}"
        _make_private(folder)
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        stem = f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[:80]}-{digest}"
        self._state = folder / f"{stem}.json"
        self._lock = folder / f"{stem}.lock"

    def wait(self) -> None:
        """Return at the start of a slot that is this caller's alone."""
        missed = 0
        while True:
            slot = self._reserve(missed)
            while (early := slot - time.monotonic()) > 0:
                time.sleep(early)
            if time.monotonic() - slot <= self.tolerance:
                return
            missed = 1

    def pause(self, seconds: float) -> None:
        """Hand out no slot before so many seconds have passed, to anybody."""
        with self._locked():
            now = time.monotonic()
            free, missed = self._read(now)
            self._write(now, max(free, now + seconds), missed)

    def _reserve(self, just_missed: int) -> float:
        with self._locked():
            now = time.monotonic()
            free, missed = self._read(now)
            if free < now:
                # Nobody was waiting, so nothing was lost.
                self._write(now, now + self.interval, 0.0)
                return now
            missed = min(missed + just_missed, MOST_MISSED)
            step = CATCHING_UP if missed > 0 else 1.0
            self._write(now, free + step * self.interval, max(missed - (1.0 - step), 0.0))
            return free

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with FileLock(self._lock, poll_interval=0.005):
                yield
        except OSError as error:
            raise _unusable(self._state, error) from None

    def _read(self, now: float) -> tuple[float, float]:
        """Return the time of the next free slot, and how many slots are to be made up."""
        try:
            state = json.loads(self._state.read_bytes())
            written, free, missed = (float(state[name]) for name in ("written", "free", "missed"))
        except FileNotFoundError:
            return now, 0.0
        except (ValueError, KeyError, TypeError):
            # Cut while it was written; the last request may just have left.
            return now + self.interval, 0.0
        # A time to come, or one too far ahead, is from before the machine last started.
        if not (written <= now and free - written <= HORIZON and 0 <= missed <= MOST_MISSED):
            return now + self.interval, 0.0
        return free, missed

    def _write(self, now: float, free: float, missed: float) -> None:
        state = {"written": now, "free": free, "missed": missed}
        self._state.write_text(json.dumps(state))


def _make_private(folder: Path) -> None:
    """Make a folder that only this user can write, or refuse one that somebody else made."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise _unusable(folder, error) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise InputError(
            f"{folder} is not a folder of this user, so the shared request rate cannot be kept "
            "there: set TMPDIR to another folder"
        )


def _unusable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot keep the shared request rate in {path} ({error.strerror or error}): set TMPDIR "
        "to a folder that can be written"
    )
