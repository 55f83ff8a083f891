"""Names of a protein and of its organism, taken out of questions and answers about it.

The protein becomes "this protein" and its organism "this organism", or nothing where it only says
whose cells are meant. What cannot be taken out without breaking the sentence is reported, so that
the pair can be dropped.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from protscribe.sources.literature.name_queries import organism_names
from protscribe.sources.literature.names import (
    ABBREVIATIONS,
    WORDS,
    Name,
    Text,
    find_name,
    protein_names,
)
from protscribe.sources.literature.organisms import COMMON_NAMES, own_names

THIS_PROTEIN = "this protein"
THIS_ORGANISM = "this organism"

PEOPLE = frozenset({"patient", "patients", "women", "children"})
"""Words for people that tell the organism no more than a disease does."""

_MARK = "\ue000"
"""Stands for the protein while its surroundings are put right; no text that counts has it."""

# What a protein has: "BRCA1 expression" becomes "this protein's expression".
_OWNED = (
    "activation|activity|activities|binding sites?|cleavage|concentrations?|defects?|deficiency"
    "|deletions?|depletion|domains?|expression|function|functions|genes?|homodimers?|inhibition"
    "|inhibitors?|isoforms?|knockdown|knockout|levels?|locus|loss|mRNAs?|mutants?|mutations?"
    "|oligomers?|overexpression|phosphorylation|polymorphisms?|promoters?|proteins? levels?"
    "|signal(?:l)?ing|stability|substrates?|subunits?|transcripts?|transcription|translation"
    "|variants?"
)
_NOUN = "(?:protein|enzyme|polypeptide|peptide|molecule|gene product|receptor)"
_ENZYME = (
    r"\w*(?:acetyl|deamin|dehydrogen|helic|hydrol|isomer|kin|lig|lip|ly|methyl|nucle|oxid|P|peptid"
    r"|phosphat|polymer|prote|reduct|synth|synthet|transfer)ase"
)
_ARTICLE = "(?:the|The|a|A|an|An)"

_TIDYING = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (rf"{_MARK}(?:\s*{_MARK})+", _MARK),
        (rf"{_MARK}s\b", _MARK),
        (rf"{_MARK}\s*[(\[]\s*(?:(?:also )?(?:known|called|named|termed) (?:as )?|or )?"
         rf"{_MARK}\s*[)\]]", _MARK),
        (rf"{_MARK}(?:,? or |,? also (?:known|called) (?:as )?|/|, ){_MARK}", _MARK),
        (rf"\b[Tt]his (?:{_NOUN},? )?{_MARK}", _MARK),
        (rf"\b{_ARTICLE} (?:{_NOUN} )?{_MARK}", _MARK),
        (rf"(^|[.!?] |\b(?:by|do|does|for|from|in|is|of|to|with) ){_NOUN} {_MARK}", rf"\1{_MARK}"),
        (rf"{_MARK} {_NOUN}\b(?! (?:levels?|family|kinase))", _MARK),
        (rf"{_MARK} (?=(?:{_OWNED})\b)", f"{_MARK}'s "),
    )
)  # fmt: skip
"""Applied in this order."""

_AWKWARD = re.compile(
    rf"{_MARK}(?:['’]s)?[ -](?:super|sub)?famil(?:y|ies)\b"
    rf"|{_MARK}[- ](?:like|related|homologu?e?s?|orthologu?e?s?|paralogu?e?s?|type)\b"
    rf"|\b(?:{_ENZYME}|{_NOUN}|factor|gene|homologu?e|channel|subunit) {_MARK}"
    rf"|\w+[,;]? \({_MARK}\)|[\w)]-{_MARK}|(?<!and ){_MARK} (?:are|have|were)\b"
    rf"|{_MARK}[-_/]?\d"
    r"|\b(?i:mutant|mutated|recombinant|wild[- ]type|native|truncated|purified|endogenous|mature"
    r"|active|inactive|phosphorylated|soluble|another|other|each|every|its|their|these|those|no"
    rf"|some|any|all|both|several|two|three|called|named|termed) {_MARK}"
)
"""Surroundings in which "this protein" makes no sense or says what the name said."""

# "The protein" is this one, unless more follows that makes it another: "the protein kinase A".
_THE_PROTEIN = re.compile(
    r"\b(?:([Tt])he|([Tt])his) (?:protein|enzyme|polypeptide|gene product)(?![\w-])"
    r"(?! (?:kinase|phosphatase|tyrosine|serine|disulfide|synthesis|biosynthesis|translation|level"
    r"|content|complex|famil|folding|degradation|transport|sorting|trafficking|secretion|machinery"
    r"|quality|import|export|substrate|partner|called|named|known|encoded|product|of\b"
    r"|[A-Z0-9]))"
)

_FUNCTION_WORD = (
    r"(?:and|or|but|is|are|was|were|has|have|can|may|does|do|that|which|when|where|by|in|at|on"
    r"|to|with|for|from|as|during|under|after|upon|through|via|it|this)\b"
)
_OWNED_BY_ORGANISM = (
    r"(?:cells?|tissues?|genomes?|proteomes?|embryos?|strains?|brains?|livers?|hearts?|kidneys?"
    r"|muscles?|neurons?|plasma|serum|blood|mitochondria|ribosomes?|nucle(?:us|i)|physiology"
    r"|metabolism|development|biology)\b"
)

# Never a noun, so that what follows is one.
_ADJECTIVES = re.compile(
    r"(?:human|murine|bovine|ovine|porcine|caprine|equine|canine|feline|avian)$", re.IGNORECASE
)

# Two characters: too short to be looked for as a name, still a name.
_SHORT = re.compile(r"[A-Za-z][A-Za-z0-9]")
_WORDS_OF_TWO = """
    am an as at be by do go he if in is it me my no of on or so to up us we
    ag al ba br ca cd cl co cu fe hg mg mn na ni pb se zn pi ii iv vi
"""
_SHORT_WORDS = frozenset(_WORDS_OF_TWO.split())


@dataclass(frozen=True)
class Identity:
    """What gives one protein away.

    Build it with `identity_of`.
    """

    names: tuple[Name, ...]
    loose: frozenset[str]
    """Symbols without punctuation and in lower case."""
    exact: re.Pattern[str] | None
    """Accession, entry name and names of two characters, as they are spelled."""
    organism: re.Pattern[str] | None


def identity_of(protein: Mapping[str, Any]) -> Identity:
    """Collect the names of a protein and its organism.

    Parameters
    ----------
    protein
        A row of table proteins with accession, entry_name, protein_name, alternative_names,
        gene_names, organism and lineage.
    """
    names = tuple(protein_names(protein))
    given = [
        protein["protein_name"],
        *(protein["alternative_names"] or []),
        *(protein["gene_names"] or []),
    ]
    short = {
        name
        for name in given
        if name and _SHORT.fullmatch(name) and name.lower() not in _SHORT_WORDS
    }
    exact = {protein["accession"], protein["entry_name"], *short} - {None, ""}
    return Identity(
        names,
        frozenset(_loose_forms(names)),
        _any_of(exact),
        _organism_pattern(protein["organism"]),
    )


def anonymise(text: str, identity: Identity) -> tuple[str, str | None]:
    """Return a text without the names, and what still gives the protein or organism away.

    Parameters
    ----------
    text
        A question or an answer.
    identity
        Of the protein.

    Returns
    -------
    text, leak
        `leak` is None if nothing was left.
    """
    marked = _mark_names(text, identity.names)
    if identity.organism:
        marked = _without_organism(marked, identity.organism)
    for pattern, new in _TIDYING:
        marked = pattern.sub(new, marked)
    awkward = _AWKWARD.search(marked)
    plain = _spelled_out(marked)
    if awkward:
        return plain, awkward.group().replace(_MARK, THIS_PROTEIN)
    return plain, _leak(plain, identity)


def about_this(question: str) -> str:
    """Return a question with "this protein" where it has "the protein" or "the enzyme".

    Only for questions: in an answer the words may stand for another protein.
    """
    return _THE_PROTEIN.sub(lambda m: f"{m[1] or m[2]}his protein", question)


def _mark_names(text: str, names: Iterable[Name]) -> str:
    names = list(names)
    # Every round takes letters away, so that this ends.
    while found := find_name(Text(text), names):
        text = text[: found.start] + _MARK + text[found.end :]
    return text


def _without_organism(text: str, organism: re.Pattern[str]) -> str:
    pieces: list[str] = []
    at = 0
    for match in organism.finditer(text):
        start, end = match.span()
        if start < at:
            continue
        before, after = text[:start], text[end:]
        preposition = re.search(
            r"\b(?:in|of|from|by|within|throughout|for|to) (?:the )?$", before, re.IGNORECASE
        )
        replacement: str | None = None
        if re.match(rf"\s+{_MARK}", after) or (
            re.match(r"\s+[a-z]", after)
            and not re.match(rf"\s+{_FUNCTION_WORD}", after)
            and (
                not preposition
                or _ADJECTIVES.match(match.group())
                or re.match(rf"\s+{_OWNED_BY_ORGANISM}", after)
            )
            and not re.search(r"\ban? $", before, re.IGNORECASE)
        ):
            replacement = ""
            end += len(after) - len(after.lstrip())
        elif preposition and re.match(rf"$|[.,;:?!)]|\s+{_FUNCTION_WORD}", after):
            replacement = THIS_ORGANISM
            start -= len(before) - len(re.sub(r"[Tt]he $", "", before))
        if replacement is None:
            continue
        pieces.append(text[at:start] + replacement)
        at = end
    result = "".join([*pieces, text[at:]])
    # A sentence that began with the organism begins with what follows it.
    if pieces and text[:1].isupper() and result[:1].islower():
        result = result[0].upper() + result[1:]
    return result


def _spelled_out(marked: str) -> str:
    capital = re.sub(rf"(^|[.!?]\s+){_MARK}", lambda m: m[1] + THIS_PROTEIN.capitalize(), marked)
    return capital.replace(_MARK, THIS_PROTEIN)


def _leak(text: str, identity: Identity) -> str | None:
    for pattern in (identity.exact, identity.organism):
        if pattern and (found := pattern.search(text)):
            return found.group()
    for word in text.split():
        for piece in {word, *re.split(r"[-/‐‑–−]", word)}:
            if _joined(piece) in identity.loose:
                return piece.strip(".,;:?!()[]")
    return None


def _loose_forms(names: Iterable[Name]) -> Iterable[str]:
    for name in names:
        joined = "".join(name.keys)
        has_digit = any(character.isdigit() for character in joined)
        is_word = joined in WORDS or joined in ABBREVIATIONS
        if name.forms is not None and len(joined) >= (3 if has_digit else 4) and not is_word:
            yield joined


def _joined(word: str) -> str:
    return "".join(token.key for token in Text(word).tokens)


def _organism_pattern(organism: str | None) -> re.Pattern[str] | None:
    terms = set(organism_names(organism))
    for name in own_names(organism):
        terms |= set(COMMON_NAMES.get(name, ())) - PEOPLE
        # A text has the genus alone too; a short one would be found in other words.
        terms -= {genus for genus in (name.capitalize(),) if " " not in name and len(name) < 5}
    spelled = [r"\.?[\s-]+".join(map(re.escape, term.split())) for term in terms]
    if not spelled:
        return None
    longest_first = "|".join(sorted(spelled, key=lambda term: (-len(term), term)))
    return re.compile(rf"(?<![\w-])(?:{longest_first})(?!\w)", re.IGNORECASE)


def _any_of(words: Iterable[str]) -> re.Pattern[str] | None:
    escaped = "|".join(re.escape(word) for word in sorted(words, key=lambda w: (-len(w), w)))
    return re.compile(rf"(?<![\w-])(?:{escaped})(?!\w)") if escaped else None
