import pytest

from helpers_design import annotation, make_world, split_row, triple
from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.evaluation.design.requests import request_designs
from protscribe.tables import read_table, write_table


@pytest.fixture
def world(tmp_path):
    return make_world(tmp_path / "world")


def ask(world, training=None, **settings):
    output = world.path("requests")
    names = ("triples", "annotations")
    request_designs(
        *(world.path(name) for name in names),
        training,
        world.path("split"),
        output,
        settings=settings,
        seed=0,
    )
    return {row["id"]: row for row in read_table(output, "design_requests").to_pylist()}


def test_given_terms_are_taken_as_they_are(world, capsys):
    rows = ask(
        world, terms=["KW:F1", "family 2", "KW:Unused", "glows in the dark", "location:moon"]
    )
    assert set(rows) == {
        *("KW:F1", "KW:F2", "KW:Unused"),
        *("unknown:glows in the dark", "unknown:moon"),
    }
    one = rows["KW:F1"]
    assert (one["relation"], one["annotation"], one["name"]) == ("keyword", "KW:F1", "Family 1")
    assert (one["training_proteins"], one["held_out_proteins"], one["seen"]) == (5, 3, True)
    assert "Family 1" in one["text"]
    unused = rows["KW:Unused"]
    assert (unused["annotation"], unused["seen"]) == ("KW:Unused", False)
    strange = rows["unknown:glows in the dark"]
    assert (strange["annotation"], strange["seen"], strange["training_proteins"]) == (
        None,
        False,
        0,
    )
    assert strange["name"] == "glows in the dark" and strange["name"] in strange["text"]
    assert rows["unknown:moon"]["relation"] == "location"
    said = capsys.readouterr().err
    assert said.count("warning: training never saw") == 3 and "5 requests, 2 seen" in said


def test_terms_come_from_a_file_too(world, tmp_path, capsys):
    file = tmp_path / "terms.txt"
    file.write_text("# what I need\n\nFamily 0\n  KW:F3  \nKW:F0\n", encoding="utf-8")
    assert set(ask(world, file=str(file), terms=["KW:F3"])) == {"KW:F0", "KW:F3"}
    assert "2 terms are there twice and asked once" in capsys.readouterr().err
    file.write_text("# nothing\n")
    with pytest.raises(InputError, match=r"terms\.txt: holds no term"):
        ask(world, file=str(file))
    with pytest.raises(InputError, match=r"missing\.txt: no such file"):
        ask(world, file=str(tmp_path / "missing.txt"))


def test_of_annotations_with_one_name_the_commonest_is_meant(world, capsys):
    rows = [annotation("KW:F1", "Family"), annotation("KW:F0", "Family"), annotation("KW:Z", "Z")]
    write_table(world.path("annotations"), "knowledge_annotations", rows)
    folds = [triple(f"T0{i}", "KW:F0", "train") for i in range(2)]
    folds += [triple(f"T1{i}", "KW:F1", "train") for i in range(3)]
    write_table(world.path("triples"), "knowledge_triples", folds)
    assert set(ask(world, terms=["FAMILY"])) == {"KW:F1"}
    assert "'FAMILY' names 2 annotations; KW:F1 is meant" in capsys.readouterr().err


def test_the_commonest_are_chosen_and_near_copies_left_out(world, capsys):
    rows = ask(world, requests=3, min_proteins=2)
    # The broad one has most proteins, then ties go by id.
    assert set(rows) == {"KW:Broad", "KW:F0", "KW:F1"}
    more = read_table(world.path("triples"), "knowledge_triples").to_pylist()
    copies = [row | {"annotation": "KW:Copy"} for row in more if row["annotation"] == "KW:F0"]
    write_table(world.path("triples"), "knowledge_triples", more + copies)
    names = read_table(world.path("annotations"), "knowledge_annotations").to_pylist()
    named = [*names, annotation("KW:Copy", "Copy")]
    write_table(world.path("annotations"), "knowledge_annotations", named)
    rows = ask(world, requests=16)
    assert set(rows) == {"KW:Broad", "KW:Copy", "KW:F1", "KW:F2", "KW:F3"}
    assert "only 5 of 16 requests" in capsys.readouterr().err
    # The family whose third held-out protein shares a cluster with training has only two.
    assert set(ask(world, min_proteins=3)) == {"KW:Broad", "KW:F1", "KW:F2", "KW:F3"}


def test_relations_take_turns(world):
    rows = read_table(world.path("triples"), "knowledge_triples").to_pylist()
    locations = [
        triple(row["accession"], f"location:{row['annotation'][-1]}", row["fold"], "location")
        for row in rows
        if row["annotation"] in ("KW:F2", "KW:F3")
        # Not quite the same proteins.
        and row["accession"][-1] != "4"
    ]
    write_table(world.path("triples"), "knowledge_triples", rows + locations)
    names = read_table(world.path("annotations"), "knowledge_annotations").to_pylist()
    names += [annotation(f"location:{i}", f"place {i}", "location") for i in (2, 3)]
    write_table(world.path("annotations"), "knowledge_annotations", names)
    assert set(ask(world, requests=2)) == {"KW:Broad", "location:2"}
    assert set(ask(world, requests=3, relations=["location", "keyword"])) == {
        *("location:2", "KW:Broad", "location:3"),
    }
    assert set(ask(world, requests=9, relations=["location"])) == {"location:2", "location:3"}


def test_seen_is_what_training_draws(world, tmp_path):
    sampled = tmp_path / "sampled.parquet"
    rows = [
        {"accession": "T10", "relation": "keyword", "annotation": "KW:F1", "draws": 3},
        {"accession": "T20", "relation": "keyword", "annotation": "KW:F2", "draws": 0},
    ]
    write_table(sampled, "sampled_triples", rows)
    found = ask(world, sampled, terms=["KW:F1", "KW:F2", "KW:F3"])
    assert {name: (row["seen"], row["training_proteins"]) for name, row in found.items()} == {
        "KW:F1": (True, 1),
        "KW:F2": (False, 0),
        "KW:F3": (False, 0),
    }


def test_same_inputs_give_the_same_bytes(world):
    ask(world)
    first = sha256_file(world.path("requests"))
    rows = read_table(world.path("triples"), "knowledge_triples")
    ask(world)
    assert sha256_file(world.path("requests")) == first
    write_table(world.path("triples"), "knowledge_triples", rows.to_pylist()[::-1])
    ask(world)
    assert sha256_file(world.path("requests")) == first


def test_settings_that_cannot_be(world):
    with pytest.raises(InputError, match=r"design\.relations holds 'colour'"):
        ask(world, relations=["colour"])
    with pytest.raises(InputError, match="design has no option number"):
        ask(world, number=3)
    with pytest.raises(InputError, match=r"design\.requests is 0"):
        ask(world, requests=0)
    with pytest.raises(InputError, match="empty term"):
        ask(world, terms=[" "])
    with pytest.raises(InputError, match=r"no annotation .* lower design\.min_proteins"):
        ask(world, min_proteins=100)


def test_without_held_out_proteins_terms_have_to_be_given(world):
    train = [split_row(name, name, "train") for name in world.sequences]
    write_table(world.path("split"), "split", train)
    with pytest.raises(InputError, match=r"give design\.terms"):
        ask(world)
    assert ask(world, terms=["KW:F1"])["KW:F1"]["held_out_proteins"] == 0
