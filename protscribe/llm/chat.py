"""One chat completion over HTTP, as OpenAI specifies it and vLLM and llama.cpp serve it.

Statuses are those of RFC 9110.
"""

import json
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set
from tenacity.wait import wait_exponential_jitter

from protscribe.errors import InputError
from protscribe.waiting import seconds_to_wait

KEY_VARIABLE = "PROTSCRIBE_WRITER_KEY"
"""Environment variable with the server's key, if it wants one; no other place holds it."""

RETRIED = (408, 429, 500, 502, 503, 504)
OF_ONE_REQUEST = (400, 413, 414, 422)
"""Statuses that speak of one request: most often, of a prompt beyond the context."""
FAILING = 500
"""Status of a server that is there but cannot answer: llama.cpp says so of one answer alone."""
MOST_FAILED = 3
"""So many requests in a row that end with it speak of the server."""
CONNECT_SECONDS = 10.0
LONGEST_BACKOFF = 60.0

_PIECE = 1 << 16


@dataclass(frozen=True)
class Completion:
    """What a server answers.

    Parameters
    ----------
    text
        What the model wrote; None if the request was refused.
    cut
        It ended at the most tokens allowed.
    tokens
        How many it has, if the server says so.
    detail
        Why it was refused.
    """

    text: str | None
    cut: bool = False
    tokens: int | None = None
    detail: str = ""


class _Transient(Exception):
    """A failure that another try may mend, and the seconds that the server asks us to wait."""

    def __init__(
        self, reason: str, retry_after: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.status = status


class ChatClient:
    """Sends chat completions to one server, from any number of threads.

    What may pass (429, 5xx, broken connections, time-outs) is tried again, as late as
    ``Retry-After`` asks or after a growing pause. A request that always ends with status 500 is
    refused, unless it is the third in a row.

    Parameters
    ----------
    url
        Base URL, such as ``http://host:8000/v1``.
    connections
        Most requests under way at the same time.
    timeout
        Seconds for one try.
    tries
        How often one request is sent before the server counts as dead.
    backoff
        Seconds before the second try, about; doubled with each further one, up to a minute.

    Raises
    ------
    InputError
        If the key in the environment cannot be one.
    """

    def __init__(
        self, url: str, *, connections: int, timeout: float, tries: int, backoff: float
    ) -> None:
        self.url, self.timeout = url, timeout
        self.stopped = threading.Event()
        """Set to end all waiting: requests that have not been sent fail at once."""
        self._resume = 0.0
        self._failed_in_a_row = 0
        self._lock = threading.Lock()
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        # Without this, passwords of ~/.netrc would be sent along.
        self._session.auth = lambda request: request
        if key := _key():
            self._session.headers["authorization"] = f"Bearer {key}"
        pause = wait_exponential_jitter(multiplier=backoff, max=LONGEST_BACKOFF, jitter=backoff)

        def delay(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, _Transient) else None
            return pause(state) if asked is None else asked

        self._retrying = Retrying(
            stop=stop_after_attempt(tries) | stop_when_event_set(self.stopped),
            wait=delay,
            sleep=sleep_using_event(self.stopped),
            retry=retry_if_exception_type(_Transient),
            retry_error_callback=self._give_up,
        )

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def complete(self, payload: Mapping[str, Any]) -> Completion:
        """Send one request until it is answered.

        Raises
        ------
        InputError
            If the server stays dead, does not let us in, or is no such server.
        """
        completion: Completion = self._retrying(self._send, payload)
        if completion.text is not None:
            self._failed_in_a_row = 0
        return completion

    def _send(self, payload: Mapping[str, Any]) -> Completion:
        # Where one request was asked to wait, the others wait too.
        self.stopped.wait(max(0.0, self._resume - time.monotonic()))
        if self.stopped.is_set():
            raise _Transient("another request failed")
        deadline = time.monotonic() + self.timeout
        try:
            with self._session.post(
                f"{self.url}/chat/completions",
                json=payload,
                timeout=(min(CONNECT_SECONDS, self.timeout), self.timeout),
                stream=True,
                allow_redirects=False,
            ) as answer:
                body = b""
                while piece := answer.raw.read1(_PIECE, decode_content=True):
                    body += piece
                    # A time-out counts from one piece to the next; a drip would go on for ever.
                    if time.monotonic() > deadline:
                        raise _Transient(f"no whole answer within {self.timeout:g} s")
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise _Transient(f"no answer within {self.timeout:g} s") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _Transient(_reason(error)) from None
        if answer.status_code == 200:
            return _read(body)
        return self._failed(answer.status_code, answer.headers.get("retry-after"), body)

    def _failed(self, status: int, retry_after: str | None, body: bytes) -> Completion:
        """Return the refusal of one request, or raise what any other status means."""
        said = f"status {status} ({_first_words(body)})" if body.strip() else f"status {status}"
        if status in OF_ONE_REQUEST:
            return Completion(None, detail=said)
        if status in RETRIED:
            seconds = seconds_to_wait(retry_after)
            if seconds is not None:
                self._resume = max(self._resume, time.monotonic() + seconds)
            raise _Transient(said, seconds, status)
        remedy = {
            401: f"set {KEY_VARIABLE} to a key that it takes",
            403: f"set {KEY_VARIABLE} to a key that may use this model",
            404: "check language_model.url, and that it serves language_model.model",
        }.get(status, "check language_model.url")
        raise InputError(f"{self.url} refuses: {said}; {remedy}")

    # Called outside of any handler, so that no exception with a request in it hangs on.
    def _give_up(self, state: RetryCallState) -> Completion:
        reason = state.outcome.exception() if state.outcome else None
        if isinstance(reason, _Transient) and reason.status == FAILING:
            with self._lock:
                self._failed_in_a_row += 1
                if self._failed_in_a_row < MOST_FAILED:
                    return Completion(None, detail=str(reason))
        times = "once" if state.attempt_number == 1 else f"{state.attempt_number} times"
        raise InputError(
            f"{self.url}: tried {times}, the last time: {reason}; what was written is kept: see "
            "to the server and run the job again, it goes on where it was"
        )


def _read(body: bytes) -> Completion:
    try:
        value = json.loads(body)
        choice = value["choices"][0]
        message, ended = choice["message"], choice.get("finish_reason")
        text, refusal = message.get("content"), message.get("refusal")
        tokens = (value.get("usage") or {}).get("completion_tokens")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _Transient(f"not a chat completion: {_first_words(body)}") from None
    if refusal or ended == "content_filter":
        return Completion(None, detail=_first_words(str(refusal or ended).encode()))
    # JSON can spell half a surrogate pair, which no file can hold.
    text = str(text or "").encode("utf-8", "replace").decode()
    return Completion(text, ended == "length", tokens if isinstance(tokens, int) else None)


def _reason(error: Exception) -> str:
    # The innermost reason is what happened; the others say in which pool of connections.
    inner = error.args[0] if error.args else error
    return _first_words(str(getattr(inner, "reason", None) or inner or error).encode())


def _key() -> str:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise InputError(f"{KEY_VARIABLE}: holds what no key does, such as a blank or a line break")
    return key


def _first_words(body: bytes, characters: int = 200) -> str:
    """Return the start of what a server says on one line, without our key if it repeats it."""
    text = body.decode("utf-8", "replace")
    if key := _key():
        text = text.replace(key, "***")
    text = " ".join(text[: 4 * characters].split())
    return text[:characters] + ("..." if len(text) > characters else "")
