"""How long a server asks its clients to wait."""

import time
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER = 300.0
"""Seconds; a server that wants more gets our next try earlier, or another run."""


def seconds_to_wait(text: str | None) -> float | None:
    """Return the seconds to wait that a Retry-After header asks for, at most five minutes.

    Parameters
    ----------
    text
        Seconds or an HTTP date (RFC 9110, 10.2.3); None and nonsense give None.
    """
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if seconds == seconds else None
