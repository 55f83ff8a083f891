"""Sentences of a curated statement as answers, and the question that one of them answers.

Curators leave the subject out: "Catalyzes the hydrolysis of ATP." Where the opening shows what is
missing it is put back, otherwise a sentence stays as it is.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from protscribe.corpora.qa.templates import (
    ADVERBS,
    ASKED_MODALS,
    ASKED_VERBS,
    MODALS,
    NOUNS,
    OTHER_VERBS,
    PARTICIPLES,
    VERBS,
    VERBS_WITH,
)

_END = re.compile(
    r"(?<=[\w)\]'\"+-]{2}\.)(?<!\bsp\.)(?<!\bvs\.)(?<!\bca\.)\s+"
    r"(?=[A-Z\[(\"'0-9]|[a-z]{1,3}[A-Z0-9])"
)
# What only holds for an isoform, an allele, a product of cleavage or an infection.
_SCOPE = re.compile(
    r"\(|\[|(?:Isoforms?|Alleles?|Isozymes?|Variants?)\b|(?:[\w'*+/()-]+ ){0,3}[\w'*+/()-]+: [A-Z]"
)
_UNKNOWN = re.compile(r"\b(?:unknown|not known|unclear|uncertain|not clear)\b", re.IGNORECASE)
_UNKNOWN_WORDS = 12
_ACTIVITY = re.compile(r"(?:has|exhibits|shows|displays|possesses) .*\bactivit(?:y|ies)\b")
_ROLE = re.compile(r"plays? (?:an? )?(?:\w+ly )?(?:[\w-]+ )?(?:roles?|part) in\b")
_PREPOSITIONS = {
    *("after", "against", "around", "as", "at", "between", "by", "during", "for", "from", "in"),
    *("into", "on", "onto", "over", "through", "to", "under", "upon", "via", "when", "with"),
    *("and", "or", "but", "either", "both"),
}
_VOWEL = re.compile(r"[aAEIio]|e(?!u)|O(?!ne)|u(?!ni|bi|til|se)|[FHLMNRSX](?=[A-Z0-9-])")
_PROPER = frozenset(
    {
        *(
            "Barr",
            "Cajal",
            "Golgi",
            "Gram",
            "Ig",
            "Kazal",
            "Krebs",
            "Kunitz",
            "Notch",
            "Rab",
            "Ran",
        ),
        *("Ras", "Rho", "Toll", "Tudor", "Wnt"),
    }
)
_SHORT_WORDS = frozenset({"An", "As", "At", "By", "In", "Is", "It", "No", "On", "To", "Up"})
_STARTS_OTHERWISE = {
    *("a", "an", "as", "at", "both", "during", "each", "in", "its", "one", "that", "the", "their"),
    *("these", "this", "together", "under", "upon", "when", "with", "and", "or", "of", "is", "are"),
}
_VERB_FORMS = VERBS | OTHER_VERBS | VERBS_WITH.keys()


class Sentence(NamedTuple):
    """A sentence and its place in characters."""

    text: str
    start: int
    end: int


def sentences_of(text: str) -> Iterator[Sentence]:
    """Cut a statement into sentences. Names such as E. coli stay whole."""
    start = 0
    for gap in _END.finditer(text):
        yield Sentence(text[start : gap.start()], start, gap.start())
        start = gap.end()
    if text[start:].strip():
        end = len(text.rstrip())
        yield Sentence(text[start:end], start, end)


def is_scoped(sentence: str) -> bool:
    """Whether a sentence holds only for an isoform, an allele, a product or an infection."""
    return _SCOPE.match(sentence) is not None


def says_unknown(sentence: str) -> bool:
    """Whether a sentence says in a few words that something is not known."""
    return len(sentence.split()) <= _UNKNOWN_WORDS and _UNKNOWN.search(sentence) is not None


def with_subject(sentence: str, subject: str) -> str:
    """Return a sentence with its subject.

    Parameters
    ----------
    sentence
        A sentence of a curated statement.
    subject
        ``This protein`` or ``It``.

    Returns
    -------
    str
        The sentence as it is where its opening does not show that the subject is missing.
    """
    words = sentence.split()
    lower = [word.rstrip(",").lower() for word in words]
    at = _after_adverbs(lower)
    if at >= len(lower) or not words[0][:1].isupper():
        return sentence
    predicate = decapitalised(sentence)
    if lower[at] in _VERB_FORMS or (lower[at] in MODALS and at + 1 < len(lower)):
        return f"{subject} {predicate}"
    if " ".join(lower[at : at + 2]) in PARTICIPLES or lower[at : at + 2] == ["one", "of"]:
        return f"{subject} is {predicate}"
    if _noun_phrase(lower):
        return f"{subject} is {article(predicate)} {predicate}"
    return sentence


def question_for(sentence: str) -> str | None:
    """Return the question that a sentence answers, where its opening tells.

    "Inhibits the kinase activity of PDPK1." answers "What does this protein inhibit?"
    """
    words = [word.rstrip(".,;:").lower() for word in sentence.split()]
    words = words[_after_adverbs(words) :]
    modal = words[0] if words and words[0] in ASKED_MODALS else ""
    if modal:
        words = words[1 + _after_adverbs(words[1:]) :]
    is_state = not modal or words[:1] == ["be"]
    if modal and is_state:
        words = words[1 + _after_adverbs(words[1:]) :]
    if is_state and (asked := PARTICIPLES.get(" ".join(words[:2]))):
        return asked.replace("is this protein", f"{modal} this protein be") if modal else asked
    if not modal:
        if noun := _noun_phrase(words):
            return f"What is this protein {article(noun)} {noun}?"
        if _ACTIVITY.match(" ".join(words)):
            return "Which activity does this protein have?"
    if _ROLE.match(" ".join(words)):
        return f"In what {modal or 'does'} this protein play a role?"
    return _verb_question(words, modal)


def infinitive(verb: str) -> str:
    """Return the infinitive of a verb in the third person.

    ``modifies`` gives ``modify``, ``possesses`` ``possess``, ``catalyzes`` ``catalyze``.
    """
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    if re.search(r"(?:ss|sh|ch|x|zz)es$", verb):
        return verb[:-2]
    return verb.removesuffix("s")


def decapitalised(text: str) -> str:
    """Return a text with a small first letter, unless its first word is a symbol or a name."""
    word = re.split(r"[\s,;-]", text, maxsplit=1)[0]
    is_word = word.isalpha() and word[1:].islower() and (len(word) > 2 or word in _SHORT_WORDS)
    return text[:1].lower() + text[1:] if is_word and word not in _PROPER else text


def article(text: str) -> str:
    """Return ``a`` or ``an``, whichever goes before a text."""
    return "an" if _VOWEL.match(text) else "a"


def _after_adverbs(lower: list[str]) -> int:
    return next((i for i, word in enumerate(lower) if word not in ADVERBS), len(lower))


def _noun_phrase(words: list[str]) -> str | None:
    """Return noun and preposition of an opening such as "Key component of"."""
    for i, word in enumerate(words[:4]):
        if word in _STARTS_OTHERWISE or word in _VERB_FORMS:
            return None
        if word in NOUNS and words[i + 1 : i + 2] in (["of"], ["for"]):
            return f"{word} {words[i + 1]}"
    return None


def _verb_question(words: list[str], modal: str) -> str | None:
    if len(words) < 2:
        return None
    form, following = words[:2]
    verbs = {
        (infinitive(verb) if modal else verb): verb for verb in ASKED_VERBS | VERBS_WITH.keys()
    }
    verb = verbs.get(form)
    if verb is None:
        return None
    # An adverbial, not an object, follows; yet "Binds with high affinity to" tells what.
    asks_with = following in VERBS_WITH.get(verb, ())
    if not asks_with and verb != "binds" and (verb in VERBS_WITH or following in _PREPOSITIONS):
        return None
    asked = re.sub(r"(?<=[iy])ze$", "se", infinitive(verb)) + (f" {following}" if asks_with else "")
    return f"What {modal or 'does'} this protein {asked}?"
