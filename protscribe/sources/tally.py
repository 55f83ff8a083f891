"""How a log says what was left out."""

from collections.abc import Mapping


def tally(counts: Mapping[str, int]) -> str:
    """Return counts by reason as words: ``2 fragment, 3 too short``, or ``none``."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items())) or "none"
