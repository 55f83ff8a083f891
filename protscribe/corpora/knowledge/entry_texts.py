"""Families, cofactors, locations and features as entries word them."""

import re
from collections.abc import Mapping

from protscribe.corpora.knowledge import words
from protscribe.corpora.knowledge.annotations import Mention, Reading, Refusal

SOURCE = "entry"

SITE_FEATURES = ("ACT_SITE", "BINDING", "METAL", "NP_BIND", "CA_BIND", "SITE")
DOMAIN_FEATURES = ("DOMAIN", "REPEAT", "ZN_FING", "DNA_BIND")

_LEVEL_END = re.compile(r"(?<=family)\.\s+")
_LEVEL = re.compile(r"(?:(super)|(sub-)*sub)?family$", re.IGNORECASE)
_TRANSPORTER_NUMBER = re.compile(r"\s*\(TC [^()]*\)")
_CONTENT = re.compile(
    r"(?:binds|contains|requires)\s+(?:(?:about|up to|at least)\s+)?(?:(?:\d+|one|two|an?)\s+)?"
    r"(.+?)(?:\s+(?:groups?|molecules?))?(?:\s+(?:non-?)?covalently)?(?:\s+per\s+.+)?",
    re.IGNORECASE,
)
_SCOPED = re.compile(r"[^,;]+:\s")
_TOPOLOGY = re.compile(
    r"(?:^|\s)(?:\S*-pass\s.*|peripheral membrane protein|\S*-anchor|side)$", re.I
)
_BINDING_NOTE = re.compile(
    r"(?:interaction with (?P<partner>\S+)|(?P<ligand>.+?)[ -]binding)", re.I
)


def read_family(text: str) -> Reading | Refusal:
    """Read what a SIMILARITY comment says after "Belongs to the".

    Levels go from the widest to the narrowest, each with a full stop after it: ``protein kinase
    superfamily. Tyr protein kinase family. ABL subfamily``. A subfamily is named with what it is
    of, since ``subfamily A`` alone says nothing.
    """
    mentions: list[Mention] = []
    for level in _LEVEL_END.split(_TRANSPORTER_NUMBER.sub("", text)):
        name = level.strip(" .")
        end = _LEVEL.search(name)
        if end is None:
            continue
        if end.group().lower().startswith("sub") and mentions:
            name = f"{name} of the {mentions[-1].name}"
        mentions.append(Mention("superfamily" if end[1] else "family", name, SOURCE))
    if not mentions:
        return Refusal("unclear_text", "names no family")
    steps = zip(mentions[1:], mentions[:-1], strict=True)
    return Reading(mentions, [(child, "is_a", parent) for child, parent in steps])


def read_cofactor(text: str, chemicals: Mapping[str, str]) -> Reading | Refusal:
    """Read a cofactor: a name, or a note such as ``Binds 1 iron ion per subunit``.

    Parameters
    ----------
    text
        The cofactor.
    chemicals
        Id of a chemical by its names in small letters: different names of one become one.
    """
    content = _CONTENT.fullmatch(words.without_number(text))
    found = words.ligands(content[1] if content else text)
    if not found:
        return Refusal("unclear_text", "names no cofactor")
    return Reading(
        [
            Mention("cofactor", re.sub(r"clusters$", "cluster", name), SOURCE, group=group)
            for name, group in ((name, chemicals.get(name.casefold())) for name in found)
        ]
    )


def read_location(text: str, places: Mapping[str, str]) -> Reading | Refusal:
    """Read a location such as ``Golgi apparatus, trans-Golgi network membrane; Lipid-anchor``.

    The place is the last of the names before the first semicolon; those before it are what it is
    part of. What comes later is topology.

    Parameters
    ----------
    text
        The location.
    places
        UniProt's name of a place by its names in small letters; empty if the vocabulary is not
        at hand. With it, other places are refused, and what is part of what is its own matter.
    """
    if _SCOPED.match(text):
        return Refusal("scoped_location", "holds for an isoform or a part alone")
    names = [name.strip() for name in text.partition(";")[0].split(",")]
    if _TOPOLOGY.search(names[-1]):
        return Refusal("topology", "is no place")
    if places:
        place = places.get(names[-1].casefold()) or places.get(", ".join(names).casefold())
        if place is None:
            return Refusal("unknown_location", "is not in UniProt's vocabulary")
        return Reading([Mention("location", words.plain(place), "locations")])
    if not all(words.is_name(name) for name in names):
        return Refusal("unclear_text", "names no place")
    path = [Mention("location", words.plain(name), SOURCE) for name in names]
    steps = zip(path[1:], path[:-1], strict=True)
    return Reading(path[-1:], [(child, "part_of", parent) for child, parent in steps])


def read_feature(text: str, chemicals: Mapping[str, str]) -> Reading | Refusal:
    """Read a feature, its type followed by its note: ``BINDING ATP 1``, ``DOMAIN SH3``.

    Sites that bind are named by their ligand; of features of type SITE, which hold anything, only
    those are taken that say that something is bound. `chemicals` is as in `read_cofactor`.
    """
    kind, _, note = text.partition(" ")
    if kind == "CA_BIND":
        return _sites(["calcium"], chemicals)
    said = words.without_number(note)
    if not any(letter.isalpha() for letter in said) or said.lower() == "approximate":
        return Refusal("unnamed", "the feature has no note that names it")
    if kind == "SITE":
        binding = _BINDING_NOTE.fullmatch(said)
        said = (binding["partner"] or binding["ligand"]) if binding else ""
    if kind in SITE_FEATURES and kind != "ACT_SITE":
        found = words.ligands(note if kind != "SITE" else said)
        return _sites(found, chemicals) if found else Refusal("unclear_text", "names no ligand")
    if not words.is_name(said):
        return Refusal("unclear_text", "names no site or domain")
    name = words.plain(said)
    match kind:
        case "ACT_SITE":
            relation = "active_site"
        case "REPEAT":
            relation = "repeat"
        case "ZN_FING":
            relation, name = "domain", f"{name} zinc finger"
        case "DNA_BIND":
            relation, name = "domain", f"{name} DNA-binding"
        case _:
            relation = "domain"
    return Reading([Mention(relation, words.with_noun(name, relation), SOURCE)])


def _sites(ligands: list[str], chemicals: Mapping[str, str]) -> Reading:
    mentions = []
    for ligand in ligands:
        name = ligand.removesuffix(" binding")
        group = chemicals.get(name.casefold())
        mentions.append(
            Mention("binding_site", words.with_noun(name, "binding_site"), SOURCE, group=group)
        )
    return Reading(mentions)
