"""Fixtures of tests that fetch small files from servers on loopback."""

import pytest

from protscribe.sources.client import Client, Network
from servers import ontologies
from servers.loopback import LoopbackServer


@pytest.fixture
def provider_files():
    """What the stand-ins of the file servers serve, by path; a test may change it."""
    return ontologies.files()


@pytest.fixture
def file_server(provider_files):
    """Stand-ins of the file servers of GO, InterPro, ENZYME, ChEBI and UniProt."""
    with LoopbackServer(ontologies.app(provider_files)) as server:
        yield server


@pytest.fixture
def file_client(file_server, tmp_path):
    """A client of these servers that does not wait long."""
    network = Network(
        urls=ontologies.urls(file_server.url),
        rates=dict.fromkeys(ontologies.urls(""), 1000.0),
        cache=tmp_path / "http",
        tries=3,
        backoff_seconds=0.01,
    )
    with Client(network, tmp_path / "requests.tsv") as client:
        yield client
