"""Instructions that a language model writes: what it is told, and what becomes of its answers."""

import json
import re
from collections import Counter

import pytest

from helpers_instructions import SHARES, make_desk
from protscribe.atomic import sha256_file
from protscribe.corpora.knowledge import faithfulness, wording
from protscribe.corpora.knowledge.faithfulness import Fact, fault_of
from protscribe.corpora.knowledge.name_index import NameIndex
from protscribe.corpora.knowledge.phrasing import (
    _EXAMPLES,
    SCHEMA,
    STYLES,
    Item,
    phrasing_turns,
    prompt_hash,
    read_answer,
)
from protscribe.corpora.knowledge.rendering import phrase
from protscribe.llm.writers import Answer
from protscribe.prompts import PROTEIN_MARKER
from protscribe.sources.formats.record import Reject
from protscribe.tables import read_metadata
from servers.chat import Chat, ChatServer
from servers.loopback import Fault
from tiny_models import write_tiny_language_model

BOTH = ["template", "language_model"]
ONLY = ["language_model"]


@pytest.fixture
def desk(tmp_path):
    desk = make_desk(tmp_path)
    desk.sample(1)
    return desk


def told(asked):
    """Return what the last turn of a prompt tells, line by line."""
    lines = (line.split(": ", 1) for line in asked["messages"][-1]["content"].split("\n"))
    return {name.partition(" (")[0]: value for name, value in lines}


def faithful(asked):
    """Write as a good model would, from the prompt alone."""
    facts = told(asked)
    names = re.sub(r"\. Name nothing else\.$", "", facts["Names to copy"]).split("; ")
    if "request for a protein" in facts["Write"]:
        question = f"Could you design a protein? It is to be a case of {names[0]}, in this way."
        reply = "Here is such a protein:"
        return json.dumps({"question": question, "answer": reply})
    if "Answer" in facts:
        question = f"Is {names[0]} said of this protein, or in it?"
        denied = "" if facts["Answer"] == "Yes" else "not "
        reply = f"{facts['Answer']}, {names[0]} is {denied}said in its record."
        return json.dumps({"question": question, "answer": reply})
    kind = facts["Write"].removeprefix("a question about the ").partition(",")[0]
    question = f"What is the {kind} of this protein, located or found?"
    reply = " Then there is in it ".join(["Known in it", *names]) + "."
    return json.dumps({"question": question, "answer": reply})


def tell_tales(asked):
    """Write as a bad model would: the answer is about something else."""
    return json.dumps({"question": "What is it?", "answer": "It takes part in vision."})


def test_texts_of_the_model_take_the_place_of_templates(desk):
    plain = {row["id"]: row for row in desk.write("plain")}
    with ChatServer(Chat(faithful)) as server:
        rows = {r["id"]: r for r in desk.write(writers=ONLY, language_model={"url": server.url})}
    assert rows.keys() == plain.keys() and set(SHARES) == {r["task"] for r in rows.values()}
    for id_, row in rows.items():
        assert row["writer"] == "language_model" and row["writer_revision"] == "r1"
        assert row["prompt_hash"] == prompt_hash() and row["seed"] is not None
        same = ("accession", "task", "fold", "context", "evidence_span", "licence")
        assert {k: row[k] for k in same} == {k: plain[id_][k] for k in same}
        holder = row["turns"][row["task"] == "design"]["content"]
        assert holder.count(PROTEIN_MARKER) == 1
        assert sum(turn["content"].count(PROTEIN_MARKER) for turn in row["turns"]) == 1
    facts = read_metadata(desk.outputs()[0])
    assert facts["writer"] == "server/writer" and facts["prompt_hash"] == prompt_hash()


def test_unfaithful_texts_are_rejects_and_nothing_is_lost(desk):
    plain = desk.write("plain")

    def write(asked):
        return tell_tales(asked) if "keyword" in told(asked)["Write"] else faithful(asked)

    with ChatServer(Chat(write)) as server:
        rows = desk.write(writers=ONLY, language_model={"url": server.url})
    keywords = {row["id"] for row in plain if row["context"] == "keyword"}
    # Requests for a protein name no kind, so that those stay.
    lost = {row["id"] for row in plain} - {row["id"] for row in rows}
    assert lost and lost <= keywords
    rejected = {r["key"]: r for r in desk.rejects() if r["key"] in lost}
    assert rejected.keys() == lost
    assert {r["reason"] for r in rejected.values()} <= set(faithfulness.REASONS)
    assert all(r["detail"] for r in rejected.values())
    counts = desk.statistics()["written"]
    assert counts["instructions"] == len(rows) and counts["writers"] == {
        "language_model": len(rows)
    }
    assert counts["rejected"] == Counter(r["reason"] for r in desk.rejects())


def test_both_writers_share_the_work(desk):
    plain = {row["id"]: row for row in desk.write("plain")}
    with ChatServer(Chat(faithful)) as server:
        model = {"url": server.url, "max_instructions": 40}
        rows = {row["id"]: row for row in desk.write(writers=BOTH, language_model=model)}
        more = {**model, "max_instructions": 60}
        wider = desk.write("more", writers=BOTH, language_model=more)
        few = {row["id"] for row in desk.write("few", writers=ONLY, language_model=model)}
    chosen = {id_ for id_, row in rows.items() if row["writer"] == "language_model"}
    assert 35 <= len(chosen) <= 40 and 35 <= len(few) <= 40
    assert chosen < {row["id"] for row in wider if row["writer"] == "language_model"}
    assert all(rows[id_] == plain[id_] for id_ in rows.keys() - chosen)
    assert rows.keys() == plain.keys()


def test_what_says_the_same_is_written_once(desk):
    with ChatServer(Chat(faithful)) as server:
        rows = desk.write(writers=ONLY, language_model={"url": server.url})
        asked = [json.dumps(one["messages"]) for one in server.asked]
        assert len(asked) == len(set(asked)) < len(rows)
        before = desk.outputs()
        first = [sha256_file(path) for path in before]
        desk.write("again", writers=ONLY, language_model={"url": server.url})
        assert len(server.asked) == len(asked)
    assert [sha256_file(path) for path in desk.outputs("again")] == first
    told_names = {row["accession"] for row in rows}
    assert not any(name in text for name in told_names for text in asked)
    schema = server.asked[0]["response_format"]["json_schema"]["schema"]
    assert schema == SCHEMA and list(schema["properties"]) == ["question", "answer"]


@pytest.mark.parametrize("shards", [2, 3])
def test_shards_together_are_the_whole(desk, shards):
    with ChatServer(Chat(faithful)) as server:
        model = {"url": server.url, "max_instructions": 60}
        settings = {"writers": BOTH, "language_model": model}
        whole = desk.write("whole", **settings)
        rows, rejects = [], []
        for shard in range(shards):
            name = f"p{shard}"
            rows += desk.write(name, shard=shard, shards=shards, cache=f"c{shards}", **settings)
            rejects += desk.rejects(name)
    assert sorted(rows, key=lambda row: row["id"]) == whole
    assert sorted(rejects, key=lambda row: row["key"]) == desk.rejects("whole")
    joined = desk.join([f"p{shard}" for shard in range(shards)], "parts")
    assert [sha256_file(p) for p in joined] == [sha256_file(p) for p in desk.join(["whole"], "one")]


def test_a_server_that_dies_loses_only_what_was_under_way(desk):
    with ChatServer(Chat(faithful)) as server:
        model = {"url": server.url, "max_instructions": 50}
        desk.write("whole", writers=BOTH, language_model=model, cache="other")
        count = len(server.requests)
    with ChatServer(Chat(faithful)) as server:
        server.faults.append(Fault(skip=7, times=10**6, cut_after=0))
        model = {"url": server.url, "max_instructions": 50}
        with pytest.raises(Exception, match="what was written is kept"):
            desk.write(writers=BOTH, language_model=model)
        assert not any(path.exists() for path in desk.outputs())
    with ChatServer(Chat(faithful)) as server:
        model = {"url": server.url, "max_instructions": 50}
        desk.write(writers=BOTH, language_model=model)
        assert len(server.requests) == count - 7
    assert [sha256_file(p) for p in desk.outputs()] == [
        sha256_file(p) for p in desk.outputs("whole")
    ]


def test_a_model_in_this_process_that_writes_nonsense_leaves_rejects(desk, tmp_path):
    folder = write_tiny_language_model(tmp_path / "tiny")
    model = {"type": "transformers", "max_new_tokens": 8, "max_instructions": 20}
    rows = desk.write(writers=ONLY, model=folder, language_model=model)
    planned = [r for r in desk.rejects() if r["key"].startswith("knowledge:")]
    assert len(rows) + len(planned) == 20
    assert {r["reason"] for r in planned} >= {"the answer is not whole JSON"}
    with pytest.raises(Exception, match="none of 1 shards holds an instruction"):
        desk.join(["out"], "none")


@pytest.mark.parametrize("task", sorted(_EXAMPLES))
def test_our_own_examples_are_faithful_and_three(task):
    examples = _EXAMPLES[task]
    assert len(examples) == 3
    index = NameIndex(name for known in _EXAMPLES.values() for e in known for _, name in e[0])
    for steps, relations, positive, question, answer in examples:
        assert len(relations) == (len(steps) - 1 if task == "explain" else 0)
        fact = Fact(task, steps[-1][0], tuple(name for _, name in steps), positive)
        reply = wording.with_protein(answer) if task == "design" else answer
        assert fault_of(fact, question, reply, index) is None


def test_what_the_model_is_told():
    steps = (("domain", "PH domain"), ("molecular_function", "lipid binding"))
    item = Item("explain", steps, ("interpro2go",), True, 2)
    turns = phrasing_turns(item)
    roles = ["system", *["user", "assistant"] * 3, "user"]
    assert [turn["role"] for turn in turns] == roles
    for turn in turns[2::2]:
        assert list(json.loads(turn["content"])) == ["question", "answer"]
    lines = turns[-1]["content"].split("\n")
    assert "Step 1: the domain PH domain" in lines
    assert "Step 2 (interpro2go): the molecular function lipid binding" in lines
    assert f"Style: {STYLES[2]}" in lines
    no = Item("verify", steps[1:], (), False, 0)
    assert "Answer: No" in phrasing_turns(no)[-1]["content"].split("\n")
    assert (
        len(
            {
                json.dumps(phrasing_turns(Item("verify", steps[1:], (), p, s)))
                for p in (True, False)
                for s in range(4)
            }
        )
        == 8
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "the writer gave no answer"),
        (" ", "the writer gave no answer"),
        ("[1", "the answer is not whole JSON"),
        ("[1]", "the answer is not whole JSON"),
        ('{"question": "What?", "answer": 3}', "the answer is not whole JSON"),
        ('{"question": "", "answer": "It is."}', faithfulness.EMPTY),
        ('{"question": "Design it.", "answer": ""}', faithfulness.EMPTY),
    ],
)
def test_answers_that_are_none(text, reason):
    item = Item("design", (("family", "globin family"),), (), True, 0)
    with pytest.raises(Reject) as caught:
        read_answer(item, Answer(text, "stop", 3), NameIndex(["globin family"]))
    assert caught.value.reason == reason


def test_the_marker_may_be_the_models_or_ours():
    item = Item("design", (("family", "globin family"),), (), True, 0)
    index = NameIndex(["globin family"])
    for end in ("", f" {PROTEIN_MARKER}"):
        text = {"question": "Design one of the globin\n family.", "answer": f"Here it is:{end}"}
        question, reply = read_answer(item, Answer(json.dumps(text), "stop", 9), index)
        assert question == "Design one of the globin family."
        assert reply.count(PROTEIN_MARKER) == 1 and reply.startswith("Here it is:")


def test_templates_give_a_question_and_an_answer_for_every_task():
    steps = (("domain", "PH domain"), ("molecular_function", "lipid binding"))
    index = NameIndex(["PH domain", "lipid binding", "binding", "membrane"])
    for task in SHARES:
        for positive in (True, False) if task == "verify" else (True,):
            own = steps if task == "explain" else steps[1:]
            item = Item(task, own, ("interpro2go",) * (len(own) - 1), positive, 0)
            fact = Fact(task, own[-1][0], tuple(name for _, name in own), positive)
            for number in range(60):
                question, answer = phrase(item, number)
                assert fault_of(fact, question, answer, index) is None
