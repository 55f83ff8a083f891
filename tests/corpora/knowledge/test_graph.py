"""The knowledge graph of a made-up world, and what becomes of what is not in it."""

import csv
from collections import Counter

import pytest

from helpers_data import write_split
from helpers_knowledge import (
    ACROSS_EDGES,
    ALTERNATIVE,
    DROPPED,
    INTERPRO2GO,
    NO_KNOWLEDGE,
    RELATIONS,
    REPLACED,
    SPLIT_UP,
    build_graph,
    folds,
    protein_facts,
    write_world,
)
from protscribe.corpora.knowledge import relations as knowledge_relations
from protscribe.errors import InputError
from protscribe.tables import read_table, write_table


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def graph(world, tmp_path_factory):
    return build_graph(world, tmp_path_factory.mktemp("graph"))


def rows(graph, name):
    table = "rejects" if name == "rejects" else f"knowledge_{name}"
    return read_table(getattr(graph, name), table).to_pylist()


def triples_of(graph, accession):
    return {
        row["annotation"]: row["relation"]
        for row in rows(graph, "triples")
        if row["accession"] == accession
    }


def names(graph):
    return {row["id"]: row["name"] for row in rows(graph, "annotations")}


def rejected(graph, reason):
    return {row["key"]: row["detail"] for row in rows(graph, "rejects") if row["reason"] == reason}


def test_all_that_an_entry_says(graph):
    assert triples_of(graph, "KINA3") == {
        "GO:0004672": "molecular_function",
        "GO:0005524": "molecular_function",
        "GO:0005515": "molecular_function",
        "GO:0006468": "biological_process",
        "GO:0005737": "cellular_component",
        "superfamily:protein kinase superfamily": "superfamily",
        "family:Tyr protein kinase family": "family",
        "family:ABL subfamily of the Tyr protein kinase family": "family",
        "IPR000719": "domain",
        "IPR017441": "binding_site",
        "IPR008271": "active_site",
        "active_site:proton acceptor active site": "active_site",
        "binding_site:ATP binding site": "binding_site",
        "EC:2.7.11.1": "ec",
        "location:cytosol": "location",
        "location:nucleus": "location",
        "KW:Kinase": "keyword",
    }
    found = names(graph)
    assert found["IPR008254"] == "flavodoxin/nitric oxide synthase domain"
    assert found["IPR001356"] == "homeobox domain"
    assert found["IPR000276"] == "G protein-coupled receptor, rhodopsin-like family"
    assert found["EC:2.7.11.1"] == "non-specific serine/threonine protein kinase"
    assert found["EC:2.7.11.-"] == "EC 2.7.11.-"
    assert found["KW:Kinase"] == "kinase"
    assert found["location:cell membrane"] == "cell membrane"


def test_every_statement_is_a_triple_or_a_reject(graph):
    """One row of rejects, or a triple, for each value of fields where value and id correspond."""
    lost = {row["key"] for row in rows(graph, "rejects")}
    present = {ALTERNATIVE: "GO:0003677", REPLACED: "GO:0005634"}
    seen = Counter()
    for accession, facts in protein_facts().items():
        if accession == DROPPED:
            assert not triples_of(graph, accession)
            continue
        own = triples_of(graph, accession)
        ids = {record["id"] for record in facts.get("go", [])}
        interpro = {d["id"] for d in facts.get("domains", []) if d["db"] == "InterPro"}
        stated = [(f"{accession} go {i}", present.get(i, i)) for i in ids]
        stated += [(f"{accession} domains {i}", i) for i in interpro]
        stated += [(f"{accession} keywords {k}", f"KW:{k}") for k in facts.get("keywords", [])]
        for key, annotation in stated:
            assert (key in lost) != (annotation in own), key
            seen[key in lost] += 1
    assert seen[True] == 1 + 1 + 6 + 25  # A split id, a name missing, sites of PTM, keywords.
    assert seen[False] > 200


def test_folds_follow_the_protein(graph):
    placed = folds()
    assert {row["accession"] for row in rows(graph, "triples")} == {
        accession for accession, fold in placed.items() if fold
    } - {NO_KNOWLEDGE}
    assert all(row["fold"] == placed[row["accession"]] for row in rows(graph, "triples"))
    assert rejected(graph, "dropped_by_split").keys() == {DROPPED}


def test_protein_without_triples_is_listed(graph):
    assert rejected(graph, "no_knowledge").keys() == {NO_KNOWLEDGE}


def test_ids_of_the_ontology_are_the_present_ones(graph):
    own = triples_of(graph, "HOME1")
    assert own["GO:0003677"] == "molecular_function"
    assert own["GO:0005634"] == "cellular_component"
    assert not {ALTERNATIVE, REPLACED, SPLIT_UP} & own.keys()
    assert rejected(graph, "obsolete_term").keys() == {f"HOME1 go {SPLIT_UP}"}


def test_old_numbers_of_enzymes_are_brought_up_to_date(graph):
    own = triples_of(graph, "KINA1")
    assert "EC:2.7.11.1" in own
    assert "EC:2.7.1.37" not in own
    assert own["EC:2.7.10.-"] == "ec"


def test_spellings_of_one_thing_are_one_annotation(graph, world, tmp_path):
    assert triples_of(graph, "FLAV1")["cofactor:FMN"] == "cofactor"
    assert "cofactor:flavin mononucleotide" not in names(graph)
    plain = build_graph(world, tmp_path, without=["chemicals"])
    assert triples_of(plain, "FLAV1")["cofactor:flavin mononucleotide"] == "cofactor"


def test_edges_lead_from_annotation_to_annotation(graph):
    edges = {(row["child"], row["relation"], row["parent"]) for row in rows(graph, "edges")}
    nodes = names(graph)
    assert all({child, parent} <= nodes.keys() for child, _, parent in edges)
    assert set(ACROSS_EDGES) <= edges
    assert {(entry, "interpro2go", go) for entry, go in INTERPRO2GO} <= edges
    assert {
        ("GO:0005654", "part_of", "GO:0005634"),
        ("EC:2.7.11.1", "is_a", "EC:2.7.11.-"),
        ("EC:2.7.11.-", "is_a", "EC:2.7.-.-"),
        ("EC:2.7.-.-", "is_a", "EC:2.-.-.-"),
        ("KW:Kinase", "is_a", "KW:Transferase"),
        ("location:cytosol", "part_of", "location:cytoplasm"),
        ("location:cell membrane", "is_a", "location:membrane"),
        ("family:Tyr protein kinase family", "is_a", "superfamily:protein kinase superfamily"),
    } <= edges
    # Zinc ion binding is no protein's function, and wider than none that is.
    assert not {"GO:0008270", "GO:0046872"} & nodes.keys()
    # Ancestors that no entry names are annotations too.
    assert {"GO:0008152", "EC:2.-.-.-", "KW:Transferase", "location:cytoplasm"} <= nodes.keys()


def test_without_the_ontology_terms_have_no_names(world, tmp_path):
    graph = build_graph(world, tmp_path, without=["ontology", "interpro2go"])
    kinds = {row["relation"] for row in rows(graph, "triples")}
    assert not kinds & {"molecular_function", "biological_process", "cellular_component"}
    lost = rejected(graph, "unnamed")
    assert "ontology.source" in lost["FLAV2 go GO:0009055"]
    assert lost["GO:0009055"] == "has no name; 9 statements go with it"
    stated = sum(
        len(facts["go"])
        for name, facts in protein_facts().items()
        if facts.get("go") and name != DROPPED
    )
    assert len([key for key in lost if " go GO:" in key]) == stated


def test_annotation_without_a_name(graph):
    lost = rejected(graph, "unnamed")
    assert lost["IPR999999"] == "has no name; 1 statements go with it"
    assert {"KINA2 domains IPR999999", "KINA2 features ACT_SITE"} <= lost.keys()
    assert "IPR999999" not in names(graph)


def test_ancestor_without_a_name(world, tmp_path):
    terms = read_table(world.ontology_terms, "ontology_terms").to_pylist()
    for term in terms:
        if term["id"] == "GO:0008152":
            term["name"] = None
    own = write_world(tmp_path / "world")
    write_table(own.ontology_terms, "ontology_terms", terms)
    graph = build_graph(own, tmp_path / "graph")
    assert "GO:0008152" in rejected(graph, "unnamed")
    assert "GO:0008152" not in names(graph)
    assert all("GO:0008152" not in (e["child"], e["parent"]) for e in rows(graph, "edges"))


def test_without_interpro_short_names_and_features_stand_in(world, tmp_path):
    graph = build_graph(world, tmp_path, without=["interpro"])
    own = triples_of(graph, "FLAV2")
    assert own["IPR008254"] == "domain"
    assert own["IPR001226"] == "conserved_site"
    assert own["domain:flavodoxin-like domain"] == "domain"
    assert names(graph)["IPR008254"] == "flavodoxin/NO synth domain"


def test_domains_of_features_where_interpro_knows_the_protein_not(tmp_path):
    facts = {"FLAV2": {"domains": []}}
    graph = build_graph(write_world(tmp_path / "world", facts=facts), tmp_path / "graph")
    assert "domain:flavodoxin-like domain" in triples_of(graph, "FLAV2")
    assert "domain:flavodoxin-like domain" not in triples_of(graph, "FLAV3")


def test_feature_joins_the_entry_of_the_same_name(tmp_path):
    features = [{"type": "DOMAIN", "start": 1, "end": 9, "note": "Protein kinase 2"}]
    facts = {"FLAV2": {"domains": [], "features": features}}
    graph = build_graph(write_world(tmp_path / "world", facts=facts), tmp_path / "graph")
    assert triples_of(graph, "FLAV2")["IPR000719"] == "domain"


def test_ids_of_one_name_are_told_apart(world, tmp_path):
    domains = [
        {"db": "InterPro", "id": "IPR000308", "name": "14-3-3"},
        {"db": "InterPro", "id": "IPR023410", "name": "14-3-3_domain"},
    ]
    own = write_world(tmp_path / "world", facts={"FLAV2": {"domains": domains}})
    found = names(build_graph(own, tmp_path / "graph"))
    assert found["IPR000308"] == "14-3-3 domain"
    assert found["IPR023410"] == "14-3-3 domain (IPR023410)"


def test_keywords_that_are_not_knowledge(graph, world, tmp_path):
    assert {"KINA1 keywords Alternative splicing", "FLAV1 keywords 3D-structure"} <= rejected(
        graph, "not_knowledge"
    ).keys()
    plain = build_graph(world, tmp_path, without=["keywords"])
    assert rejected(plain, "not_knowledge").keys() == rejected(graph, "not_knowledge").keys()
    facts = {"FLAV2": {"keywords": ["Phlogiston"]}}
    other = build_graph(write_world(tmp_path / "world", facts=facts), tmp_path / "graph")
    assert rejected(other, "unknown_keyword").keys() == {"FLAV2 keywords Phlogiston"}


def test_roots_and_unknown_terms_are_no_knowledge(tmp_path):
    go = [{"id": i, "aspect": "F", "evidence": "ND"} for i in ("GO:0003674", "GO:9999999")]
    graph = build_graph(
        write_world(tmp_path / "world", facts={"FLAV2": {"go": go}}), tmp_path / "graph"
    )
    assert rejected(graph, "root_term").keys() == {"FLAV2 go GO:0003674"}
    assert rejected(graph, "unknown_term").keys() == {"FLAV2 go GO:9999999"}


def test_chosen_relations_alone(world, tmp_path):
    graph = build_graph(world, tmp_path, relations=["family", "biological_process"])
    assert {row["relation"] for row in rows(graph, "triples")} == {"family", "biological_process"}
    kinds = {row["kind"] for row in rows(graph, "annotations")}
    assert kinds == {"family", "biological_process"}
    assert [row["relation"] for row in rows(graph, "counts")] == ["biological_process", "family"]


def test_counts_and_degrees(graph):
    triples = rows(graph, "triples")
    counts = {row["relation"]: row for row in rows(graph, "counts")}
    assert set(counts) == set(RELATIONS)
    for relation, row in counts.items():
        own = [triple for triple in triples if triple["relation"] == relation]
        assert row["triples"] == len(own) > 0
        assert row["proteins"] == len({triple["accession"] for triple in own})
        assert row["annotations"] == len({triple["annotation"] for triple in own})
        assert row["training_triples"] == len([t for t in own if t["fold"] == "train"])
    with graph.degrees.open(encoding="utf-8", newline="") as file:
        degrees = list(csv.DictReader(file, delimiter="\t"))
    assert list(degrees[0]) == ["relation", "side", "degree", "count"]
    for relation, row in counts.items():
        for side, members in (("protein", "proteins"), ("annotation", "annotations")):
            own = [d for d in degrees if (d["relation"], d["side"]) == (relation, side)]
            assert sum(int(d["count"]) for d in own) == row[members]
            assert sum(int(d["count"]) * int(d["degree"]) for d in own) == row["triples"]


def test_same_bytes_again(graph, world, tmp_path):
    again = build_graph(world, tmp_path)
    for name in ("annotations", "triples", "edges", "counts", "degrees", "rejects"):
        assert getattr(graph, name).read_bytes() == getattr(again, name).read_bytes()


def test_unknown_relation(world, tmp_path):
    with pytest.raises(InputError, match=r"knowledge\.relations: unknown relation colour; use any"):
        build_graph(world, tmp_path, relations=["family", "colour"])
    with pytest.raises(InputError, match=r"knowledge\.relations is empty"):
        build_graph(world, tmp_path, relations=[])


def test_relations_are_those_of_the_tests():
    assert list(knowledge_relations.RELATIONS) == RELATIONS


def test_cycle_is_named(tmp_path):
    world = write_world(tmp_path / "world", edges=[("GO:0003824", "is_a", "GO:0004672")])
    expected = (
        r"ontology_edges\.parquet: is_a and part_of form a cycle \((GO:\d+ -> GO:\d+ -> GO:\d+)"
    )
    with pytest.raises(InputError, match=expected) as error:
        build_graph(world, tmp_path / "graph")
    assert {"GO:0003824", "GO:0004672"} <= set(
        str(error.value).replace("(", " ").replace(")", " ").split()
    )
    assert not (tmp_path / "graph" / "edges.parquet").exists()


def test_circle_of_other_relations_is_none(tmp_path):
    world = write_world(tmp_path / "world", edges=[("GO:0006351", "regulates", "GO:0006355")])
    edges = rows(build_graph(world, tmp_path / "graph"), "edges")
    assert len([e for e in edges if e["relation"] == "regulates"]) == 2


def test_split_of_other_proteins(world, tmp_path):
    own = write_world(tmp_path / "world")
    write_split(own.split, {"OTHER": "train"})
    with pytest.raises(InputError, match="holds other proteins"):
        build_graph(own, tmp_path / "graph")


def test_part_of_an_ontology(world, tmp_path):
    with pytest.raises(InputError, match="comes without ontology_closure"):
        build_graph(world, tmp_path, without=["ontology_closure"])


def test_nothing_to_make_a_graph_of(world, tmp_path):
    with pytest.raises(InputError, match=r"set ontology\.source"):
        build_graph(world, tmp_path, relations=["molecular_function"], without=["ontology"])
