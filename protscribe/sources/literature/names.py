"""The mention test: whether a text names a protein, and where.

Texts and names are cut into tokens: runs of letters, runs of digits, and Greek letters, which are
equal to their spelled-out names. Between two tokens of a name a text may have nothing, a space, a
hyphen or the like, so that IL-2, IL2 and IL 2 are one name, while IL-20 is another one.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from protscribe.sources.literature.name_queries import COMMON_WORDS, build_query, searchable

GREEK = {
    letter: unicodedata.name(letter).split()[-1].lower() for letter in "αβγδεζηθικμνξοπρσςτυφχψω"
} | {"λ": "lambda", "ϕ": "phi", "ϵ": "epsilon", "ß": "beta"}
"""Greek letters by name; the German letter often stands for beta."""

WORDS = COMMON_WORDS | {
    *("ala", "arg", "asn", "asp", "cys", "gln", "glu", "gly", "ile", "leu", "lys", "phe", "pro"),
    *("ser", "thr", "trp", "tyr", "val", "black", "brown", "dark", "fast", "white", "yellow"),
}
"""Symbols that are words or residues in most texts."""

ABBREVIATIONS = {
    *("acp", "adp", "amp", "atp", "atpase", "camp", "cmp", "coa", "dna", "dnase", "fad", "fmn"),
    *("gdp", "gmp", "gtp", "gtpase", "kda", "mrna", "nad", "nadh", "nadp", "nadph", "orf", "ppase"),
    *("sh2", "sh3", "rna", "rnase", "rrna", "snrna", "snorna", "trna", "udp", "utp"),
}
"""Last words of names that look like symbols and are none."""

_GREEK_NAMES = frozenset(GREEK.values())
_LETTERS = "".join({*GREEK, *(letter.upper() for letter in GREEK if letter != "ß")})
_TOKEN = re.compile(rf"[{_LETTERS}]|[^\W\d_{_LETTERS}]+|\d+")
_GREEK_INSIDE = re.compile(
    "(?<![a-z])("
    + "|".join(
        f"[{n[0].upper()}{n[0]}]{n[1:]}" for n in sorted(_GREEK_NAMES, key=len, reverse=True)
    )
    + ")(?![a-z])"
)
_GAP = re.compile(r"[-‐‑‒–−/\s'’′,()\[\]+:]{0,3}|\.")
_SERIAL = re.compile(r"[-‐‑‒–−]\d")
_ROMAN = re.compile(r"[IVX]+[A-Za-z]?")
_P_NUMBER = re.compile(r"P\d{2,3}")


class Token(NamedTuple):
    """A piece of a text: its key (lower case, Greek spelled out) and its place in characters."""

    key: str
    start: int
    end: int


class Text:
    """A text and its tokens, cut once for any number of names."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Indices of tokens by key."""
        places: dict[str, list[int]] = {}
        for index, token in enumerate(self.tokens):
            places.setdefault(token.key, []).append(index)
        return places

    def are_words(self, first: int, last: int) -> bool:
        """Whether tokens begin and end where words do, a plural s left aside."""
        start, end = self.tokens[first].start, self.tokens[last].end
        if self.text.startswith("s", end):
            end += 1
        before, after = self.text[start - 1 : start] if start else "", self.text[end : end + 1]
        return not (before.isalnum() or before == "_" or after.isalnum() or after == "_")

    def spelling(self, index: int) -> str:
        """Return a token as it stands, Greek letters by their names."""
        key, start, end = self.tokens[index]
        return key if key in _GREEK_NAMES else self.text[start:end]

    def gap(self, index: int) -> str:
        """Return what stands between a token and the next one."""
        return self.text[self.tokens[index].end : self.tokens[index + 1].start]


@dataclass(frozen=True, slots=True)
class Name:
    """One spelling of a protein's name, ready to be looked for."""

    name: str
    """The name as the entry has it."""
    keys: tuple[str, ...]
    joined: tuple[bool, ...]
    """Whether nothing stands between a token and the next one."""
    spelled: tuple[str, ...]
    """The tokens as given."""
    forms: frozenset[str] | None
    """What the tokens of a symbol may be, put together; None if any case will do."""

    @property
    def length(self) -> int:
        """Letters and digits."""
        return sum(map(len, self.keys))


class Found(NamedTuple):
    """A name in a text, and where, in characters."""

    name: str
    start: int
    end: int


def find_name(text: Text, names: Iterable[Name]) -> Found | None:
    """Return the longest of the names that the text has, at its first place.

    A match begins and ends where words do (a plural s may follow), and no hyphen with a number
    follows it, as that would be another member of a family. Roman and Arabic numbers differ.

    Parameters
    ----------
    text
        The text.
    names
        What `protein_names` returns: the longest first.
    """
    best: Found | None = None
    longest = 0
    for name in names:
        if best and name.length < longest:
            break
        places = text.places.get(name.keys[0], [])
        if len(name.keys) == 1 and (plurals := text.places.get(name.keys[0] + "s")):
            places = sorted(places + plurals)
        for first in places:
            if best and text.tokens[first].start >= best.start:
                break
            last = first + len(name.keys) - 1
            if _is_at(text, name, first, last):
                best = Found(name.name, text.tokens[first].start, text.tokens[last].end)
                longest = name.length
                break
    return best


def protein_names(protein: Mapping[str, Any]) -> list[Name]:
    """Return all spellings of a protein's names, the longest first.

    Names are the recommended and alternative names and the gene names. Left out are EC numbers,
    names of less than three letters and digits and generic names, as in queries. Added are the
    symbol at the end of a long name (``Ras-related protein Rab-5A``), the letters of the species
    before a symbol (``HsPex14``, ``AtPHYB``, ``hTERT``) and, for fungi, a p after it (``Pex14p``).

    Symbols are all gene names, and other names without an ordinary word. They match as given, with
    a capital first letter or in capitals, and with a digit in them also with the first letter alone
    in capitals; with a space that the name does not have, only as given. Symbols that are words
    match in capitals alone. All other names match in any case, save their single letters.

    Parameters
    ----------
    protein
        A row of table proteins with ``protein_name``, ``alternative_names``, ``gene_names``,
        ``organism`` and ``lineage``.
    """
    genes = set(protein["gene_names"] or [])
    left_out = build_query(protein, "{names}").left_out
    names = [protein["protein_name"], *(protein["alternative_names"] or []), *sorted(genes)]
    found: dict[tuple[Any, ...], Name] = {}
    for name in dict.fromkeys(filter(None, names)):
        text = searchable(name)
        # Queries cannot ask for capitals; here a symbol that is a word is looked for in capitals.
        if not text or left_out.get(name, "an English word") != "an English word":
            continue
        is_symbol = name in genes or _is_symbol(text)
        made = [_name(name, text, _forms(text) if is_symbol else None)]
        symbol = text if is_symbol else text.split()[-1]
        if not is_symbol and _is_trailing_symbol(symbol):
            made.append(_name(name, symbol, _forms(symbol)))
        if is_symbol or len(made) > 1:
            made += _species_forms(name, symbol, protein["organism"], protein["lineage"])
        for one in made:
            if one.keys:
                found.setdefault((one.keys, one.joined, one.spelled, one.forms), one)
    return sorted(found.values(), key=lambda one: (-one.length, one.name, one.spelled))


def _tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        run, start = match.group(), match.start()
        if len(run) == 1:
            yield Token(GREEK.get(run.lower(), run.lower()), start, start + 1)
        elif not run.islower() and _GREEK_INSIDE.search(run):
            # TNFalpha, IkappaB: the letter's name stands out by its case.
            for piece in filter(None, _GREEK_INSIDE.split(run)):
                yield Token(piece.lower(), start, start + len(piece))
                start += len(piece)
        else:
            yield Token(run.lower(), start, match.end())


def _is_at(text: Text, name: Name, first: int, last: int) -> bool:
    if last >= len(text.tokens):
        return False
    spaced = False
    for index, key, joined in zip(range(first, last), name.keys, name.joined, strict=False):
        if text.tokens[index].key != key:
            return False
        gap = text.gap(index)
        if not _GAP.fullmatch(gap) or (joined and gap and key.isdigit()):
            return False  # H-2 A is not H2A.
        spaced |= joined and gap.isspace()
    end = text.tokens[last].end
    if text.tokens[last].key not in (name.keys[-1], name.keys[-1] + "s"):
        return False
    if not text.are_words(first, last) or _SERIAL.match(text.text, end):
        return False
    spelled = [text.spelling(index) for index in range(first, last + 1)]
    if text.tokens[last].key != name.keys[-1]:
        if spelled[-1][-1] != "s":
            return False
        spelled[-1] = spelled[-1][:-1]
    if name.forms is None:
        pairs = zip(spelled, name.spelled, strict=True)
        return all(here == given or len(here) > 1 for here, given in pairs)
    return "".join(spelled) in name.forms and (not spaced or tuple(spelled) == name.spelled)


def _name(name: str, text: str, forms: frozenset[str] | None) -> Name:
    cut = Text(text)
    count = len(cut.tokens)
    return Name(
        name,
        tuple(token.key for token in cut.tokens),
        tuple(not cut.gap(index) for index in range(count - 1)),
        tuple(cut.spelling(index) for index in range(count)),
        forms,
    )


def _forms(symbol: str) -> frozenset[str]:
    cut = Text(symbol)
    spelled = [cut.spelling(index) for index in range(len(cut.tokens))]
    capitals = "".join(s if s in _GREEK_NAMES else s.upper() for s in spelled)
    if symbol.lower() in WORDS:
        return frozenset({capitals})
    given = "".join(spelled)
    forms = {given, capitals}
    if spelled and spelled[0] not in _GREEK_NAMES:
        forms.add(given[0].upper() + given[1:])
        if len(given) > 3 and any(s.isdigit() for s in spelled):
            forms.add(given[0].upper() + given[1:].lower())
    if _P_NUMBER.fullmatch(given):
        forms.add(given.lower())
    return frozenset(forms)


def _species_forms(
    name: str, symbol: str, organism: str | None, lineage: list[str] | None
) -> Iterator[Name]:
    """Yield a symbol with the mark of its species that texts put to it."""
    forms = _forms(symbol)
    genus, _, rest = (organism or "").partition(" ")
    if genus and rest[:1].islower() and symbol[:1].isalpha() and "virus" not in rest:
        marks = {genus[0].upper() + rest[0]}
        if genus in ("Homo", "Mus", "Rattus"):
            marks.add(genus[0].lower())
        for mark in sorted(marks):
            yield _name(name, mark + symbol, frozenset(mark + form for form in forms))
    if "Fungi" in (lineage or []):
        yield _name(name, symbol + "p", frozenset(form + "p" for form in forms))


def _is_symbol(text: str) -> bool:
    """Whether a name has no ordinary word: five letters, four in a name of several words."""
    least = 4 if " " in text else 5
    runs = (match.group() for match in _TOKEN.finditer(text))
    return not any(
        len(run) >= least and run[1:].islower() and run.lower() not in _GREEK_NAMES for run in runs
    )


def _is_trailing_symbol(word: str) -> bool:
    """Whether a long name's last word is a symbol: Rab-5A, RecQ, A20; not II, kinase or GTPase."""
    runs = [match.group() for match in _TOKEN.finditer(word)]
    letters = [r for r in runs if r[0].isalpha() and r.lower() not in _GREEK_NAMES | GREEK.keys()]
    digits = sum(len(run) for run in runs if run.isdigit())
    told = any(not run[1:].islower() and len(run) > 1 for run in letters) or (
        bool(digits) and word[0].isupper() and sum(map(len, letters)) + digits > 2
    )
    return (
        bool(letters)
        and told
        and sum(map(len, runs)) > 2
        and _is_symbol(word)
        and not _ROMAN.fullmatch(word)
        and word.lower() not in ABBREVIATIONS
    )
