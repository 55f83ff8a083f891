"""A small made-up world for tests of the knowledge graph: proteins, folds and vocabularies.

Four groups of proteins (flavodoxins, homeobox proteins, receptors, kinases) whose annotations lie
along chains domain -> function -> process -> component. Ids are real; some edges are made up.
Within a group, the first half of the proteins are near copies of each other.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from helpers_data import natural_protein, plant_homologue, write_proteins, write_split
from protscribe.corpora.knowledge.graph import build_knowledge_graph
from protscribe.tables import write_table

RELATIONS = [
    *("molecular_function", "biological_process", "cellular_component"),
    *("family", "superfamily", "domain", "repeat"),
    *("conserved_site", "active_site", "binding_site"),
    *("ec", "cofactor", "location", "keyword"),
]

ROOTS = {"F": "GO:0003674", "P": "GO:0008150", "C": "GO:0005575"}

TERMS: dict[str, tuple[str, str]] = {
    "GO:0003674": ("F", "molecular_function"),
    "GO:0008150": ("P", "biological_process"),
    "GO:0005575": ("C", "cellular_component"),
    "GO:0005488": ("F", "binding"),
    "GO:0005515": ("F", "protein binding"),
    "GO:0046872": ("F", "metal ion binding"),
    "GO:0008270": ("F", "zinc ion binding"),
    "GO:0010181": ("F", "FMN binding"),
    "GO:0005524": ("F", "ATP binding"),
    "GO:0003677": ("F", "DNA binding"),
    "GO:0003824": ("F", "catalytic activity"),
    "GO:0009055": ("F", "electron transfer activity"),
    "GO:0003700": ("F", "DNA-binding transcription factor activity"),
    "GO:0004930": ("F", "G protein-coupled receptor activity"),
    "GO:0004672": ("F", "protein kinase activity"),
    "GO:0008152": ("P", "metabolic process"),
    "GO:0022900": ("P", "electron transport chain"),
    "GO:0006351": ("P", "DNA-templated transcription"),
    "GO:0006355": ("P", "regulation of DNA-templated transcription"),
    "GO:0007186": ("P", "G protein-coupled receptor signaling pathway"),
    "GO:0006468": ("P", "protein phosphorylation"),
    "GO:0016020": ("C", "membrane"),
    "GO:0005886": ("C", "plasma membrane"),
    "GO:0005634": ("C", "nucleus"),
    "GO:0005654": ("C", "nucleoplasm"),
    "GO:0005737": ("C", "cytoplasm"),
}
"""Aspect and name of each current term."""

ALTERNATIVE, REPLACED, SPLIT_UP = "GO:0043566", "GO:0000101", "GO:0000102"
"""An alternative id of DNA binding, an obsolete id that leads to nucleus, and one without end."""

BASIC_EDGES = [
    ("GO:0005488", "is_a", "GO:0003674"),
    ("GO:0003824", "is_a", "GO:0003674"),
    ("GO:0009055", "is_a", "GO:0003674"),
    ("GO:0003700", "is_a", "GO:0003674"),
    ("GO:0004930", "is_a", "GO:0003674"),
    ("GO:0005515", "is_a", "GO:0005488"),
    ("GO:0046872", "is_a", "GO:0005488"),
    ("GO:0008270", "is_a", "GO:0046872"),
    ("GO:0010181", "is_a", "GO:0005488"),
    ("GO:0005524", "is_a", "GO:0005488"),
    ("GO:0003677", "is_a", "GO:0005488"),
    ("GO:0004672", "is_a", "GO:0003824"),
    ("GO:0008152", "is_a", "GO:0008150"),
    ("GO:0022900", "is_a", "GO:0008152"),
    ("GO:0006351", "is_a", "GO:0008152"),
    ("GO:0006355", "is_a", "GO:0008150"),
    ("GO:0006355", "regulates", "GO:0006351"),
    ("GO:0007186", "is_a", "GO:0008150"),
    ("GO:0006468", "is_a", "GO:0008152"),
    ("GO:0016020", "is_a", "GO:0005575"),
    ("GO:0005886", "is_a", "GO:0016020"),
    ("GO:0005634", "is_a", "GO:0005575"),
    ("GO:0005654", "part_of", "GO:0005634"),
    ("GO:0005737", "is_a", "GO:0005575"),
]
ACROSS_EDGES = [
    ("GO:0009055", "part_of", "GO:0022900"),
    ("GO:0003700", "part_of", "GO:0006355"),
    ("GO:0004930", "part_of", "GO:0007186"),
    ("GO:0004672", "part_of", "GO:0006468"),
    ("GO:0022900", "occurs_in", "GO:0016020"),
    ("GO:0006351", "occurs_in", "GO:0005634"),
    ("GO:0007186", "occurs_in", "GO:0005886"),
    ("GO:0006468", "occurs_in", "GO:0005737"),
    # From a process back to a function: chains never go down.
    ("GO:0022900", "has_part", "GO:0009055"),
]
"""Edges across aspects, as only the full ontology has them."""

INTERPRO: dict[str, tuple[str, str, str]] = {
    "IPR001226": ("Conserved_site", "Flavodoxin, conserved site", "Flavodoxin_CS"),
    "IPR008254": ("Domain", "Flavodoxin/nitric oxide synthase", "Flavodoxin/NO_synth"),
    "IPR029039": (
        "Homologous_superfamily",
        "Flavoprotein-like superfamily",
        "Flavoprotein-like_sf",
    ),
    "IPR001356": ("Domain", "Homeobox domain", "HD"),
    "IPR009057": ("Homologous_superfamily", "Homedomain-like superfamily", "Homeodomain-like_sf"),
    "IPR000276": ("Family", "G protein-coupled receptor, rhodopsin-like", "GPCR_Rhodpsn"),
    "IPR000719": ("Domain", "Protein kinase domain", "Prot_kinase_dom"),
    "IPR017441": ("Binding_site", "Protein kinase, ATP binding site", "Protein_kinase_ATP_BS"),
    "IPR008271": (
        "Active_site",
        "Serine/threonine-protein kinase, active site",
        "Ser/Thr_kinase_AS",
    ),
    "IPR001680": ("Repeat", "WD40 repeat", "WD40_rpt"),
    "IPR018000": ("PTM", "Phosphorylation site", "Phos_PTM"),
}
"""Type, name and short name of each InterPro entry."""

INTERPRO2GO = [
    ("IPR008254", "GO:0009055"),
    ("IPR008254", "GO:0010181"),
    ("IPR001356", "GO:0003677"),
    ("IPR001356", "GO:0003700"),
    ("IPR000276", "GO:0004930"),
    ("IPR000276", "GO:0016020"),
    ("IPR000719", "GO:0004672"),
    ("IPR000719", "GO:0005524"),
]

ENZYMES = {
    "2.7.11.1": "non-specific serine/threonine protein kinase",
    "1.18.1.2": "ferredoxin--NADP(+) reductase",
}
TRANSFERRED = ("2.7.1.37", "2.7.11.1")

KEYWORDS: dict[str, tuple[str, str, list[str]]] = {
    "Flavoprotein": ("KW-0285", "Ligand", []),
    "FMN": ("KW-0288", "Ligand", []),
    "Metal-binding": ("KW-0479", "Ligand", []),
    "Zinc": ("KW-0862", "Ligand", ["KW-0479"]),
    "DNA-binding": ("KW-0238", "Ligand", []),
    "Nucleus": ("KW-0539", "Cellular component", []),
    "Membrane": ("KW-0472", "Cellular component", []),
    "Kinase": ("KW-0418", "Molecular function", ["KW-0808"]),
    "Transferase": ("KW-0808", "Molecular function", []),
    "G-protein coupled receptor": ("KW-0297", "Molecular function", []),
    "3D-structure": ("KW-0002", "Technical term", []),
    "Reference proteome": ("KW-1185", "Technical term", []),
    "Alternative splicing": ("KW-0025", "Coding sequence diversity", []),
}
"""Accession, category and parents of each keyword."""

LOCATIONS: dict[str, tuple[str, str, list[str], list[str]]] = {
    "Cell membrane": ("SL-0039", "location", ["SL-0162"], []),
    "Membrane": ("SL-0162", "location", [], []),
    "Cytoplasm": ("SL-0086", "location", [], []),
    "Cytosol": ("SL-0091", "location", [], ["SL-0086"]),
    "Nucleus": ("SL-0191", "location", [], []),
    "Nucleoplasm": ("SL-0190", "location", [], ["SL-0191"]),
    "Multi-pass membrane protein": ("SL-9909", "topology", [], []),
}
"""Accession, kind, is_a and part_of of each location."""

CHEMICALS = {"CHEBI:58210": ("FMN(3-)", ["FMN", "flavin mononucleotide"])}

GROUP_FOLDS: dict[str, list[str]] = {
    group: [
        *["train"] * (size - 4),
        *("validation", "test_in_distribution", "test_low_homology", "test_temporal"),
    ]
    for group, size in (("FLAV", 9), ("HOME", 8), ("RECE", 8), ("KINA", 7))
}
NO_KNOWLEDGE, DROPPED = "BARE1", "GONE1"
"""A training protein of which nothing is known, and one that the split dropped."""

LENGTH = 120


@dataclass(frozen=True)
class World:
    """Paths of the tables of the world."""

    proteins: Path
    split: Path
    ontology_terms: Path
    ontology_ids: Path
    ontology_edges: Path
    ontology_closure: Path
    interpro_entries: Path
    interpro2go: Path
    enzymes: Path
    keywords: Path
    locations: Path
    chemicals: Path

    def vocabularies(self, *without: str) -> dict[str, Path]:
        """Return the vocabularies by the names of their tables, but for some of them.

        `without` holds names of tables, or ``ontology`` for the four tables of the ontology.
        """
        names = [field.name for field in fields(self)][2:]
        return {
            name: getattr(self, name)
            for name in names
            if name not in without and name.partition("_")[0] not in without
        }


def accessions(group: str) -> list[str]:
    """Return the accessions of a group, FLAV, HOME, RECE or KINA, in the order of its folds."""
    return [f"{group}{number}" for number in range(1, len(GROUP_FOLDS[group]) + 1)]


def folds() -> dict[str, str | None]:
    """Return the fold of each protein."""
    placed: dict[str, str | None] = {
        accession: fold
        for group, names in GROUP_FOLDS.items()
        for accession, fold in zip(accessions(group), names, strict=True)
    }
    return placed | {NO_KNOWLEDGE: "train", DROPPED: None}


def sequences(seed: int = 5) -> dict[str, str]:
    """Return the sequence of each protein; the first half of each group are homologues."""
    rng = random.Random(seed)
    made: dict[str, str] = {}
    for group in GROUP_FOLDS:
        names = accessions(group)
        first = natural_protein(rng, LENGTH)
        for position, name in enumerate(names):
            if position == 0:
                made[name] = first
            elif position < len(names) / 2:
                made[name] = plant_homologue(rng, first, 0.95, 1.0)
            else:
                made[name] = natural_protein(rng, LENGTH)
    return made | {name: natural_protein(rng, LENGTH) for name in (NO_KNOWLEDGE, DROPPED)}


def protein_facts() -> dict[str, dict[str, Any]]:
    """Return what is known of each protein: columns of the proteins table."""
    facts: dict[str, dict[str, Any]] = {}
    for name in accessions("FLAV"):
        facts[name] = {
            "protein_name": "Flavodoxin",
            "family": "flavodoxin family",
            "go": _go("GO:0009055", "GO:0010181", "GO:0022900", "GO:0016020"),
            "domains": _domains("IPR008254", "IPR001226", "IPR029039"),
            "cofactors": ["FMN"],
            "keywords": ["Flavoprotein", "FMN", "3D-structure", "Reference proteome"],
            "features": _features(("BINDING", "FMN"), ("DOMAIN", "Flavodoxin-like")),
        }
    for name in accessions("HOME"):
        facts[name] = {
            "protein_name": "Homeobox protein",
            "family": "paired homeobox family",
            "go": _go("GO:0003677", "GO:0003700", "GO:0006355", "GO:0006351", "GO:0005634"),
            "domains": _domains("IPR001356", "IPR009057"),
            "keywords": ["DNA-binding", "Nucleus"],
            "subcellular_location": ["Nucleus"],
            "features": _features(("DNA_BIND", "Homeobox")),
        }
    for name in accessions("RECE"):
        facts[name] = {
            "protein_name": "Receptor",
            "family": "G-protein coupled receptor 1 family. Opsin subfamily",
            "go": _go("GO:0004930", "GO:0007186", "GO:0005886"),
            "domains": _domains("IPR000276"),
            "keywords": ["G-protein coupled receptor", "Membrane"],
            "subcellular_location": ["Cell membrane; Multi-pass membrane protein"],
            "features": _features(("METAL", "Zinc"), ("TRANSMEM", "Helical")),
            "cofactors": ["Binds 1 zinc ion per subunit"],
        }
    for name in accessions("KINA"):
        facts[name] = {
            "protein_name": "Kinase",
            "family": "protein kinase superfamily. Tyr protein kinase family. ABL subfamily",
            "go": _go("GO:0004672", "GO:0005524", "GO:0006468", "GO:0005737", "GO:0005515"),
            "domains": _domains("IPR000719", "IPR017441", "IPR008271", "IPR018000"),
            "ec": ["2.7.11.1"],
            "keywords": ["Kinase", "Alternative splicing"],
            "subcellular_location": ["Cytoplasm, cytosol", "Nucleus"],
            "features": _features(("ACT_SITE", "Proton acceptor"), ("NP_BIND", "ATP 1")),
        }
    facts["HOME1"]["go"] = _go(
        ALTERNATIVE, "GO:0003700", "GO:0006355", "GO:0006351", REPLACED, "GO:0005654", SPLIT_UP
    )
    facts["FLAV1"] |= {"cofactors": ["Flavin mononucleotide", "Zn(2+)"], "ec": ["1.18.1.2"]}
    facts["KINA1"]["ec"] = [TRANSFERRED[0], "2.7.10.-"]
    facts["KINA2"] |= {
        "domains": [*_domains("IPR000719", "IPR001680"), _domain("IPR999999", None)],
        "features": _features(("ACT_SITE", None), ("BINDING", "ATP"), ("SITE", "Not glycated")),
    }
    return facts | {DROPPED: facts["FLAV1"], NO_KNOWLEDGE: {"protein_name": "Protein of no note"}}


def write_world(
    folder: Path,
    *,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    edges: Sequence[tuple[str, str, str]] = (),
) -> World:
    """Write all tables of the world into a folder.

    Parameters
    ----------
    folder
        Where the tables go, each under its name; made if missing.
    facts
        Columns to change in the proteins table, by accession.
    edges
        Further edges of the ontology.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = World(**{field.name: folder / f"{field.name}.parquet" for field in fields(World)})
    known = protein_facts()
    for accession, more in (facts or {}).items():
        known[accession] = known[accession] | dict(more)
    write_proteins(world.proteins, sequences(), **known)
    write_split(world.split, folds())
    _write_ontology(world, edges)
    entries = [
        {"id": identifier, "type": kind, "name": name, "short_name": short}
        for identifier, (kind, name, short) in INTERPRO.items()
    ]
    write_table(world.interpro_entries, "interpro_entries", entries)
    pairs = [{"interpro_id": i, "go_id": go, "go_name": TERMS[go][1]} for i, go in INTERPRO2GO]
    write_table(world.interpro2go, "interpro2go", pairs)
    _write_small(world)
    return world


def _go(*ids: str) -> list[dict[str, str]]:
    return [{"id": i, "aspect": TERMS.get(i, ("F",))[0], "evidence": "IDA"} for i in ids]


def _domain(identifier: str, short_name: str | None) -> dict[str, str | None]:
    return {"db": "InterPro", "id": identifier, "name": short_name}


def _domains(*ids: str) -> list[dict[str, str | None]]:
    pfam: dict[str, str | None] = {"db": "Pfam", "id": "PF00000", "name": "Any"}
    return [*(_domain(identifier, INTERPRO[identifier][2]) for identifier in ids), pfam]


def _features(*features: tuple[str, str | None]) -> list[dict[str, Any]]:
    return [
        {"type": kind, "start": 10 * (place + 1), "end": 10 * (place + 1) + 5, "note": note}
        for place, (kind, note) in enumerate(features)
    ]


def _write_ontology(world: World, more: Sequence[tuple[str, str, str]]) -> None:
    blank = {"definition": None, "synonyms": [], "consider": []}
    terms = [
        {"id": identifier, "name": name, "aspect": aspect, "obsolete": False, "replaced_by": []}
        | {"alternative_ids": [ALTERNATIVE] if identifier == "GO:0003677" else []}
        | blank
        for identifier, (aspect, name) in TERMS.items()
    ]
    terms += [
        {"id": identifier, "name": "obsolete one", "aspect": "F", "obsolete": True}
        | {"replaced_by": ends, "alternative_ids": []}
        | blank
        for identifier, ends in (
            (REPLACED, ["GO:0005634"]),
            (SPLIT_UP, ["GO:0003677", "GO:0003700"]),
        )
    ]
    write_table(world.ontology_terms, "ontology_terms", terms)
    ids: list[dict[str, str | None]] = [
        {"id": identifier, "term": identifier, "kind": "current"} for identifier in TERMS
    ]
    ids += [
        {"id": ALTERNATIVE, "term": "GO:0003677", "kind": "alternative"},
        {"id": REPLACED, "term": "GO:0005634", "kind": "replaced"},
        {"id": SPLIT_UP, "term": None, "kind": "obsolete"},
    ]
    write_table(world.ontology_ids, "ontology_ids", ids)
    rows = [
        {"child": child, "relation": relation, "parent": parent, "basic": basic}
        for edges, basic in ((BASIC_EDGES, True), (ACROSS_EDGES, False), (more, True))
        for child, relation, parent in edges
    ]
    write_table(world.ontology_edges, "ontology_edges", rows)
    write_table(world.ontology_closure, "ontology_closure", _closure())


def _closure() -> list[dict[str, Any]]:
    parents: dict[str, set[str]] = {}
    for child, relation, parent in BASIC_EDGES:
        if relation in ("is_a", "part_of"):
            parents.setdefault(child, set()).add(parent)
    rows = []
    for term in TERMS:
        distance, level, seen = 0, {term}, {term}
        while level:
            distance += 1
            level = {parent for child in level for parent in parents.get(child, ())} - seen
            seen |= level
            rows += [
                {"descendant": term, "ancestor": ancestor, "distance": distance}
                for ancestor in sorted(level)
            ]
    return rows


def _write_small(world: World) -> None:
    blank: dict[str, Any] = {"alternative_names": [], "reactions": [], "cofactors": []}
    enzymes = [
        {"ec": ec, "name": name, "transferred_to": [], "deleted": False} | blank
        for ec, name in ENZYMES.items()
    ]
    old, new = TRANSFERRED
    enzymes.append({"ec": old, "name": None, "transferred_to": [new], "deleted": False} | blank)
    write_table(world.enzymes, "enzymes", enzymes)
    keywords = [
        {"id": identifier, "name": name, "category": category, "parents": parents}
        | {"definition": None, "synonyms": [], "go": []}
        for name, (identifier, category, parents) in KEYWORDS.items()
    ]
    write_table(world.keywords, "keywords", keywords)
    locations = [
        {"id": identifier, "name": name, "kind": kind, "is_a": is_a, "part_of": part_of}
        | {"definition": None, "synonyms": [], "go": [], "keyword": None}
        for name, (identifier, kind, is_a, part_of) in LOCATIONS.items()
    ]
    write_table(world.locations, "locations", locations)
    chemicals = [
        {"id": identifier, "name": name, "synonyms": synonyms, "formula": None}
        for identifier, (name, synonyms) in CHEMICALS.items()
    ]
    write_table(world.chemicals, "chemicals", chemicals)


@dataclass(frozen=True)
class Graph:
    """Paths of the tables of a knowledge graph."""

    annotations: Path
    triples: Path
    edges: Path
    counts: Path
    degrees: Path
    rejects: Path


def build_graph(
    world: World,
    folder: Path,
    *,
    relations: Sequence[str] = tuple(RELATIONS),
    without: Sequence[str] = (),
) -> Graph:
    """Build the knowledge graph of the world, without some vocabularies (`World.vocabularies`)."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = Graph(
        *(folder / f"{field.name}.parquet" for field in fields(Graph)[:4]),
        folder / "degrees.tsv",
        folder / "rejects.parquet",
    )
    build_knowledge_graph(
        world.proteins,
        world.split,
        graph.annotations,
        graph.triples,
        graph.edges,
        graph.counts,
        graph.degrees,
        graph.rejects,
        relations=relations,
        vocabularies=world.vocabularies(*without),
    )
    return graph
