import pytest

from helpers_data import write_proteins
from helpers_design import make_world, split_row, triple
from protscribe.errors import InputError
from protscribe.evaluation.design.carriers import read_carriers, read_placed
from protscribe.tables import write_table


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


def test_what_a_generator_may_have_learned_judges_nothing(world):
    placed = read_placed(world.path("split"), world.path("proteins"))
    assert len(placed.training) == 20 and "D1" not in placed.folds
    assert placed.training["T00"] == world.sequences["T00"]
    assert len(placed.held_out) == 12 and "H02" in placed.held_out
    # It shares a cluster with a training protein, whatever its fold is called.
    assert sorted(set(placed.held_out) - set(placed.evidence)) == ["H02"]


def test_tables_that_do_not_belong_together(world, tmp_path):
    few = write_proteins(tmp_path / "few.parquet", {"T00": "MKV"})
    with pytest.raises(InputError, match="lacks H00, which"):
        read_placed(world.path("split"), few)
    split = tmp_path / "split.parquet"
    write_table(split, "split", [split_row("A", "A", "validation")])
    with pytest.raises(InputError, match="no protein is in fold train"):
        read_placed(split)


def test_a_protein_with_a_narrower_term_has_the_broader_one(tmp_path):
    triples, edges = tmp_path / "triples.parquet", tmp_path / "edges.parquet"
    rows = [
        triple("A", "GO:3", "train"),
        triple("B", "GO:2", "train"),
        triple("C", "GO:9", "train"),
    ]
    write_table(triples, "knowledge_triples", rows)
    pairs = [
        ("GO:3", "is_a", "GO:2"),
        ("GO:2", "part_of", "GO:1"),
        ("GO:9", "regulates", "GO:1"),
        # A circle must not hang.
        ("GO:1", "part_of", "GO:3"),
    ]
    links = [{"child": c, "relation": r, "parent": p, "source": "x"} for c, r, p in pairs]
    write_table(edges, "knowledge_edges", links[:3])
    asked = ["GO:1", "GO:2", "GO:3", "GO:4"]
    assert read_carriers(triples, asked) == {
        "GO:1": set(),
        "GO:2": {"B"},
        "GO:3": {"A"},
        "GO:4": set(),
    }
    found = read_carriers(triples, asked, edges)
    assert found == {"GO:1": {"A", "B"}, "GO:2": {"A", "B"}, "GO:3": {"A"}, "GO:4": set()}
    write_table(edges, "knowledge_edges", links)
    assert read_carriers(triples, ["GO:3"], edges)["GO:3"] == {"A", "B"}
