"""Work that several processes of this machine share, in order and with bounded memory."""

import os
import signal
import sys
import threading
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import TypeVar

import pyarrow as pa

from protscribe.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], processes: int
) -> Iterator[Result]:
    """Apply a function to items in other processes; yield the results in the items' order.

    No more than twice as many items as processes are under way, so that memory stays the same
    however many there are.

    Parameters
    ----------
    function
        What to do with one item; has to be known by name to a new process (a function of a module,
        or a `functools.partial` of one).
    items
        What to do it with.
    processes
        How many; with 1 this process does it all.

    Raises
    ------
    InputError
        If a process was killed.
    """
    if processes < 2:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    with _nameless_main():
        pool = ProcessPoolExecutor(processes, get_context("spawn"), _start_worker)
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) == 2 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise InputError(
                "a process was killed, probably because memory ran out; give the rule fewer "
                "threads or more memory and run again"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _nameless_main() -> Iterator[None]:
    """Keep new processes from running this one's script again, as they do to import from it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start_worker() -> None:
    # The parent gets interrupts too and ends this process; if it is killed itself, nobody would.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pa.set_cpu_count(1)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
