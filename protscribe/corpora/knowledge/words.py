"""Names of annotations as plain words that can stand inside a sentence."""

import re

from protscribe.corpora.knowledge.relations import NOUNS

MAX_LENGTH = 80
"""Most characters of a name that is taken from free text: longer ones are sentences."""

_ORDINARY_WORD = re.compile(r"[A-Z][a-z]{2,}(?![A-Z0-9])")
_KEPT_WORD = re.compile(
    r"(?:Ala|Arg|Asn|Asp|Cys|Gln|Glu|Gly|His|Ile|Leu|Lys|Met|Phe|Pro|Ser|Thr|Trp|Tyr|Val|"
    r"Birbeck|Cajal|Golgi|Maurer|Nissl|Weibel)\b"
)
"""Residues and proper names."""
_NUMBER = re.compile(r"\s\d+$")
_REMARK = re.compile(r"\s+\((?:[^()]|\([^()]*\))*\)")
_ARTICLE = re.compile(r"(?:an?|the)\s+", re.IGNORECASE)
_ION = re.compile(r"(\w+?)(?:\(\d?[+-]\))?(?:\s+(?:cat|an)?(?:ions?|atoms?))?")
_IRON_SULFUR = re.compile(r"iron-sulfur \((\dFe-\dS)\)", re.IGNORECASE)
_SENTENCE_WORDS = re.compile(
    r"\b(?:also|are|binds?|by|can|contains?|for|has|in|is|may|not|per|requires?|required|to|was|"
    r"when|which|with)\b",
    re.IGNORECASE,
)

_ELEMENTS = {
    "Ca": "calcium",
    "Cd": "cadmium",
    "Cl": "chloride",
    "Co": "cobalt",
    "Cu": "copper",
    "Fe": "iron",
    "K": "potassium",
    "Mg": "magnesium",
    "Mn": "manganese",
    "Mo": "molybdenum",
    "Na": "sodium",
    "Ni": "nickel",
    "V": "vanadium",
    "W": "tungsten",
    "Zn": "zinc",
}

_SHORT_NAME_ENDS = {
    "AS": "active_site",
    "BS": "binding_site",
    "CS": "conserved_site",
    "active_site": "active_site",
    "domain": "domain",
    "dom": "domain",
    "fam": "family",
    "family": "family",
    "fold": "superfamily",
    "repeat": "repeat",
    "rpt": "repeat",
    "sf": "superfamily",
    "supfam": "superfamily",
}
"""Ends of InterPro's short names that tell an entry's type."""
_SHORT_NAME_WORDS = {
    "C": "C-terminal",
    "N": "N-terminal",
    "bd": "binding",
    "dom": "domain",
    "prot": "protein",
    "rcpt": "receptor",
}


def plain(name: str) -> str:
    """Return a name with a small first letter, as it stands inside a sentence.

    Abbreviations, symbols and a few proper names keep their capitals: ``SH3``, ``DNA-binding``,
    ``Golgi apparatus``, ``Ser/Thr kinase``.
    """
    if _ORDINARY_WORD.match(name) and not _KEPT_WORD.match(name):
        return name[0].lower() + name[1:]
    return name


def with_noun(name: str, kind: str) -> str:
    """Return a name that ends in the noun of its kind: ``homeobox`` becomes ``homeobox domain``.

    InstructProtein (Wang et al. 2024) words InterPro entries so.
    """
    noun = NOUNS[kind]
    return name if name.lower().endswith(noun) else f"{name} {noun}"


def read_short_name(short_name: str) -> tuple[str, str]:
    """Return the kind and the readable name of an InterPro entry of which only that is known.

    Short names end in the entry's type now and then (``Flavodoxin_CS``, a conserved site); what
    does not tell is called a domain.
    """
    words = short_name.split("_")
    kind = _SHORT_NAME_ENDS.get(words[-1], "domain")
    if words[-1] in _SHORT_NAME_ENDS and len(words) > 1:
        words.pop()
    words = [_SHORT_NAME_WORDS.get(word, word) if at else word for at, word in enumerate(words)]
    words = [
        word.removesuffix("-bd") + "-binding" if word.endswith("-bd") else word for word in words
    ]
    return kind, with_noun(plain(" ".join(words)), kind)


def element(text: str) -> str | None:
    """Return the name of the element that an ion is of, if it is one: ``Zn(2+)`` gives ``zinc``."""
    found = _ION.fullmatch(text)
    if found is None:
        return None
    word = found[1]
    return _ELEMENTS.get(word) or (word.lower() if word.lower() in _ELEMENTS.values() else None)


def ligands(text: str) -> list[str]:
    """Return the names of the ligands in a note of the entry, as plain words.

    ``Copper or zinc 2`` gives ``copper`` and ``zinc``; ``NADP; via amide nitrogen`` gives
    ``NADP``. The list is empty where the note is none, or a sentence.
    """
    text = _IRON_SULFUR.sub(r"[\1] cluster", text)
    text = _REMARK.sub("", without_number(text)).strip()
    text = _ARTICLE.sub("", text, count=1) if _ARTICLE.match(text) else text
    parts = re.split(r"\s+(?:or|and)\s+", text)
    if len(parts) > 1 and all(element(part) for part in parts):
        return [str(element(part)) for part in parts]
    name = element(text) or plain(text)
    return [name] if is_name(name) else []


def without_number(note: str) -> str:
    """Return what a note says before its first semicolon, without the number of the copy."""
    return _NUMBER.sub("", note.partition(";")[0].strip())


def is_name(text: str) -> bool:
    """Whether a text can be a name: it has letters, is short, and reads like no sentence."""
    return (
        any(letter.isalpha() for letter in text)
        and len(text) <= MAX_LENGTH
        and ". " not in text
        and not _SENTENCE_WORDS.search(text)
    )
