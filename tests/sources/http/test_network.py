"""Network settings: from the environment, checked, and within NCBI's rules."""

import json
from pathlib import Path

import pytest

from protscribe.errors import InputError
from protscribe.sources.http.network import Network

URLS = {"ncbi": "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/", "site": "http://127.0.0.1:1"}


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("NCBI_API_KEY", raising=False)


def network(**settings):
    return Network(**{"urls": URLS, "rates": {}, "cache": Path("http"), **settings})


def test_from_environment(monkeypatch):
    settings = {"urls": URLS, "rates": {"site": 1}, "cache": "a/b", "offline": True, "tries": 2}
    monkeypatch.setenv("PROTSCRIBE_NETWORK", json.dumps(settings))
    found = Network.from_environment()
    assert found == network(rates={"site": 1}, cache=Path("a/b"), offline=True, tries=2)
    assert found.url("ncbi") == "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "PROTSCRIBE_NETWORK is not set"),
        ("{", "does not hold network settings"),
        ("[]", "does not hold network settings"),
        ('{"urls": {}, "rates": {}}', "does not hold network settings"),
        ('{"urls": {}, "cache": "a"}', "does not hold network settings"),
        ('{"urls": {}, "rates": {}, "cache": "a", "speed": 1}', "unknown setting speed"),
    ],
)
def test_broken_environment(monkeypatch, text, problem):
    monkeypatch.delenv("PROTSCRIBE_NETWORK", raising=False)
    if text is not None:
        monkeypatch.setenv("PROTSCRIBE_NETWORK", text)
    with pytest.raises(InputError, match=problem):
        Network.from_environment()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"urls": {"site": "ftp://host"}}, r"network\.urls\.site: 'ftp://host' is not an http"),
        ({"urls": {"site": "host"}}, r"network\.urls\.site"),
        ({"urls": {"site": "http://me:word@host"}}, r"network\.urls\.site: give host and path"),
        ({"urls": {"site": "http://host/?a=b"}}, r"network\.urls\.site: give host and path"),
        ({"rates": {"site": 0}}, r"network\.rates\.site: 0 is not above 0"),
        ({"rates": {"site": float("nan")}}, r"network\.rates\.site"),
        ({"tries": 0}, r"network\.tries: 0 is below 1"),
        ({"read_timeout": 0.0}, r"network\.read_timeout"),
        ({"connect_timeout": -1.0}, r"network\.connect_timeout"),
        ({"backoff_seconds": -1.0}, r"network\.backoff_seconds"),
    ],
)
def test_impossible_settings(settings, problem):
    with pytest.raises(InputError, match=problem):
        network(**settings)


def test_rates_by_default_leave_room_below_the_limits(monkeypatch):
    assert network().rate("ncbi") == 2.5
    monkeypatch.setenv("NCBI_API_KEY", "0123456789abcdef")
    assert network().rate("ncbi") == 9
    assert network().rate("site") == 5


def test_ncbi_is_not_asked_more_than_it_allows(monkeypatch):
    assert network(rates={"ncbi": 3}).rate("ncbi") == 3
    with pytest.raises(
        InputError, match=r"network\.rates\.ncbi: NCBI allows 3 .*or set NCBI_API_KEY"
    ):
        network(rates={"ncbi": 3.1}).rate("ncbi")
    monkeypatch.setenv("NCBI_API_KEY", "0123456789abcdef")
    assert network(rates={"ncbi": 10}).rate("ncbi") == 10
    with pytest.raises(InputError, match="NCBI allows 10 requests a second, not 11; lower it$"):
        network(rates={"ncbi": 11}).rate("ncbi")


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost:80", "[::1]:80"])
def test_a_stand_in_on_this_machine_may_be_asked_more(host):
    settings = {"urls": {"ncbi": f"http://{host}"}, "rates": {"ncbi": 1000}}
    assert network(**settings).rate("ncbi") == 1000
