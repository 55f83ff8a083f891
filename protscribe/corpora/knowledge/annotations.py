"""What a statement of an entry is read as: mentions of annotations, or a reason against it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Mention(NamedTuple):
    """An annotation as a statement mentions it.

    Parameters
    ----------
    kind
        The relation.
    name
        As spelled in the statement or its vocabulary.
    source
        Where the name is from: ``ontology``, ``interpro``, ``enzyme``, ``keywords``,
        ``locations`` or ``entry``.
    id
        The annotation's id; if missing, it is made of kind and name.
    group
        What different spellings of one thing have in common; the name in small letters if
        missing.
    """

    kind: str
    name: str
    source: str
    id: str | None = None
    group: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells this annotation from others, however it is spelled."""
        return self.kind, self.id or self.group or self.name.casefold()


class Refusal(NamedTuple):
    """Why a statement is not in the graph."""

    reason: str
    detail: str
    annotation: str | None = None


class Reading(NamedTuple):
    """What a statement says of the protein, and what it says of the annotations themselves."""

    mentions: Sequence[Mention]
    edges: Sequence[tuple[Mention, str, Mention]] = ()

    def all_mentions(self) -> list[Mention]:
        """Return the mentions, those in edges included."""
        ends = [end for child, _, parent in self.edges for end in (child, parent)]
        return [*self.mentions, *ends]


class Annotation(NamedTuple):
    """A row of table ``knowledge_annotations``."""

    id: str
    kind: str
    name: str
    source: str


class Edge(NamedTuple):
    """A row of table ``knowledge_edges``."""

    child: str
    relation: str
    parent: str
    source: str


def settle(mentions: Iterable[tuple[Mention, int]]) -> dict[tuple[str, str], Annotation]:
    """Give each annotation one id and one name, however often and however it is spelled.

    Parameters
    ----------
    mentions
        Each with the number of statements that spell it so. The commonest spelling wins (of
        equal ones, that with more small letters). A name without an id joins an annotation of
        the same kind and name that has one. Of several ids with one name, all but the first get
        their id behind it, since a question about a name must mean one thing.

    Returns
    -------
    dict
        The annotation of each key of a mention.
    """
    spellings: dict[tuple[str, str], Counter[Mention]] = {}
    for mention, statements in mentions:
        spellings.setdefault(mention.key, Counter())[mention] += statements
    chosen = {
        key: max(found.items(), key=lambda item: (item[1], item[0].name, item[0].source))[0]
        for key, found in spellings.items()
    }
    settled: dict[tuple[str, str], Annotation] = {}
    named: dict[tuple[str, str], Annotation] = {}
    # Those with an id come first, so that the others can join them.
    for key, (kind, name, source, identifier, _) in sorted(
        chosen.items(), key=lambda item: (item[1].id is None, item[0])
    ):
        same_name = (kind, name.casefold())
        if identifier is None:
            own = Annotation(f"{kind}:{name}", kind, name, source)
            settled[key] = named.setdefault(same_name, own)
        else:
            told_apart = f"{name} ({identifier})" if same_name in named else name
            settled[key] = Annotation(identifier, kind, told_apart, source)
            named.setdefault(same_name, settled[key])
    return settled


def settled_edges(
    readings: Iterable[Reading],
    settled: Mapping[tuple[str, str], Annotation],
    kinds: Sequence[str],
) -> set[Edge]:
    """Return the edges that lie in statements themselves, between annotations of some kinds."""
    edges = set()
    for reading in readings:
        for child, relation, parent in reading.edges:
            ends = settled[child.key], settled[parent.key]
            if ends[0] != ends[1] and child.kind in kinds and parent.kind in kinds:
                source = "enzyme" if child.kind == "ec" else "entry"
                edges.add(Edge(ends[0].id, relation, ends[1].id, source))
    return edges
