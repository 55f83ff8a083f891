"""What a protein can be linked by: the relations of the graph, and how they stand to each other.

The relation of a triple (protein, relation, annotation) is the kind of its annotation.
"""

from collections.abc import Sequence

from protscribe.errors import InputError

ASPECT_RELATIONS = {
    "F": "molecular_function",
    "P": "biological_process",
    "C": "cellular_component",
}
"""Relation of each aspect of the Gene Ontology."""

INTERPRO_RELATIONS = {
    "family": "family",
    "homologous_superfamily": "superfamily",
    "superfamily": "superfamily",
    "domain": "domain",
    "repeat": "repeat",
    "conserved_site": "conserved_site",
    "active_site": "active_site",
    "binding_site": "binding_site",
}
"""Relation of each type of InterPro entry, in lower case. Sites of modification have none."""

RELATIONS = (
    *ASPECT_RELATIONS.values(),
    *dict.fromkeys(INTERPRO_RELATIONS.values()),
    *("ec", "cofactor", "location", "keyword"),
)

NOUNS = {relation: relation.replace("_", " ") for relation in INTERPRO_RELATIONS.values()}
"""The noun that closes a name of each kind, unless the name ends in it already."""

LEVELS = dict.fromkeys(INTERPRO_RELATIONS.values(), 0) | {
    relation: level for level, relation in enumerate(ASPECT_RELATIONS.values(), 1)
}
"""How far along the way from structure to function to process to component a kind stands."""

UNINFORMATIVE = frozenset({"GO:0005488", "GO:0005515", "binding_site:substrate binding site"})
"""Annotations that are true and say next to nothing: binding, protein binding, substrate binding.

They stay in the graph, which is to hold what the sources hold and whose embedding profits from
them; who asks questions may pass them over.
"""

ROOTS = frozenset({"GO:0003674", "GO:0008150", "GO:0005575"})
"""Roots of the three aspects: as a protein's annotation they mean that nothing is known."""


def check_relations(relations: Sequence[str]) -> tuple[str, ...]:
    """Return the chosen relations, each once, in the order of `RELATIONS`.

    Raises
    ------
    InputError
        If there are none, or one is unknown.
    """
    if unknown := sorted(set(relations) - set(RELATIONS)):
        raise InputError(
            f"knowledge.relations: unknown relation {', '.join(unknown)}; use any of "
            f"{', '.join(RELATIONS)}"
        )
    if not relations:
        raise InputError(f"knowledge.relations is empty; use any of {', '.join(RELATIONS)}")
    return tuple(relation for relation in RELATIONS if relation in relations)
