"""Jobs of many requests to NCBI: several under way at once, announced, at a polite hour."""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from protscribe.sources.client import Client, Network

THREADS = 4
"""Requests under way at once: at 9 a second an answer may take 0.4 s before the rate suffers."""

LARGE_JOB = 10_000
"""Requests from which a job is worth a word about NCBI's hours."""

_T = TypeVar("_T")
_R = TypeVar("_R")


class Threads:
    """Threads that ask at the same time, each with a client of its own; a context manager.

    An answer takes longer than the distance between two requests; several under way at once hide
    that, and the limiter that all clients share keeps the rate.

    Parameters
    ----------
    network, log
        As for `Client`.
    count
        How many threads.
    """

    def __init__(self, network: Network, log: Path | None, count: int) -> None:
        self._network, self._log, self._count = network, log, count
        self._own = threading.local()
        self._clients: list[Client] = []
        self._pool = ThreadPoolExecutor(count, initializer=self._connect)

    def __enter__(self) -> "Threads":
        """Return the threads."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them; what has not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)
        for client in self._clients:
            client.__exit__()

    def map(self, function: Callable[[Client, _T], _R], items: Iterable[_T]) -> Iterator[_R]:
        """Yield what `function` makes of each item, in order, a few items ahead."""
        left = iter(items)

        def run(item: _T) -> _R:
            return function(self._own.client, item)

        ahead = deque(self._pool.submit(run, item) for item in islice(left, 2 * self._count))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(self._pool.submit(run, item) for item in islice(left, 1))

    def _connect(self) -> None:
        self._own.client = Client(self._network, self._log)
        self._clients.append(self._own.client)


def announce(requests: int, what: str, rate: float) -> None:
    """Print how many requests are ahead, how long they take, and whether now is the time.

    Parameters
    ----------
    requests
        How many there will be at least.
    what
        What they are for.
    rate
        Requests per second.
    """
    hours = requests / rate / 3600
    told = f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.1f} minutes"
    print(f"{what}: {requests:,} requests, {told} at {rate:g} a second", file=sys.stderr)
    if requests > LARGE_JOB and not off_peak(datetime.now(ZoneInfo("America/New_York"))):
        print(
            "warning: NCBI asks for large jobs to run on weekends or between 21:00 and 5:00 US "
            "Eastern time; it is neither now",
            file=sys.stderr,
        )


def off_peak(now: datetime) -> bool:
    """Return whether NCBI wants large jobs at a time in US Eastern."""
    return now.weekday() >= 5 or now.hour >= 21 or now.hour < 5
