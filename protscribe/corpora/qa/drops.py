"""What becomes of pairs that are dropped: a row with the reason, and a summary for the log."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

STAGE = "filter_qa"

_EXCERPT = 120

Row = dict[str, Any]


def dropped_pair(row: Row, reason: str, detail: str) -> Row:
    """Return the reject of a pair, with its words."""
    question, answer = (_excerpt(row[part] or "") for part in ("question", "answer"))
    cause = f"{_excerpt(detail)} | " if detail else ""
    return dropped(row["id"], reason, f"{cause}Q: {question} | A: {answer}")


def dropped(key: str, reason: str, detail: str) -> Row:
    """Return the reject of anything that has a key."""
    # JSON can spell half of a letter outside the basic plane, which no table can hold.
    detail = detail.encode("utf-8", "replace").decode()
    return {"stage": STAGE, "key": key, "reason": reason, "detail": detail}


def _excerpt(text: str) -> str:
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 1] + "…"


def report_drops(
    counts: Mapping[str, Mapping[str, int]],
    rejected: Sequence[Row],
    empty: int,
    reasons: Sequence[str],
) -> None:
    """Print how many pairs each writer kept, and what was dropped, in the order of reasons."""
    print(f"{empty} answers without a pair", file=sys.stderr)
    for writer, count in sorted(counts.items()):
        print(f"{writer}: {count['kept']} of {count['in']} pairs kept", file=sys.stderr)
    numbers = Counter((row["reason"], _writer_of(row["key"])) for row in rejected)
    for reason, writer in sorted(numbers, key=lambda pair: (reasons.index(pair[0]), pair[1])):
        print(f"dropped: {numbers[reason, writer]} {reason} ({writer})", file=sys.stderr)


def _writer_of(key: str) -> str:
    """Return the writer in the key of a reject, which may end with a pair's number."""
    *_, before, last = key.split(":")
    return before if last.isdigit() else last
