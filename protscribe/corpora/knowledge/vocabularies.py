"""What vocabularies say of ids: names, kinds, present ids, and how they hang together."""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.corpora.knowledge.annotations import Mention, Reading, Refusal
from protscribe.corpora.knowledge.relations import ASPECT_RELATIONS, INTERPRO_RELATIONS, ROOTS
from protscribe.corpora.knowledge.words import plain, read_short_name, with_noun
from protscribe.errors import InputError
from protscribe.tables import read_table

ONTOLOGY_TABLES = ("ontology_terms", "ontology_ids", "ontology_edges", "ontology_closure")
TABLES = (
    *ONTOLOGY_TABLES,
    *("interpro_entries", "interpro2go", "enzymes", "keywords", "locations", "chemicals"),
)
"""Tables that the graph may be built with; all may be missing, those of the ontology together."""

UNUSED_CATEGORIES = frozenset({"Technical term", "Coding sequence diversity", "Disease"})
"""Categories of UniProt's keywords that say nothing of the protein as it stands.

Technical terms are about the entry (3D-structure), coding sequence diversity is about other
products of the gene (Alternative splicing), and a disease comes from variants of the sequence.
"""
USED_NEVERTHELESS = frozenset(
    {"Allergen", "Oncogene", "Proto-oncogene", "Pyrrolysine", "Selenocysteine", "Tumor suppressor"}
)
"""Keywords of those categories that do say what the protein does, or what it is made of."""
UNUSED_KEYWORDS = frozenset(
    {
        *("3D-structure", "Complete proteome", "Direct protein sequencing"),
        *("Extinct organism protein", "Hypothetical protein", "Pharmaceutical", "Plasmid"),
        *("Proteomics identification", "Reference proteome", "Transposable element"),
        *("Alternative initiation", "Alternative promoter usage", "Alternative splicing"),
        *("Chromosomal rearrangement", "Polymorphism", "Ribosomal frameshifting", "RNA editing"),
        *("Triplet repeat expansion", "Disease mutation", "Disease variant"),
    }
)
"""The commonest keywords that are left out, former ones too: all that is known of categories where
the vocabulary of keywords is not at hand. Names of diseases are not told apart then."""

ENZYME_CLASSES = {
    "1": "oxidoreductase",
    "2": "transferase",
    "3": "hydrolase",
    "4": "lyase",
    "5": "isomerase",
    "6": "ligase",
    "7": "translocase",
}
_EC = re.compile(r"[1-7]\.(?:-\.-\.-|\d+\.(?:-\.-|\d+\.(?:-|n?\d+)))")


class Vocabularies:
    """The vocabularies at hand.

    Parameters
    ----------
    paths
        Tables by name (`TABLES`); those that are missing are not used.

    Raises
    ------
    InputError
        If a table is damaged, or only some tables of the ontology are given.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        given = [name for name in ONTOLOGY_TABLES if name in paths]
        if given and len(given) < len(ONTOLOGY_TABLES):
            missing = ", ".join(sorted(set(ONTOLOGY_TABLES) - set(given)))
            raise InputError(f"{paths[given[0]]}: comes without {missing}; parse the ontology")
        self.paths = dict(paths)
        self.has_ontology = bool(given)
        self.go_terms = {
            term["id"]: term for term in self._rows("ontology_terms", "id name aspect")
        }
        self.go_ids = {row["id"]: row["term"] for row in self._rows("ontology_ids", "id term")}
        self.interpro = {row["id"]: row for row in self._rows("interpro_entries", "id type name")}
        self.enzymes = {row["ec"]: row for row in self._rows("enzymes")}
        self.keywords = {row["name"]: row for row in self._rows("keywords")}
        self._keyword_names = {row["id"]: row["name"] for row in self.keywords.values()}
        self._locations = {
            row["id"]: row for row in self._rows("locations") if row["kind"] == "location"
        }
        self._location_of = {row["name"].casefold(): row for row in self._locations.values()}
        self.places = {
            synonym.casefold(): row["name"]
            for row in self._locations.values()
            for synonym in row["synonyms"]
        }
        # A name goes before another place's synonym.
        self.places |= {name: row["name"] for name, row in self._location_of.items()}

    def table(self, name: str) -> pa.Table | None:
        """Return a table, or None if it is not at hand."""
        return read_table(self.paths[name], name) if name in self.paths else None

    def read_go(self, identifier: str) -> Reading | Refusal:
        """Return what a GO id is at present."""
        if not self.has_ontology:
            reason = "without the ontology a term has no name; set ontology.source"
            return Refusal("unnamed", reason, identifier)
        if identifier not in self.go_ids:
            return Refusal("unknown_term", "is not in the ontology")
        present = self.go_ids[identifier]
        if present is None:
            return Refusal("obsolete_term", "is obsolete, and no one term replaces it")
        if present in ROOTS:
            return Refusal("root_term", "says that nothing is known")
        term = self.go_term(present)
        return Reading([term]) if term else Refusal("unnamed", "the term has no name", present)

    def go_term(self, identifier: str) -> Mention | None:
        """Return a current term, unless it has no name or aspect."""
        term = self.go_terms.get(identifier)
        if term is None or not term["name"] or term["aspect"] not in ASPECT_RELATIONS:
            return None
        return Mention(ASPECT_RELATIONS[term["aspect"]], term["name"], "ontology", identifier)

    def read_interpro(self, identifier: str, short_name: str | None) -> Reading | Refusal:
        """Return an InterPro entry, by its short name where the list of entries lacks it."""
        entry = self.interpro.get(identifier)
        if entry and entry["name"]:
            kind = INTERPRO_RELATIONS.get((entry["type"] or "").lower())
            if kind is None:
                return Refusal("no_relation", f"entries of type {entry['type']} have no relation")
            name = with_noun(plain(entry["name"]), kind)
        elif short_name:
            kind, name = read_short_name(short_name)
        else:
            return Refusal("unnamed", "the InterPro entry has no name", identifier)
        return Reading([Mention(kind, name, "interpro", identifier)])

    def read_ec(self, number: str) -> Reading | Refusal:
        """Return an EC number, the present one of one that was transferred, with its classes."""
        if not _EC.fullmatch(number):
            return Refusal("not_an_ec_number", "is not an EC number")
        seen = {number}
        while (entry := self.enzymes.get(number)) and (entry["deleted"] or entry["transferred_to"]):
            ends = entry["transferred_to"]
            if len(ends) != 1 or ends[0] in seen:
                detail = f"transferred to {' and '.join(ends)}" if ends else "deleted"
                return Refusal("gone_enzyme", detail)
            number = ends[0]
            seen.add(number)
        steps = [self._enzyme(number), *(self._enzyme(wider) for wider in _wider(number))]
        edges = [(a, "is_a", b) for a, b in pairwise(steps)]
        return Reading(steps[:1], edges)

    def read_keyword(self, name: str) -> Reading | Refusal:
        """Return a keyword, unless it is of a category that is not used."""
        unused = Refusal("not_knowledge", "a keyword about the entry, the gene or its variants")
        if name in UNUSED_KEYWORDS:
            return unused
        if not self.keywords:
            return Reading([_keyword(name, "entry")])
        if name not in self.keywords:
            return Refusal("unknown_keyword", "is not in UniProt's vocabulary")
        category = self.keywords[name]["category"]
        if category in UNUSED_CATEGORIES and name not in USED_NEVERTHELESS:
            return unused
        return Reading([_keyword(name, "keywords")])

    def chemical_ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return the id of each name, in small letters, that belongs to one chemical alone."""
        table = self.table("chemicals")
        if table is None:
            return {}
        parents = pc.list_parent_indices(table["synonyms"])
        spelled = pa.table(
            {
                "id": pa.chunked_array([*table["id"].chunks, *table["id"].take(parents).chunks]),
                "name": pa.chunked_array(
                    [*table["name"].chunks, *pc.list_flatten(table["synonyms"]).chunks]
                ),
            }
        )
        lowered = pc.utf8_lower(spelled["name"])
        spelled = spelled.set_column(1, "name", lowered)
        spelled = spelled.filter(pc.is_in(lowered, pa.array(sorted(names), pa.string())))
        found: dict[str, set[str]] = {}
        for row in spelled.to_pylist():
            found.setdefault(row["name"], set()).add(row["id"])
        return {name: min(ids) for name, ids in found.items() if len(ids) == 1}

    def keyword_parents(self, identifier: str) -> list[tuple[str, Mention]]:
        """Return relation and keyword of each wider keyword of a keyword's annotation."""
        row = self.keywords.get(identifier.removeprefix("KW:"))
        names = [self._keyword_names.get(parent) for parent in (row["parents"] if row else ())]
        return [("is_a", _keyword(name, "keywords")) for name in names if name]

    def place_parents(self, name: str) -> list[tuple[str, Mention]]:
        """Return relation and place of what a place is or is part of."""
        row = self._location_of.get(name.casefold(), {})
        return [
            (relation, Mention("location", plain(self._locations[parent]["name"]), "locations"))
            for relation in ("is_a", "part_of")
            for parent in row.get(relation, ())
            if parent in self._locations
        ]

    def _rows(self, name: str, columns: str = "") -> list[dict[str, Any]]:
        if name not in self.paths:
            return []
        return read_table(self.paths[name], name, columns.split() or None).to_pylist()

    def _enzyme(self, number: str) -> Mention:
        entry = self.enzymes.get(number)
        if entry and entry["name"]:
            return Mention("ec", plain(entry["name"]), "enzyme", f"EC:{number}")
        if number.endswith(".-.-.-"):
            return Mention("ec", ENZYME_CLASSES[number[0]], "enzyme", f"EC:{number}")
        return Mention("ec", f"EC {number}", "entry", f"EC:{number}")


def _wider(number: str) -> list[str]:
    """Return the classes of an EC number: 1.14.11.9 is in 1.14.11.-, 1.14.-.- and 1.-.-.-."""
    digits = [part for part in number.split(".") if part != "-"]
    return [".".join(digits[:n] + ["-"] * (4 - n)) for n in range(len(digits) - 1, 0, -1)]


def _keyword(name: str, source: str) -> Mention:
    return Mention("keyword", plain(name), source, f"KW:{name}")
