"""What was asked of whom: one row a try, appended to a table."""

import csv
import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from protscribe.errors import InputError
from protscribe.sources.http.identity import redact

COLUMNS = (
    *("time", "provider", "method", "url", "status", "bytes", "sha256", "cached", "attempt"),
    *("release", "seconds", "problem"),
)


class RequestLog:
    """A TSV file of requests, or nothing.

    It holds times and belongs with the logs, not with the results.

    Parameters
    ----------
    path
        The file; rows are appended, so that several processes and runs can share it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def row(self, **facts: Any) -> Iterator[dict[str, Any]]:
        """Yield the row of one try to be filled; it is written when the block ends, however."""
        started, row = time.monotonic(), {"time": datetime.now(UTC).isoformat("T", "seconds")}
        row.update(facts)
        try:
            yield row
        except InputError as error:
            row["problem"] = str(error)
            raise
        except BaseException as error:
            row["problem"] = type(error).__name__
            raise
        finally:
            row["seconds"] = f"{time.monotonic() - started:.3f}"
            self._append(row)

    def _append(self, row: dict[str, Any]) -> None:
        if not self._path:
            return
        text = io.StringIO()
        table = csv.writer(text, delimiter="\t", lineterminator="\n")
        with self._path.open("ab", buffering=0) as file:
            if not os.fstat(file.fileno()).st_size:
                table.writerow(COLUMNS)
            cells = (str(row.get(column, "")) for column in COLUMNS)
            table.writerow(" ".join(redact(cell).split()) for cell in cells)
            # In one piece, because others append too.
            file.write(text.getvalue().encode())
