"""Where an entry's own annotation says that a protein is, in ten classes and in two.

The classes are those of DeepLoc (Almagro Armenteros et al., Bioinformatics 2017). A statement in
Swiss-Prot reads ``Place, part of it; topology; orientation``, or ``Isoform 2: Place`` where it
is not about every form of the protein.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from protscribe.evaluation.classification.tasks import LOCATIONS, MEMBRANE, SOLUBLE

_STARTS = {
    "plasma membrane": (
        "cell membrane",
        "cell inner membrane",
        "apical cell membrane",
        "basal cell membrane",
        "basolateral cell membrane",
        "lateral cell membrane",
    ),
    "cytoplasm": ("cytoplasm",),
    "endoplasmic reticulum": (
        "endoplasmic reticulum",
        "rough endoplasmic reticulum",
        "smooth endoplasmic reticulum",
        "sarcoplasmic reticulum",
        "microsome",
        "microsome membrane",
    ),
    "golgi": ("golgi apparatus",),
    "vacuole": (
        "vacuole",
        "lysosome",
        "lytic vacuole",
        "protein storage vacuole",
        "contractile vacuole",
    ),
    "mitochondrion": ("mitochondrion",),
    "nucleus": ("nucleus",),
    "peroxisome": ("peroxisome", "glyoxysome"),
    # Other plastids are no chloroplasts.
    "chloroplast": ("plastid, chloroplast",),
    "extracellular": ("secreted",),
}
_CLASS_OF = {start: LOCATIONS.index(name) for name, starts in _STARTS.items() for start in starts}

_OTHER_FORM = re.compile(r"[^;]*\S: ")
_SPANNING = re.compile(r"\b(single-pass|multi-pass|lipid-anchor|gpi-anchor)\b", re.IGNORECASE)
_ANY_MEMBRANE = re.compile(r"membrane|anchor", re.IGNORECASE)
_SPANNING_FEATURES = {"TRANSMEM", "INTRAMEM"}
_HINTS = {"Membrane", "Transmembrane", "Lipoprotein", "GPI-anchor"}

Row = Mapping[str, Any]


def locations_of(statements: Sequence[str]) -> list[int]:
    """Return the compartments that an entry names, as positions in `LOCATIONS`.

    Parameters
    ----------
    statements
        Column ``subcellular_location`` of table ``proteins``.

    Returns
    -------
    list of int
        Sorted. Statements about single isoforms or chains are passed over, and so are places
        that none of the ten classes holds, such as endosomes or a membrane that is not named.
    """
    found = set()
    for statement in statements:
        if not _OTHER_FORM.match(statement):
            place = statement.split(";")[0].strip().rstrip(".").lower()
            found.add(_class_of(place))
    return sorted(one for one in found if one is not None)


def _class_of(place: str) -> int | None:
    # "Plastid, chloroplast thylakoid membrane" and "Mitochondrion matrix" are named after the
    # whole, "Endoplasmic reticulum-Golgi intermediate compartment" is a place of its own.
    for start, number in _CLASS_OF.items():
        if place.startswith(start) and place[len(start) :][:1] in ("", ",", " "):
            return number
    return None


def binding_of(protein: Row) -> int | None:
    """Return whether an entry says that a protein is bound to a membrane, or soluble.

    Bound is what has a transmembrane or intramembrane feature or a topology such as
    ``Single-pass type I membrane protein`` or ``Lipid-anchor`` in all its forms. Soluble is what
    has a location, and nothing anywhere that speaks of a membrane, an anchor or a lipid.

    Parameters
    ----------
    protein
        Columns ``subcellular_location``, ``features`` and ``keywords``.

    Returns
    -------
    int or None
        `MEMBRANE`, `SOLUBLE`, or None where the entry does not decide it: peripheral proteins,
        membranes without a topology, and isoforms that differ.
    """
    statements = protein["subcellular_location"] or []
    features = {feature["type"] for feature in protein["features"] or []}
    whole = [one for one in statements if not _OTHER_FORM.match(one)]
    if features & _SPANNING_FEATURES or any(_SPANNING.search(one) for one in whole):
        # A form without the membrane makes the question one about forms.
        return MEMBRANE if len(whole) == len(statements) else None
    if not whole or features & {"LIPID"} or _HINTS & set(protein["keywords"] or []):
        return None
    return None if any(_ANY_MEMBRANE.search(one) for one in statements) else SOLUBLE
