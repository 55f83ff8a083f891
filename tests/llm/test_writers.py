import json

import pytest

from protscribe.errors import InputError
from protscribe.llm.server import ServerWriter
from protscribe.llm.writers import INVALID, LENGTH, STOP, finish_reason, make_writer

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string", "maxLength": 3}},
    "required": ["a"],
    "additionalProperties": False,
}
SETTINGS = {
    "type": "server",
    "model": "writer",
    "url": "http://localhost:1/v1",
    "revision": "1",
    "temperature": 0.0,
    "max_new_tokens": 5,
    "batch_tokens": 100,
    "concurrency": 2,
    "timeout": 1,
    "tries": 1,
}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": "βα🧬"}', STOP),
        ('{"a": "\\ud83e\\uddec"}', STOP),
        ('{"a": "\\ud83e"}', INVALID),
        ('{"a": "four"}', INVALID),
        ('{"a": "b", "c": "d"}', INVALID),
        ('{"a": "b"} Q1: more', INVALID),
        ("Q1: what? A1: that", INVALID),
        ("[" * 100_000, INVALID),
        ("", INVALID),
    ],
)
def test_only_json_of_the_schema_is_an_answer(text, reason):
    assert finish_reason(text, SCHEMA, cut=False) == reason
    assert finish_reason(text, SCHEMA, cut=True) == (STOP if reason == STOP else LENGTH)


def test_a_writer_by_its_settings():
    writer = make_writer(SETTINGS, None, device="cpu", threads=1)
    assert isinstance(writer, ServerWriter)
    assert (writer.name, writer.revision) == ("server/writer", "1")
    assert json.dumps(writer.settings) == '{"temperature": 0.0, "max_new_tokens": 5}'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "oracle"}, "type: 'oracle' is neither transformers nor server"),
        ({"type": "transformers"}, "name a language model"),
        ({"url": None}, r"language_model\.url: a server needs it"),
        ({"revision": None}, r"language_model\.revision: a server needs it"),
        ({"url": "localhost:8000"}, "is not an http"),
        ({"url": "http://user:secret@host/v1"}, "PROTSCRIBE_WRITER_KEY"),
        ({"tries": 0}, "tries: 0 is below 1"),
        ({"temperature": -1}, "temperature"),
    ],
)
def test_settings_that_cannot_be(change, message):
    with pytest.raises(InputError, match=message) as error:
        make_writer({**SETTINGS, **change}, None, device="cpu", threads=1)
    assert "secret" not in str(error.value)
