"""Who asks NCBI, and that nobody else reads it."""

import pytest

from protscribe.errors import InputError
from protscribe.sources.http.identity import ncbi_form, ncbi_rate_allowed, redact, without_key

KEY = "0123456789abcdef0123456789abcdef0123"
EMAIL = "Ada+Lovelace@engines.ac.uk"


@pytest.fixture
def me(monkeypatch):
    monkeypatch.setenv("NCBI_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("NCBI_EMAIL", EMAIL)


def test_form_with_and_without_a_key(me, monkeypatch):
    assert ncbi_form() == {"tool": "protscribe", "email": EMAIL, "api_key": KEY}
    assert ncbi_rate_allowed() == 10
    monkeypatch.delenv("NCBI_API_KEY")
    assert ncbi_form() == {"tool": "protscribe", "email": EMAIL}
    assert ncbi_rate_allowed() == 3


@pytest.mark.parametrize(
    "email",
    [
        *("me@example.com", "me@EXAMPLE.org", "me@example.net", "me@mail.example.com"),
        *("your@lab.org", "your.name@lab.org", "your_email@lab.org", "you@lab.org"),
        *("test@lab.org", "user@lab.org", "name@lab.org", "Someone@lab.org", "A.N.Other@lab.org"),
        *("ada@host.invalid", "ada@host.test", "ada@yourdomain.org", "ada@your-institution.edu"),
    ],
)
def test_placeholders_are_refused(monkeypatch, email):
    monkeypatch.setenv("NCBI_EMAIL", email)
    with pytest.raises(InputError, match="NCBI_EMAIL is a placeholder") as caught:
        ncbi_form()
    assert email not in str(caught.value)


@pytest.mark.parametrize(
    "email", ["ada", "ada@lab", "@lab.org", "ada@.org", "a b@lab.org", "a@b@c.d"]
)
def test_what_is_no_address_is_refused(monkeypatch, email):
    monkeypatch.setenv("NCBI_EMAIL", email)
    with pytest.raises(InputError, match="NCBI_EMAIL is not an e-mail address"):
        ncbi_form()


@pytest.mark.parametrize("email", ["", " "])
def test_a_missing_address_is_refused(monkeypatch, email):
    monkeypatch.setenv("NCBI_EMAIL", email)
    with pytest.raises(InputError, match="NCBI_EMAIL is not set"):
        ncbi_form()


@pytest.mark.parametrize(
    "email",
    ["testa@lab.org", "j.user@lab.org", "youssef@lab.org", "ada@latest.org", "x@exampleton.de"],
)
def test_addresses_of_people_pass(monkeypatch, email):
    monkeypatch.setenv("NCBI_EMAIL", email)
    assert ncbi_form()["email"] == email


@pytest.mark.parametrize("key", ["abc", "with space in it", "a&email=b&c=d"])
def test_a_broken_key_is_refused_and_not_shown(me, monkeypatch, key):
    monkeypatch.setenv("NCBI_API_KEY", key)
    with pytest.raises(InputError, match="NCBI_API_KEY is not a key") as caught:
        ncbi_form()
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"bad key {KEY}.", "bad key ***."),
        (f"bad key {KEY.upper()}.", "bad key ***."),
        (f"of {EMAIL}", "of ***"),
        ("of Ada%2BLovelace%40engines.ac.uk", "of ***"),
        ("of Ada%2bLovelace%40engines.ac.uk", "of ***"),
        ("of Ada%2BLovelace@engines.ac.uk", "of ***"),
        ("?db=pubmed&api_key=0f0f&id=1", "?db=pubmed&api_key=***&id=1"),
        ("email=a@b.c&tool=x", "email=***&tool=x"),
        (
            '{"error":"limit","api-key":"10.1.2.3","count":"4"}',
            '{"error":"limit","api-key":"***","count":"4"}',
        ),
        ("nothing to hide: monkey=1", "nothing to hide: monkey=1"),
    ],
)
def test_redact(me, text, clean):
    assert redact(text) == clean


def test_named_secrets_are_redacted_without_any_set(monkeypatch):
    monkeypatch.delenv("NCBI_API_KEY", raising=False)
    monkeypatch.delenv("NCBI_EMAIL", raising=False)
    assert redact("api_key=abc and mine") == "api_key=*** and mine"
    assert without_key(b"body") == b"body"


def test_only_the_key_leaves_a_body(me):
    """The address of an article's author is data, even when the author runs this."""
    body = f"<Affiliation>{EMAIL}</Affiliation>{KEY}".encode()
    assert without_key(body) == f"<Affiliation>{EMAIL}</Affiliation>***".encode()
