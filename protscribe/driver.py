"""Run Snakemake so that a killed run can always be taken up again.

Run as ``python -m protscribe.driver [arguments for Snakemake]`` in the workflow's folder;
``make run`` does. One run at a time works in a folder. A run that was killed leaves a lock
and perhaps processes that still write; the next run ends those, removes the lock and goes on.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from protscribe.errors import InputError

MARK = "PROTSCRIBE_RUN_FOLDER"
"""Environment variable that every process of a run inherits; its value is the run's folder."""


def run(folder: Path, arguments: Sequence[str]) -> int:
    """Run Snakemake in a folder and return its exit status.

    Parameters
    ----------
    folder
        The working folder, which holds the Snakefile.
    arguments
        Arguments for Snakemake.

    Raises
    ------
    InputError
        If another run works in the folder.
    """
    with _only_run(folder):
        _end_survivors(folder)
        _unlock(folder)
        command = [sys.executable, "-m", "snakemake", *arguments]
        environment = {**os.environ, MARK: str(folder)}
        if not _home_takes_files():
            # Snakemake keeps copies of scripts in the home and does not start without.
            environment["XDG_CACHE_HOME"] = str(folder / ".snakemake" / "cache")
        process: subprocess.Popen[bytes] | None = None

        def forward(number: int, _: object) -> None:
            # To the whole group, as a terminal does: Snakemake alone would wait for its jobs.
            if process is not None and process.poll() is None:
                os.killpg(process.pid, number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # What nohup or a shell has told us to ignore stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, forward)
        process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
        return process.wait()


def survivors(folder: Path) -> list[psutil.Process]:
    """Return the processes that an earlier run in a folder left behind."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # Gone by now, or somebody else's.
    return found


@contextmanager
def _only_run(folder: Path) -> Iterator[None]:
    state = folder / ".snakemake"
    state.mkdir(exist_ok=True)
    # The lock is the kernel's: it ends with this process, however that dies. Children do not
    # inherit it, since Python's files are closed on exec.
    with (state / "driver.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise InputError(
                f"another run (process {owner}) works in {folder}; wait for it or end it"
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(json.dumps(os.getpid()))
        lock.flush()
        yield


def _home_takes_files() -> bool:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            return True
    except OSError:
        return False


def _end_survivors(folder: Path) -> None:
    left = survivors(folder)
    if not left:
        return
    print(f"Ending {len(left)} process(es) that an earlier run left behind", file=sys.stderr)
    for process in left:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(left, timeout=5)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return


def _unlock(folder: Path) -> None:
    locks = folder / ".snakemake" / "locks"
    # No other run is here (see above), so a lock can only be a dead run's. Snakemake itself
    # removes it by emptying this folder, but first reads the configuration, which may differ.
    for lock in locks.glob("*") if locks.is_dir() else ():
        lock.unlink()


if __name__ == "__main__":
    try:
        status = run(Path.cwd(), sys.argv[1:])
    except InputError as error:
        sys.exit(f"error: {error}")
    # A signal's number becomes the exit status that shells use for it.
    sys.exit(status if status >= 0 else 128 - status)
