import io
import json

import pytest

from protscribe.errors import InputError
from protscribe.sources.formats import conversations, json_records
from protscribe.sources.formats.json_records import cut, load
from protscribe.sources.formats.record import Reject

RECORDS = [{"id": f"P{i}", "text": 'a "quoted", [bracketed] {text}\nü' * i} for i in range(40)]


def lines(records, **options):
    return "\n".join(json.dumps(record, **options) for record in records)


FORMS = {
    "array": json.dumps(RECORDS),
    "printed array": json.dumps(RECORDS, indent=2, ensure_ascii=False),
    "results": '{ "results" : ' + json.dumps(RECORDS) + "}",
    "lines": lines(RECORDS),
    "lines with an end": lines(RECORDS) + "\n\n",
    "printed one after the other": lines(RECORDS, indent=1, ensure_ascii=False),
}


def read(data, size=1):
    pieces = list(cut(io.BytesIO(data), "x.json", size))
    return [load(line) for piece in pieces for line in piece.split(b"\n") if line.strip()]


@pytest.mark.parametrize("block", [7, 64, 2**20])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_records(monkeypatch, form, mark, block):
    monkeypatch.setattr(json_records, "_BLOCK", max(block, 20) if form == "results" else block)
    data = (mark + FORMS[form]).replace("\n", "\r\n" if mark else "\n").encode()
    for size in (1, 500, 10**6):
        assert read(data, size) == RECORDS


def test_one_record_alone():
    assert read(json.dumps(RECORDS[3], indent=2).encode()) == [RECORDS[3]]


def test_an_empty_array_has_no_record():
    assert read(b"[]") == read(b'{"results": []}') == []


@pytest.mark.parametrize("form", ["array", "printed array", "results", "lines"])
@pytest.mark.parametrize("lost", [5, 100, 2000])
def test_truncated_files(form, lost):
    with pytest.raises(InputError, match=r"x\.json: .*truncated"):
        read(FORMS[form].encode()[:-lost])


def test_a_broken_record_in_an_array_is_named():
    text = FORMS["array"].replace('"P7"', '"P7')
    with pytest.raises(InputError, match="record 8 is broken or truncated"):
        read(text.encode())


def test_a_broken_line_costs_one_record():
    text = FORMS["lines"].replace('"P7"', '"P7')
    pieces = list(cut(io.BytesIO(text.encode()), "x.json", 10**6))
    broken = pieces[0].split(b"\n")[7]
    with pytest.raises(Reject, match="not parsable"):
        load(broken)
    with pytest.raises(Reject, match="a JSON object is needed"):
        load(b"[1]")


def test_other_encodings_are_named_by_line():
    data = FORMS["printed array"].encode("cp1252")
    with pytest.raises(InputError, match=r"x\.json: line \d+: not UTF-8"):
        read(data)


def test_a_conversation():
    record = {
        "id": "P1",
        "protein": "Kallikrein",
        "amino_seq": "MKV",
        "conversations": [
            {"from": "human", "value": "<protein_sequence>\nWhat?"},
            {"from": "gpt", "value": "Cleaves bonds."},
            {"from": "human", "value": "And?"},
            {"from": "gpt", "value": "Moves."},
        ],
    }
    assert conversations.row(record) == {
        "accession": "P1",
        "protein_name": "Kallikrein",
        "sequence": "MKV",
        "function": "Cleaves bonds. Moves.",
        "function_evidence": [],
    }


@pytest.mark.parametrize("missing", ["id", "conversations"])
def test_what_is_no_conversation(missing):
    record = {"id": "P1", "amino_seq": "MKV", "conversations": []}
    assert conversations.row(record)["function"] is None
    del record[missing]
    with pytest.raises(Reject, match="not parsable"):
        conversations.row(record)
