"""What a Retry-After header asks for."""

import time
from email.utils import formatdate

import pytest

from protscribe.waiting import seconds_to_wait


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("86400", 300.0),
        ("inf", 300.0),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2150 07:28:00 GMT", 300.0),
    ],
)
def test_seconds_to_wait(text, seconds):
    assert seconds_to_wait(text) == seconds


def test_retry_after_as_a_date():
    assert 58 <= seconds_to_wait(formatdate(time.time() + 60, usegmt=True)) <= 60
