"""One way over the network: time-outs, the shared rate, redirects, and what is worth a retry.

Every try takes a slot of the limiter, redirects included. Statuses are those of RFC 9110.
"""

import gzip
import random
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import BinaryIO, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from protscribe import __version__
from protscribe.errors import InputError
from protscribe.sources.http.identity import redact
from protscribe.sources.http.limiter import Limiter
from protscribe.sources.http.network import Network
from protscribe.sources.http.response_cache import Transient, first_words
from protscribe.waiting import seconds_to_wait

RETRIED = (429, 500, 502, 503, 504)
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 5
LONGEST_BACKOFF = 60.0
SLOWEST = 1000
"""Bytes per second below which a body that has long been coming counts as a drip."""
PIECE = 1 << 18

T = TypeVar("T")


class Transport:
    """Sends requests to providers, politely.

    Parameters
    ----------
    network
        The settings.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._limiters: dict[str, Limiter] = {}
        self._session = requests.Session()
        self._session.headers.update(
            {"user-agent": f"protscribe/{__version__}", "accept-encoding": "gzip"}
        )
        # Without this, passwords of ~/.netrc would be sent along.
        self._session.auth = lambda request: request

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def retried(self, what: str, attempt: Callable[[], T]) -> T:
        """Call `attempt` until it raises no `Transient`.

        Raises
        ------
        InputError
            After the last try; says how often `what` was tried and why the last one failed.
        """

        # Raised outside of any handler, so that no exception with a request in it hangs on.
        def give_up(state: RetryCallState) -> T:
            times = "once" if state.attempt_number == 1 else f"{state.attempt_number} times"
            reason = state.outcome.exception() if state.outcome else None
            raise InputError(
                redact(f"{what}: tried {times}, the last time: {reason}; run it again later")
            )

        tries = Retrying(
            stop=stop_after_attempt(self.network.tries),
            wait=self._delay,
            retry=retry_if_exception_type(Transient),
            retry_error_callback=give_up,
        )
        return tries(attempt)

    @contextmanager
    def open(
        self,
        provider: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
    ) -> Iterator[requests.Response]:
        """Send one request, a POST if there is a form, and yield the answer, its body unread.

        Parameters
        ----------
        accept
            Statuses to yield besides 2xx.

        Raises
        ------
        Transient
            If another try may succeed, also for a connection that breaks in the block.
        InputError
            For any other status, and for a redirect to another place.
        """
        method = "GET" if form is None else "POST"
        sent_to, answer = url, None
        try:
            for _ in range(MOST_REDIRECTS):
                self.limiter(provider).wait()
                answer = self._session.request(
                    method,
                    sent_to,
                    data=form,
                    headers=headers,
                    timeout=(self.network.connect_timeout, self.network.read_timeout),
                    stream=True,
                    allow_redirects=False,
                )
                if answer.status_code not in REDIRECTS or answer.status_code in accept:
                    break
                sent_to = _followed(provider, method, sent_to, answer)
                answer.close()
            else:
                raise InputError(f"{provider}: {redact(url)} is redirected without end")
            if not 200 <= answer.status_code < 300 and answer.status_code not in accept:
                raise self._failure(provider, method, url, answer)
            yield answer
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise Transient(self._reason(error)) from None
        finally:
            if answer is not None:
                answer.close()

    def pieces(self, answer: requests.Response) -> Iterator[bytes]:
        """Yield the raw body as it comes.

        Raises
        ------
        Transient
            If it drips: a time-out counts from one piece to the next and would wait for ever.
        """
        patience, received, started = 10 * self.network.read_timeout, 0, time.monotonic()
        while piece := answer.raw.read1(PIECE, decode_content=False):
            received += len(piece)
            yield piece
            seconds = time.monotonic() - started
            if seconds > patience + received / SLOWEST:
                raise Transient(f"only {received} bytes came in {seconds:.0f} s")

    def body(self, answer: requests.Response) -> bytes:
        """Return the whole body, decoded.

        Raises
        ------
        Transient
            If it is cut or damaged.
        """
        body = b"".join(self.pieces(answer))
        coding = answer.headers.get("content-encoding", "identity").lower()
        if coding in ("gzip", "x-gzip"):
            # Here and not in urllib3, which takes a cut stream for a whole one.
            try:
                if not body:
                    raise EOFError("it is empty")
                body = gzip.decompress(body)
            except (OSError, EOFError, zlib.error) as error:
                raise Transient(f"a damaged gzip body ({error})") from None
        elif coding != "identity":
            raise Transient(f"a body in an unknown coding, {coding}")
        if body[:2] == b"\x1f\x8b" and not gzip_is_whole(BytesIO(body)):
            raise Transient("a damaged gzip file")
        return body

    def limiter(self, provider: str) -> Limiter:
        """Return the limiter of a provider."""
        if provider not in self._limiters:
            host = urlsplit(self.network.url(provider)).netloc
            self._limiters[provider] = Limiter(f"{provider}-{host}", self.network.rate(provider))
        return self._limiters[provider]

    def _failure(
        self, provider: str, method: str, url: str, answer: requests.Response
    ) -> InputError:
        said = redact(first_words(answer.raw.read(2000, decode_content=True)))
        text = f"status {answer.status_code}" + (f" ({said})" if said else "")
        if answer.status_code not in RETRIED:
            return InputError(f"{provider} refuses {method} {redact(url)}: {text}")
        wait = seconds_to_wait(answer.headers.get("retry-after"))
        if wait is not None:
            self.limiter(provider).pause(wait)
        return Transient(text, wait)

    def _delay(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Transient) and error.retry_after is not None:
            return error.retry_after
        backoff = self.network.backoff_seconds
        # Jitter, so that processes that failed together do not return together.
        longest = min(LONGEST_BACKOFF, backoff * 2.0 ** (state.attempt_number - 1))
        return longest + random.uniform(0, backoff)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, requests.ConnectTimeout):
            return f"no connection within {self.network.connect_timeout:g} s"
        if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
            return f"nothing came for {self.network.read_timeout:g} s"
        # The innermost reason is what happened; the others say in which pool of connections.
        inner = error.args[0] if error.args else error
        return first_words(str(getattr(inner, "reason", None) or inner or error).encode())


def _followed(provider: str, method: str, url: str, answer: requests.Response) -> str:
    """Return where a redirect leads, if it stays with the host that was asked."""
    target = urljoin(url, answer.headers.get("location", ""))
    old, new = urlsplit(url), urlsplit(target)
    same = new.netloc == old.netloc and new.scheme in (old.scheme, "https")
    # What a form holds was meant for the address that the configuration names.
    if method != "GET" or not same:
        raise InputError(
            f"{provider} redirects {method} {redact(url)} to {redact(target)}: if that is where "
            f"it now is, set network.urls.{provider}"
        )
    return target


def gzip_is_whole(file: BinaryIO) -> bool:
    """Say whether a gzip stream ends as it should, as ``gzip -t`` does."""
    # Python takes an empty file for an empty stream.
    if not file.read(1):
        return False
    file.seek(0)
    try:
        with gzip.open(file) as stream:
            while stream.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error):
        return False
    return True
