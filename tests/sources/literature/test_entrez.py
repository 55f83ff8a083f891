import json
import re
import time
from datetime import date, timedelta

import pytest
from lxml import etree

from helpers_entrez import EMAIL, KEY, network, quick, serving, set_identity
from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.literature.entrez import (
    WINDOW,
    QueryRefused,
    efetch,
    esearch,
    phrase_key,
    search,
)
from pubmed_records import article_set, make_article, make_book, split_records
from servers.eutils import Eutils, Search, most_in_a_second, rate_limit_body, real_records
from servers.loopback import Fault, Request

RECORDS = {
    str(number): make_article(number, f"Zinc finger {number}", year=1990 + number)
    for number in range(1, 31)
}
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE PubmedArticleSet [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    b"<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>&b;"
    b"</ArticleTitle></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>"
)


@pytest.fixture(autouse=True)
def identity(monkeypatch):
    set_identity(monkeypatch)


@pytest.fixture
def server():
    with serving(quick(RECORDS)) as running:
        yield running


@pytest.fixture
def client(server, tmp_path):
    with Client(network(server, tmp_path), tmp_path / "requests.tsv") as made:
        yield made


def look_up(client, term='"zinc finger"[tiab]', sort="pub_date", retmax=5, **more):
    return esearch(client, term, sort=sort, retmax=retmax, **more)


def test_a_search_returns_the_first_ids_in_the_order_asked_for(client, server):
    hits = look_up(client)
    assert hits.ids == ("30", "29", "28", "27", "26")
    assert hits.count == 30
    assert hits.unknown == frozenset()
    form = server.requests[0].form
    assert {
        "db": "pubmed",
        "sort": "pub_date",
        "retmax": "5",
        "email": EMAIL,
    }.items() <= form.items()
    assert server.requests[0].method == "POST"
    assert not server.requests[0].query


def test_a_repeated_search_comes_from_the_cache(client, server):
    assert look_up(client) == look_up(client)
    assert len(server.requests) == 1


def test_no_hits(client):
    hits = look_up(client, '"zinc finger"[tiab] AND "7"[tiab] AND "8"[tiab]')
    assert (hits.ids, hits.count) == ((), 0)


def test_phrases_that_pubmed_does_not_know_are_told(client):
    hits = look_up(client, '("No such-name"[tiab] OR "zinc finger"[tiab])')
    assert hits.count == 30
    assert hits.unknown == {phrase_key("no such name")}


@pytest.mark.parametrize("term", ["", '"unbalanced', "(", "a[no such field]"])
def test_a_wrong_query_is_refused_and_not_kept(client, server, term):
    for _ in range(2):
        with pytest.raises(QueryRefused):
            look_up(client, term)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=200, body=rate_limit_body(KEY)),
        Fault(status=429, body=rate_limit_body(KEY)),
        Fault(status=429, headers={"retry-after": "0"}),
        Fault(times=3, status=500),
        Fault(status=502),
        Fault(truncate=200),
        Fault(cut_after=200),
        Fault(body=b"<html>down for maintenance</html>"),
        Fault(body=b"<eSearchResult><ERROR>Search Backend failed: busy</ERROR></eSearchResult>"),
        Fault(body=b"<eSearchResult><Count>9</Count><IdList><Id>1</Id></IdList></eSearchResult>"),
        Fault(body=b"<eSearchResult><IdList/></eSearchResult>"),
        Fault(body=b""),
        Fault(body="<eSearchResult>".encode("utf-16")),
    ],
    ids=lambda fault: str(fault.status or fault.body or "cut")[:40],
)
def test_a_search_that_fails_in_passing_is_asked_again(client, server, fault):
    server.faults.append(fault)
    assert look_up(client).ids == ("30", "29", "28", "27", "26")
    assert len(server.requests) == 2 + 2 * (fault.status == 500)
    assert look_up(client).count == 30  # What was cached is the good answer.


@pytest.mark.parametrize("ask", [look_up, lambda client: efetch(client, ["1", "2"])])
def test_declared_entities_are_refused_at_once(client, server, ask):
    server.faults.append(Fault(body=BOMB))
    started = time.monotonic()
    with pytest.raises(InputError, match="declares entities"):
        ask(client)
    assert len(server.requests) == 1
    assert time.monotonic() - started < 1


def test_no_secret_is_told_when_all_tries_fail(client, server, tmp_path):
    server.faults.append(Fault(times=99, status=200, body=rate_limit_body(KEY)))
    with pytest.raises(InputError, match="tried 4 times") as caught:
        look_up(client)
    assert KEY not in str(caught.value)
    assert not any(
        secret.encode() in path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
        for secret in (KEY, EMAIL)
    )


def write_many(days, count):
    """Return records entered evenly over so many days from 2000 on."""
    return {
        str(number): make_article(
            number, "Actin", None, entered=date(2000, 1, 1) + timedelta(number % days)
        )
        for number in range(1, count + 1)
    }


@pytest.fixture(scope="module")
def fifty_thousand():
    return quick(write_many(days=3000, count=50_000))


def test_fifty_thousand_hits_under_a_cap_take_one_request(fifty_thousand, tmp_path):
    with serving(fifty_thousand) as server, Client(network(server, tmp_path)) as client:
        hits = search(client, '"actin"[tiab]', sort="relevance", wanted=50)
        assert len(server.requests) == 1
    assert (len(hits.ids), hits.count, hits.unreached) == (50, 50_000, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("wanted", "most"), [(None, 25), (12_000, 15)])
def test_more_hits_than_pubmed_lists_are_asked_for_by_date(fifty_thousand, tmp_path, wanted, most):
    with serving(fifty_thousand) as server, Client(network(server, tmp_path)) as client:
        hits = search(client, '"actin"[tiab]', sort="pub_date", wanted=wanted)
        assert len(server.requests) <= most
        assert all(int(request.form["retmax"]) <= WINDOW for request in server.requests)
    assert len(hits.ids) == len(set(hits.ids)) == (wanted or 50_000)
    assert (hits.count, hits.unreached) == (50_000, 0)
    days = [date(2000, 1, 1) + timedelta(int(i) % 3000) for i in hits.ids]
    assert max(days[-100:]) < min(days[:100])  # Newest first.


def test_hits_of_one_day_beyond_the_window_are_counted_as_unreached(tmp_path):
    app = quick(write_many(days=1, count=WINDOW + 101))
    with serving(app) as server, Client(network(server, tmp_path)) as client:
        hits = search(client, '"actin"[tiab]', sort="relevance", wanted=None)
    assert (len(hits.ids), hits.unreached) == (WINDOW, 101)


def test_records_are_fetched_by_post(client, server):
    body, returned = efetch(client, ["3", "1"])
    assert returned == ["3", "1"]
    assert split_records(body).keys() == {"1", "3"}
    assert server.requests[0].method == "POST"
    assert server.requests[0].form["id"] == "3,1"


def test_a_record_deleted_since_the_search_is_missing_from_the_answer(client, server):
    server.app.deleted.add("2")
    assert efetch(client, ["1", "2", "3"])[1] == ["1", "3"]
    assert efetch(client, ["2"])[1] == []


def test_book_articles_count_as_records(tmp_path):
    with serving(quick({"5": make_book(5)})) as server, Client(network(server, tmp_path)) as client:
        assert efetch(client, ["5"])[1] == ["5"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=200, body=rate_limit_body(KEY)),
        Fault(status=500),
        Fault(truncate=900),
        Fault(cut_after=900),
        Fault(body=b"<eFetchResult><ERROR>Unable to obtain query</ERROR></eFetchResult>"),
        Fault(body=b"<PubmedArticleSet><PubmedArticle></PubmedArticleSet>"),
        Fault(body=article_set([make_article(99)])),
        Fault(body=article_set([])),
    ],
    ids=lambda fault: str(fault.status or (fault.body or b"cut")[-50:]),
)
def test_records_that_fail_in_passing_are_fetched_again(client, server, fault):
    server.faults.append(fault)
    ids = [str(number) for number in range(1, 31)]
    assert efetch(client, ids)[1] == ids
    assert len(server.requests) == 2


def test_records_that_were_not_asked_for_are_an_error_after_all_tries(client, server):
    server.faults.append(Fault(times=9, body=article_set([make_article(99)])))
    with pytest.raises(InputError, match="returned 99, which was not asked for"):
        efetch(client, ["1"])


# The stand-in itself.


def query(app, path, /, method="POST", **fields):
    fields = {"db": "pubmed", "tool": "t", "email": "a@b.cd", **fields}
    form, asked_for = (fields, {}) if method == "POST" else ({}, fields)
    return app(Request(method, path, asked_for, form, {}, time.monotonic()))


@pytest.mark.parametrize("name", ["esearch1.xml", "esearch3.xml"])
def test_the_stand_in_answers_searches_in_the_real_layout(shared_data, name):
    real = etree.parse(shared_data / "pubmed_fixtures" / "biopython" / name)
    answer = query(quick(RECORDS), "/esearch.fcgi", term='"zinc finger"[tiab]', retmax="6")
    ours = etree.fromstring(answer.body).getroottree()
    assert ours.docinfo.doctype == real.docinfo.doctype
    assert [e.tag for e in ours.getroot()] == [e.tag for e in real.getroot()]
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8" ?>\n<!DOCTYPE')


def test_the_stand_in_lists_no_more_than_the_window(fifty_thousand):
    answer = query(fifty_thousand, "/esearch.fcgi", term="actin[tiab]", retmax="10000")
    assert answer.body.count(b"<Id>") == WINDOW
    assert b"Restrictions achieved. start and count adjusted to 0, 9999" in answer.body
    beyond = query(fifty_thousand, "/esearch.fcgi", term="actin[tiab]", retstart="9999")
    assert b"'retstart' cannot be larger than 9998" in beyond.body


def test_the_stand_in_keeps_lists_in_its_history():
    app = quick(RECORDS)
    found = query(app, "/esearch.fcgi", term="zinc[tiab]", usehistory="y", retmax="0").body.decode()
    webenv = re.search("<WebEnv>(.*)</WebEnv>", found)[1]
    page = {"WebEnv": webenv, "query_key": "1", "retstart": "28", "retmax": "10"}
    assert list(split_records(query(app, "/efetch.fcgi", **page).body)) == ["2", "1"]
    posted = query(app, "/epost.fcgi", id="4,5", WebEnv=webenv).body.decode()
    assert "<QueryKey>2</QueryKey>" in posted
    page = {"WebEnv": webenv, "query_key": "2"}
    assert list(split_records(query(app, "/efetch.fcgi", **page).body)) == ["4", "5"]


def test_the_stand_in_answers_json_too():
    answer = query(quick(RECORDS), "/esearch.fcgi", term='"nothing"[tiab]', retmode="json")
    result = json.loads(answer.body)["esearchresult"]
    assert result["count"] == "0"
    assert result["warninglist"]["quotedphrasesnotfound"] == ['"nothing"[tiab]']


def test_the_stand_in_refuses_long_addresses_strangers_and_haste():
    app = Eutils(RECORDS, rate=3, keys=[KEY])
    ids = ",".join(str(number) for number in range(1, 202))
    assert query(app, "/efetch.fcgi", "GET", id=ids).status == 414
    assert query(app, "/efetch.fcgi", id="1", email="").status == 400
    assert query(app, "/efetch.fcgi", id="1").status == 200
    refusal = query(app, "/efetch.fcgi", id="1")
    assert refusal.status == 429
    assert json.loads(refusal.body)["count"] == "4"
    assert query(app, "/efetch.fcgi", id="1", api_key=KEY).status == 200
    assert most_in_a_second([0, 0.5, 0.9, 1.0, 1.2]) == 4


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ('"zinc finger 1"[tiab]', {"1"}),
        ("finger zinc[tiab] AND 3[tiab]", {"3"}),
        ('"finger zinc"[tiab]', set()),
        ('"finger zinc"[tiab:~0] AND "4"[tiab]', {"4"}),
        ('("1"[tiab] OR "2"[tiab]) NOT "2"[ti]', {"1"}),
        ("29:40[uid]", {"29", "30"}),
        ('"zinc fing*"[tiab] AND 5[tiab]', {"5"}),
    ],
)
def test_the_stand_in_evaluates_queries(term, found):
    assert Search(quick(RECORDS), term).found == found


def test_the_stand_in_serves_real_records(shared_data, tmp_path):
    app = quick(real_records(shared_data))
    assert len(app.records) > 11_000
    with serving(app) as server, Client(network(server, tmp_path)) as client:
        term = '"vascular endothelial growth factor receptor 2"[tiab]'
        ids = search(client, term, sort="relevance", wanted=5).ids
        assert efetch(client, ids)[1] == list(ids)
