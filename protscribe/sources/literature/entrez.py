"""E-utilities of NCBI, database PubMed: esearch and efetch, each answer checked before it counts.

NCBI answers many errors with status 200: an ``<ERROR>`` in XML, a rate limit in JSON, a cut
document. The client finds the second, the others are found here, and what can pass is raised as
`Transient`, so that the client asks again and caches nothing of it. Facts are from NCBI's "Entrez
Programming Utilities Help" (NBK25499).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Any

from lxml import etree

from protscribe.errors import InputError
from protscribe.sources.client import Client, Response, Transient

WINDOW = 9_999
"""Hits of one PubMed query that can be listed (the manual says 10,000; the server gives this)."""

SORTS = ("relevance", "pub_date", "Author", "JournalName")
DATES = ("edat", "pdat")
"""Dates by which a long list of hits is split: of entry into PubMed, or of publication."""

_FIRST_DAY, _LAST_DAY = date(1780, 1, 1), date(2100, 12, 31)
_INTERNAL_SUBSET = re.compile(rb"<!DOCTYPE[^>\[]*\[")
_PASSING = re.compile(r"backend failed|temporar|unavailable|timed? ?out|try again", re.IGNORECASE)


class QueryRefused(Exception):
    """PubMed answered a query with an error that asking again does not mend."""


@dataclass(frozen=True)
class Hits:
    """What a query found: ids in the order asked for, and how many there are in all."""

    ids: tuple[str, ...]
    count: int
    unknown: frozenset[str]
    """Phrases that PubMed does not know, as `phrase_key` writes them."""
    unreached: int = 0
    """Hits that were wanted but cannot be listed: beyond the window of a day, or undated."""


def esearch(
    client: Client,
    term: str,
    *,
    sort: str,
    retmax: int,
    between: tuple[date, date] | None = None,
    datetype: str = "edat",
) -> Hits:
    """Ask PubMed for the ids of the first hits of a query.

    Parameters
    ----------
    term
        The query. It goes by POST, so that it may be long.
    sort
        One of `SORTS`; PubMed's own default differs from that of its site.
    retmax
        Ids wanted, at most `WINDOW`.
    between, datetype
        First and last day of the hits, and by which date.

    Raises
    ------
    QueryRefused
        If PubMed calls the query wrong.
    InputError
        If the answer declares entities, or from the client.
    """
    form = {"db": "pubmed", "term": term, "retmode": "xml", "sort": sort, "retmax": str(retmax)}
    if between:
        first, last = (day.strftime("%Y/%m/%d") for day in between)
        form |= {"mindate": first, "maxdate": last, "datetype": datetype}

    def check(response: Response) -> None:
        _read_esearch(response.body, retmax)

    return _read_esearch(client.post("ncbi", "/esearch.fcgi", form, check=check).body, retmax)


def search(
    client: Client, term: str, *, sort: str, wanted: int | None, datetype: str = "edat"
) -> Hits:
    """Return the first `wanted` hits of a query, or all of them, however many there are.

    PubMed lists no more than `WINDOW` hits of a query. Where more are wanted, the query is asked
    for ranges of days, halved until each fits; the newest range comes first, and hits are in the
    order asked for within a range.

    Raises
    ------
    QueryRefused, InputError
        As `esearch`.
    """
    limit = WINDOW if wanted is None else min(wanted, WINDOW)
    whole = esearch(client, term, sort=sort, retmax=limit)
    if whole.count <= WINDOW or limit == wanted:
        return whole
    ids: dict[str, None] = {}
    for part in _by_date(client, term, sort, datetype, _FIRST_DAY, _LAST_DAY):
        ids |= dict.fromkeys(part.ids)
        if wanted is not None and len(ids) >= wanted:
            break
    goal = whole.count if wanted is None else min(wanted, whole.count)
    listed = tuple(islice(ids, goal))
    return Hits(listed, whole.count, whole.unknown, unreached=goal - len(listed))


def efetch(client: Client, ids: Sequence[str]) -> tuple[bytes, list[str]]:
    """Fetch the records of PubMed ids as XML.

    Parameters
    ----------
    ids
        Up to a few hundred; they go by POST.

    Returns
    -------
    bytes, list of str
        The answer as it came, and the ids of the records in it.

    Raises
    ------
    InputError
        If the answer declares entities, or stays incomplete after all tries.
    """
    form = {"db": "pubmed", "id": ",".join(ids), "rettype": "abstract", "retmode": "xml"}
    name = f"efetch of {len(ids)} PubMed ids from {ids[0]} to {ids[-1]}"
    returned: list[str] = []

    def check(response: Response) -> None:
        returned[:] = _read_efetch(response.body, ids, name)

    # The caller keeps the answer itself; a second copy in the cache would be of no use.
    response = client.post("ncbi", "/efetch.fcgi", form, check=check, use_cache=False)
    return response.body, returned


def phrase_key(text: str) -> str:
    """Return a phrase without its quotes, field tag, case and punctuation."""
    return " ".join(re.findall(r"\w+", re.sub(r"\[[^\]]*\]\s*$", "", text).lower()))


def _by_date(
    client: Client, term: str, sort: str, datetype: str, first: date, last: date
) -> Iterator[Hits]:
    between = (first, last)
    hits = esearch(client, term, sort=sort, retmax=WINDOW, between=between, datetype=datetype)
    if hits.count <= WINDOW or first == last:
        yield hits
        return
    middle = first + (last - first) // 2
    yield from _by_date(client, term, sort, datetype, middle + timedelta(days=1), last)
    yield from _by_date(client, term, sort, datetype, first, middle)


def _read_esearch(body: bytes, retmax: int) -> Hits:
    _refuse_declarations(body, "esearch")
    root = _parse(body)
    if root.tag != "eSearchResult":
        raise Transient(f"esearch answered with <{root.tag}>")
    if error := root.findtext("ERROR"):
        message = " ".join(error.split())
        raise Transient(message) if _PASSING.search(message) else QueryRefused(message)
    if fields := [element.text for element in root.iterfind("ErrorList/FieldNotFound")]:
        raise QueryRefused(f"PubMed knows no field {', '.join(map(str, fields))}")
    count = root.findtext("Count") or ""
    ids = tuple(element.text or "" for element in root.iterfind("IdList/Id"))
    if not count.isdigit() or len(ids) != min(int(count), retmax):
        raise Transient(f"esearch listed {len(ids)} ids of {count or 'an unknown number'}")
    notes = (*root.iterfind("ErrorList/PhraseNotFound"),)
    notes += (*root.iterfind("WarningList/QuotedPhraseNotFound"),)
    return Hits(ids, int(count), frozenset(phrase_key(note.text or "") for note in notes))


def _read_efetch(body: bytes, ids: Sequence[str], name: str) -> list[str]:
    _refuse_declarations(body, name)
    root = _parse(body)
    if root.tag != "PubmedArticleSet":
        raise Transient(f"{name}: not a PubmedArticleSet: {_first_words(body)}")
    paths = {"PubmedArticle": "MedlineCitation/PMID", "PubmedBookArticle": "BookDocument/PMID"}
    found = [str(record.findtext(paths[record.tag])) for record in root if record.tag in paths]
    if strange := sorted(set(found) - set(ids)):
        raise Transient(f"{name}: returned {strange[0]}, which was not asked for")
    if not found and len(ids) >= 20:
        raise Transient(f"{name}: returned none of them")
    return found


def _refuse_declarations(body: bytes, name: str) -> None:
    """Refuse a document type with declarations, and what is no XML in UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Transient(f"{name}: not UTF-8 ({error.reason})") from None
    if _INTERNAL_SUBSET.search(body):
        raise InputError(
            f"{name}: the answer declares entities or elements of its own, which PubMed never "
            "does; it is not read: look at what stands behind network.urls.ncbi"
        )


def _parse(body: bytes) -> Any:
    parser = etree.XMLParser(load_dtd=False, no_network=True, resolve_entities=False)
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise Transient(f"not XML ({error.msg}): {_first_words(body)}") from None


def _first_words(body: bytes) -> str:
    return " ".join(body[:200].decode(errors="replace").split())
