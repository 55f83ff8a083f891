"""What the columns of the proteins table say, as answers."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protscribe.corpora.qa.sentences import (
    Sentence,
    article,
    decapitalised,
    is_scoped,
    question_for,
    says_unknown,
    sentences_of,
    with_subject,
)
from protscribe.corpora.qa.templates import ENZYME_CLASSES, LIGANDS, MODIFICATIONS, PROCESSES

SEPARATOR = "; "
"""Stands between the values of a column that has several, in the text that is quoted."""

MAX_STATEMENT = 400
"""Most characters of a function statement in the pair that asks for the function."""

MAX_SENTENCES = 4
"""Most sentences of a function statement that get a question of their own."""

MAX_VALUES = 5
"""Most values of a column in one answer."""

_FULL_EC = re.compile(r"[1-7](?:\.n?\d+){3}")
_SIMPLE_WORDS = 6
_ADJECTIVES = {
    "cytoplasmic": "cytoplasm", "cytosolic": "cytosol", "extracellular": "extracellular space",
    "lysosomal": "lysosome", "microsomal": "microsome", "mitochondrial": "mitochondrion",
    "nuclear": "nucleus", "nucleolar": "nucleolus", "periplasmic": "periplasm",
    "peroxisomal": "peroxisome",
}  # fmt: skip
_NO_PLACE = re.compile(
    r"[:.]|\b(?:protein|anchor|anchored|attached|associated|bound|localized|located|found|mainly"
    r"|predominantly|exclusively|probably|some|side|when|by|or|not)\b",
    re.IGNORECASE,
)
_NUMBERS = ("", "", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_STEPS = re.compile(
    r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|final|last|penultimate|committed"
    r"|key|rate-limiting|early|late)\b.*\bsteps?\b",
    re.IGNORECASE,
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Phrase:
    """One answer and the slice of the column's text that it states.

    Parameters
    ----------
    kind
        A key of `templates.QUESTIONS`; `question` stands for a question of its own.
    """

    kind: str
    answer: str
    start: int
    end: int
    question: str | None = None


def field_text(protein: Row, field: str) -> str | None:
    """Return the text that pairs from a column quote, None if there is none.

    Parameters
    ----------
    protein
        Row of table proteins.
    field
        One of `FIELDS`. Of the features the names of the domains are meant.
    """
    if field in ("function", "family"):
        return protein[field] or None
    return SEPARATOR.join(_values(protein, field)) or None


def _values(protein: Row, field: str) -> list[str]:
    if field == "features":
        domains = [row for row in protein[field] or () if row["type"] == "DOMAIN"]
        return [row["note"] for row in domains if row["note"]]
    return list(protein[field] or ())


def _function(protein: Row) -> Iterator[Phrase]:
    """Yield the statement, shortened at a sentence, and sentences that answer a question."""
    usable: list[Sentence] = []
    for sentence in sentences_of(protein["function"]):
        # What follows is about the isoform too, or nobody knows.
        if is_scoped(sentence.text):
            break
        if not says_unknown(sentence.text):
            usable.append(sentence)
    if not usable:
        return
    leading = [usable[0]]
    for sentence in usable[1:]:
        joined = protein["function"][leading[-1].end : sentence.start]
        if joined.strip() or sentence.end - leading[0].start > MAX_STATEMENT:
            break
        leading.append(sentence)
    first, *others = (sentence.text for sentence in leading)
    answer = [with_subject(first, "This protein"), *(with_subject(text, "It") for text in others)]
    yield Phrase("function", " ".join(map(_ended, answer)), leading[0].start, leading[-1].end)
    if len(usable) == 1:
        return
    asked: dict[str, Sentence] = {}
    for sentence in usable:
        question = question_for(sentence.text)
        # Where no subject could be put in, the opening was not understood.
        if question and with_subject(sentence.text, "It") != sentence.text:
            asked.setdefault(question, sentence)
    for question, sentence in list(asked.items())[:MAX_SENTENCES]:
        text = _ended(with_subject(sentence.text, "This protein"))
        yield Phrase("function", text, sentence.start, sentence.end, question)


def _catalytic_activity(protein: Row) -> Iterator[Phrase]:
    values = _values(protein, "catalytic_activity")[:MAX_VALUES]
    reactions = [value if " = " in value else decapitalised(value) for value in values]
    start, end = _span(values, 0, len(values) - 1)
    if len(values) == 1:
        text = f"This protein catalyses the following reaction: {reactions[0]}"
        yield Phrase("catalytic_activity", _ended(text), start, end)
    else:
        listed = "; ".join(f"({i}) {text}" for i, text in enumerate(reactions, start=1))
        text = f"This protein catalyses the following reactions: {listed}"
        yield Phrase("catalytic_activities", _ended(text), start, end)


def _cofactors(protein: Row) -> Iterator[Phrase]:
    values = _values(protein, "cofactors")[:MAX_VALUES]
    start, end = _span(values, 0, len(values) - 1)
    kind = "cofactor" if len(values) == 1 else "cofactors"
    if all(_is_simple(value) for value in values):
        names = [decapitalised(value) for value in values]
        verb = "cofactor of this protein is" if len(names) == 1 else "cofactors of this protein are"
        yield Phrase(kind, _ended(f"The {verb} {listing(names)}"), start, end)
        return
    # Older entries have sentences: "Binds 1 zinc ion per subunit".
    texts = [s.text for value in values for s in sentences_of(_ended(value))]
    answers = [with_subject(text, "It" if i else "This protein") for i, text in enumerate(texts)]
    if all(answer != text for answer, text in zip(answers, texts, strict=True)):
        yield Phrase(kind, " ".join(answers), start, end)


def _subcellular_location(protein: Row) -> Iterator[Phrase]:
    values = _values(protein, "subcellular_location")
    places: dict[str, list[str]] = {}
    used: list[int] = []
    for i, value in enumerate(values):
        found = _place(value.split(";")[0])
        if found and (found[0] in places or len(places) < MAX_VALUES):
            used.append(i)
            place, more = found
            places.setdefault(place, []).extend(more)
    names = {
        place: f"{place} ({', '.join(dict.fromkeys(more))})" if more else place
        for place, more in places.items()
    }
    secreted = names.pop("secreted", None)
    parts = [f"is located in {listing([f'the {n}' for n in names.values()])}"] if names else []
    if secreted:
        parts.append(f"is {'also ' if names else ''}{secreted}")
    if parts:
        start, end = _span(values, used[0], used[-1])
        text = f"This protein {' and '.join(parts)}."
        yield Phrase("subcellular_location", text, start, end)
    yield from _topology(values)


def _topology(values: Sequence[str]) -> Iterator[Phrase]:
    text = SEPARATOR.join(values)
    kinds: dict[str, int] = {}
    at = 0
    for part in text.split(SEPARATOR):
        if part.endswith("membrane protein") and len(part.split()) <= _SIMPLE_WORDS:
            kinds.setdefault(part, at)
        at += len(part) + len(SEPARATOR)
    # Several kinds belong to several places or isoforms.
    if len(kinds) == 1:
        ((part, start),) = kinds.items()
        kind = decapitalised(part)
        answer = f"This protein is {article(kind)} {kind}."
        yield Phrase("topology", answer, start, start + len(part))


def _pathway(protein: Row) -> Iterator[Phrase]:
    values = _values(protein, "pathway")[:MAX_VALUES]
    pathways = [_pathway_name(value) for value in values]
    start, end = _span(values, 0, len(values) - 1)
    text = (
        f"This protein takes part in {pathways[0]}"
        if len(pathways) == 1
        else f"This protein takes part in these pathways: {'; '.join(pathways)}"
    )
    yield Phrase("pathway", _ended(text), start, end)


def _pathway_name(value: str) -> str:
    """Return ``Lipid metabolism; X biosynthesis; X from Y: step 1/2`` as running text."""
    top, *more = (decapitalised(part.strip()) for part in value.rstrip(".").split(";"))
    if _STEPS.match(top):
        top = f"the {top}"
    detail = f", more precisely in {more[0]}" if more else ""
    return top + detail + (f" ({', '.join(more[1:])})" if more[1:] else "")


def _family(protein: Row) -> Iterator[Phrase]:
    family = protein["family"]
    if re.search(r"famil(?:y|ies)\b", family):
        name = family.rstrip(".").replace(". ", ", ")
        yield Phrase("family", f"This protein belongs to the {name}.", 0, len(family))


def _ec(protein: Row) -> Iterator[Phrase]:
    values = _values(protein, "ec")
    used = [i for i, value in enumerate(values) if _FULL_EC.fullmatch(value)][:MAX_VALUES]
    if used:
        numbers = [values[i] for i in used]
        verb = "number of this protein is" if len(used) == 1 else "numbers of this protein are"
        yield Phrase("ec", f"The EC {verb} {listing(numbers)}.", *_span(values, used[0], used[-1]))
    classes = {value.split(".")[0] for value in values}
    if len(classes) == 1 and (name := ENZYME_CLASSES.get(classes.pop())):
        yield Phrase("enzyme_class", f"This protein is {name}.", *_span(values, 0, 0))


def _features(protein: Row) -> Iterator[Phrase]:
    values = _values(protein, "features")
    # Repeats are numbered, and what follows a semicolon says more of one of them.
    names = (re.sub(r"\s+\d+$", "", value.split(";")[0]) for value in values)
    counts = Counter(decapitalised(name) for name in names if _is_simple(name))
    if not counts:
        return
    domains = [
        f"{article(name)} {name} domain"
        if count == 1
        else f"{_NUMBERS[count] if count < len(_NUMBERS) else count} {name} domains"
        for name, count in counts.items()
    ]
    yield Phrase(
        "features", f"This protein contains {listing(domains)}.", *_span(values, 0, len(values) - 1)
    )


def _keywords(protein: Row) -> Iterator[Phrase]:
    values = _values(protein, "keywords")
    answers = {
        "ligands": ("binds", LIGANDS),
        "processes": ("takes part in", PROCESSES),
        "modifications": ("carries these modifications:", MODIFICATIONS),
    }
    for kind, (verb, words) in answers.items():
        used = [i for i, value in enumerate(values) if value in words]
        if used:
            names = listing(list(dict.fromkeys(words[values[i]] for i in used)))
            yield Phrase(kind, f"This protein {verb} {names}.", *_span(values, used[0], used[-1]))


def listing(names: Sequence[str]) -> str:
    """Return names as "a", "a and b" or "a, b and c"."""
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def _span(values: Sequence[str], first: int, last: int) -> tuple[int, int]:
    """Return the place of some neighbouring values in the column's text, in characters."""
    start = sum(len(value) + len(SEPARATOR) for value in values[:first])
    return start, start + len(SEPARATOR.join(values[first : last + 1]))


def _place(value: str) -> tuple[str, list[str]] | None:
    """Return a location and its parts, None if the value is more than a name."""
    if _NO_PLACE.search(value) or len(value.split()) > _SIMPLE_WORDS or not value.strip():
        return None
    place, *parts = (part.strip() for part in value.split(","))
    place = decapitalised(place)
    return _ADJECTIVES.get(place.lower(), place), parts


def _is_simple(value: str) -> bool:
    """Whether a value is a name, not a sentence."""
    is_sentence = with_subject(value, "It") != value
    return (
        len(value.split()) <= _SIMPLE_WORDS and not re.search(r"[.:]\s", value) and not is_sentence
    )


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text.rstrip(';, ')}."


PHRASES: dict[str, Callable[[Row], Iterable[Phrase]]] = {
    "function": _function,
    "catalytic_activity": _catalytic_activity,
    "cofactors": _cofactors,
    "subcellular_location": _subcellular_location,
    "pathway": _pathway,
    "family": _family,
    "ec": _ec,
    "features": _features,
    "keywords": _keywords,
}
"""Makers of phrases by the column that they read, in the order of their pairs."""
