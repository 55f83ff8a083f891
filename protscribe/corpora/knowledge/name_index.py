"""Names of annotations in texts.

Names are compared as words: letters and digits, whatever stands between them, so that
"DNA-binding" and "DNA binding" are one name. A name of a few letters, such as FMN, has to be
spelled with the same capitals.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from protscribe.corpora.knowledge import wording
from protscribe.corpora.knowledge.plain_words import PLAIN, TELLING
from protscribe.corpora.qa.words import NEGATIONS, STOP_WORDS, content_words, generic_words, stem

GENERAL = ("protein", "proteins", "enzyme", "enzymes", "binding", "cell", "cells", "sequence")
"""Words that no answer can do without, although a vocabulary has them."""

SHORT = 3
"""Names of at most so many letters and digits are compared with their capitals."""

DENIALS = NEGATIONS | {"lacks", "lack", "absent", "t"}
"""Words that deny something; the last one is what is left of "isn't"."""

_WORD = re.compile(r"[^\W_]+|\+")
_END = ""

Span = tuple[int, int]
Words = tuple[str, ...]


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case; a plus sign is one, as in NAD(+)."""
    return [word.lower() for word in _WORD.findall(text)]


def split_words(text: str) -> tuple[list[str], list[str]]:
    """Return the words of a text as they are spelled, and in lower case."""
    spelled = _WORD.findall(text)
    return spelled, [word.lower() for word in spelled]


class NameIndex:
    """Finds every name of a dictionary in a text, in one pass over its words.

    Parameters
    ----------
    names
        All names of annotations. Names of at most `SHORT` letters are found by their capitals,
        and not at all where they have none. What the templates say around a name is found but
        never counted as named.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._root: dict[str, Any] = {}
        self._spelled: dict[Words, set[str]] = {}
        for name in sorted(set(names)):
            self._add(name)
        wordings = list(wording.every_wording())
        self._general = {words for text in (*GENERAL, *wordings) for _, words in self.find(text)}
        said = sorted(set(words_of(" ".join(wordings))))
        self._plain = generic_words() | content_words(" ".join([*said, *PLAIN]))
        self._plain -= content_words(" ".join(TELLING))

    def find(self, text: str) -> list[tuple[Span, Words]]:
        """Return the places of all names, as positions of words, with their words.

        Names within longer ones and general words are among them.
        """
        return self._occurrences(*split_words(text))

    def others(self, text: str, own: Sequence[Span]) -> list[str]:
        """Return the names in a text that are no part of the spans that it is allowed."""
        return [
            " ".join(words)
            for (start, end), words in self.find(text)
            if words not in self._general
            and not any(first <= start and end <= last for first, last in own)
        ]

    def more(self, text: str, own: Sequence[Span], names: Sequence[str]) -> list[str]:
        """Return the words outside the spans that say something which no template says.

        Words of the names themselves may stand alone, in any form.
        """
        allowed = content_words(" ".join(names))
        return [
            word
            for word in words_around(text, own)
            if word.isalpha()
            and len(word) > 1
            and word not in STOP_WORDS
            and word not in DENIALS
            and stem(word) not in self._plain
            and stem(word) not in allowed
        ]

    def _add(self, name: str) -> None:
        spelled = _WORD.findall(name)
        words = tuple(word.lower() for word in spelled)
        letters = sum(map(str.isalnum, name))
        if not words or (letters <= SHORT and not any(c.isupper() or c.isdigit() for c in name)):
            return
        node = self._root
        for word in words:
            node = node.setdefault(word, {})
        node[_END] = True
        if letters <= SHORT:
            self._spelled.setdefault(words, set()).add(" ".join(spelled))

    def _occurrences(self, spelled: list[str], words: list[str]) -> list[tuple[Span, Words]]:
        found: list[tuple[Span, Words]] = []
        for start in range(len(words)):
            node: dict[str, Any] | None = self._root
            end = start
            while node is not None:
                if _END in node:
                    name = tuple(words[start:end])
                    capitals = self._spelled.get(name)
                    if capitals is None or " ".join(spelled[start:end]) in capitals:
                        found.append(((start, end), name))
                node = node.get(words[end]) if end < len(words) else None
                end += 1
        return found


def places_of(text: str, name: str) -> list[Span]:
    """Return where a name stands in a text, as positions of words."""
    spelled, words = split_words(text)
    wanted_spelled, wanted = split_words(name)
    size = len(wanted)
    short = sum(map(str.isalnum, name)) <= SHORT
    return [
        (start, start + size)
        for start in range(len(words) - size + 1)
        if words[start : start + size] == wanted
        and (not short or spelled[start : start + size] == wanted_spelled)
    ]


def maximal_places(text: str, names: Sequence[str]) -> list[tuple[Span, Words]]:
    """Return where the names stand, without those that are but a part of another one there."""
    found = sorted(
        {(span, tuple(words_of(name))) for name in names for span in places_of(text, name)}
    )
    return [
        (span, words)
        for span, words in found
        if not any(
            other != span and other[0] <= span[0] and span[1] <= other[1] for other, _ in found
        )
    ]


def words_around(text: str, own: Sequence[Span]) -> list[str]:
    """Return the words of a text outside the names."""
    words = words_of(text)
    inside = {place for start, end in own for place in range(start, end)}
    return [word for place, word in enumerate(words) if place not in inside]
