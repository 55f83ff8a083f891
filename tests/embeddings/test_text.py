"""Text vectors against plain transformers, NumPy and the published code."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from protscribe.atomic import read_json, sha256_text, write_json
from protscribe.embeddings.text import embed_texts, load_first_layers, spread_of
from protscribe.errors import InputError
from protscribe.schemas import TABLES
from protscribe.tables import read_metadata, read_table, write_table
from tiny_models import write_tiny_language_model

OPTIONS = {
    "layer": 2,
    "max_tokens": 12,
    "drop_first": True,
    "center": True,
    "batch_tokens": 40,
    "device": "cpu",
    "threads": 1,
}
TEXTS = [
    ("train", "Binds to DNA."),
    ("train", "Catalyzes the hydrolysis of the substrate and much else beside it."),
    ("train", "Binds to DNA."),
    ("validation", "Inhibits the activity."),
    ("test_low_homology", "Receptor."),
    ("test_low_homology", ""),
]


def write_conversations(path, texts):
    empty = dict.fromkeys(TABLES["conversations"].schema.names)
    rows = [
        {
            **empty,
            "id": f"descriptions:{number}",
            "fold": fold,
            "turns": [
                {"role": "user", "content": "<protein_sequence>"},
                {"role": "assistant", "content": text},
            ],
        }
        for number, (fold, text) in enumerate(texts)
    ]
    write_table(path, "conversations", rows)
    return path


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return write_tiny_language_model(tmp_path_factory.mktemp("models") / "lm")


@pytest.fixture
def embed(model_folder, tmp_path):
    def run(texts=TEXTS, folder=model_folder, **options):
        table = write_conversations(tmp_path / "conversations.parquet", texts)
        vectors, spread = tmp_path / "vectors.parquet", tmp_path / "spread.json"
        embed_texts([table], folder, vectors, spread, **{**OPTIONS, **options})
        rows = read_table(vectors, "text_vectors").to_pylist()
        found = {row["text_hash"]: np.concatenate([row["mean"], row["std"]]) for row in rows}
        return found, read_json(spread)

    return run


def oracle(folder, layer, max_tokens, drop_first):
    """Each text alone through the whole model, pooled by NumPy."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    result = {}
    for _, text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"][: max_tokens - 1]
        ids = [*ids, tokenizer.eos_token_id]
        with torch.inference_mode():
            states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        hidden = states[layer][0].double().numpy()
        if drop_first and len(ids) > 1:
            hidden = hidden[1:]
        result[sha256_text(text)] = np.concatenate([hidden.mean(axis=0), hidden.std(axis=0)])
    return result


@pytest.mark.parametrize("drop_first", [True, False])
@pytest.mark.parametrize("layer", [0, 2, 4, -1])
def test_equals_pooling_one_text_at_a_time(embed, model_folder, layer, drop_first):
    found, _ = embed(layer=layer, drop_first=drop_first, center=False)
    expected = oracle(model_folder, layer, 12, drop_first)
    assert set(found) == set(expected)
    for key, vector in found.items():
        np.testing.assert_allclose(vector, expected[key], atol=3e-6)


def test_centre_is_the_mean_over_distinct_training_texts(embed, model_folder):
    found, spread = embed()
    raw = oracle(model_folder, 2, 12, True)
    training = {sha256_text(text) for fold, text in TEXTS if fold == "train"}
    centre = np.mean([raw[key] for key in sorted(training)], axis=0)
    for key, vector in found.items():
        np.testing.assert_allclose(vector, raw[key] - centre, atol=3e-6)
    assert (spread["texts"], spread["training_texts"], spread["texts_cut"]) == (5, 2, 1)
    assert spread["written"]["mean_pairwise_cosine"] < spread["raw"]["mean_pairwise_cosine"]


def test_batches_do_not_matter(embed):
    one, _ = embed(batch_tokens=12)
    all_at_once, _ = embed(batch_tokens=1000)
    for key, vector in one.items():
        np.testing.assert_allclose(vector, all_at_once[key], atol=2e-6)


def test_two_runs_give_the_same_bytes(embed, tmp_path):
    runs = []
    for _ in range(2):
        embed()
        runs.append([(tmp_path / n).read_bytes() for n in ("vectors.parquet", "spread.json")])
    assert runs[0] == runs[1]
    assert read_metadata(tmp_path / "vectors.parquet")["layer"] == "2"


def test_layers_above_are_not_loaded(model_folder):
    assert len(load_first_layers(model_folder, 2, "cpu").layers) == 2
    assert isinstance(load_first_layers(model_folder, 2, "cpu").norm, torch.nn.Identity)
    assert not isinstance(load_first_layers(model_folder, 4, "cpu").norm, torch.nn.Identity)


def test_spread_equals_all_pairs():
    vectors = np.random.default_rng(0).normal(size=(7, 5)) + 1
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [units[i] @ units[j] for i in range(7) for j in range(7) if i != j]
    assert spread_of(vectors)["mean_pairwise_cosine"] == pytest.approx(np.mean(pairs), abs=1e-6)
    assert spread_of(vectors[:1])["mean_pairwise_cosine"] is None


def test_bad_inputs(embed, model_folder, tmp_path):
    with pytest.raises(InputError, match=r"align\.text_layer is 5; the model has layers 0 to 4"):
        embed(layer=5)
    with pytest.raises(InputError, match="no conversations to embed"):
        embed([])
    with pytest.raises(InputError, match="no training text to centre"):
        embed([("validation", "Binds.")])
    shutil.copytree(model_folder, tmp_path / "lm")
    weights = load_file(tmp_path / "lm" / "model.safetensors")
    weights.pop("model.layers.1.mlp.up_proj.weight")
    save_file(weights, tmp_path / "lm" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"do not fit .*layers\.1\.mlp\.up_proj"):
        embed(folder=tmp_path / "lm")


@pytest.mark.parametrize(("layer", "name"), [(2, "mix"), (-1, "mix.last_layer")])
def test_equals_published_code(golden, embed, tmp_path, layer, name):
    reference = golden / "prot2text_v2"
    readme = json.loads((reference / "README.json").read_text())
    prefix = "llama_decoder."
    weights = load_file(reference / "checkpoint" / "model.safetensors")
    weights = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    folder = tmp_path / "llama"
    shutil.copytree(reference / "tokenizer_llama", folder)
    folder.chmod(0o755)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", readme["model"]["llama_config"])
    manifest = {"name": "golden", "format": "transformers", "weights_sha256": "0"}
    write_json(folder / "manifest.json", manifest)
    texts = [row["function"] for row in json.loads((reference / "rows.json").read_text())]
    found, _ = embed(
        [("train", text) for text in texts],
        folder=folder,
        layer=layer,
        max_tokens=512,
        batch_tokens=1000,
        drop_first=False,
        center=False,
    )
    expected = load_file(reference / "expected.safetensors")[f"text.readout.{name}"]
    tolerance = readme["expected"][f"text.readout.{name}"]["suggested_atol"]
    for row, text in enumerate(texts):
        error = np.abs(found[sha256_text(text)] - expected[row].numpy()).max()
        assert error <= tolerance
