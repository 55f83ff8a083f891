import gzip
import json

import pytest

from helpers_data import write_proteins
from helpers_pairs import SEQUENCES, pair, write_house, write_pairs
from protscribe.corpora.qa.conversations import make_qa_conversations
from protscribe.corpora.qa.llava import (
    export_record,
    import_qa,
    read_conversations,
    write_conversations,
)
from protscribe.errors import InputError
from protscribe.sources.formats.record import Reject
from protscribe.tables import read_table

TOKEN = "<protein_sequence>"


def turn(speaker, value):
    return {"from": speaker, "value": value}


def record(name="TRAIN1_1", accession="TRAIN1", **more):
    return {
        "long_format_id": name,
        "id": accession,
        "protein": "Protein",
        "pmc_id": ["PMC1"],
        "amino_seq": SEQUENCES.get(accession, "MKV"),
        "conversations": [
            turn("human", f"{TOKEN}\nWhat does this protein bind?"),
            turn("gpt", "It binds zinc; the protein's \"fold\" isn't {known}: β, 🙂, 'Q1:'."),
        ],
    } | more


GOOD = record()


def read(tmp_path, records, name="in.json", **proteins):
    path = tmp_path / name
    path.write_text(json.dumps(records))
    return read_files(tmp_path, [path], **proteins)


def read_files(tmp_path, files, **proteins):
    table, _ = write_house(tmp_path)
    import_qa(files, table, tmp_path / "pairs.parquet", tmp_path / "rejects.parquet")
    return (
        read_table(tmp_path / "pairs.parquet", "qa_pairs").to_pylist(),
        read_table(tmp_path / "rejects.parquet", "rejects").to_pylist(),
    )


def test_a_record_becomes_a_pair(tmp_path):
    pairs, rejects = read(tmp_path, [GOOD])
    assert rejects == []
    (row,) = pairs
    assert row["id"] == "TRAIN1_1:imported:1"
    assert row["question"] == "What does this protein bind?"
    assert row["answer"] == GOOD["conversations"][1]["value"]
    facts = {"accession": "TRAIN1", "context_id": "TRAIN1_1", "context": "imported"}
    facts |= {"writer": "imported"}
    assert {name: row[name] for name in facts} == facts
    empty = ("evidence_span", "span_start", "span_end", "pubmed_id", "licence", "category", "seed")
    assert all(row[name] is None for name in empty)
    assert len(row["writer_revision"]) == 64


def test_several_turns_become_several_pairs(tmp_path):
    turns = [
        turn("human", f"What is it?\n{TOKEN}"),
        turn("gpt", "An enzyme."),
        turn("human", "Where is it?"),
        turn("gpt", "In the cytosol."),
    ]
    pairs, _ = read(tmp_path, [record(conversations=turns)])
    assert [(p["id"], p["question"], p["answer"]) for p in pairs] == [
        ("TRAIN1_1:imported:1", "What is it?", "An enzyme."),
        ("TRAIN1_1:imported:2", "Where is it?", "In the cytosol."),
    ]


@pytest.mark.parametrize("form", ["array", "lines", "gzip"])
def test_forms_of_a_file(tmp_path, form):
    records = [GOOD, record("TEST1_1", "TEST1")]
    lines = "\n".join(json.dumps(r) for r in records)
    data = (json.dumps(records, indent=4) if form == "array" else lines).encode()
    path = tmp_path / "in"
    path.write_bytes(gzip.compress(data) if form == "gzip" else data)
    pairs, _ = read_files(tmp_path, [path])
    assert [p["accession"] for p in pairs] == ["TEST1", "TRAIN1"]
    assert list(read_conversations(path)) == records


def without(key):
    return {name: value for name, value in GOOD.items() if name != key}


HUMAN, GPT = GOOD["conversations"]
MALFORMED = {
    "missing key": [
        *(without(key) for key in ("long_format_id", "id", "amino_seq", "conversations")),
        record(conversations=[{"from": "human"}, GPT]),
        record(conversations=["text", GPT]),
    ],
    "broken value": [
        record(id=7),
        record(name=""),
        record(amino_seq=None),
        record(conversations="text"),
        record(conversations=[turn("human", None), GPT]),
        record(conversations=[turn("human", f"{TOKEN}\n\ud800?"), GPT]),
    ],
    "odd number of turns": [
        record(conversations=[]),
        record(conversations=[HUMAN]),
        record(conversations=[HUMAN, GPT, turn("human", "And?")]),
    ],
    "roles do not alternate": [
        record(conversations=[GPT, HUMAN]),
        record(conversations=[HUMAN, HUMAN]),
        record(conversations=[turn("system", TOKEN), GPT]),
    ],
    "no protein token": [record(conversations=[turn("human", "What is it?"), GPT])],
    "two protein tokens": [
        record(conversations=[turn("human", f"{TOKEN}\nWhat is it? {TOKEN}"), GPT]),
        record(conversations=[HUMAN, turn("gpt", f"It is {TOKEN}.")]),
    ],
    "protein token not in the first turn": [
        record(conversations=[turn("human", "What is it?"), turn("gpt", TOKEN)])
    ],
    "empty value": [
        record(conversations=[turn("human", f"{TOKEN}\n "), GPT]),
        record(conversations=[HUMAN, turn("gpt", "\n")]),
    ],
    "unknown accession": [record("Q0_1", "Q0")],
    "sequence differs": [record(amino_seq="MKVLAA")],
    "long_format_id stands twice": [GOOD],
    "not parsable": ["text", 7, None, [GOOD]],
}


@pytest.mark.parametrize(
    ("reason", "bad"), [(reason, bad) for reason, many in MALFORMED.items() for bad in many]
)
def test_malformed_records_are_left_out_and_say_why(tmp_path, reason, bad):
    pairs, rejects = read(tmp_path, [GOOD, bad, record("TEST1_1", "TEST1")])
    assert [p["id"] for p in pairs] == ["TEST1_1:imported:1", "TRAIN1_1:imported:1"]
    assert [(r["stage"], r["key"], r["reason"]) for r in rejects] == [
        ("import_qa", "in.json#2", reason)
    ]
    assert rejects[0]["detail"]


def test_a_broken_line_costs_one_record(tmp_path):
    path = tmp_path / "in.jsonl"
    good = json.dumps(GOOD)
    path.write_text(f"{good}\n{{'id': 1}}\n{json.dumps(record('TEST1_1', 'TEST1'))}\n")
    pairs, rejects = read_files(tmp_path, [path])
    assert len(pairs) == 2
    assert (rejects[0]["key"], rejects[0]["reason"]) == ("in.jsonl#2", "not parsable")
    assert isinstance(list(read_conversations(path))[1], Reject)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (json.dumps([GOOD, GOOD])[:-40].encode(), r"in\.json: record 2 is broken or truncated"),
        (json.dumps([GOOD])[:-1].encode(), r"in\.json: .*truncated after record 1"),
        (b"<html>", r"in\.json: record 1 is broken"),
        (b"[\xff]", r"in\.json: line 1: not UTF-8"),
        (gzip.compress(json.dumps([GOOD]).encode())[:-12], r"in\.json: .*truncated"),
        (b"[]", r"in\.json: holds no conversation that can be used \(no record\)"),
        (b"", r"in\.json: holds no conversation"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, data, message):
    path = tmp_path / "in.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_files(tmp_path, [path])
    assert not (tmp_path / "pairs.parquet").exists()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="gone.json: no such file"):
        read_files(tmp_path, [tmp_path / "gone.json"])


def test_no_record_that_can_be_used(tmp_path):
    with pytest.raises(InputError, match=r"in.json#1: unknown accession"):
        read(tmp_path, [record("Q0_1", "Q0")])


def test_two_files_of_one_name(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.json").write_text(json.dumps([GOOD]))
    with pytest.raises(InputError, match="two files have the same name"):
        read_files(tmp_path, [tmp_path / "a" / "x.json", tmp_path / "b" / "x.json"])


def test_writing_keeps_order_and_letters(tmp_path):
    write_conversations(tmp_path / "out.json", [GOOD, record("TEST1_1", "TEST1")])
    text = (tmp_path / "out.json").read_text(encoding="utf-8")
    assert json.loads(text) == [GOOD, record("TEST1_1", "TEST1")]
    assert "🙂" in text and text.count("\n") == 4
    write_conversations(tmp_path / "none.json", [])
    assert json.loads((tmp_path / "none.json").read_text()) == []


def export(protein="TRAIN1", **more):
    options = {"number": 3, "fold": "train", "pmcid": "PMC7", "with_span": True}
    facts = {"accession": protein, "protein_name": "Zinc binder", "sequence": SEQUENCES[protein]}
    return export_record(pair(protein), facts, **(options | {"answered_blind": None} | more))


def test_a_record_has_the_published_keys_first():
    found = export()
    published = ["long_format_id", "id", "protein", "pmc_id", "amino_seq", "conversations"]
    assert list(found)[: len(published)] == published
    assert found["long_format_id"] == "TRAIN1_3"
    assert found["pmc_id"] == ["PMC7"]
    assert found["conversations"] == [
        turn("human", f"{TOKEN}\nWhat does this protein bind, number 1?"),
        turn("gpt", "This protein binds zinc ions."),
    ]
    assert export(pmcid=None)["pmc_id"] == []


def test_a_span_is_written_only_where_that_is_allowed():
    kept, hidden = export(), export(with_span=False)
    assert kept["evidence"].pop("span") == pair("TRAIN1")["evidence_span"]
    assert hidden["evidence"].pop("span") is None
    assert kept == hidden
    assert hidden["evidence"]["pubmed_id"] == "1001"
    assert (hidden["evidence"]["start"], hidden["evidence"]["end"]) == (4, 39)


def make_corpus(tmp_path, pairs):
    proteins, split = write_house(tmp_path)
    make_qa_conversations(
        write_pairs(tmp_path / "made.parquet", pairs),
        None,
        proteins,
        split,
        tmp_path / "qa.parquet",
        tmp_path / "qa.json",
        tmp_path / "statistics.json",
        tmp_path / "left_out.parquet",
    )
    return tmp_path / "qa.json"


def test_what_is_exported_is_imported_as_the_same_pairs(tmp_path):
    texts = ['Zinc, and it\'s "tight".', "{ATP}", "β-lactam 🙂", "Q1: none\nA1: it's here"]
    accessions = ["TRAIN1", "TRAIN1", "TEST1", "VALID1"]
    made = [
        pair(accession, number, answer=text, question=f"What about number {number}, {text}?")
        for number, (accession, text) in enumerate(zip(accessions, texts, strict=True))
    ]
    exported = make_corpus(tmp_path, made)
    pairs, rejects = read_files(tmp_path, [exported])
    assert rejects == []
    columns = ("accession", "question", "answer", "pubmed_id", "licence")
    assert {tuple(p[c] for c in columns) for p in pairs} == {
        tuple(p[c] for c in columns) for p in made
    }
    assert len(pairs) == len(made)
    # And once more: a corpus of imported pairs gives the same file again, its origin aside.
    first = json.loads(exported.read_text())
    second = json.loads(make_corpus(tmp_path, pairs).read_text())
    shown = ("long_format_id", "id", "protein", "amino_seq", "conversations", "fold")
    assert [[r[key] for key in shown] for r in first] == [[r[key] for key in shown] for r in second]


def test_foreign_evidence_is_not_believed(tmp_path):
    evil = record(evidence={"pubmed_id": ["1"], "licence": 3, "span": "made up"})
    (row,), _ = read(tmp_path, [evil])
    assert row["pubmed_id"] is row["licence"] is row["evidence_span"] is None
    (row,), _ = read(tmp_path, [record(evidence="made up")])
    assert row["pubmed_id"] is None


def test_the_published_sample_loads_as_it_is(tmp_path, shared_data):
    sample = shared_data / "protein_text" / "protein2text_sample_input.json"
    records = json.loads(sample.read_text())
    proteins = write_proteins(
        tmp_path / "proteins.parquet", {r["id"]: r["amino_seq"] for r in records}
    )
    import_qa([sample], proteins, tmp_path / "pairs.parquet", tmp_path / "rejects.parquet")
    pairs = read_table(tmp_path / "pairs.parquet", "qa_pairs").to_pylist()
    assert [p["context_id"] for p in pairs] == ["Q9H9D4_3", "Q9HC52_27", "Q9Y5R6_32"]
    for row, published in zip(pairs, sorted(records, key=lambda r: r["id"]), strict=True):
        human, gpt = published["conversations"]
        assert human["value"] == f"{TOKEN}\n{row['question']}"
        assert gpt["value"] == row["answer"]
    assert read_table(tmp_path / "rejects.parquet", "rejects").num_rows == 0
