"""Who asks NCBI: what it wants to know of a caller, kept out of everything that is written.

The rules are those of NCBI's E-utilities (NBK25497): every request names its tool and an e-mail
address under which its author can be reached; with a key ten requests a second are allowed,
without one three.
"""

import os
import re
from urllib.parse import quote, quote_plus

from protscribe.errors import InputError

TOOL = "protscribe"
KEY_VARIABLE = "NCBI_API_KEY"
EMAIL_VARIABLE = "NCBI_EMAIL"
CREDENTIALS = ("api_key", "email", "tool")
"""Fields of a form that say who asks and not what is asked."""

_PLACEHOLDER_NAME = re.compile(
    r"(a\.n|your|my|you|test|user|name|some(one|body)?|first|last|foo|bar|example|sample|dummy|email)"
    r"([._-]?(other|name|last|mail|e-?mail|address|user|here))?",
    re.IGNORECASE,
)
_PLACEHOLDER_DOMAIN = re.compile(
    r"(.*\.)?((example|your-?domain|your-?(institution|university|company))\.[a-z.]+|domain\.com"
    r"|[^.]+\.(example|invalid|test|local|localhost))",
    re.IGNORECASE,
)
_NAMED_SECRET = re.compile(r"""(?i)\b(api[-_]?key|e-?mail)("?\s*[=:]\s*"?)[^"'&\s,;<>}]+""")


def ncbi_rate_allowed() -> float:
    """Return the requests per second that NCBI allows this user."""
    return 10.0 if _value(KEY_VARIABLE) else 3.0


def ncbi_form() -> dict[str, str]:
    """Return the fields that say who asks.

    Raises
    ------
    InputError
        If the e-mail address is missing or is nobody's, or if the key is cut.
    """
    email, key = _value(EMAIL_VARIABLE), _value(KEY_VARIABLE)
    remedy = (
        f"set the environment variable {EMAIL_VARIABLE} to an address at which NCBI reaches you"
    )
    if not email:
        raise InputError(f"{EMAIL_VARIABLE} is not set, and NCBI wants an address: {remedy}")
    name, _, domain = email.rpartition("@")
    if not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", email):
        raise InputError(f"{EMAIL_VARIABLE} is not an e-mail address: {remedy}")
    if _PLACEHOLDER_NAME.fullmatch(name) or _PLACEHOLDER_DOMAIN.fullmatch(domain):
        raise InputError(f"{EMAIL_VARIABLE} is a placeholder and not a real address: {remedy}")
    if key and not re.fullmatch(r"[\w-]{8,}", key):
        raise InputError(f"{KEY_VARIABLE} is not a key of NCBI: copy it anew from your account")
    return {"tool": TOOL, "email": email} | ({"api_key": key} if key else {})


def redact(text: str) -> str:
    """Return a text without secrets: neither ours nor what a server calls a key or an address."""
    for secret in filter(None, (_value(KEY_VARIABLE), _value(EMAIL_VARIABLE))):
        for written in {secret, quote(secret, safe=""), quote_plus(secret, safe="@")}:
            text = re.sub(re.escape(written), "***", text, flags=re.IGNORECASE)
    return _NAMED_SECRET.sub(r"\1\2***", text)


def without_key(body: bytes) -> bytes:
    """Return a body without the key, should a server echo it.

    The address stays: it may be that of an article's author.
    """
    key = _value(KEY_VARIABLE)
    return body.replace(key.encode(), b"***") if key else body


def _value(variable: str) -> str:
    return os.environ.get(variable, "").strip()
