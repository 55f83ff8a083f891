"""The settings of everything that uses the network."""

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from protscribe.environment import NETWORK as VARIABLE
from protscribe.errors import InputError
from protscribe.sources.http.identity import KEY_VARIABLE, ncbi_rate_allowed

DEFAULT_RATE = 5.0
"""Requests per second to a provider that states no limit of its own."""


@dataclass(frozen=True)
class Network:
    """Where providers are, and how they are asked; the configuration's key ``network``.

    Parameters
    ----------
    urls
        Provider to base URL.
    rates
        Provider to requests per second. Without an entry NCBI gets 2.5, or 9 with a key, which
        leaves room below its limits of 3 and 10 for what networks do to distances in time;
        others get `DEFAULT_RATE`.
    cache
        Folder of raw responses.
    offline
        Use the cache alone.
    tries
        How often a request is sent before it fails.
    backoff_seconds
        Wait before the second try; it doubles with each further one, up to a minute.
    connect_timeout, read_timeout
        Seconds until a connection must stand, and between two pieces of an answer.

    Raises
    ------
    InputError
        If a setting cannot be.
    """

    urls: Mapping[str, str]
    rates: Mapping[str, float]
    cache: Path
    offline: bool = False
    tries: int = 6
    backoff_seconds: float = 1.0
    connect_timeout: float = 10.0
    read_timeout: float = 60.0

    def __post_init__(self) -> None:
        for provider, url in self.urls.items():
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise InputError(f"network.urls.{provider}: {url!r} is not an http(s) address")
            if "@" in parts.netloc or parts.query or parts.fragment:
                raise InputError(f"network.urls.{provider}: give host and path alone")
        for provider, rate in self.rates.items():
            if not rate > 0:
                raise InputError(f"network.rates.{provider}: {rate} is not above 0")
        if self.tries < 1:
            raise InputError(f"network.tries: {self.tries} is below 1")
        if not self.backoff_seconds >= 0:
            raise InputError(f"network.backoff_seconds: {self.backoff_seconds} is below 0")
        for name in ("connect_timeout", "read_timeout"):
            if not getattr(self, name) > 0:
                raise InputError(f"network.{name}: {getattr(self, name)} seconds is not above 0")

    @classmethod
    def from_environment(cls) -> "Network":
        """Read the settings that the workflow hands to its scripts as JSON.

        They come by the environment because no change of them changes a result, so that none
        may run a rule again.

        Raises
        ------
        InputError
            If they are missing or broken.
        """
        text = os.environ.get(VARIABLE)
        if text is None:
            raise InputError(
                f"{VARIABLE} is not set: run this through the workflow, or set it to JSON such as "
                '{"urls": {"uniprot": "https://..."}, "rates": {}, "cache": "resources/http"}'
            )
        try:
            settings: dict[str, Any] = json.loads(text)
            settings["cache"] = Path(settings["cache"])
            given = settings["rates"].items()
            settings["rates"] = {name: rate for name, rate in given if rate is not None}
            unknown = set(settings) - {field.name for field in fields(cls)}
            if unknown:
                raise InputError(f"{VARIABLE}: unknown setting {sorted(unknown)[0]}")
            return cls(**settings)
        except (json.JSONDecodeError, AttributeError, TypeError, KeyError) as error:
            raise InputError(f"{VARIABLE} does not hold network settings ({error})") from None

    def url(self, provider: str) -> str:
        """Return a provider's base URL without a final slash."""
        if provider not in self.urls:
            raise InputError(f"network.urls: no address of provider {provider}; add one")
        return self.urls[provider].rstrip("/")

    def rate(self, provider: str) -> float:
        """Return the requests per second for a provider.

        Raises
        ------
        InputError
            If NCBI would be asked more often than it allows.
        """
        if provider != "ncbi":
            return self.rates.get(provider, DEFAULT_RATE)
        allowed = ncbi_rate_allowed()
        rate = self.rates.get(provider, 9.0 if allowed > 3 else 2.5)
        # A stand-in on this machine has no such rule.
        if rate > allowed and not _on_this_machine(self.url(provider)):
            raise InputError(
                f"network.rates.ncbi: NCBI allows {allowed:g} requests a second, not {rate:g}; "
                f"lower it" + ("" if allowed > 3 else f" or set {KEY_VARIABLE}")
            )
        return rate


def _on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
