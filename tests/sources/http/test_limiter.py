"""The rate that all processes share, asserted from the server's own log."""

import json
import os
import signal
import threading
import time
from bisect import bisect_left
from itertools import pairwise

import pytest
from filelock import FileLock

from helpers_network import network_for, start_python
from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.http.limiter import HORIZON, Limiter
from servers.loopback import Answer, LoopbackServer

WORKER = """
import sys
from pathlib import Path
from protscribe.sources.client import Client, Network
url, rate, count, folder = sys.argv[1:]
network = Network({"site": url}, {"site": float(rate)}, Path(folder))
with Client(network) as client:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        client.get("site", str(number), use_cache=False)
"""
HOLDER = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def state_of(folder):
    return next(folder.glob("*.json"))


def most_in_a_second(times):
    """Largest number of arrivals in any second, one end excluded."""
    return max(bisect_left(times, start + 1.0) - number for number, start in enumerate(times))


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "each", "most"), [(2.5, 2, 3), (9, 5, 10), (20, 8, 22)])
def test_eight_processes_keep_and_use_the_rate(tmp_path, rate, each, most):
    with LoopbackServer(lambda request: Answer(body=b"x")) as server:
        workers = [start_python(WORKER, server.url, rate, each, tmp_path) for _ in range(8)]
        assert all(worker.stdout.readline() == "ready\n" for worker in workers)
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        for worker in workers:
            assert worker.wait() == 0, worker.stderr.read()
        times = sorted(request.at for request in server.requests)
    assert len(times) == 8 * each
    assert most_in_a_second(times) <= most
    kept = (len(times) - 1) / (times[-1] - times[0])
    assert 0.95 * rate <= kept <= 1.03 * rate


def test_threads_share_the_rate(tmp_path):
    starts = []

    def work():
        limiter = Limiter("site", 50, tmp_path)
        for _ in range(5):
            limiter.wait()
            starts.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    span = max(starts) - min(starts)
    assert 0.9 * 19 / 50 - 0.021 <= span < 2 * 19 / 50


def test_names_have_slots_of_their_own(tmp_path):
    started = time.monotonic()
    for name in ("a:1", "a:2", "a_1"):
        Limiter(name, 0.5, tmp_path).wait()
    assert time.monotonic() - started < 1


def test_no_slot_before_a_pause_is_over(tmp_path):
    Limiter("site", 1000, tmp_path).pause(0.3)
    started = time.monotonic()
    Limiter("site", 1000, tmp_path).wait()
    assert time.monotonic() - started >= 0.28


def test_a_late_try_takes_a_later_slot(tmp_path, monkeypatch):
    """A process that was stopped in its sleep must not come right before the next one."""
    limiter = Limiter("site", 5, tmp_path)
    limiter.wait()
    real, naps = time.sleep, []

    def oversleep(seconds):
        naps.append(seconds)
        real(seconds + (0.15 if len(naps) == 1 else 0))

    monkeypatch.setattr(time, "sleep", oversleep)
    started = time.monotonic()
    limiter.wait()
    assert len(naps) == 2
    assert time.monotonic() - started >= 0.39


def test_lost_slots_are_made_up_slowly(tmp_path):
    """Two lost slots: the next ones lie 5% closer, the queue never gets a burst."""
    limiter = Limiter("site", 10, tmp_path)
    slots = [limiter._reserve(0), limiter._reserve(1), limiter._reserve(1)]
    slots += [limiter._reserve(0) for _ in range(60)]
    steps = [later - sooner for sooner, later in pairwise(slots)]
    assert steps[0] == pytest.approx(0.1)
    assert steps[1:41] == pytest.approx([0.095] * 40)
    assert steps[41:] == pytest.approx([0.1] * 21)


def test_nothing_is_made_up_when_nobody_waits(tmp_path):
    limiter = Limiter("site", 10, tmp_path)
    limiter._reserve(0)
    limiter._reserve(1)
    time.sleep(0.3)
    slots = [limiter._reserve(0) for _ in range(3)]
    assert slots[2] - slots[0] == pytest.approx(0.2)


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b'{"written": 1, "fr',
        b"[]",
        b"\xff\xfe",
        b'{"written": 1, "free": 5}',
        b'{"written": null, "free": 5, "missed": 0}',
        b'{"written": NaN, "free": NaN, "missed": 0}',
        b'{"written": 1, "free": Infinity, "missed": 0}',
        b'{"written": 1, "free": 2, "missed": 1e9}',
        json.dumps({"written": 1.0, "free": 2.0 + HORIZON, "missed": 0}).encode(),
        # From before the machine was started anew: its clock was further on.
        json.dumps({"written": 1e12, "free": 1e12, "missed": 0}).encode(),
    ],
)
def test_a_broken_state_heals(tmp_path, state):
    limiter = Limiter("site", 50, tmp_path)
    limiter.wait()
    state_of(tmp_path).write_bytes(state)
    started = time.monotonic()
    limiter.wait()
    limiter.wait()
    assert time.monotonic() - started < 1
    healed = json.loads(state_of(tmp_path).read_bytes())
    assert healed["written"] <= time.monotonic() < healed["free"] + 1


def test_a_killed_holder_of_the_lock_blocks_nobody(tmp_path):
    limiter = Limiter("site", 1000, tmp_path)
    limiter.wait()
    lock = next(tmp_path.glob("*.lock"))
    holder = start_python(HOLDER, lock)
    assert holder.stdout.readline() == "held\n"
    waiter = threading.Thread(target=limiter.wait)
    waiter.start()
    waiter.join(0.2)
    assert waiter.is_alive()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    waiter.join(5)
    assert not waiter.is_alive()


def test_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    with pytest.raises(InputError, match="TMPDIR"):
        Limiter("site", 1, tmp_path / "link")


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file.*TMPDIR"):
        Limiter("site", 1, tmp_path / "file" / "folder")


def test_state_that_cannot_be_written_is_named(tmp_path):
    limiter = Limiter("site", 1, tmp_path)
    limiter.wait()
    path = state_of(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=r"shared request rate.*TMPDIR"):
        limiter.wait()


def test_state_lies_in_the_temporary_folder_and_is_private(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Limiter("site", 1000).wait()
    folder = tmp_path / f"protscribe-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert state_of(folder)


def test_redirects_and_retries_take_slots(tmp_path):
    answers = iter([Answer(503), Answer(302, {"location": "/api/b"}), Answer(body=b"x")])
    with LoopbackServer(lambda request: next(answers)) as server:
        network = network_for(server, tmp_path, rates={"site": 10})
        with Client(network) as client:
            client.get("site", "a")
        times = [request.at for request in server.requests]
    assert len(times) == 3
    assert times[1] - times[0] > 0.06
    assert times[2] - times[1] > 0.06


def test_lock_is_not_held_between_slots(tmp_path):
    """Who waits for a far slot keeps nobody from taking the one behind it."""
    slow = Limiter("site", 2, tmp_path)
    slow.wait()
    waiter = threading.Thread(target=slow.wait)
    waiter.start()
    time.sleep(0.1)
    with FileLock(next(tmp_path.glob("*.lock")), timeout=0.1):
        pass
    waiter.join()
