from dataclasses import dataclass, field

import pytest

from protscribe.llm.cache import AnswerCache, answer_key
from protscribe.llm.writers import Answer, Request

SCHEMA = {"type": "object", "properties": {"a": {}, "b": {}}}
TEXT = '{"a": "it\'s \\"β\\" {Q1:} 🧬"}'


@dataclass
class Named:
    """What of a writer is part of a key."""

    name: str = "server/x"
    revision: str = "1"
    settings: dict = field(default_factory=lambda: {"temperature": 0.0, "max_new_tokens": 9})


def request(content="text", seed=0, key="k"):
    return Request(key, [{"role": "user", "content": content}], seed)


@pytest.mark.parametrize("reason", ["stop", "length", "invalid"])
def test_answers_come_back_as_they_were(tmp_path, reason):
    cache, answer = AnswerCache(tmp_path / "qa"), Answer(TEXT, reason, 7)
    key = answer_key(Named(), request(), SCHEMA)
    assert cache.load(key) is None
    cache.save(key, answer)
    assert AnswerCache(tmp_path / "qa").load(key) == answer
    assert [p.relative_to(tmp_path) for p in tmp_path.rglob("*.json")] == [
        (tmp_path / "qa" / key[:2] / f"{key}.json").relative_to(tmp_path)
    ]


def test_whatever_changes_an_answer_changes_its_key():
    keys = [
        answer_key(Named(), request(), SCHEMA),
        answer_key(Named(), request("other"), SCHEMA),
        answer_key(Named(), request(seed=1), SCHEMA),
        answer_key(Named(name="transformers/x"), request(), SCHEMA),
        answer_key(Named(revision="2"), request(), SCHEMA),
        answer_key(Named(settings={"temperature": 0.5, "max_new_tokens": 9}), request(), SCHEMA),
        answer_key(Named(settings={"temperature": 0.0, "max_new_tokens": 8}), request(), SCHEMA),
        # The same schema in another order asks for another order.
        answer_key(Named(), request(), {"type": "object", "properties": {"b": {}, "a": {}}}),
    ]
    assert len(set(keys)) == len(keys)
    assert answer_key(Named(), request(key="another name"), SCHEMA) == keys[0]


def test_refusals_are_asked_for_again(tmp_path):
    cache = AnswerCache(tmp_path)
    cache.save("ab12", Answer(None, "refused", 0, "too long"))
    assert cache.load("ab12") is None
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"text": "x"}', b'{"text":1,"finish_reason":"stop","tokens":1}']
)
def test_a_damaged_answer_counts_as_none(tmp_path, damage):
    cache = AnswerCache(tmp_path)
    cache.save("ab12", Answer(TEXT, "stop", 7))
    (tmp_path / "ab" / "ab12.json").write_bytes(damage)
    assert cache.load("ab12") is None
    cache.save("ab12", Answer(TEXT, "stop", 7))
    assert cache.load("ab12") == Answer(TEXT, "stop", 7)
