"""PubMed queries for the names of a protein.

PubMed's query language has quotes, brackets, asterisks, colons and the words AND, OR and NOT of its
own, and its index knows words only, not punctuation. A name is therefore reduced to words before
it is quoted; Greek letters are words too.
"""

import re
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from protscribe.errors import InputError

PLACEHOLDERS = frozenset({"names", "organism"})
ORGANISM_FIELD = "tw"
"""Text words: title, abstract and MeSH headings, which often are all that tells the species."""

MIN_LETTERS = 3
"""Letters and digits of the shortest name that is searched."""

_ENZYME_NUMBER = re.compile(r"(EC[ :]*)?\d+(\.(n?\d+|-)){1,3}", re.IGNORECASE)
_PLACE = re.compile(
    r", (mitochondrial|chloroplastic|cytoplasmic|cytosolic|nuclear|peroxisomal|glyoxysomal"
    r"|plasmid|chromosomal|amyloplastic|chromoplastic|cyanelle|apicoplast|hydrogenosomal"
    r"|(chloroplastic|cytoplasmic|mitochondrial)[/ ].*)$"
)
_GENERIC = re.compile(
    r"(putative |probable |conserved )*(uncharacteri[sz]ed|hypothetical|unknown)\b.*"
    r"|(putative |probable )*\d+([., ]\d+)? kda (\w+ )?(protein|antigen|subunit|polypeptide)",
    re.IGNORECASE,
)
_GENERIC_WORDS = """
    protein polyprotein polypeptide enzyme precursor receptor antigen allergen toxin inhibitor
    hormone kinase phosphatase protease proteinase peptidase hydrolase transferase oxidoreductase
    dehydrogenase reductase synthase synthetase isomerase ligase lyase helicase polymerase
    nuclease transporter permease porin repressor activator regulator chaperone adhesin lectin
    transposase integrase recombinase capsid envelope coat
"""
GENERIC_NAMES = frozenset(_GENERIC_WORDS.split()) | {
    "genome polyprotein",
    "membrane protein",
    "transmembrane protein",
    "coat protein",
    "capsid protein",
    "structural protein",
    "transcription factor",
    "transcriptional regulator",
    "transport protein",
    "regulatory protein",
    "secreted protein",
    "heat shock protein",
    "gene product",
    "open reading frame",
}
"""Whole names, in lower case, that fit too many proteins to say which one a text is about."""

_COMMON = """
    all and any are art bad bag bar bat big but can car cat cell dad did dog end far fat fed fit
    fly for fun gap get had has hat her hip his hit how its job key kit large let light lot
    low man map mask max men met mice mouse not now off old one our out part pat pig put rap rat
    raw red rest ring sea see set she short six sky son spin star step sun tab tag tan ten the tip
    top toy two type use was way who why
"""
COMMON_WORDS = frozenset(_COMMON.split())
"""Gene symbols that are English words: PubMed does not tell CAT from cat."""


@dataclass(frozen=True)
class Term:
    """Words to be found next to each other in a field of PubMed."""

    text: str
    field: str

    def render(self, adjacent: bool) -> str:
        """Return the term as a quoted phrase, or as words at distance 0 (no phrase index)."""
        if adjacent and " " in self.text:
            return f'"{self.text}"[tiab:~0]'
        return f'"{self.text}"[{self.field}]'


@dataclass(frozen=True)
class Query:
    """A query for one protein, and the names that it leaves out with the reason."""

    template: str
    names: tuple[Term, ...]
    organism: tuple[Term, ...]
    left_out: Mapping[str, str]

    def render(self, adjacent: Collection[str] = ()) -> str:
        """Return the query in PubMed's language.

        Parameters
        ----------
        adjacent
            Words of the terms that are not to be looked up in PubMed's phrase index.
        """
        groups = {"names": self.names, "organism": self.organism}
        return self.template.format(
            **{
                key: f"({' OR '.join(term.render(term.text in adjacent) for term in terms)})"
                for key, terms in groups.items()
            }
        )

    def phrases(self, *keys: str) -> set[str]:
        """Return the words of all terms of several words, or of those of the given groups."""
        groups = {"names": self.names, "organism": self.organism}
        terms = (term for key in keys or groups for term in groups[key])
        return {term.text for term in terms if " " in term.text}


def check_template(template: str, field: str) -> None:
    """Check a query template and a field tag.

    Raises
    ------
    InputError
        If the template has no {names}, has other placeholders than {names} and {organism}, or if
        the field is not the name of one.
    """
    try:
        found = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise InputError(f"query_template {template!r}: {error}") from None
    if "names" not in found or found - PLACEHOLDERS:
        raise InputError(
            f"query_template {template!r}: needs {{names}}, may have {{organism}} and no other "
            "word in braces"
        )
    if not re.fullmatch(r"[A-Za-z][A-Za-z /]*", field):
        raise InputError(f"search field {field!r}: give a field tag of PubMed, such as tiab")


def build_query(protein: Mapping[str, Any], template: str, field: str = "tiab") -> Query:
    """Return the query for a protein.

    Parameters
    ----------
    protein
        A row of table proteins with ``protein_name``, ``alternative_names``, ``gene_names`` and
        ``organism``.
    template
        PubMed query with {names} and, where wanted, {organism}.
    field
        PubMed's tag of the field in which names are searched.

    Returns
    -------
    Query
        Without names, if none can be used.
    """
    given = [protein["protein_name"], *(protein["alternative_names"] or [])]
    genes = set(protein["gene_names"] or [])
    chosen: dict[str, Term] = {}
    left_out: dict[str, str] = {}
    for name in [*given, *(protein["gene_names"] or [])]:
        if not name or not name.strip():
            continue
        text = searchable(name)
        if reason := _unusable(name, text, is_gene=name in genes):
            left_out[name] = reason
        else:
            chosen.setdefault(text.lower(), Term(text, field))
    organism = tuple(Term(name, ORGANISM_FIELD) for name in organism_names(protein["organism"]))
    return Query(template, tuple(chosen.values()), organism, left_out)


def searchable(name: str) -> str:
    """Return a name as words that mean nothing to PubMed's query language.

    Kept are letters of any alphabet, digits, underscores, and hyphens, full stops, commas and
    primes inside a word; everything else separates words, as it does in PubMed's index. A place
    that UniProt adds to a recommended name (", mitochondrial") is cut off, as texts do not write
    it, and the words AND, OR and NOT are written in lower case.
    """
    text = _PLACE.sub("", " ".join(name.split()))
    text = re.sub(r"[^\w\-.,'’]", " ", text)
    kept = (re.sub(r"^[\-.,]+|[\-.,]+$", "", word) for word in text.split())
    kept = (word.lower() if word in ("AND", "OR", "NOT") else word for word in kept)
    return " ".join(word for word in kept if word)


def organism_names(organism: str | None) -> list[str]:
    """Return the names by which texts call an organism.

    Parameters
    ----------
    organism
        As UniProt has it: ``Mus musculus (Mouse)``, ``Escherichia coli (strain K12)``,
        ``Human immunodeficiency virus type 1 (isolate HXB2) (HIV-1)``.

    Returns
    -------
    list of str
        The scientific name without strain; for a binomial, with the genus abbreviated too and
        the genus alone; common names and acronyms.
    """
    if not organism:
        return []
    scientific = organism.partition("(")[0].strip()
    names = [scientific]
    binomial = re.match(r"([A-Z][a-z]+) (?!sp\.)([a-z][a-z-]+)\b", scientific)
    if binomial and not re.search(r"virus|phage|viroid", scientific, re.IGNORECASE):
        genus, species = binomial.groups()
        names = [f"{genus} {species}", f"{genus[0]} {species}", genus]
    for note in re.findall(r"\(([^()]+)\)", organism):
        if not re.match(r"(strain|isolate|serotype|serovar|biovar|subsp|sv\.|bv\.|pv\.)", note):
            names.append(note)
    usable = (searchable(name) for name in names)
    return list(dict.fromkeys(name for name in usable if len(name) >= MIN_LETTERS))


def _unusable(name: str, text: str, *, is_gene: bool) -> str | None:
    if _ENZYME_NUMBER.fullmatch(name.strip()):
        return "enzyme number"
    letters = [character for character in text if character.isalnum()]
    if len(letters) < MIN_LETTERS or all(character.isdigit() for character in letters):
        return "too short"
    if text.lower() in GENERIC_NAMES or _GENERIC.fullmatch(text):
        return "too generic"
    if is_gene and text.lower() in COMMON_WORDS:
        return "an English word"
    return None
