import threading
import time
from datetime import datetime

import pytest

from helpers_entrez import network, quick, serving
from protscribe.errors import InputError
from protscribe.sources.literature import ncbi_jobs
from protscribe.sources.literature.ncbi_jobs import LARGE_JOB, Threads, announce, off_peak


@pytest.mark.parametrize(
    ("when", "fine"),
    [
        ("2026-11-20 20:59", False),  # A Friday.
        ("2026-11-20 21:00", True),
        ("2026-11-21 12:00", True),
        ("2026-11-22 23:00", True),
        ("2026-11-23 04:59", True),
        ("2026-11-23 05:00", False),
    ],
)
def test_large_jobs_belong_into_weekends_and_nights(when, fine):
    assert off_peak(datetime.fromisoformat(when)) is fine


@pytest.mark.parametrize(
    ("requests", "rate", "told"),
    [
        (250_000, 2.5, "search: 250,000 requests, 27.8 hours at 2.5 a second"),
        (2_500, 9, "search: 2,500 requests, 4.6 minutes at 9 a second"),
    ],
)
def test_the_cost_of_a_job_is_told(capsys, requests, rate, told):
    announce(requests, "search", rate)
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "peak", "warned"), [(1, True, True), (1, False, False), (0, True, False)]
)
def test_only_a_large_job_at_a_bad_hour_is_warned_of(capsys, monkeypatch, size, peak, warned):
    monkeypatch.setattr(ncbi_jobs, "off_peak", lambda now: not peak and now.tzinfo is not None)
    announce(LARGE_JOB + size, "search", 9)
    assert ("warning: NCBI asks" in capsys.readouterr().err) is warned


@pytest.fixture
def threads(tmp_path):
    with serving(quick({})) as server, Threads(network(server, tmp_path), None, 3) as running:
        yield running


def test_results_come_in_order_while_several_are_under_way(threads):
    seen = set()

    def work(client, item):
        seen.add((threading.get_ident(), id(client)))
        time.sleep(0.02 * (item % 3))
        return item

    assert list(threads.map(work, range(30))) == list(range(30))
    assert 1 < len(seen) <= 3
    assert len({client for _, client in seen}) == len(seen)


def test_an_error_ends_the_work(threads):
    done = []

    def work(client, item):
        if item == 2:
            raise InputError("no")
        done.append(item)

    with pytest.raises(InputError, match="no"):
        list(threads.map(work, range(1000)))
    assert len(done) < 20


def test_items_are_taken_as_they_are_needed(threads):
    taken = []

    def items():
        for item in range(1000):
            taken.append(item)
            yield item

    results = threads.map(lambda client, item: item, items())
    assert next(results) == 0
    assert len(taken) < 10
