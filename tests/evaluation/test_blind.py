import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from helpers_evaluation import qa_row, write_conversations
from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.evaluation.blind import predict_language_model, without_protein
from protscribe.models.captioner import Captioner
from protscribe.tables import read_metadata, read_table
from tiny_models import write_tiny_language_model

QUESTION = "What does this protein do?"
DESCRIPTIONS = [
    {"accession": f"P{i}", "fold": fold, "answer": f"Binds metal {i}."}
    for i, fold in enumerate(["train", "test_low_homology", "test_low_homology", "test_temporal"])
]
PAIRS = [
    qa_row("P1", "test_low_homology", "Where is this protein located?", "Outside."),
    qa_row("P2", "test_low_homology", "Where is this protein located in the cell?", "Inside."),
    qa_row("P2", "test_low_homology", "Is it an enzyme?", "No.", 2),
    qa_row("P0", "train", "Is it an enzyme?", "Yes."),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_language_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def corpora(tmp_path):
    return [
        write_conversations(tmp_path / "descriptions.parquet", DESCRIPTIONS),
        write_conversations(tmp_path / "qa.parquet", PAIRS),
    ]


def predict(model, corpora, output, **changes):
    settings = {
        "predictor": "language_model_tiny",
        "question": QUESTION,
        "max_new_tokens": 8,
        "batch_tokens": 400,
        "state": output.with_suffix(".state"),
        "device": "cpu",
        "threads": 1,
    }
    predict_language_model(model, corpora, output, **(settings | changes))
    return {row["id"]: row for row in read_table(output, "predictions").to_pylist()}


def test_answers_are_those_of_the_bare_language_model(model, corpora, tmp_path):
    rows = predict(model, corpora, tmp_path / "p.parquet")
    asked = {f"descriptions:P{i}": QUESTION for i in (1, 2, 3)}
    asked |= {row["id"]: row["turns"][0]["content"].split("\n")[1] for row in PAIRS[:3]}
    assert set(rows) == set(asked)
    tokenizer = AutoTokenizer.from_pretrained(model)
    theirs = AutoModelForCausalLM.from_pretrained(model)
    for name, question in asked.items():
        row = rows[name]
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
        assert row["prompt"] == prompt
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            written = theirs.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
        expected = tokenizer.decode(written, skip_special_tokens=True).strip()
        assert row["prediction"] == expected
        assert (row["condition"], row["training_seed"]) == ("sequence", 0)
    assert rows["qa:P2:2"]["reference"] == "No."
    assert read_metadata(tmp_path / "p.parquet") == {
        "predictor": "language_model_tiny",
        "training_examples": "0",
        "training_steps": "0",
    }
    assert not (tmp_path / "p.state").exists()


def test_each_distinct_question_is_answered_once(model, corpora, tmp_path, monkeypatch):
    generate, prompts = Captioner.generate, []

    def counted(self, ids, states, limit):
        assert states is None
        prompts.extend(ids)
        return generate(self, ids, states, limit)

    monkeypatch.setattr(Captioner, "generate", counted)
    rows = predict(model, corpora, tmp_path / "p.parquet")
    assert len(rows) == 6
    assert len(prompts) == 4


def test_batches_and_restarts_change_nothing(model, corpora, tmp_path, monkeypatch):
    predict(model, corpora, tmp_path / "whole.parquet")
    generate, calls = Captioner.generate, []

    def stopped(self, *arguments):
        calls.append(len(arguments[0]))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return generate(self, *arguments)

    monkeypatch.setattr(Captioner, "generate", stopped)
    small = {"batch_tokens": 120, "state": tmp_path / "state"}
    with pytest.raises(KeyboardInterrupt):
        predict(model, corpora, tmp_path / "p.parquet", **small)
    done = calls[0]
    calls[:] = [0, 0]
    predict(model, corpora, tmp_path / "p.parquet", **small)
    assert sum(calls) == 4 - done
    assert sha256_file(tmp_path / "p.parquet") == sha256_file(tmp_path / "whole.parquet")


def test_only_the_protein_is_taken_out_of_a_conversation():
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "<protein_sequence>"},
        {"role": "assistant", "content": "It binds zinc."},
        {"role": "user", "content": "Where?"},
    ]
    assert without_protein(turns, QUESTION) == [
        turns[0],
        {"role": "user", "content": f"<protein_sequence>{QUESTION}"},
        *turns[2:],
    ]
    assert turns[1]["content"] == "<protein_sequence>"


def test_an_empty_question_is_an_error(model, corpora, tmp_path):
    with pytest.raises(InputError, match="bare protein is empty"):
        predict(model, corpora, tmp_path / "p.parquet", question=" ")


def test_a_missing_language_model_is_an_error(corpora, tmp_path):
    with pytest.raises(InputError):
        predict(tmp_path / "gone", corpora, tmp_path / "p.parquet")
    assert not (tmp_path / "p.parquet").exists()


def test_a_question_beyond_the_budget_is_an_error(model, corpora, tmp_path):
    with pytest.raises(InputError, match="does not fit into batches of 12"):
        predict(model, corpora, tmp_path / "p.parquet", batch_tokens=12)
