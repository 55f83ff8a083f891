"""The one way to the network: polite, resumable, cached, and silent about who asks.

Everything that fetches goes through `Client`::

    with Client(Network.from_environment(), log=Path("logs/requests.tsv")) as client:
        page = client.get("uniprot", "uniprotkb/search", {"query": "..."}, check=is_whole)
"""

import hashlib
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from protscribe.errors import InputError
from protscribe.sources.http.download import download
from protscribe.sources.http.identity import CREDENTIALS, ncbi_form, redact, without_key
from protscribe.sources.http.network import Network
from protscribe.sources.http.request_log import RequestLog
from protscribe.sources.http.response_cache import Response, ResponseCache, Transient, cache_key
from protscribe.sources.http.transport import Transport

__all__ = ["Client", "Network", "Response", "Transient", "check_rate_limit"]

PATH_CHARACTERS = "/:@!$&'()*+,;=~%"
"""What a path may hold as it is (RFC 3986); a percent sign is taken for an escape."""
KEPT_HEADERS = ("content-type", "etag", "last-modified", "link", "location")
Check = Callable[[Response], None]


class Client:
    """Asks providers; a context manager. Each thread needs its own.

    Parameters
    ----------
    network
        The settings.
    log
        Table of requests to append to, see `RequestLog`.
    """

    def __init__(self, network: Network, log: Path | None = None) -> None:
        self.network = network
        self._log = RequestLog(log)
        self._cache = ResponseCache(network.cache)
        self._transport = Transport(network)

    def __enter__(self) -> "Client":
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self._transport.close()

    def get(
        self,
        provider: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        check: Check | None = None,
        use_cache: bool = True,
        accept: Collection[int] = (),
    ) -> Response:
        """Ask by GET.

        Parameters
        ----------
        provider, path
            A provider of ``network.urls``, and the path below its base URL.
        params
            Query parameters; they hold no secret.
        check
            Called with a new response before it is cached. `Transient` has the request tried
            again, `InputError` ends it.
        use_cache
            Read and write the cache.
        accept
            Statuses besides 2xx that are an answer too, such as 404 for what is not there.

        Raises
        ------
        InputError
            If the provider refuses, if all tries fail, or if it is not in the cache offline.
        """
        url = self._url(provider, path)
        fields = sorted((params or {}).items())
        return self._ask(provider, url, fields, None, check, use_cache, accept)

    def get_url(
        self,
        url: str,
        provider: str,
        *,
        check: Check | None = None,
        use_cache: bool = True,
        accept: Collection[int] = (),
    ) -> Response:
        """Ask by GET at an address that the provider itself gave, such as the next page.

        Raises
        ------
        InputError
            As `get`, and if the address is not below the provider's base URL.
        """
        base = self.network.url(provider)
        parts = urlsplit(url)
        bare = parts._replace(query="", fragment="").geturl()
        if not bare.startswith(f"{base}/") or _climbs(bare):
            raise InputError(
                f"{provider} points to {redact(url)}, which is not below {base}: set "
                f"network.urls.{provider} to the address that it uses"
            )
        fields = sorted(parse_qsl(parts.query, keep_blank_values=True))
        return self._ask(provider, bare, fields, None, check, use_cache, accept)

    def post(
        self,
        provider: str,
        path: str,
        data: Mapping[str, str],
        *,
        check: Check | None = None,
        use_cache: bool = True,
        accept: Collection[int] = (),
    ) -> Response:
        """Ask by POST with a form; see `get`. NCBI is told who asks.

        Raises
        ------
        InputError
            As `get`, and if NCBI would be told a placeholder.
        """
        url = self._url(provider, path)
        return self._ask(provider, url, [], dict(data), check, use_cache, accept)

    def download(
        self,
        provider: str,
        path: str,
        target: Path,
        *,
        size: int | None = None,
        md5: str | None = None,
    ) -> dict[str, str | int]:
        """Fetch a big file; see `protscribe.sources.http.download.download`."""
        url = self._url(provider, path)
        _refuse_ncbi_get(provider, None)
        return download(self._transport, self._log, provider, url, Path(target), size=size, md5=md5)

    def forget(self, response: Response) -> None:
        """Drop a response from the cache, so that the next one like it is fetched."""
        self._cache.drop(response.key)

    def _url(self, provider: str, path: str) -> str:
        if _climbs(path):
            raise InputError(f"{provider}: {redact(path)} leads out of the provider's address")
        base = self.network.url(provider)
        return f"{base}/{quote(path.lstrip('/'), safe=PATH_CHARACTERS)}"

    def _ask(
        self,
        provider: str,
        url: str,
        query: Sequence[tuple[str, str]],
        form: Mapping[str, str] | None,
        check: Check | None,
        use_cache: bool,
        accept: Collection[int],
    ) -> Response:
        _refuse_ncbi_get(provider, form)
        method = "GET" if form is None else "POST"
        key = cache_key(method, url, list(query if form is None else form.items()))
        if query:
            url = f"{url}?{urlencode(query, quote_via=quote)}"
        shown = {"provider": provider, "method": method, "url": _shown(url, form)}
        offline = self.network.offline
        if use_cache and (found := self._cache.load(key, must=offline)):
            with self._log.row(**shown, cached="true", **_facts(found)):
                return found
        if offline:
            raise InputError(
                f"network.offline: {method} {_shown(url, form)} ({provider}) is not in the cache "
                f"{self.network.cache}: run once online, or copy a cache that has it"
            )
        if form is not None and provider == "ncbi":
            form = {**form, **ncbi_form()}
        attempts = itertools.count(1)

        def attempt() -> Response:
            with (
                self._log.row(**shown, cached="false", attempt=next(attempts)) as row,
                self._transport.open(provider, url, form=form, accept=accept) as answer,
            ):
                row["status"] = answer.status_code
                body = without_key(self._transport.body(answer))
                headers = {name.lower(): redact(text) for name, text in answer.headers.items()}
                response = Response(
                    provider=provider,
                    url=redact(url),
                    status=answer.status_code,
                    headers={n: t for n, t in sorted(headers.items()) if _is_kept(n)},
                    body=body,
                    sha256=hashlib.sha256(body).hexdigest(),
                    key=key,
                )
                row.update(_facts(response))
                _run(check, response)
                return response

        response = self._transport.retried(f"{method} {_shown(url, form)}", attempt)
        if use_cache:
            self._cache.save(response)
        return response


def check_rate_limit(response: Response) -> None:
    """Refuse NCBI's ``{"error":"API rate limit exceeded"}`` when it comes with status 200.

    The client looks for it in every answer of NCBI.
    """
    if b"rate limit exceeded" in response.body[:1000].lower():
        raise Transient("the rate limit was exceeded")


def _run(check: Check | None, response: Response) -> None:
    try:
        if response.provider == "ncbi":
            check_rate_limit(response)
        if check:
            check(response)
    except InputError as error:
        # A check may well quote a body that quotes us.
        error.args = tuple(redact(str(argument)) for argument in error.args)
        raise


def _refuse_ncbi_get(provider: str, form: Mapping[str, str] | None) -> None:
    if provider == "ncbi" and form is None:
        raise ValueError("ask NCBI by post: who asks must not stand in an address")


def _shown(url: str, form: Mapping[str, str] | None) -> str:
    """Return what was asked, for people: redacted, and with the start of a long form."""
    if form is None:
        return redact(url)
    asked = sorted((name, text) for name, text in form.items() if name not in CREDENTIALS)
    text = urlencode(asked, safe=",:")
    return redact(f"{url} with {text[:500]}" + ("..." if len(text) > 500 else ""))


def _facts(response: Response) -> dict[str, str | int]:
    return {
        "status": response.status,
        "bytes": len(response.body),
        "sha256": response.sha256,
        "release": response.headers.get("x-uniprot-release", ""),
    }


def _is_kept(header: str) -> bool:
    return header in KEPT_HEADERS or header.startswith("x-")


def _climbs(path: str) -> bool:
    return ".." in path.lower().replace("%2e", ".").split("/")
