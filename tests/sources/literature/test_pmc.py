"""Licences from a local stand-in of PMC's datasets, and what may be shared."""

import pytest

from protscribe.errors import InputError
from protscribe.schemas import TABLES
from protscribe.sources.client import Client, Network
from protscribe.sources.literature.pmc import (
    get_licences,
    license_publications,
    may_share,
    normal_licence,
    share_publications,
)
from protscribe.tables import read_metadata, read_table, write_table
from servers.loopback import Fault, LoopbackServer
from servers.pmc import PmcApp, article

EMPTY = dict.fromkeys(TABLES["publications"].schema.names) | {"mesh_terms": []}
ARTICLES = [
    article("PMC1", "CC BY"),
    article("PMC11", "CC BY-NC-ND"),
    article("PMC2", None),
    article("PMC3", "CC BY", is_open=False),
    article("PMC4", "CC BY", retracted=True),
    article("PMC5", "CC BY", version=1),
    article("PMC5", "CC BY-NC", version=2, manuscript=True),
    article("PMC6", "CC BY", version=2),
    article("PMC6", "CC0", version=10),
    article("PMC7", "TDM"),
]
OUTSIDE = ["PMC99", None]


@pytest.fixture
def tables(tmp_path):
    paths = {name: tmp_path / f"{name}.parquet" for name in TABLES}
    pmcids = [*sorted({a["pmcid"] for a in ARTICLES}), *OUTSIDE, "PMC1"]
    rows = [
        EMPTY | {"pubmed_id": str(n), "pmcid": pmcid, "title": f"T{n}", "abstract": f"A{n}"}
        for n, pmcid in enumerate(pmcids)
    ]
    write_table(paths["publications"], "publications", rows, {"release": "x"})
    return paths


@pytest.fixture
def server():
    with LoopbackServer(PmcApp(ARTICLES)) as server:
        yield server


def client_for(server, tmp_path, **settings):
    given = {"rates": {"pmc": 5000.0}, "cache": tmp_path / "http", "tries": 3}
    return Client(Network({"pmc": server.url}, **{**given, "backoff_seconds": 0.01, **settings}))


def get(tables, server, tmp_path, **settings):
    with client_for(server, tmp_path, **settings) as client:
        get_licences(tables["publications"], tables["licences"], tables["rejects"], client=client)
    rows = read_table(tables["licences"], "licences").to_pylist()
    return {row["pmcid"]: row for row in rows}


def test_licences_of_articles(tables, server, tmp_path):
    rows = get(tables, server, tmp_path)
    assert {pmcid: row["licence"] for pmcid, row in rows.items()} == {
        "PMC1": "CC BY",
        "PMC11": "CC BY-NC-ND",
        "PMC2": None,
        "PMC3": None,
        "PMC4": "CC BY",
        "PMC5": "CC BY",
        "PMC6": "CC0",
        "PMC7": None,
    }
    assert (rows["PMC5"]["version"], rows["PMC5"]["manuscript"]) == (1, False)
    assert rows["PMC6"]["version"] == 10
    assert [pmcid for pmcid, row in rows.items() if row["retracted"]] == ["PMC4"]
    assert [pmcid for pmcid, row in rows.items() if not row["open_access"]] == ["PMC3"]
    rejects = read_table(tables["rejects"], "rejects").to_pylist()
    assert {(r["reason"], r["detail"]) for r in rejects} == {
        ("no PMCID", ""),
        ("not in PMC's article datasets", "PMC99"),
    }
    assert read_metadata(tables["licences"]) == {"release": "x"}


def test_each_article_is_asked_once_and_then_never_again(tables, server, tmp_path):
    first = get(tables, server, tmp_path)
    lists = [r.query["prefix"] for r in server.requests if r.path == "/"]
    assert len(lists) == len(set(lists)) == 9  # PMC1 stands twice in the table.
    assert len(server.requests) == len(lists) + len(ARTICLES)
    count = len(server.requests)
    assert get(tables, server, tmp_path, offline=True) == first
    assert len(server.requests) == count


FAULTS = [
    Fault("/metadata/PMC1.1", status=503),
    Fault("/", status=500, times=2),
    Fault("/metadata/PMC2", status=429, headers={"retry-after": "0"}),
    Fault("/metadata/PMC2", body=b'{"pmcid": "PMC', times=1),
    Fault("/", body=b"<ListBucketResult><Contents>", times=1),
    Fault("/metadata/PMC4", cut_after=20),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_passing_faults_change_nothing(tables, server, tmp_path, fault):
    expected = get(tables, server, tmp_path / "a")
    server.faults.append(fault)
    assert get(tables, server, tmp_path / "b") == expected
    assert fault.times == 0


LASTING = [
    (Fault("/", body=b"<html>sign in</html>", times=99), "not a list of PMC's article datasets"),
    (Fault("/metadata", body=b'{"pmcid": "PMC8"}', times=99), "not the metadata of"),
    (Fault("/metadata", body=b"[]", times=99), "not the metadata of"),
    (Fault("/metadata", status=403, times=99), "403"),
    (
        Fault(
            "/",
            body=b'<!DOCTYPE ListBucketResult [<!ENTITY a "b">]><ListBucketResult/>',
            times=99,
        ),
        "not a list",
    ),
]


@pytest.mark.parametrize(("fault", "message"), LASTING)
def test_lasting_faults_are_named(tables, server, tmp_path, fault, message):
    server.faults.append(fault)
    with pytest.raises(InputError, match=message):
        get(tables, server, tmp_path)
    assert not tables["licences"].exists()


def test_the_stand_in_lists_folders_as_the_bucket_does(server, tmp_path):
    with client_for(server, tmp_path) as client:
        params = {"list-type": "2", "delimiter": "/", "prefix": "PMC6."}
        text = client.get("pmc", "/", params).text
    assert "<Prefix>PMC6.10/</Prefix>" in text


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("CC BY", "CC BY"),
        ("cc-by-4.0", "CC BY"),
        ("CC_BY_NC", "CC BY-NC"),
        ("CC BY-NC-SA 3.0 IGO", "CC BY-NC-SA"),
        ("CC0", "CC0"),
        ("CC0 1.0", "CC0"),
        ("CC ZERO", "CC0"),
        ("NO-CC CODE", None),
        ("TDM", None),
        ("CC BYE", None),
        ("", None),
        (None, None),
    ],
)
def test_normal_licence(code, expected):
    assert normal_licence(code) == expected


def test_licences_and_retractions_enter_the_publications(tables, server, tmp_path):
    get(tables, server, tmp_path)
    paths = tables["publications"], tables["licences"], tmp_path / "out", tables["rejects"]
    license_publications(*paths)
    rows = read_table(tmp_path / "out", "publications").to_pylist()
    assert {row["pmcid"]: row["licence"] for row in rows} == {
        "PMC1": "CC BY",
        "PMC11": "CC BY-NC-ND",
        "PMC2": None,
        "PMC3": None,
        "PMC5": "CC BY",
        "PMC6": "CC0",
        "PMC7": None,
        "PMC99": None,
        None: None,
    }
    (reject,) = read_table(tables["rejects"], "rejects").to_pylist()
    assert (reject["reason"], reject["detail"]) == ("retracted", "by PMC")
    license_publications(*paths, drop_retracted=False)
    rows = read_table(tmp_path / "out", "publications").to_pylist()
    assert [row["pmcid"] for row in rows if row["retracted"]] == ["PMC4"]
    assert read_table(tables["rejects"], "rejects").num_rows == 0


def test_only_allowed_texts_are_shared(tables, server, tmp_path):
    get(tables, server, tmp_path)
    full, out = tmp_path / "full", tmp_path / "shared"
    license_publications(
        tables["publications"], tables["licences"], full, tables["rejects"], drop_retracted=False
    )
    mention = dict.fromkeys(TABLES["mentions"].schema.names)
    mention |= {"accession": "P1", "pubmed_id": "1", "route": "curated", "offset": 5}
    write_table(tables["mentions"], "mentions", [mention])
    share_publications(full, tables["mentions"], out, tmp_path / "m", allow=["CC0", "CC BY"])
    rows = read_table(out, "publications").to_pylist()
    before = read_table(full, "publications").to_pylist()
    for row, whole in zip(rows, before, strict=True):
        may = whole["licence"] in ("CC0", "CC BY")
        assert row == (whole if may else whole | {"title": None, "abstract": None})
    assert {row["pmcid"] for row in rows if row["abstract"]} == {"PMC1", "PMC4", "PMC5", "PMC6"}
    assert read_table(tmp_path / "m", "mentions").to_pylist() == [mention]
    share_publications(full, tables["mentions"], out, tmp_path / "m", allow=[])
    assert not any(row["abstract"] for row in read_table(out, "publications").to_pylist())


def test_may_share():
    assert may_share("CC BY 4.0", ["CC BY"])
    assert not may_share("CC BY-ND 3.0", ["CC BY"])
    assert not may_share(None, ["CC BY"])
    with pytest.raises(InputError, match="'all' is no licence"):
        may_share("CC BY", ["all"])
