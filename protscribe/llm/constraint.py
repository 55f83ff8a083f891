"""JSON of a schema, token by token.

xgrammar says at every step which tokens may follow. Its own bound on the length of a string
(``maxLength``) costs seconds to compile and rules out quotes and backslashes inside, which texts do
hold. So the grammar leaves strings unbounded, and their bounds are kept here.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import xgrammar
from torch import Tensor
from transformers import LogitsProcessor
from xgrammar.contrib.hf import LogitsProcessor as GrammarProcessor

from protscribe.llm.writers import Schema

_QUOTE, _BACKSLASH, _UNICODE, _COLON, _COMMA = b'"\\u:,'
_ENDLESS = 1 << 30


class SchemaConstraint:
    """One schema over one vocabulary.

    Parameters
    ----------
    tokenizer
        A transformers tokenizer.
    vocabulary
        Number of scores that the model gives, which may be more than the tokenizer has tokens.
    stop_ids
        Ids that end an answer.
    schema
        JSON Schema. ``maxLength`` is kept for properties that are strings, by their name.
    """

    def __init__(
        self, tokenizer: Any, vocabulary: int, stop_ids: Sequence[int], schema: Schema
    ) -> None:
        info = xgrammar.TokenizerInfo.from_huggingface(
            tokenizer, vocab_size=vocabulary, stop_token_ids=list(stop_ids)
        )
        # Without a free choice of blanks, in which weak models get lost.
        self._grammar = xgrammar.GrammarCompiler(info).compile_json_schema(
            json.dumps(_without_bounds(schema)), any_whitespace=False
        )
        self._bounds = _string_bounds(schema)
        self._tokens: list[bytes] = info.decoded_vocab

    def processors(self) -> list[LogitsProcessor]:
        """Return what constrains one call of `generate`; their state serves no second one."""
        return [GrammarProcessor(self._grammar), BoundedStrings(self._tokens, self._bounds)]


class BoundedStrings(LogitsProcessor):
    """Forbids tokens that would make a string longer than its property may be.

    An escape counts with all its characters, so that no string comes out longer than it may.

    Parameters
    ----------
    tokens
        The bytes of each token.
    bounds
        Most characters by property.
    """

    def __init__(self, tokens: Sequence[bytes], bounds: Mapping[str, int]) -> None:
        self.tokens, self.bounds = tokens, bounds
        # What each token adds to a string that it stands in, without and with an escape begun.
        self.lengths = torch.tensor(
            [[_length_inside(token, begun) for token in tokens] for begun in (False, True)]
        )
        self.rows: list[_Reader] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return the scores, shape (rows, vocabulary), with what is too long at -inf."""
        if self.rows:
            for row, token in zip(self.rows, input_ids[:, -1].tolist(), strict=True):
                row.read(self.tokens[token])
        else:
            self.rows = [_Reader(self.bounds) for _ in input_ids]
            self.lengths = self.lengths.to(scores.device)
        left = torch.tensor([[row.left] for row in self.rows], device=scores.device)
        begun = torch.tensor([int(row.escape > 0) for row in self.rows], device=scores.device)
        return scores.masked_fill(self.lengths[begun] > left, -torch.inf)


class _Reader:
    """Reads the JSON of one answer and knows how long the string that it is in may still be."""

    def __init__(self, bounds: Mapping[str, int]) -> None:
        self.bounds = bounds
        self.inside = False
        self.escape = 0
        """Characters that an escape still needs: one, or four after the u of ``\\u03b2``."""
        self.string = b""
        self.key: str | None = None

    @property
    def left(self) -> int:
        """Characters that may follow."""
        if not self.inside or self.key is None or self.key not in self.bounds:
            return _ENDLESS
        # An escape that was begun must end.
        return max(self.bounds[self.key] - _characters(self.string), self.escape)

    def read(self, token: bytes) -> None:
        """Read on."""
        for byte in token:
            if self.inside and (self.escape or byte != _QUOTE):
                if self.escape:
                    self.escape = 4 if byte == _UNICODE else self.escape - 1
                else:
                    self.escape = int(byte == _BACKSLASH)
                self.string += bytes([byte])
            elif byte == _QUOTE:
                self.inside = not self.inside
                self.string = b"" if self.inside else self.string
            elif byte == _COLON:
                self.key = self.string.decode("utf-8", "replace")
            elif byte == _COMMA:
                self.key = None


def _characters(utf8: bytes) -> int:
    return len(utf8) if utf8.isascii() else sum(byte & 0xC0 != 0x80 for byte in utf8)


def _length_inside(token: bytes, escaped: bool) -> int:
    """Return how many characters of a token belong to the string that it begins in."""
    if b'"' not in token:
        return _characters(token)
    for place, byte in enumerate(token):
        if byte == _QUOTE and not escaped:
            return _characters(token[:place])
        escaped = byte == _BACKSLASH and not escaped
    return _characters(token)


def _string_bounds(schema: Any) -> dict[str, int]:
    """Return the largest ``maxLength`` of the string properties of each name."""
    bounds: dict[str, int] = {}
    if isinstance(schema, Mapping):
        for name, form in schema.get("properties", {}).items():
            if isinstance(form, Mapping) and "maxLength" in form:
                bounds[name] = form["maxLength"]
        for part in schema.values():
            for name, most in _string_bounds(part).items():
                bounds[name] = max(bounds.get(name, 0), most)
    return bounds


def _without_bounds(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        # A property may be called as the keyword; its value is then no number.
        return {
            key: _without_bounds(value)
            for key, value in schema.items()
            if not (key == "maxLength" and isinstance(value, int))
        }
    return [_without_bounds(part) for part in schema] if isinstance(schema, list) else schema
