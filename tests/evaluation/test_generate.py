import random

import pytest
import torch

from helpers_evaluation import qa_row, write_conversations, write_proteins, write_split
from protscribe.atomic import sha256_file
from protscribe.embeddings.store import EmbeddingStore, embed_proteins
from protscribe.errors import InputError
from protscribe.evaluation import generate
from protscribe.evaluation.generate import predict_system
from protscribe.evaluation.shuffling import shuffle_sequences
from protscribe.llm.pretrained import (
    hidden_size,
    identity,
    load_language_model,
    load_prompt_builder,
)
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import encoder_facts, load_captioner, save_model
from protscribe.models.connectors import build_connector
from protscribe.models.language_model import add_lora
from protscribe.prompts import PLACEHOLDER_ID
from protscribe.tables import read_metadata, read_table
from tiny_models import write_tiny_encoder, write_tiny_language_model

SYSTEM = {
    "connector": {
        "type": "projector",
        "hidden": 24,
        "activation": "gelu",
        "dropout": 0.1,
        "token_norm": "l2",
    },
    "precision": "float32",
    "tune": {"lora": {"rank": 2, "alpha": 4, "dropout": 0.1, "targets": "all-linear"}},
}
ANSWER = "Catalyzes the hydrolysis of ATP. " * 8


def make_model(folder, language_model, store, seed):
    """Write a finished model with random weights."""
    torch.manual_seed(seed)
    manifest = EmbeddingStore(store).manifest
    adapted = add_lora(
        load_language_model(language_model, precision="float32"), SYSTEM["tune"]["lora"], seed
    )
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    connector = build_connector(SYSTEM["connector"], manifest["dim"], hidden_size(language_model))
    end_of_turn = load_prompt_builder(language_model).end_of_turn_id
    save_model(
        folder,
        Captioner(adapted, connector, end_of_turn),
        name="tiny",
        training_seed=seed,
        system=SYSTEM,
        encoder=encoder_facts(manifest),
        language_model=identity(language_model),
        training={"examples": 11, "steps": 20 + seed},
    )
    return folder


def embed(root, layer=2, proteins="proteins"):
    store = root / f"store-{layer}-{proteins}"
    embed_proteins(
        root / f"{proteins}.parquet",
        root / "encoder",
        store,
        cache=root / "cache",
        layer=layer,
        max_residues=40,
        special_tokens=True,
        dtype="float32",
        batch_tokens=512,
        shard_tokens=10_000,
        device="cpu",
        threads=1,
    )
    return store


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    root = tmp_path_factory.mktemp("house")
    write_tiny_encoder(root / "encoder")
    write_tiny_language_model(root / "language_model")
    rng = random.Random(0)
    sequences = {
        f"P{i}": "".join(rng.choices("ACDEFGHIKLMNPQRSTVWY", k=rng.randint(12, 60)))
        for i in range(9)
    }
    write_proteins(root / "proteins.parquet", sequences)
    store = embed(root)
    folds = ["train"] * 2 + ["test_in_distribution"] * 3 + ["test_low_homology"] * 4
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Protein: <protein_sequence>"},
        {"role": "assistant", "content": ANSWER},
    ]
    rows = [
        {"accession": f"P{i}", "fold": fold, "turns": turns, "answer": ANSWER}
        for i, fold in enumerate(folds)
    ]
    write_conversations(root / "conversations.parquet", rows)
    asked = [
        qa_row(f"P{i}", folds[i], question, ANSWER, number)
        for i in (1, 2, 5)
        for number, question in enumerate(["What does it bind?", "Where is it?"])
    ]
    write_conversations(root / "both.parquet", [*rows, *asked])
    split = [{"accession": f"P{i}", "fold": fold} for i, fold in enumerate(folds)]
    write_split(root / "split.parquet", split)
    shuffled = root / "shuffled.parquet"
    shuffle_sequences(root / "proteins.parquet", root / "split.parquet", shuffled, seed=0)
    embed(root, proteins="shuffled")
    for seed in (0, 1):
        make_model(root / "models" / str(seed), root / "language_model", store, seed)
    return root


def predict(house, output, *, seeds=(0,), state=None, **changes):
    settings = {
        "predictor": "tiny",
        "max_new_tokens": 12,
        "reference_max_tokens": None,
        "batch_tokens": 250,
        "state": state or output.with_suffix(".state"),
        "device": "cpu",
        "threads": 1,
    }
    store = changes.pop("store", house / "store-2-proteins")
    conversations = changes.pop("conversations", house / "conversations.parquet")
    models = changes.pop("models", {seed: house / "models" / str(seed) for seed in seeds})
    predict_system(
        models,
        house / "language_model",
        [conversations],
        output,
        store=store,
        **(settings | changes),
    )
    return read_table(output, "predictions").to_pylist()


def test_each_test_id_has_one_row_per_training_seed(house, tmp_path):
    rows = predict(house, tmp_path / "tiny.parquet", seeds=(0, 1))
    assert sorted((row["id"], row["training_seed"]) for row in rows) == [
        (f"descriptions:P{i}", seed) for i in range(2, 9) for seed in (0, 1)
    ]
    for row in rows:
        assert row["reference"] == ANSWER
        assert row["condition"] == "sequence"
        assert row["finish_reason"] in ("stop", "length")
        assert row["tokens"] == 12 or row["finish_reason"] == "stop"
        assert row["prompt"] == (
            "<|im_start|>system\nBe brief.<|im_end|>\n"
            "<|im_start|>user\nProtein: <protein_sequence><|im_end|>\n<|im_start|>assistant\n"
        )
    assert read_metadata(tmp_path / "tiny.parquet") == {
        "predictor": "tiny",
        "training_examples": "11",
        "training_steps": "21",
    }
    assert not (tmp_path / "tiny.state").exists()
    texts = {(row["id"], row["training_seed"]): row["prediction"] for row in rows}
    assert any(
        texts[f"descriptions:P{i}", 0] != texts[f"descriptions:P{i}", 1] for i in range(2, 9)
    )


def test_predictions_are_those_of_each_protein_alone(house, tmp_path):
    rows = predict(house, tmp_path / "tiny.parquet")
    captioner, builder, _ = load_captioner(house / "models" / "0", house / "language_model")
    store = EmbeddingStore(house / "store-2-proteins")
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Protein: <protein_sequence>"},
    ]
    for row in rows:
        states = store[row["accession"]]
        ((ids, reason),) = captioner.generate(
            [builder.prompt(turns, [PLACEHOLDER_ID] * len(states))], [states], 12
        )
        assert row["prediction"] == builder.decode(ids)
        assert (row["finish_reason"], row["tokens"]) == (reason, len(ids))


def test_the_size_of_batches_changes_nothing(house, tmp_path):
    small = predict(house, tmp_path / "small.parquet", batch_tokens=170)
    large = predict(house, tmp_path / "large.parquet", batch_tokens=5000)
    assert small == large


def test_an_interrupted_job_goes_on_where_it_stopped(house, tmp_path, monkeypatch):
    predict(house, tmp_path / "whole.parquet")
    generate, calls = Captioner.generate, []

    def counted(self, *arguments):
        calls.append(len(arguments[0]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return generate(self, *arguments)

    monkeypatch.setattr(Captioner, "generate", counted)
    with pytest.raises(KeyboardInterrupt):
        predict(house, tmp_path / "tiny.parquet", state=tmp_path / "state")
    assert not (tmp_path / "tiny.parquet").exists()
    assert len(list((tmp_path / "state" / "0" / "sequence").iterdir())) == 2
    calls[:] = [0, 0, 0]
    predict(house, tmp_path / "tiny.parquet", state=tmp_path / "state")
    done_before = 7 - sum(calls)
    assert 0 < done_before < 7
    assert sha256_file(tmp_path / "tiny.parquet") == sha256_file(tmp_path / "whole.parquet")


def test_references_are_cut_only_when_asked(house, tmp_path):
    rows = predict(house, tmp_path / "tiny.parquet", reference_max_tokens=10)
    for row in rows:
        assert ANSWER.startswith(row["reference"])
        assert 0 < len(row["reference"]) < len(ANSWER)
    rows = predict(house, tmp_path / "tiny.parquet", reference_max_tokens=2000)
    assert {row["reference"] for row in rows} == {ANSWER}


def test_embeddings_of_another_layer_are_an_error(house, tmp_path):
    with pytest.raises(InputError, match="trained on other embeddings"):
        predict(house, tmp_path / "tiny.parquet", store=embed(house, layer=1))


def test_a_model_of_another_seed_or_name_is_an_error(house, tmp_path):
    with pytest.raises(InputError, match="training seed 1, not tiny of 0"):
        predict(house, tmp_path / "tiny.parquet", models={0: house / "models" / "1"})
    with pytest.raises(InputError, match="is the model tiny"):
        predict(house, tmp_path / "tiny.parquet", predictor="other")


def test_a_missing_model_is_an_error(house, tmp_path):
    with pytest.raises(InputError, match="no finished model"):
        predict(house, tmp_path / "tiny.parquet", models={0: tmp_path})


def test_a_prompt_beyond_the_budget_is_an_error(house, tmp_path):
    with pytest.raises(InputError, match="does not fit into batches of 20"):
        predict(house, tmp_path / "tiny.parquet", batch_tokens=20)


def test_a_protein_without_embedding_is_an_error(house, tmp_path):
    row = {"accession": "Q1", "fold": "test_temporal", "answer": "x"}
    path = write_conversations(tmp_path / "c.parquet", [row])
    with pytest.raises(InputError, match="no embedding of protein Q1"):
        predict_system(
            {0: house / "models" / "0"},
            house / "language_model",
            [path],
            tmp_path / "p.parquet",
            store=house / "store-2-proteins",
            predictor="tiny",
            max_new_tokens=4,
            reference_max_tokens=None,
            batch_tokens=500,
            state=tmp_path / "state",
            device="cpu",
            threads=1,
        )


TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Protein: <protein_sequence>"},
]
CONTROLS = {"conditions": ["sequence", "shuffled", "blind"]}


def with_controls(house, output, **changes):
    more = CONTROLS | {"shuffled_store": house / "store-2-shuffled"}
    rows = predict(house, output, **(more | changes))
    return {(row["condition"], row["id"], row["training_seed"]): row for row in rows}


def test_every_condition_answers_every_question(house, tmp_path, monkeypatch):
    loaded, load = [], generate.load_predictor

    def counted(folder, *arguments, **options):
        loaded.append(folder)
        return load(folder, *arguments, **options)

    monkeypatch.setattr(generate, "load_predictor", counted)
    rows = with_controls(house, tmp_path / "tiny.parquet", seeds=(0, 1))
    assert set(rows) == {
        (condition, f"descriptions:P{i}", seed)
        for condition in CONTROLS["conditions"]
        for i in range(2, 9)
        for seed in (0, 1)
    }
    assert len(loaded) == 2
    assert not (tmp_path / "tiny.state").exists()
    # The headline is what it is without controls.
    plain = predict(house, tmp_path / "plain.parquet", seeds=(0, 1))
    assert plain == [row for key, row in rows.items() if key[0] == "sequence"]


def test_shuffled_answers_are_those_to_the_shuffled_proteins(house, tmp_path, monkeypatch):
    original, read = Captioner.generate, []

    def watched(self, prompts, states, limit):
        read.extend(states)
        return original(self, prompts, states, limit)

    monkeypatch.setattr(Captioner, "generate", watched)
    rows = with_controls(house, tmp_path / "tiny.parquet", conditions=["sequence", "shuffled"])
    # A random model says much the same of all proteins, so what it reads is looked at as well.
    names = [f"P{i}" for i in range(2, 9)]
    stores = [EmbeddingStore(house / f"store-2-{kind}") for kind in ("proteins", "shuffled")]
    for store, seen in zip(stores, (read[:7], read[7:]), strict=True):
        expected = {tuple(store[name].flatten().tolist()) for name in names}
        assert {tuple(states.flatten().tolist()) for states in seen} == expected
    assert not torch.allclose(stores[0]["P2"], stores[1]["P2"])
    captioner, builder, _ = load_captioner(house / "models" / "0", house / "language_model")
    for name in names:
        row, main = (rows[c, f"descriptions:{name}", 0] for c in ("shuffled", "sequence"))
        states = stores[1][name]
        ((ids, reason),) = captioner.generate(
            [builder.prompt(TURNS, [PLACEHOLDER_ID] * len(states))], [states], 12
        )
        assert (row["prediction"], row["finish_reason"]) == (builder.decode(ids), reason)
        assert (row["prompt"], row["reference"]) == (main["prompt"], main["reference"])


def test_blind_prompts_have_no_protein(house, tmp_path, monkeypatch):
    rows = with_controls(house, tmp_path / "tiny.parquet", conditions=["blind"])
    assert {row["prompt"] for row in rows.values()} == {
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nProtein:<|im_end|>\n<|im_start|>assistant\n"
    }
    captioner, builder, _ = load_captioner(house / "models" / "0", house / "language_model")
    ((ids, _),) = captioner.generate([builder.prompt(TURNS, ())], None, 12)
    assert {row["prediction"] for row in rows.values()} == {builder.decode(ids)}
    # One prompt, one answer, although seven proteins have it.
    written, original = [], Captioner.generate

    def counted(self, prompts, *arguments):
        written.extend(prompts)
        return original(self, prompts, *arguments)

    monkeypatch.setattr(Captioner, "generate", counted)
    with_controls(house, tmp_path / "again.parquet", conditions=["blind"])
    assert len(written) == 1


def test_controls_can_be_run_on_fewer_examples(house, tmp_path):
    rows = with_controls(house, tmp_path / "few.parquet", control_examples=2)
    whole = with_controls(house, tmp_path / "whole.parquet")
    assert set(rows) < set(whole)
    assert all(whole[key] == row for key, row in rows.items())
    counts = {}
    for (condition, *_), row in rows.items():
        counts[condition, row["fold"]] = counts.get((condition, row["fold"]), 0) + 1
    assert counts == {
        ("sequence", "test_in_distribution"): 3,
        ("sequence", "test_low_homology"): 4,
        **{
            (condition, fold): 2
            for condition in ("shuffled", "blind")
            for fold in ("test_in_distribution", "test_low_homology")
        },
    }
    ids = {c: {name for cond, name, _ in rows if cond == c} for c in ("shuffled", "blind")}
    assert ids["shuffled"] == ids["blind"]


def test_an_interrupted_control_goes_on_where_it_stopped(house, tmp_path, monkeypatch):
    with_controls(house, tmp_path / "whole.parquet")
    original, calls = Captioner.generate, []

    def counted(self, *arguments):
        calls.append(arguments[0])
        if len(calls) == stop:
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(Captioner, "generate", counted)
    stop = 0
    with_controls(house, tmp_path / "counted.parquet")
    batches, stop = len(calls), len(calls) - 1
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        with_controls(house, tmp_path / "tiny.parquet", state=tmp_path / "state")
    assert {path.name for path in (tmp_path / "state" / "0").iterdir()} == {"sequence", "shuffled"}
    calls.clear()
    stop = 0
    with_controls(house, tmp_path / "tiny.parquet", state=tmp_path / "state")
    assert len(calls) == 2 < batches
    assert sha256_file(tmp_path / "tiny.parquet") == sha256_file(tmp_path / "whole.parquet")


def test_corpora_in_one_table_are_answered_by_name(house, tmp_path):
    both = {"conversations": house / "both.parquet"}
    rows = predict(house, tmp_path / "all.parquet", **both)
    assert {row["task"] for row in rows} == {"describe", "answer"}
    qa = predict(house, tmp_path / "qa.parquet", corpora=["qa"], **both)
    assert [row["id"] for row in qa] == [f"qa:P{i}:{n}" for i in (2, 5) for n in (0, 1)]
    assert qa == [row for row in rows if row["task"] == "answer"]
    assert qa[0]["prompt"] == (
        "<|im_start|>user\n<protein_sequence>\nWhat does it bind?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    with pytest.raises(InputError, match="no conversation of corpus knowledge"):
        predict(house, tmp_path / "x.parquet", corpora=["knowledge"], **both)


def test_conditions_that_cannot_be_met_are_errors(house, tmp_path):
    with pytest.raises(InputError, match="conditions is swapped; allowed: sequence, shuffled, bl"):
        predict(house, tmp_path / "x.parquet", conditions=["sequence", "swapped"])
    with pytest.raises(InputError, match="conditions is empty"):
        predict(house, tmp_path / "x.parquet", conditions=[])
    with pytest.raises(InputError, match="no shuffled proteins"):
        predict(house, tmp_path / "x.parquet", **CONTROLS)
    with pytest.raises(InputError, match="trained on other embeddings"):
        other = embed(house, layer=1, proteins="shuffled")
        with_controls(house, tmp_path / "x.parquet", shuffled_store=other)
    assert not (tmp_path / "x.parquet").exists()


def test_no_batch_runs_before_all_are_planned(house, tmp_path, monkeypatch):
    """A control whose prompts exceed the budget is found out before the headline is generated."""
    write_proteins(house / "short.parquet", {f"P{i}": "M" * 5 for i in range(9)})
    # Five residues and the two tokens around them.
    longest = (
        len(load_prompt_builder(house / "language_model").prompt(TURNS, [PLACEHOLDER_ID] * 7)) + 12
    )
    small = {"store": embed(house, proteins="short"), "batch_tokens": longest}
    predict(house, tmp_path / "short.parquet", **small)
    monkeypatch.setattr(Captioner, "generate", None)
    with pytest.raises(InputError, match=f"does not fit into batches of {longest}"):
        with_controls(house, tmp_path / "x.parquet", **small)
