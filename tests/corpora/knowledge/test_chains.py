"""Chains against the graph that they are in, and against an exhaustive search of it."""

from itertools import pairwise

import networkx
import pytest

from helpers_knowledge import RELATIONS, build_graph, write_world
from protscribe.corpora.knowledge.chains import MAX_CHAINS, chain_knowledge
from protscribe.corpora.knowledge.relations import LEVELS
from protscribe.errors import InputError
from protscribe.tables import read_table, write_table

MAX_STEPS = 4


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    return build_graph(write_world(folder / "world"), folder / "graph")


@pytest.fixture(scope="module")
def chains(graph):
    return run(graph)


def run(graph, max_steps=MAX_STEPS):
    output = graph.triples.with_name(f"chains{max_steps}.parquet")
    chain_knowledge(graph.triples, graph.annotations, graph.edges, output, max_steps=max_steps)
    return read_table(output, "knowledge_chains").to_pylist()


def rows(path, name):
    return read_table(path, name).to_pylist()


def triples_of(graph):
    found = {}
    for row in rows(graph.triples, "knowledge_triples"):
        found.setdefault(row["accession"], {})[row["annotation"]] = row["relation"]
    return found


def test_every_step_is_an_edge_of_the_graph_and_both_ends_are_triples(graph, chains):
    edges = {
        (row["child"], row["relation"], row["parent"])
        for row in rows(graph.edges, "knowledge_edges")
    }
    level = {
        row["id"]: LEVELS.get(row["kind"])
        for row in rows(graph.annotations, "knowledge_annotations")
    }
    own = triples_of(graph)
    folds = {row["accession"]: row["fold"] for row in rows(graph.triples, "knowledge_triples")}
    assert chains
    for chain in chains:
        steps = chain["steps"]
        assert len(chain["relations"]) == len(steps) - 1
        for (child, parent), relation in zip(pairwise(steps), chain["relations"], strict=True):
            assert (child, relation, parent) in edges
        assert {steps[0], steps[-1]} <= own[chain["accession"]].keys()
        assert steps[-1] == chain["annotation"]
        assert chain["fold"] == folds[chain["accession"]]
        assert len(set(steps)) == len(steps) <= MAX_STEPS
        heights = [level[step] for step in steps]
        assert heights == sorted(heights)
        assert heights[0] in (0, 1)
        assert heights[0] < heights[-1]
        assert "has_part" not in chain["relations"]


def test_chain_from_domain_over_function_and_process_to_component(chains):
    found = [c for c in chains if c["accession"] == "FLAV2" and c["annotation"] == "GO:0016020"]
    assert [(chain["id"], chain["steps"], chain["relations"]) for chain in found] == [
        (
            "FLAV2:GO:0016020:1",
            ["IPR008254", "GO:0009055", "GO:0022900", "GO:0016020"],
            ["interpro2go", "part_of", "occurs_in"],
        )
    ]


def test_function_is_the_start_where_no_structure_is_near_enough(graph, chains):
    nucleus = [c for c in chains if c["accession"] == "HOME2" and c["annotation"] == "GO:0005634"]
    assert [chain["steps"][0] for chain in nucleus] == ["GO:0003700"]
    longer = [c for c in run(graph, 5) if c["accession"] == "HOME2"]
    nucleus = [chain["steps"] for chain in longer if chain["annotation"] == "GO:0005634"]
    assert nucleus == [["IPR001356", "GO:0003700", "GO:0006355", "GO:0006351", "GO:0005634"]]


def exhaustive(graph, accession, max_steps):
    """Return the chains of a protein by enumeration of all simple paths."""
    level = {
        row["id"]: LEVELS.get(row["kind"])
        for row in rows(graph.annotations, "knowledge_annotations")
    }
    links = networkx.DiGraph()
    for row in rows(graph.edges, "knowledge_edges"):
        lower, higher = level[row["child"]], level[row["parent"]]
        if row["relation"] != "has_part" and None not in (lower, higher) and lower <= higher:
            links.add_edge(row["child"], row["parent"])
    own = [annotation for annotation in triples_of(graph)[accession] if annotation in links]
    expected = {}
    for target in own:
        for start_level in (0, 1):
            if level[target] <= start_level or target in expected:
                continue
            best = {}
            for start in (a for a in own if level[a] == start_level):
                for path in networkx.all_simple_paths(links, start, target, max_steps - 1):
                    touched = frozenset(level[step] for step in path)
                    best[touched] = min(
                        best.get(touched, path), path, key=lambda steps: (len(steps), steps)
                    )
            if best:
                order = sorted(best.items(), key=lambda i: (-len(i[0]), len(i[1]), i[1]))
                expected[target] = [path for _, path in order[:MAX_CHAINS]]
    return expected


@pytest.mark.parametrize("max_steps", [2, 3, 4, 6])
def test_same_chains_as_an_exhaustive_search(tmp_path, max_steps):
    # Detours, shortcuts and a circle of regulation, so that there is something to choose.
    more = [
        ("GO:0006351", "regulates", "GO:0006355"),
        ("GO:0010181", "part_of", "GO:0022900"),
        ("GO:0009055", "occurs_in", "GO:0016020"),
        ("GO:0003677", "part_of", "GO:0006351"),
        ("GO:0004672", "occurs_in", "GO:0005737"),
    ]
    graph = build_graph(write_world(tmp_path / "world", edges=more), tmp_path / "graph")
    found = {}
    for chain in run(graph, max_steps):
        found.setdefault(chain["accession"], {}).setdefault(chain["annotation"], []).append(
            chain["steps"]
        )
    for accession in ("FLAV1", "HOME1", "RECE1", "KINA1", "KINA2"):
        assert found.get(accession, {}) == exhaustive(graph, accession, max_steps)


def test_chains_that_touch_more_levels_come_first(tmp_path):
    more = [("GO:0009055", "occurs_in", "GO:0016020")]
    graph = build_graph(write_world(tmp_path / "world", edges=more), tmp_path / "graph")
    found = [
        chain["steps"]
        for chain in run(graph)
        if chain["accession"] == "FLAV3" and chain["annotation"] == "GO:0016020"
    ]
    assert found == [
        ["IPR008254", "GO:0009055", "GO:0022900", "GO:0016020"],
        ["IPR008254", "GO:0009055", "GO:0016020"],
    ]


def test_relation_that_is_named_where_there_are_several(tmp_path):
    more = [
        ("GO:0009055", "positively_regulates", "GO:0022900"),
        ("GO:0009055", "acts_upstream_of", "GO:0022900"),
    ]
    graph = build_graph(write_world(tmp_path / "world", edges=more), tmp_path / "graph")
    named = {
        relation
        for chain in run(graph)
        for step, relation in zip(pairwise(chain["steps"]), chain["relations"], strict=True)
        if step == ("GO:0009055", "GO:0022900")
    }
    assert named == {"part_of"}


def test_without_edges_across_aspects_chains_end_at_functions(tmp_path):
    world = write_world(tmp_path / "world")
    edges = rows(world.ontology_edges, "ontology_edges")
    write_table(world.ontology_edges, "ontology_edges", [row for row in edges if row["basic"]])
    chains = run(build_graph(world, tmp_path / "graph"))
    assert {len(chain["steps"]) for chain in chains} == {2}
    assert {tuple(chain["relations"]) for chain in chains} == {("interpro2go",)}


def test_graph_without_chains(tmp_path):
    relations = [relation for relation in RELATIONS if relation not in LEVELS]
    graph = build_graph(write_world(tmp_path / "world"), tmp_path / "graph", relations=relations)
    assert run(graph) == []


def test_same_bytes_again_and_ids_in_order_for_accessions_of_any_length(tmp_path):
    annotations, triples, edges = (
        tmp_path / f"{name}.parquet" for name in ("annotations", "triples", "edges")
    )
    nodes = [("D", "domain"), ("F", "molecular_function")]
    write_table(
        annotations,
        "knowledge_annotations",
        [{"id": i, "kind": kind, "name": i, "source": "entry"} for i, kind in nodes],
    )
    write_table(
        edges,
        "knowledge_edges",
        [{"child": "D", "relation": "interpro2go", "parent": "F", "source": "interpro2go"}],
    )
    accessions = ["A1", "A12", "A1B", "B0"]
    write_table(
        triples,
        "knowledge_triples",
        [
            {"accession": a, "relation": kind, "annotation": i, "fold": "train"}
            for a in accessions
            for i, kind in nodes
        ],
    )
    contents = []
    for name in ("one", "two"):
        output = tmp_path / f"{name}.parquet"
        chain_knowledge(triples, annotations, edges, output, max_steps=2)
        contents.append(output.read_bytes())
    assert contents[0] == contents[1]
    found = read_table(tmp_path / "one.parquet", "knowledge_chains")["id"].to_pylist()
    assert found == sorted(f"{accession}:F:1" for accession in accessions)


def test_chains_of_one_step(graph, tmp_path):
    with pytest.raises(InputError, match=r"knowledge\.chains\.max_steps is 1"):
        run(graph, 1)


def test_tables_of_different_graphs(graph, tmp_path):
    nodes = [
        row for row in rows(graph.annotations, "knowledge_annotations") if row["id"] != "GO:0009055"
    ]
    other = tmp_path / "annotations.parquet"
    write_table(other, "knowledge_annotations", nodes)
    output = tmp_path / "chains.parquet"
    with pytest.raises(InputError, match="links other annotations"):
        chain_knowledge(graph.triples, other, graph.edges, output, max_steps=4)
    no_edges = tmp_path / "edges.parquet"
    write_table(no_edges, "knowledge_edges", [])
    with pytest.raises(InputError, match="has other annotations"):
        chain_knowledge(graph.triples, other, no_edges, output, max_steps=4)
