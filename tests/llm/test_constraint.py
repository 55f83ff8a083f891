import json
import random

import pytest
import torch
import xgrammar
from transformers import AutoTokenizer

from protscribe.corpora.qa.instructions import answer_schema
from protscribe.llm.constraint import BoundedStrings, SchemaConstraint
from tiny_models import write_tiny_language_model

SCHEMA = {
    "type": "object",
    "properties": {
        "short": {"type": "string", "maxLength": 4},
        "free": {"type": "string"},
        "maxLength": {"type": "string", "maxLength": 2},
    },
    "required": ["short", "free", "maxLength"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return AutoTokenizer.from_pretrained(
        write_tiny_language_model(tmp_path_factory.mktemp("models") / "tiny")
    )


def allowed(tokenizer, schema, text):
    """Say whether every token of a text may follow on those before it, and the end on all."""
    constraint = SchemaConstraint(tokenizer, len(tokenizer), [tokenizer.eos_token_id], schema)
    processors = constraint.processors()
    ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    for place, token in enumerate(ids):
        scores = torch.zeros(1, len(tokenizer))
        for processor in processors:
            scores = processor(torch.tensor([[0, *ids[:place]]]), scores)
        if scores[0, token] == -torch.inf:
            return False
    return True


@pytest.mark.parametrize(
    ("short", "fits"),
    [
        ("", True),
        ("abcd", True),
        ("abcde", False),
        ("βγ🧬x", True),
        ("βγ🧬xy", False),
        ('"a"', True),  # what was begun as the fourth character may end
        ('"ab"', False),  # four characters, but six as JSON
        ('a"', True),
        ("a\\", True),
        ("\n\t", True),
        (":,{}", True),
        ('\\"', True),
    ],
)
def test_strings_are_bounded_by_their_property(tokenizer, short, fits):
    value = {"short": short, "free": 'It\'s "long": {β} \\ 🧬, ' * 9, "maxLength": "ab"}
    assert allowed(tokenizer, SCHEMA, json.dumps(value, ensure_ascii=False)) is fits
    assert not allowed(tokenizer, SCHEMA, json.dumps({**value, "maxLength": "abc"}))


def test_an_escape_that_was_begun_may_end(tokenizer):
    for short, fits in (("\\u03b2", True), ("abc\\u03b2", True), ("abcd\\u03b2", False)):
        text = f'{{"short": "{short}", "free": "", "maxLength": ""}}'
        assert allowed(tokenizer, SCHEMA, text) is fits


@pytest.mark.parametrize("raw", ["\t", "\n", "\x1f"])
def test_control_characters_stand_in_no_string(tokenizer, raw):
    assert not allowed(tokenizer, SCHEMA, f'{{"short": "{raw}", "free": "", "maxLength": ""}}')
    assert not allowed(tokenizer, SCHEMA, f'{{"short": "", "free": "{raw}", "maxLength": ""}}')


def test_whatever_is_drawn_ends_as_json_within_the_bounds(tokenizer):
    """Every token that is left may be taken: some are always left, and no bound is broken."""
    generator = torch.Generator().manual_seed(0)
    constraint = SchemaConstraint(tokenizer, len(tokenizer), [tokenizer.eos_token_id], SCHEMA)
    # Quotes and escapes are drawn more often than others, for the sake of the odd ways in.
    odd = torch.ones(len(tokenizer))
    for token, weight in (('"', 9), ("\\", 60), ("u", 60), (tokenizer.eos_token, 1)):
        odd[tokenizer.convert_tokens_to_ids(token)] = weight
    # Behind these xgrammar lets bytes follow that are no UTF-8.
    for byte in (0xE0, 0xED, 0xF0, 0xF4):
        odd[tokenizer.convert_tokens_to_ids(chr(byte))] = 0
    lengths = set()
    for _ in range(60):
        processors, ids = constraint.processors(), [0]
        while ids[-1] != tokenizer.eos_token_id:
            scores = odd.log().unsqueeze(0)
            for processor in processors:
                scores = processor(torch.tensor([ids]), scores)
            assert scores.max() > -torch.inf
            ids.append(int(torch.multinomial(scores.softmax(-1)[0], 1, generator=generator)))
        value = json.loads(tokenizer.decode(ids[1:-1]))
        assert len(value["short"]) <= 4 and len(value["maxLength"]) <= 2
        lengths.add(len(value["short"]))
    assert lengths >= {1, 2, 3, 4}


def test_rows_are_read_apart(tokenizer):
    tokens = [b'{"short": "', b"ab", b"abcd", b'"']
    bounded = BoundedStrings(tokens, {"short": 4})
    free = torch.zeros(2, len(tokens))
    assert torch.equal(bounded(torch.tensor([[9], [9]]), free), free)
    assert torch.equal(bounded(torch.tensor([[0], [0]]), free), free)
    scores = bounded(torch.tensor([[0, 1], [0, 2]]), free)
    assert (scores == -torch.inf).tolist() == [
        [False, False, True, False],
        [True, True, True, False],
    ]


def test_the_schema_of_pairs_is_cheap_and_takes_every_quote(tokenizer):
    rng = random.Random(0)
    traps = ['"', "'", "\\", "{", "}", "Q1:", "β", "🧬", " ", "\n", "</text>"]
    for _ in range(5):
        pair = {k: "".join(rng.choices(traps, k=9)) for k in ("evidence", "question", "answer")}
        text = json.dumps({"pairs": [pair, pair]}, ensure_ascii=False)
        assert allowed(tokenizer, answer_schema(2), text)
    assert not allowed(tokenizer, answer_schema(1), text)


def test_the_library_still_needs_this(tokenizer):
    """Its own bound forbids quotes; once it does not, the bound here can go."""
    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer)
    grammar = xgrammar.GrammarCompiler(info).compile_json_schema(
        json.dumps({"type": "string", "maxLength": 9}), any_whitespace=False
    )
    assert not xgrammar.GrammarMatcher(grammar).accept_string('"a\\"b"')
