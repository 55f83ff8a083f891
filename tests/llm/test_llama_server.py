"""Writing through a real llama.cpp server."""

import json

import jsonschema
import pytest

from helpers_writing import SCHEMA, TEXTS, requests
from protscribe.errors import InputError
from protscribe.llm.server import ServerWriter
from servers.chat import llama_server
from tiny_gguf import write_gguf
from tiny_models import write_tiny_language_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    tiny = write_tiny_language_model(folder / "tiny", hidden=64)
    return write_gguf(tiny, folder / "tiny.gguf")


def writer_of(url, **settings):
    chosen = {"model": "tiny", "revision": "1", "temperature": 0.0, "max_new_tokens": 80}
    chosen |= {"concurrency": 2, "timeout": 60, "tries": 2, "backoff": 0.01}
    return ServerWriter(url=url, **{**chosen, **settings})


def test_answers_keep_to_the_schema(gguf):
    with llama_server(gguf) as (url, _):
        asked = requests([f"{text} {i}" for i in range(4) for text in TEXTS])
        writer = writer_of(url, temperature=1.0, max_new_tokens=300)
        answers = {r.key: a for r, a in writer.write(writer.plan(asked), SCHEMA)}
        greedy = writer_of(url)
        first, second = (
            {r.key: a for r, a in greedy.write(greedy.plan(requests()), SCHEMA)} for _ in range(2)
        )
    assert answers.keys() == {request.key for request in asked}
    ended = [answer for answer in answers.values() if answer.finish_reason == "stop"]
    assert len(ended) >= len(asked) // 2
    # It answers with status 500 where it cannot read what the model wrote.
    assert all("500" in a.detail for a in answers.values() if a.finish_reason == "refused")
    for answer in ended:
        jsonschema.validate(json.loads(answer.text), SCHEMA)
        assert answer.tokens > 0
    assert first == second


def test_a_text_beyond_the_context_is_refused_alone(gguf):
    with llama_server(gguf, context=1024) as (url, _):
        writer = writer_of(url)
        asked = requests(["short", "long " * 3000])
        answers = {r.key: a for r, a in writer.write(writer.plan(asked), SCHEMA)}
    assert answers["r0"].finish_reason in ("stop", "length")
    assert (answers["r1"].text, answers["r1"].finish_reason) == (None, "refused")


def test_a_server_that_is_killed(gguf):
    with llama_server(gguf) as (url, process):
        writer = writer_of(url)
        answers = writer.write(writer.plan(requests(TEXTS * 8)), SCHEMA)
        next(answers)
        process.kill()
        with pytest.raises(InputError, match="what was written is kept"):
            list(answers)
