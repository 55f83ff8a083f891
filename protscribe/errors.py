"""The one exception that a user is meant to read, and how a script shows it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(Exception):
    """A bad input: says which file, row or option is wrong and what to do about it.

    Scripts print its text as one line instead of a traceback; anything else that escapes
    is a defect of ours and keeps its traceback.
    """


@contextmanager
def script_log(path: Path | str) -> Iterator[None]:
    """Send all output of a script, that of its child processes included, to a log file.

    Parameters
    ----------
    path
        The log file; its folder is made.

    Raises
    ------
    SystemExit
        With status 1 after an `InputError`, whose text is the last line of the log.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", buffering=1, encoding="utf-8") as log:
        kept = [(stream, os.dup(stream)) for stream in (1, 2)]
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, _ in kept:
            os.dup2(log.fileno(), stream)
        try:
            yield
        except InputError as error:
            # A progress bar may have left its line open.
            print(f"\nerror: {error}", file=sys.stderr, flush=True)
            raise SystemExit(1) from None
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for stream, copy in kept:
                os.dup2(copy, stream)
                os.close(copy)
