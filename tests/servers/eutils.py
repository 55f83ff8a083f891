"""A stand-in for NCBI's E-utilities over PubMed records: esearch, efetch and epost.

It keeps to what the real ones do where that matters to a client: at most 9,999 hits of a query
can be listed, whatever retstart and retmax ask for; answers with status 200 may hold an error; a
quoted phrase outside the phrase index is not found; more requests than allowed in any second are
answered with 429 and the caller's key in the body.
"""

import gzip
import json
import random
import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from pubmed_records import article_set, make_article, record_id, split_records
from servers.loopback import Answer, Request

WINDOW = 9_999
"""Hits of a PubMed query that can be listed: the manual says 10,000, the server gives one less."""

GET_IDS = 200
FIELDS = {
    "tiab": "text",
    "title/abstract": "text",
    "ti": "title",
    "title": "title",
    "tw": "words",
    "text word": "words",
    "mh": "mesh",
    "mesh": "mesh",
    "mesh terms": "mesh",
    "all": "words",
    "all fields": "words",
    "uid": "uid",
}
ESEARCH_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" ?>\n<!DOCTYPE eSearchResult PUBLIC '
    '"-//NLM//DTD esearch 20060628//EN" '
    '"https://eutils.ncbi.nlm.nih.gov/eutils/dtd/20060628/esearch.dtd">\n'
)


def words(text: str) -> list[str]:
    """Return the words of a text as the index has them."""
    return re.findall(r"\w+", text.lower())


@dataclass
class Record:
    """One record and what of it can be searched."""

    pubmed_id: str
    xml: str
    dates: dict[str, date] = field(default_factory=dict)

    def _texts(self, *elements: str) -> str:
        pattern = rf"<({'|'.join(elements)})[ >].*?</\1>"
        found = (match.group(0) for match in re.finditer(pattern, self.xml, re.DOTALL))
        return " ".join(re.sub(r"<[^>]+>", " ", text) for text in found)

    @cached_property
    def fields(self) -> dict[str, str]:
        """Words of each field, with a space at either end."""
        title = self._texts("ArticleTitle")
        text = f"{title} {self._texts('AbstractText')}"
        mesh = self._texts("DescriptorName")
        texts = {"title": title, "text": text, "mesh": mesh, "words": f"{text} {mesh}"}
        return {name: f" {' '.join(words(value))} " for name, value in texts.items()}

    def date(self, kind: str) -> date:
        """Return the day of entry (edat), of revision (mdat) or of publication (pdat)."""
        if kind not in self.dates:
            self.dates[kind] = self._date(kind)
        return self.dates[kind]

    def _date(self, kind: str) -> date:
        element = {"edat": r'PubMedPubDate PubStatus="entrez"', "mdat": "DateRevised"}
        found = re.search(
            rf"<{element.get(kind, 'PubDate')}>\s*<Year>(\d+)</Year>"
            r"(?:\s*<Month>(\d+)</Month>)?(?:\s*<Day>(\d+)</Day>)?",
            self.xml,
        ) or re.search(r"<(?:PubDate|DateCompleted)>\s*<Year>(\d+)</Year>()()", self.xml)
        return date(*(int(part or 1) for part in found.groups())) if found else date(1900, 1, 1)


class BadQuery(Exception):
    """A query that the search backend refuses."""


class Search:
    """One query evaluated over all records."""

    def __init__(self, owner: "Eutils", term: str) -> None:
        self.owner = owner
        self.errors: dict[str, list[str]] = {}
        self.warnings: dict[str, list[str]] = {}
        self.relevance: Counter[str] = Counter()
        pattern = r'"[^"]*"(?:\[[^\]]*\])?|[()]|[^\s()"\[\]]+(?:\[[^\]]*\])?'
        self.tokens = deque(re.findall(pattern, term))
        if re.sub(pattern, "", term).strip():
            raise BadQuery(f"unmatched quotes or brackets: {term}")
        self.found = self._expression()
        if self.tokens:
            raise BadQuery("unmatched parenthesis")

    def _expression(self) -> set[str]:
        found, operator = self._operand(), "AND"
        while self.tokens and self.tokens[0] != ")":
            operator = "AND"
            if self.tokens[0] in ("AND", "OR", "NOT"):
                operator = self.tokens.popleft()
            other = self._operand()
            if operator == "OR":
                found = found | other
            else:
                found = found & other if operator == "AND" else found - other
        return found

    def _operand(self) -> set[str]:
        if not self.tokens or self.tokens[0] in (")", "AND", "OR", "NOT"):
            raise BadQuery("an operand is missing")
        token = self.tokens.popleft()
        if token != "(":
            return self._term(token)
        found = self._expression()
        if not self.tokens or self.tokens.popleft() != ")":
            raise BadQuery("unmatched parenthesis")
        return found

    def _term(self, token: str) -> set[str]:
        text, _, tag = token.partition("[")
        tag, _, distance = tag.rstrip("]").lower().partition(":~")
        field = FIELDS.get(tag or "all")
        if field is None:
            self.errors.setdefault("FieldNotFound", []).append(tag)
            return set()
        phrase = text.strip('"')
        if field == "uid":
            first, _, last = phrase.partition(":")
            return {i for i in self.owner.records if int(first) <= int(i) <= int(last or first)}
        found = self._matches(phrase, field, int(distance) if distance else None)
        if not found and text.startswith('"') and not distance:
            self.warnings.setdefault("QuotedPhraseNotFound", []).append(token)
            if self.owner.breaks_phrases and len(words(phrase)) > 1:
                apart = [self._matches(word, field, None) for word in words(phrase)]
                found = set.intersection(*apart)
        elif not found:
            self.errors.setdefault("PhraseNotFound", []).append(phrase)
        self.relevance.update(found)
        return found

    def _matches(self, phrase: str, field: str, distance: int | None) -> set[str]:
        wanted = words(phrase)
        if not wanted or (distance is None and phrase.lower() in self.owner.unindexed):
            return set()
        prefix = phrase.endswith("*")
        index = self.owner.index
        ids = (
            set.intersection(*(index.get(w, set()) for w in (wanted[:-1] if prefix else wanted)))
            if not prefix or wanted[:-1]
            else set(self.owner.records)
        )
        if distance is not None:  # Next to each other, in any order; distance 0 is all we need.
            runs = [f" {' '.join(wanted)} ", f" {' '.join(reversed(wanted))} "]
        else:
            runs = [f" {' '.join(wanted)}{'' if prefix else ' '}"]
        records = self.owner.records
        return {i for i in ids if any(run in records[i].fields[field] for run in runs)}


class Eutils:
    """The app.

    Parameters
    ----------
    records
        PubMed id to the text of its record.
    rate, key_rate
        Requests allowed in any second without and with one of the `keys`.
    unindexed
        Phrases, in lower case, that are not in the phrase index although records hold them.
    breaks_phrases
        Search the words of a phrase apart if it is not in the phrase index, as PubMed's guide
        says; else such a phrase finds nothing.
    """

    def __init__(
        self,
        records: Mapping[str, str],
        *,
        rate: int = 3,
        key_rate: int = 10,
        keys: Iterable[str] = (),
        unindexed: Iterable[str] = (),
        breaks_phrases: bool = False,
    ) -> None:
        self.records = {key: Record(key, xml) for key, xml in records.items()}
        self.rate, self.key_rate, self.keys = rate, key_rate, frozenset(keys)
        self.unindexed, self.breaks_phrases = frozenset(unindexed), breaks_phrases
        self.deleted: set[str] = set()
        self.history: dict[str, list[list[str]]] = {}
        self.refused = 0
        self._seen: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    @cached_property
    def index(self) -> dict[str, set[str]]:
        """Ids of the records that hold each word."""
        index: dict[str, set[str]] = {}
        for key, record in self.records.items():
            for word in set(record.fields["words"].split()):
                index.setdefault(word, set()).add(key)
        return index

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        asked = request.query | request.form
        tools: dict[str, Callable[[Request, dict[str, str]], Answer]] = {
            "/esearch.fcgi": self._esearch,
            "/efetch.fcgi": self._efetch,
            "/epost.fcgi": self._epost,
        }
        if refusal := self._too_fast(request, asked):
            return refusal
        if request.path not in tools:
            return Answer(404, body=b"no such utility")
        if not asked.get("tool") or "@" not in asked.get("email", ""):
            return Answer(400, body=b'{"error":"tool and email are needed"}')
        if asked.get("db") != "pubmed":
            return _xml("<eSearchResult><ERROR>Invalid db name specified</ERROR></eSearchResult>")
        answer = tools[request.path](request, asked)
        if "gzip" in request.headers.get("accept-encoding", ""):
            answer.body = gzip.compress(answer.body, 1)
            answer.headers["content-encoding"] = "gzip"
        return answer

    def _too_fast(self, request: Request, asked: Mapping[str, str]) -> Answer | None:
        key = asked.get("api_key", "")
        if key and key not in self.keys:
            return Answer(
                400, body=json.dumps({"error": "API key invalid", "api-key": key}).encode()
            )
        limit = self.key_rate if key else self.rate
        with self._lock:
            seen = self._seen.setdefault(key, deque())
            while seen and seen[0] <= request.at - 1:
                seen.popleft()
            seen.append(request.at)
            count = len(seen)
            self.refused += count > limit
        if count <= limit:
            return None
        return Answer(429, {"x-ratelimit-limit": str(limit)}, rate_limit_body(key, count, limit))

    def _esearch(self, request: Request, asked: Mapping[str, str]) -> Answer:
        term = asked.get("term", "")
        try:
            if not term.strip():
                raise BadQuery("Empty term and query_key - nothing todo")
            search = Search(self, term)
            found = self._between(search.found, asked)
            start, wanted = int(asked.get("retstart", 0)), int(asked.get("retmax", 20))
            if start >= WINDOW:
                raise BadQuery(
                    f"Search Backend failed: Exception:\n'retstart' cannot be larger than "
                    f"{WINDOW - 1}. For PubMed, ESearch can only retrieve the first "
                    f"{WINDOW:,} records matching the query."
                )
        except BadQuery as error:
            if asked.get("retmode") == "json":  # With its line break raw, as the real one.
                return Answer(200, body=f'{{"esearchresult":{{"ERROR":"{error}"}}}}'.encode())
            return _xml(f"<eSearchResult><ERROR>{escape(str(error))}</ERROR></eSearchResult>")
        size = min(wanted, WINDOW - start)
        messages = [] if found else ["No items found."]
        if size < wanted:
            messages.append(f"Restrictions achieved. start and count adjusted to {start}, {size}")
        if messages:
            search.warnings["OutputMessage"] = messages
        ids = sorted(found, key=self._order(asked.get("sort", ""), search))
        listed = ids[start : start + size]
        facts = {"Count": len(ids), "RetMax": len(listed), "RetStart": start}
        if asked.get("usehistory") == "y":
            facts |= self._remember(ids, asked.get("WebEnv"))
        if asked.get("retmode") == "json":
            return _esearch_json(facts, listed, search, term)
        return _esearch_xml(facts, listed, search, term)

    def _between(self, ids: set[str], asked: Mapping[str, str]) -> set[str]:
        if not asked.get("mindate"):
            return ids
        kind = asked.get("datetype", "pdat")
        first, last = (
            date(*(int(part) for part in ([*asked[name].split("/"), "1", "1"])[:3]))
            for name in ("mindate", "maxdate")
        )
        return {i for i in ids if first <= self.records[i].date(kind) <= last}

    def _order(self, sort: str, search: Search) -> Callable[[str], Any]:
        if sort == "relevance":
            return lambda i: (-search.relevance[i], -int(i))
        if sort == "pub_date":
            return lambda i: (-self.records[i].date("pdat").toordinal(), -int(i))
        return lambda i: -int(i)

    def _remember(self, ids: list[str], webenv: str | None) -> dict[str, Any]:
        with self._lock:
            webenv = webenv or f"MCID_{random.getrandbits(96):024x}"
            lists = self.history.setdefault(webenv, [])
            lists.append(ids)
            return {"QueryKey": len(lists), "WebEnv": webenv}

    def _epost(self, request: Request, asked: Mapping[str, str]) -> Answer:
        facts = self._remember(asked["id"].split(","), asked.get("WebEnv"))
        return _xml(
            f"<ePostResult>\n\t<QueryKey>{facts['QueryKey']}</QueryKey>"
            f"\n\t<WebEnv>{facts['WebEnv']}</WebEnv>\n</ePostResult>"
        )

    def _efetch(self, request: Request, asked: Mapping[str, str]) -> Answer:
        if request.method == "GET" and request.query.get("id", "").count(",") >= GET_IDS:
            return Answer(414, body=b"Request-URI Too Long")
        if "WebEnv" in asked:
            lists = self.history.get(asked["WebEnv"], [])
            if int(asked["query_key"]) > len(lists):
                return _xml("<eFetchResult><ERROR>Unable to obtain query #1</ERROR></eFetchResult>")
            ids = lists[int(asked["query_key"]) - 1]
        else:
            ids = [i for i in asked.get("id", "").split(",") if i.isdigit()]
        if not ids:
            return Answer(400, body=b"ID list is empty! Possibly it has no correct IDs.")
        start = int(asked.get("retstart", 0))
        ids = ids[start : start + int(asked.get("retmax", WINDOW + 1))]
        there = [i for i in ids if i in self.records and i not in self.deleted]
        body = article_set(self.records[i].xml for i in there)
        return Answer(200, {"content-type": "text/xml; charset=UTF-8"}, body)


def rate_limit_body(key: str, count: int = 4, limit: int = 3) -> bytes:
    """Return the body of an answer to too many requests: it tells the caller's key or address."""
    said = {"error": "API rate limit exceeded", "api-key": key or "127.0.0.1"}
    return json.dumps(said | {"count": str(count), "limit": str(limit)}).encode()


def most_in_a_second(times: Iterable[float]) -> int:
    """Return the largest number of requests in any window of one second."""
    window: deque[float] = deque()
    most = 0
    for at in sorted(times):
        window.append(at)
        while window[0] <= at - 1:
            window.popleft()
        most = max(most, len(window))
    return most


def real_records(folder: Path) -> dict[str, str]:
    """Return the real records of a folder of fixtures, by PubMed id.

    Parameters
    ----------
    folder
        Holds ``pubmed_fixtures/`` (answers of efetch and pieces of the baseline, XML) and
        ``protein_text/pubmed_abstracts_dev.jsonl.gz``, whose fields are put into records.
    """
    records: dict[str, str] = {}
    with gzip.open(folder / "protein_text" / "pubmed_abstracts_dev.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            records[row["pmid"]] = make_article(
                row["pmid"],
                row["title"] or "",
                row["abstract"],
                journal=row["journal"] or "",
                year=row["year"] or 1900,
                doi=row["doi"],
                pmcid=row["pmcid"],
            )
    fixtures = folder / "pubmed_fixtures"
    for path in sorted(fixtures.rglob("*.xml")):
        text = path.read_text(encoding="utf-8")
        if "<PubmedArticle" in text and "<?xml" in text:
            records |= split_records(text)
    for path in sorted(fixtures.glob("pubmed2*.xml.gz")):
        records |= split_records(gzip.decompress(path.read_bytes()))
    assert all(record_id(record) == key for key, record in records.items())
    return records


def _xml(text: str) -> Answer:
    body = text if text.startswith("<?xml") else f'<?xml version="1.0" encoding="UTF-8" ?>\n{text}'
    return Answer(200, {"content-type": "text/xml; charset=UTF-8"}, body.encode())


def _esearch_xml(facts: dict[str, Any], ids: list[str], search: Search, term: str) -> Answer:
    head = "".join(f"<{name}>{value}</{name}>" for name, value in facts.items())
    listed = "".join(f"<Id>{i}</Id>\n" for i in ids)
    id_list = f"<IdList>\n{listed}</IdList>" if ids else "<IdList/>"
    notes = ""
    for kind, lists in (("ErrorList", search.errors), ("WarningList", search.warnings)):
        items = "".join(
            f"<{name}>{escape(text)}</{name}>" for name, texts in lists.items() for text in texts
        )
        notes += f"<{kind}>{items}</{kind}>" if items else ""
    return _xml(
        f"{ESEARCH_HEAD}<eSearchResult>{head}{id_list}<TranslationSet/>"
        f"<QueryTranslation>{escape(term)}</QueryTranslation>{notes}</eSearchResult>"
    )


def _esearch_json(facts: dict[str, Any], ids: list[str], search: Search, term: str) -> Answer:
    result: dict[str, Any] = {name.lower(): str(value) for name, value in facts.items()}
    result |= {"idlist": ids, "translationset": [], "querytranslation": term}
    if search.errors:
        result["errorlist"] = {
            "phrasesnotfound": search.errors.get("PhraseNotFound", []),
            "fieldsnotfound": search.errors.get("FieldNotFound", []),
        }
    if search.warnings:
        result["warninglist"] = {
            "phrasesignored": [],
            "quotedphrasesnotfound": search.warnings.get("QuotedPhraseNotFound", []),
            "outputmessages": search.warnings.get("OutputMessage", []),
        }
    body = {"header": {"type": "esearch", "version": "0.3"}, "esearchresult": result}
    return Answer(200, {"content-type": "application/json"}, json.dumps(body).encode())
