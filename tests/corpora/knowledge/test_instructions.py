"""Instructions of the made-up world: what is asked of whom, in which words, in which shard."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from helpers_instructions import SHARES, Desk, make_crowd, make_desk
from protscribe.atomic import sha256_file
from protscribe.corpora.knowledge import instruction_shard, wording
from protscribe.corpora.knowledge.faithfulness import Fact, fault_of
from protscribe.corpora.knowledge.name_index import NameIndex
from protscribe.corpora.knowledge.relations import RELATIONS, UNINFORMATIVE
from protscribe.corpora.knowledge.rendering import STEP_MARK
from protscribe.errors import InputError
from protscribe.prompts import PROTEIN_MARKER
from protscribe.schemas import TABLES
from protscribe.tables import read_table, write_table


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    desk = make_desk(tmp_path_factory.mktemp("world"))
    desk.write()
    return desk


@pytest.fixture
def desk(tmp_path):
    return make_desk(tmp_path)


def written(desk: Desk, name="out"):
    return read_table(desk.outputs(name)[0], "conversations").to_pylist()


def texts(row):
    question, answer = (turn["content"] for turn in row["turns"])
    return question.removeprefix(f"{PROTEIN_MARKER}\n"), answer


def asked_of(row):
    return row["evidence_span"].split(STEP_MARK)


def test_every_draw_is_an_instruction_or_a_reject(world):
    triples = {(r["accession"], r["annotation"]): r for r in world.rows("triples")}
    told = {key for key in triples if key[1] not in UNINFORMATIVE}
    held = [key for key in told if triples[key]["fold"] != "train"]
    training = [key for key in told if triples[key]["fold"] == "train"]
    dropped = [r for r in world.rejects() if r["key"].startswith("knowledge:")]
    assert len(written(world)) + len(dropped) == 2 * len(training) + len(held)
    untold = {f"{a}:{i}" for a, i in triples if i in UNINFORMATIVE}
    assert untold and untold == {
        r["key"] for r in world.rejects() if r["reason"] == "says next to nothing"
    }
    numbers = {(r["accession"], r["id"].rpartition(":")[0], r["id"][-1]) for r in written(world)}
    assert len(numbers) == len(written(world))
    assert {r["fold"] for r in written(world)} == {r["fold"] for r in triples.values()}


def test_what_a_row_says(world):
    rows = {row["id"]: row for row in written(world)}
    triples = {(r["accession"], r["annotation"]): r for r in world.rows("triples")}
    for id_, row in rows.items():
        assert id_.startswith(f"knowledge:{row['task']}:{row['accession']}:")
        question, answer = (turn["content"] for turn in row["turns"])
        assert [turn["role"] for turn in row["turns"]] == ["user", "assistant"]
        if row["task"] == "design":
            assert PROTEIN_MARKER not in question
            assert answer.endswith(f"\n{PROTEIN_MARKER}") and answer.count(PROTEIN_MARKER) == 1
        else:
            assert question.startswith(f"{PROTEIN_MARKER}\n")
            assert question.count(PROTEIN_MARKER) == 1 and PROTEIN_MARKER not in answer
        fold = {r["fold"] for (a, _), r in triples.items() if a == row["accession"]}
        assert {row["fold"]} == fold
        has = (row["accession"], asked_of(row)[-1]) in triples
        assert has == (not answer.startswith("No,"))
        assert (row["corpus"], row["writer"]) == ("knowledge", "template")
        assert row["writer_revision"] == wording.revision() and row["licence"] == "CC BY 4.0"
    assert {row["task"] for row in rows.values()} == set(SHARES)


def test_chains_are_told_in_their_order_and_stand_in_the_graph(world):
    edges = {(r["child"], r["parent"]) for r in world.rows("edges")}
    names = {r["id"]: r["name"] for r in world.rows("annotations")}
    explained = [row for row in written(world) if row["task"] == "explain"]
    assert len(explained) > 10
    for row in explained:
        steps = asked_of(row)
        assert len(steps) > 1 and set(pairwise(steps)) <= edges
        assert row["id"].split(":", 3)[3].startswith(steps[-1])
        question, answer = texts(row)
        places = [answer.find(names[step]) for step in steps]
        assert min(places) >= 0 and names[steps[-1]] not in question


def test_every_template_is_faithful(world):
    names = {r["id"]: r["name"] for r in world.rows("annotations")}
    index = NameIndex(names.values())
    for row in written(world):
        question, answer = texts(row)
        own = tuple(names[id_] for id_ in asked_of(row))
        fact = Fact(row["task"], row["context"], own, not answer.startswith("No,"))
        assert fault_of(fact, question, answer, index) is None, (row["id"], question, answer)


@pytest.mark.parametrize("kind", RELATIONS)
def test_wordings_are_many_plain_and_never_the_same_twice(kind):
    assert tuple(sorted(RELATIONS)) == wording.KINDS
    name = "Xyz-like {0} thing"
    makers = (
        lambda number: wording.design_request(kind, name, number),
        lambda number: wording.annotate_question(kind, number),
        lambda number: wording.verify_question(kind, name, number),
        lambda number: wording.explain_question(kind, number),
        lambda number: wording.annotate_answer(kind, name, number),
        lambda number: wording.design_lead_in(kind, name, number),
    )
    for make in makers:
        made = [make(number) for number in range(20)]
        assert len(set(made)) == 20
        assert all(text[0].isupper() and text[-1] in ".?:" for text in made)
        assert not any("  " in text or " ." in text for text in made)
        assert make(3) == make(3)
    assert wording.design_request(kind, name, 0).startswith("Design a protein that ")
    for number in range(30):
        for text in (wording.design_request, wording.verify_question, wording.annotate_answer):
            assert text(kind, name, number).count(name) == 1
        assert name not in wording.annotate_question(kind, number)
    assert wording.verify_answer(kind, name, True).startswith("Yes, this protein ")
    assert wording.verify_answer(kind, name, False).startswith("No, this protein is not known to ")


def test_a_secreted_protein_is_in_no_secreted():
    for number in range(40):
        assert "in the secreted" not in wording.design_request("location", "secreted", number)
    assert wording.verify_question("location", "secreted", 0) == "Is this protein secreted?"
    nucleus = wording.verify_question("location", "nucleus", 0)
    assert nucleus == "Is this protein found in the nucleus?"


def test_published_wordings():
    assert wording.published_design_request("globin family") == (
        "I would like a protein that is in globin family."
    )
    assert wording.published_verify_question("heme binding") == (
        "Does the protein associate with heme binding?"
    )
    assert wording.published_verify_answer(False) == "Based on the record, the answer is no"
    assert wording.published_location_answer("golgi") == "The protein is located in golgi"


def test_published_wordings_on_request(desk):
    rows = desk.write(wording="published")
    said = {row["task"]: texts(row) for row in rows if row["task"] in ("design", "verify")}
    assert said["design"][0].startswith("I would like a protein that is in ")
    assert said["design"][1].startswith("One of the protein that meets the demand is")
    assert said["verify"][0].startswith("Does the protein associate with ")
    assert {texts(row)[1].rpartition(" ")[2] for row in rows if row["task"] == "verify"} == {
        "yes",
        "no",
    }
    located = [texts(row)[1] for row in rows if row["context"] == "location"]
    assert any(answer.startswith("The protein is located in ") for answer in located)


def test_draws_of_a_triple_are_worded_differently(desk):
    desk.sample(12)
    by_triple: dict[tuple[str, ...], list[str]] = {}
    for row in desk.write():
        if row["task"] in ("design", "annotate"):
            key = (row["task"], row["accession"], *asked_of(row))
            by_triple.setdefault(key, []).append(texts(row)[0])
    assert max(map(len, by_triple.values())) > 5
    assert all(len(set(asked)) == len(asked) for asked in by_triple.values())


def test_shares_hold_over_training_and_chains_only_where_there_are(tmp_path):
    owned = {f"P{n:03}": [f"GO:{n % 7}", f"GO:{7 + n % 5}"] for n in range(400)}
    desk = make_crowd(tmp_path, owned, dict.fromkeys(owned, "train"), [("GO:0", "GO:7")])
    desk.change(
        "chains",
        [
            {
                "id": f"{a}:GO:7",
                "accession": a,
                "fold": "train",
                "annotation": "GO:7",
                "steps": ["GO:0", "GO:7"],
                "relations": ["is_a"],
            }
            for a, own in owned.items()
            if "GO:7" in own
        ],
    )
    desk.sample(5)
    rows = desk.write(tasks={**SHARES, "explain": 0.04})
    shares = {task: n / len(rows) for task, n in Counter(row["task"] for row in rows).items()}
    wanted = {task: share / 0.89 for task, share in {**SHARES, "explain": 0.04}.items()}
    assert shares == pytest.approx(wanted, abs=0.02)
    explained = [row for row in rows if row["task"] == "explain"]
    assert {tuple(asked_of(row)) for row in explained} == {("GO:0", "GO:7")}
    # Half of what has a chain is the most that is explained.
    more = [row for row in desk.write("more") if row["task"] == "explain"]
    with_chain = 5 * sum("GO:7" in own for own in owned.values())
    assert len(more) == pytest.approx(with_chain / 2, rel=0.15)


def test_no_edge_of_a_test_protein_is_in_training(world):
    folds = {r["accession"]: r["fold"] for r in world.rows("triples")}
    held = {
        (r["accession"], r["relation"], r["annotation"])
        for r in world.rows("triples")
        if r["fold"].startswith("test")
    }
    trained = {
        (row["accession"], row["context"], id_)
        for row in written(world)
        if row["fold"] in ("train", "validation")
        for id_ in asked_of(row)
    }
    assert held and trained and not held & trained
    assert all(folds[row["accession"]] == row["fold"] for row in written(world))


def test_triples_outside_training_are_asked_once_and_limited(desk):
    rows = desk.write(max_held_out=3)
    held = Counter(row["accession"] for row in rows if row["fold"] != "train")
    dropped = Counter(
        r["key"].split(":")[2] for r in desk.rejects() if r["key"].startswith("knowledge:")
    )
    assert held and all(count + dropped[a] <= 3 for a, count in held.items())
    assert all(row["id"].endswith(":1") for row in rows if row["fold"] != "train")
    beyond = [r for r in desk.rejects() if r["reason"].startswith("beyond the limit")]
    triples = [
        r
        for r in desk.rows("triples")
        if r["fold"] != "train" and r["annotation"] not in UNINFORMATIVE
    ]
    planned = held.total() + sum(n for a, n in dropped.items() if a in held)
    assert len(beyond) + planned == len(triples)


def test_two_runs_are_the_same_bytes_and_seeds_differ(desk):
    desk.write("a")
    desk.write("b")
    first, second = ([sha256_file(path) for path in desk.outputs(name)] for name in "ab")
    assert first == second
    ids = {row["id"] for row in written(desk, "a")}
    assert ids != {row["id"] for row in desk.write("c", seed=1)}


@pytest.mark.parametrize("shards", [2, 3])
def test_shards_together_are_the_whole(desk, shards):
    desk.write("whole")
    rows, rejects = [], []
    for shard in range(shards):
        rows += desk.write(f"p{shard}", shard=shard, shards=shards)
        rejects += desk.rejects(f"p{shard}")
    assert sorted(rows, key=lambda row: row["id"]) == written(desk, "whole")
    assert sorted(rejects, key=lambda row: row["key"]) == desk.rejects("whole")
    whole = desk.join(["whole"], "whole")
    parts = desk.join([f"p{shard}" for shard in range(shards)][::-1], "parts")
    assert [sha256_file(path) for path in whole] == [sha256_file(path) for path in parts]
    assert read_table(whole[0], "conversations").to_pylist() == written(desk, "whole")
    with pytest.raises(InputError, match=f"there is no shard {shards} of {shards}"):
        desk.write(shard=shards, shards=shards)
    with pytest.raises(InputError, match="join all shards, each once"):
        desk.join([f"p{shard}" for shard in range(shards - 1)], "few")
    assert not (desk.root / "few.joined.parquet").exists()
    with pytest.raises(InputError, match="more than once|twice"):
        desk.join(["p0", "p0"], "twice")
    desk.write("other", seed=1)
    with pytest.raises(InputError, match="made from other tables or settings"):
        desk.join(["p0", "other"], "mixed")


def test_rows_stay_sorted_over_accessions_that_begin_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(instruction_shard, "ROWS", 10)
    names = ["A0A024", "A0A0240", "A0A024B", "A0A0"]
    owned = {name: ["EC:1.1", "EC:1.1.1", "EC:1"] for name in names}
    desk = make_crowd(tmp_path, owned, dict.fromkeys(owned, "train"), [])
    desk.sample(11)
    ids = [row["id"] for row in desk.write(tasks={"design": 1, "annotate": 1})]
    assert ids == sorted(ids) and len(ids) == 4 * 3 * 11


def test_statistics_count_what_is_there(world):
    found, rows = world.statistics(), written(world)
    counts = found["written"]
    assert counts["instructions"] == len(rows)
    assert counts["tasks"] == Counter(row["task"] for row in rows)
    assert counts["relations"] == Counter(row["context"] for row in rows)
    assert counts["folds"] == Counter(row["fold"] for row in rows)
    assert counts["writers"] == {"template": len(rows)}
    assert counts["rejected"] == Counter(r["reason"] for r in world.rejects())
    asked = [row for row in rows if row["task"] == "verify" and row["fold"] == "train"]
    yes = sum(texts(row)[1].startswith("Yes") for row in asked)
    assert counts["verify"]["train"] == {"positive": yes, "negative": len(asked) - yes}
    assert found["plan"]["blind_prior"]["train"]["questions"] == len(asked)
    trained = [row for row in rows if row["fold"] == "train" and row["context"] == "keyword"]
    top, count = Counter(asked_of(row)[-1] for row in trained).most_common(1)[0]
    best = found["plan"]["commonest"]["keyword"]["top"][0]
    assert best["share"] == pytest.approx(count / len(trained), abs=1e-4)
    assert top in {one["annotation"] for one in found["plan"]["commonest"]["keyword"]["top"]}


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("annotations", {"name": None}, "has no name"),
        ("annotations", {"name": "  "}, "has no name"),
        ("annotations", {"kind": "colour"}, "is of kind 'colour'"),
        ("triples", {"annotation": "GO:9999999"}, "table of annotations lacks"),
        ("triples", {"relation": "keyword"}, "under another kind"),
        ("triples", {"fold": "validation"}, "make the graph again from this split"),
        ("triples", {"accession": "NOBODY"}, "proteins.parquet: lacks NOBODY"),
        ("sampled", {"annotation": "GO:0005654"}, "is not in the graph"),
        ("sampled", {"accession": "NOBODY"}, "is not in the graph"),
        ("chains", {"annotation": "EC:2.7.11.1"}, "is no triple of the graph"),
        ("chains", {"steps": ["GO:0009055", "GO:1"]}, "the step GO:1 is no annotation"),
    ],
)
def test_tables_that_do_not_belong_together(desk, table, change, message):
    rows = desk.rows(table)
    place = next(
        i
        for i, row in enumerate(rows)
        if table not in ("triples", "sampled") or row["relation"] == "molecular_function"
        if row.get("accession", "FLAV1").startswith("FLAV1")
    )
    rows[place] = rows[place] | change
    desk.change(table, rows)
    with pytest.raises(InputError, match=message):
        desk.write()


def test_a_triple_of_a_test_protein_must_not_be_drawn(desk):
    row = next(r for r in desk.rows("triples") if r["fold"] == "test_low_homology")
    drawn = {k: row[k] for k in ("accession", "relation", "annotation")} | {"draws": 1}
    desk.change("sampled", [*desk.rows("sampled"), drawn])
    with pytest.raises(InputError, match="protein of fold test_low_homology; only training"):
        desk.write()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tasks": {"guess": 1.0}}, "'guess' is no task"),
        ({"tasks": {"design": -1.0, "verify": 2.0}}, "shares are 0 or more"),
        ({"tasks": {"design": 0.0}}, "shares are 0 or more"),
        ({"tasks": {"explain": 1.0}}, "another task beside explain"),
        ({"writers": []}, "nobody; name template"),
        ({"writers": ["poet"]}, "poet; name template"),
    ],
)
def test_settings_that_cannot_be(desk, settings, message):
    with pytest.raises(InputError, match=message):
        desk.write(**settings)


def test_nothing_drawn_and_nothing_held_out_is_an_error(desk):
    desk.change("sampled", [])
    with pytest.raises(InputError, match="no instruction can be made of 0 draws"):
        desk.write(max_held_out=0)


def test_names_that_two_annotations_share_are_never_denied(desk):
    # Two annotations called alike are one thing to whoever is asked.
    rows = desk.rows("annotations")
    functions = [r["id"] for r in rows if r["kind"] == "molecular_function"]
    twin = {"id": "GO:0009055", "name": "FMN binding"}
    rows = [r | twin if r["id"] == twin["id"] else r for r in rows]
    assert twin["id"] in functions and "GO:0010181" in functions
    triples = [
        r
        for r in desk.rows("triples")
        if not (r["accession"] in ("FLAV1", "FLAV2") and r["annotation"] == "GO:0010181")
    ]
    desk.change("annotations", rows)
    desk.change("triples", triples)
    desk.change("edges", [])
    desk.change("chains", [])
    desk.sample(6)
    asked = desk.write(tasks={"verify": 1.0})
    own: dict[str, set[str]] = {}
    names = {r["id"]: r["name"] for r in desk.rows("annotations")}
    for row in desk.rows("triples"):
        own.setdefault(row["accession"], set()).add(names[row["annotation"]].lower())
    denied = [row for row in asked if texts(row)[1].startswith("No,")]
    assert len(denied) > 20
    assert not [r for r in denied if names[asked_of(r)[-1]].lower() in own[r["accession"]]]


def test_an_instruction_file_with_the_wrong_columns(world, tmp_path):
    table = read_table(world.outputs()[0], "conversations")
    other = world.root / "wrong.parquet"
    from pyarrow import parquet

    parquet.write_table(table.rename_columns(["key", *table.column_names[1:]]), other)
    with pytest.raises(InputError, match="table conversations lacks column id"):
        read_table(other, "conversations")
    parquet.write_table(table.append_column("note", table["id"]), other)
    with pytest.raises(InputError, match="table conversations has no column note"):
        read_table(other, "conversations")
    triples = table.select(["accession"])
    assert triples.num_rows and TABLES["conversations"].key == ("id",)
    with pytest.raises(InputError, match="lacks column"):
        write_table(tmp_path / "x.parquet", "conversations", triples)


def test_memory_holds_numbers_and_not_sentences(tmp_path):
    # Ten thousand instructions are planned in arrays of a few numbers each.
    from protscribe.corpora.knowledge.facts import Chains, read_facts
    from protscribe.corpora.knowledge.tasks import check_shares, plan_instructions

    owned = {f"P{n:04}": [f"GO:{n % 40}", f"GO:{40 + n % 9}"] for n in range(500)}
    desk = make_crowd(tmp_path, owned, dict.fromkeys(owned, "train"), [])
    desk.sample(10)
    paths = [desk.path(n) for n in ("triples", "annotations", "sampled", "proteins", "split")]
    facts = read_facts(*paths)
    chains = Chains(desk.path("chains"), facts)
    plan, _ = plan_instructions(facts, chains, check_shares(SHARES), 0, 5)
    assert len(plan) == 10_000
    assert sum(getattr(plan, n).nbytes for n in plan.__dataclass_fields__) < 60 * len(plan)
    assert np.array_equal(facts.training_frequency()[:2], [13, 13])
