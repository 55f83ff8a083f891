"""What two texts have in common, counted in words that say something."""

import re
from functools import cache, lru_cache
from typing import Any

from protscribe.sources.literature.names import GREEK

_STOP = """
    a about above after again against all also am an and any are as at be because been before being
    below between both but by can could did do does doing down during each either every few for
    from further had has have having he her here hers him his how i if in into is it its itself just
    less like may me might more most must my near nor of off often on once only or other our out
    over own per rather s same she should so some such t than that the their theirs them then there
    these they this those through thus to too under until up upon us very via was we were what when
    where whether which while who whom whose why will with within would you your yes
"""
STOP_WORDS = frozenset(_STOP.split())
NEGATIONS = frozenset({"no", "not", "cannot", "never", "neither", "without", "nor", "none"})
"""Words that turn a statement round."""

_GENERIC = """
    act action active activity biological biologically biology cell cells cellular certain complex
    different diverse effect essential fact factor function functional general gene generally
    human important including involve involved involvement key kind known large many molecular
    molecule multiple name number organism part participate perform play plays polypeptide possible
    process processes property protein proteins range related require responsible result role
    specific specifically several system thing thought type unknown use used various vital well
    wide work
"""

_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_NEGATION = re.compile(r"\b(?:no|not|cannot|never|neither|without|nor|none)\b|n['’]t\b", re.I)
_LETTERS = str.maketrans(
    {letter: f" {name} " for letter, name in GREEK.items()}
    | {letter.upper(): f" {name} " for letter, name in GREEK.items() if letter != "ß"}
)


@cache
def _tokenizer() -> Any:
    # Imported here, because the stemmer behind it takes a second to load.
    from rouge_score.tokenizers import DefaultTokenizer

    return DefaultTokenizer(use_stemmer=True)


@lru_cache(100_000)
def stem(word: str) -> str:
    """Return a word in lower case, in British spelling and without its ending (Porter)."""
    word = re.sub(r"(?<=[iy])z(?=e|i|a)", "s", word.lower())
    # Catalysis and catalyses are one word.
    word = re.sub(r"(?<=[a-z]ys)(?:is|es|e|ed|ing)$", "", word)
    return "".join(_tokenizer().tokenize(word)) or word


def content_words(text: str) -> set[str]:
    """Return the stems of the words that say something; Greek letters count by their names."""
    words = (match.group().lower() for match in _WORD.finditer(text.translate(_LETTERS)))
    return {stem(word) for word in words if word not in STOP_WORDS and word not in NEGATIONS}


@cache
def generic_words() -> frozenset[str]:
    """Return the stems of words that fit every protein."""
    return frozenset(stem(word) for word in _GENERIC.split())


def numbers(text: str) -> set[str]:
    """Return the numbers in a text, those inside names such as H2A or CO(2) left aside."""
    return set(re.findall(r"(?<![\w(.,-])\d+(?:[.,]\d+)*(?![\w)-]|[.,]\d)", text))


def overlap(answer: str, evidence: str) -> float:
    """Return the share of an answer's content words that the evidence has, 0 without any.

    Words that fit every protein are left aside, unless the answer has no others.
    """
    words = content_words(answer)
    words = words - generic_words() or words
    return len(words & content_words(evidence)) / len(words) if words else 0.0


def is_negated(text: str) -> bool:
    """Whether a text says that something is not so."""
    return _NEGATION.search(text) is not None
