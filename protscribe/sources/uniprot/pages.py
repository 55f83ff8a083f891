"""Pages of UniProt's REST service, each one checked before it is used or kept.

One release from the first page to the last, no entry twice, as many as announced, and a link to
the next page, the only place that a cursor is taken from, until all are there. A page that does
not fit is asked for again and never cached.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from tqdm import tqdm

from protscribe.errors import InputError
from protscribe.sources.client import Client, Response, Transient

PROVIDER = "uniprot"
PAGE = 500
"""Entries a page: the most that UniProt gives, and what it asks for."""
BAD_REQUEST = 400

Entry = Mapping[str, Any]

_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class ReleaseChanged(Exception):
    """UniProt went over to another release between two pages."""


@dataclass
class _Progress:
    """What came so far of one sequence of pages."""

    accessions: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    total: int | None = None


@dataclass(frozen=True)
class _Page:
    """One page: its entries, the number of all, the address of the next one."""

    entries: list[Entry]
    total: int
    following: str | None


class Session:
    """All requests of one run, which must be answered from one release.

    Parameters
    ----------
    client
        The network.
    release
        The release that must be served, or None for any.
    """

    def __init__(self, client: Client, release: str | None) -> None:
        self.client = client
        self.wanted = release
        self.release: str | None = None
        self.release_date: str | None = None
        self._pages: list[Response] = []

    def pages(self, path: str, params: Mapping[str, str]) -> Iterator[list[Entry]]:
        """Yield the entries of each page, a list that is emptied before the next one.

        Parameters
        ----------
        path
            Below the provider's base address.
        params
            Without format and size.

        Raises
        ------
        ReleaseChanged
            If a page is of another release than those before it.
        InputError
            If the first page is of another release than wanted, or a page stays wrong however
            often it is asked for.
        """
        seen = _Progress()
        asked = {**params, "format": "json", "size": str(PAGE)}
        ask: Callable[..., Response] = partial(self.client.get, PROVIDER, path, asked)
        with tqdm(desc="UniProt", unit=" entries", mininterval=5) as bar:
            while True:
                page = self._page(ask, seen)
                bar.total = seen.total = page.total
                seen.accessions.update(entry["primaryAccession"] for entry in page.entries)
                bar.update(len(page.entries))
                yield page.entries
                # The next page would be read beside them, and pages are large.
                page.entries.clear()
                if len(seen.accessions) == page.total:
                    return
                assert page.following is not None
                seen.links.add(page.following)
                ask = partial(self.client.get_url, page.following, PROVIDER)

    def forget(self) -> None:
        """Forget the pages of this session, so that the next one asks for them again."""
        if not self.client.network.offline:
            for response in self._pages:
                self.client.forget(response)

    def _page(self, ask: Callable[..., Response], seen: _Progress) -> _Page:
        read: list[_Page] = []

        def check(response: Response) -> None:
            value = response.json()
            _check_status(response, value)
            self._check_release(response)
            read.append(_read(value, response.headers, seen))

        response = ask(check=check, accept=(BAD_REQUEST,))
        if response.cached:
            try:
                check(response)
            except (ReleaseChanged, InputError):
                # Kept by an earlier run, in another release or with other pages around it.
                if self.client.network.offline:
                    raise
                self.client.forget(response)
                response = ask(check=check, accept=(BAD_REQUEST,))
        self.release = response.headers["x-uniprot-release"]
        self.release_date = _iso_date(response.headers.get("x-uniprot-release-date"))
        # The body may be large, and to forget a page its name is enough.
        self._pages.append(replace(response, body=b""))
        return read[-1]

    def _check_release(self, response: Response) -> None:
        found = response.headers.get("x-uniprot-release")
        if not found:
            raise Transient("the answer does not say of which release it is")
        if self.release and found != self.release:
            raise ReleaseChanged(f"the release changed from {self.release} to {found}")
        if self.wanted and found != self.wanted:
            raise InputError(
                f"UniProt answers queries from release {found}, but release {self.wanted} is "
                f"configured: configure {found}, or take {self.wanted} as a whole with the "
                "source uniprot_release, because queries reach the current release only"
            )


def _check_status(response: Response, value: Any) -> None:
    if response.status == BAD_REQUEST:
        messages = value.get("messages") if isinstance(value, dict) else None
        why = "; ".join(map(str, messages or ["no reason given"]))
        raise InputError(f"UniProt refuses the query: {why}; mend it, asked was {response.url}")


def _read(value: Any, headers: Mapping[str, str], seen: _Progress) -> _Page:
    entries = value.get("results") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise Transient("the answer has no results")
    total = headers.get("x-total-results", "")
    if not total.isdecimal():
        raise Transient("the answer does not say how many entries there are in all")
    if seen.total not in (None, int(total)):
        raise Transient(f"there were {seen.total} entries in all, and now there are {total}")
    accessions = [e.get("primaryAccession") if isinstance(e, dict) else None for e in entries]
    if not all(accessions):
        raise Transient("an entry of the answer has no accession")
    if len(set(accessions)) < len(accessions) or not seen.accessions.isdisjoint(accessions):
        raise Transient("the answer holds an entry for the second time")
    link = _NEXT.search(headers.get("link", ""))
    following = link.group(1) if link else None
    count = len(seen.accessions) + len(entries)
    if count > int(total):
        raise Transient(f"{count} entries came, but there should be {total} in all")
    if count < int(total):
        if not entries or following is None:
            raise Transient(f"after {count} of {total} entries there is no link to the next page")
        if following in seen.links:
            raise Transient("the link to the next page leads back to an earlier one")
    return _Page(entries, int(total), following)


def _iso_date(text: str | None) -> str | None:
    """Return a date such as ``10-June-2026`` as ``2026-06-10``."""
    try:
        return datetime.strptime(text or "", "%d-%B-%Y").date().isoformat()
    except ValueError:
        return text
