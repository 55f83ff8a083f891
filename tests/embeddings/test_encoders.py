"""Both encoder backends against plain transformers, each other and the published code."""

import argparse
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import EsmForMaskedLM, EsmModel, EsmTokenizer

from protscribe.atomic import sha256_file, write_json
from protscribe.embeddings.encoders import kept_rows, letters_to_ids, load_encoder, resolve_layer
from protscribe.errors import InputError
from tiny_models import ESM_VOCABULARY, write_tiny_encoder

SEQUENCES = ["MKTAYIAKQR", "XUBOZ", "M" * 41]


def fair_esm_folder(encoder: Path, folder: Path) -> Path:
    """Rewrite a transformers ESM folder as the checkpoint that fair-esm would have published."""
    weights = load_file(encoder / "model.safetensors")
    names = {
        "embeddings.word_embeddings": "embed_tokens",
        "encoder.emb_layer_norm_after": "emb_layer_norm_after",
        "encoder.layer": "layers",
        "attention.self.query": "self_attn.q_proj",
        "attention.self.key": "self_attn.k_proj",
        "attention.self.value": "self_attn.v_proj",
        "attention.output.dense": "self_attn.out_proj",
        "attention.LayerNorm": "self_attn_layer_norm",
        "intermediate.dense": "fc1",
        "output.dense": "fc2",
        "LayerNorm": "final_layer_norm",
    }
    state = {}
    for key, value in weights.items():
        if key.startswith(("embeddings.", "encoder.")):
            for old, new in names.items():
                key = key.replace(old, new)
            state[f"encoder.sentence_encoder.{key}"] = value
    config = json.loads((encoder / "config.json").read_text())
    settings = argparse.Namespace(
        encoder_layers=config["num_hidden_layers"],
        encoder_embed_dim=config["hidden_size"],
        encoder_attention_heads=config["num_attention_heads"],
        token_dropout=True,
    )
    folder.mkdir()
    torch.save({"cfg": {"model": settings}, "model": state}, folder / "checkpoint.pt")
    checksum = sha256_file(folder / "checkpoint.pt")
    manifest = {"name": "pt", "format": "fair-esm", "weights_sha256": checksum}
    write_json(folder / "manifest.json", manifest)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_encoder(tmp_path_factory.mktemp("models") / "esm")


@pytest.fixture(scope="module")
def encoder(folder):
    return load_encoder(folder, device="cpu", dtype="float32")


@pytest.mark.parametrize("layer", range(4))
def test_equals_all_hidden_states_of_transformers(folder, encoder, layer):
    model = EsmModel.from_pretrained(folder, add_pooling_layer=False)
    tokenizer = EsmTokenizer(folder / "vocab.txt")
    batch = tokenizer(SEQUENCES, padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = model(**batch, output_hidden_states=True).hidden_states
    for row, (sequence, hidden) in enumerate(
        zip(SEQUENCES, encoder.encode(SEQUENCES, layer), strict=True)
    ):
        assert hidden.shape == (len(sequence) + 2, encoder.hidden_size)
        assert torch.allclose(hidden, states[layer][row, : len(hidden)], atol=1e-5)


def test_layers_above_are_not_computed(folder, monkeypatch):
    encoder = load_encoder(folder, device="cpu", dtype="float32")
    ran = []
    for number, layer in enumerate(encoder.model.encoder.layer, 1):
        layer.register_forward_hook(lambda *_, number=number: ran.append(number))
    encoder.encode(["MKV"], 2)
    assert ran == [1, 2]
    encoder.encode(["MKV"], -1)
    assert ran == [1, 2, 1, 2, 3]


@pytest.mark.parametrize("layer", [0, 1, 2, 3, -1, -2])
def test_backends_agree(folder, encoder, tmp_path, layer):
    other = load_encoder(fair_esm_folder(folder, tmp_path / "pt"), device="cpu", dtype="float32")
    assert (other.layers, other.hidden_size) == (encoder.layers, encoder.hidden_size)
    ours, theirs = encoder.encode(SEQUENCES, layer), other.encode(SEQUENCES, layer)
    for one, two in zip(ours, theirs, strict=True):
        assert torch.allclose(one, two, atol=2e-5)


@pytest.mark.parametrize("backend", ["transformers", "fair-esm"])
def test_bfloat16_is_close_to_float32(folder, tmp_path, backend):
    if backend == "fair-esm":
        folder = fair_esm_folder(folder, tmp_path / "pt")
    sequence = ["ACDEFGHIKLMNPQRSTVWY" * 35]
    (exact,) = load_encoder(folder, device="cpu", dtype="float32").encode(sequence, -1)
    (rough,) = load_encoder(folder, device="cpu", dtype="bfloat16").encode(sequence, -1)
    assert rough.dtype == torch.bfloat16
    error = (rough.float() - exact).norm(dim=1) / exact.norm(dim=1)
    assert error.max() < 0.05


def test_bfloat16_knows_positions_far_into_a_sequence(folder, tmp_path):
    # Were the rotary frequencies or the positions rounded to bfloat16 as well, residues far from
    # the start would be in the wrong place.
    positions = torch.arange(1000)[None]
    queries = torch.ones(1, 1000, 8)
    tables, rotated = [], []
    checkpoint = fair_esm_folder(folder, tmp_path / "pt")
    for dtype in ("float32", "bfloat16"):
        model = load_encoder(folder, device="cpu", dtype=dtype).model
        tables.append(model.rotary_embeddings(queries.to(model.dtype), positions)[0].float())
        layer = load_encoder(checkpoint, device="cpu", dtype=dtype).model.layers[0]
        typed = queries.to(getattr(torch, dtype))
        rotated.append(layer.self_attn.rot_emb(typed, typed)[0].float())
    assert (tables[0] - tables[1]).abs().max() < 0.005
    assert (rotated[0] - rotated[1]).abs().max() < 0.02


def test_hub_style_folder_with_a_head_loads(folder, encoder, tmp_path):
    config = EsmModel.from_pretrained(folder).config
    model = EsmForMaskedLM(config)
    model.esm.load_state_dict(encoder.model.state_dict())
    model.save_pretrained(tmp_path)
    for name in ("vocab.txt", "manifest.json"):
        shutil.copy(folder / name, tmp_path)
    other = load_encoder(tmp_path, device="cpu", dtype="float32")
    assert torch.equal(other.encode(["MKV"], -1)[0], encoder.encode(["MKV"], -1)[0])


def test_letters_are_mapped_one_to_one():
    letters = {token: index for index, token in enumerate(ESM_VOCABULARY)}
    ids = letters_to_ids(["MJJJUX", "A"], letters)
    unknown = letters["<unk>"]
    assert ids.tolist() == [
        [0, letters["M"], unknown, unknown, unknown, letters["U"], letters["X"], 2],
        [0, letters["A"], 2, 1, 1, 1, 1, 1],
    ]


@pytest.mark.parametrize("sequence", ["MKv", "MK*", "MK-V", "M K"])
def test_other_characters_are_refused(encoder, sequence):
    with pytest.raises(InputError, match="not an upper-case letter"):
        encoder.encode([sequence], -1)


def test_layer_that_does_not_exist(encoder):
    assert resolve_layer(-4, 3, "x") == 0
    for layer in (4, -5):
        with pytest.raises(InputError, match=r"encoder\.layer is -?\d; .* 0 to 3"):
            encoder.encode(["M"], layer)


@pytest.mark.parametrize("backend", ["transformers", "fair-esm"])
def test_rows_of_special_tokens(folder, tmp_path, backend):
    if backend == "fair-esm":
        folder = fair_esm_folder(folder, tmp_path / "pt")
    (states,) = load_encoder(folder, device="cpu", dtype="float32").encode(["MKV"], -1)
    assert [len(states[kept_rows(choice)]) for choice in (True, False, "end")] == [5, 3, 4]
    assert torch.equal(states[kept_rows("end")], states[1:])
    assert torch.equal(states[kept_rows(False)], states[1:4])
    for choice in ("start", 1, None):
        with pytest.raises(InputError, match=r"encoder\.special_tokens is .*true, false, end"):
            kept_rows(choice)


def test_missing_and_foreign_folders(folder, tmp_path):
    with pytest.raises(InputError, match=r"manifest\.json: no such file"):
        load_encoder(tmp_path, device="cpu", dtype="float32")
    shutil.copytree(folder, tmp_path / "esm")
    weights = load_file(folder / "model.safetensors")
    weights.pop("encoder.layer.1.output.dense.bias")
    save_file(weights, tmp_path / "esm" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"do not fit an ESM encoder: .*layer\.1\.output"):
        load_encoder(tmp_path / "esm", device="cpu", dtype="float32")
    with pytest.raises(InputError, match="dtype"):
        load_encoder(folder, device="cpu", dtype="float16")


class _Harmful:
    def __reduce__(self):
        return print, ("code was run",)


def test_fair_esm_checkpoint_cannot_run_code(folder, tmp_path, capsys):
    path = fair_esm_folder(folder, tmp_path / "pt")
    torch.save({"cfg": {"model": _Harmful()}, "model": {}}, path / "checkpoint.pt")
    with pytest.raises(InputError, match="not a torch file of plain numbers"):
        load_encoder(path, device="cpu", dtype="float32")
    assert "code was run" not in capsys.readouterr().out


def test_fair_esm_checkpoint_that_does_not_fit(folder, tmp_path):
    path = fair_esm_folder(folder, tmp_path / "pt")
    data = torch.load(path / "checkpoint.pt", weights_only=False)
    data["model"].pop("encoder.sentence_encoder.layers.0.fc1.weight")
    torch.save(data, path / "checkpoint.pt")
    with pytest.raises(InputError, match=r"do not fit .*layers\.0\.fc1\.weight"):
        load_encoder(path, device="cpu", dtype="float32")
    torch.save({"args": 1}, path / "checkpoint.pt")
    with pytest.raises(InputError, match="not an ESM-2 checkpoint"):
        load_encoder(path, device="cpu", dtype="float32")


@pytest.mark.parametrize("backend", ["transformers", "fair-esm"])
@pytest.mark.parametrize("layer", range(4))
def test_equals_published_code(golden, tmp_path, backend, layer):
    reference = golden / "prot2text_v2"
    readme = json.loads((reference / "README.json").read_text())
    prefix = "esm_encoder."
    weights = load_file(reference / "checkpoint" / "model.safetensors")
    weights = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    folder = tmp_path / "esm"
    folder.mkdir()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", {**readme["model"]["esm_config"], "model_type": "esm"})
    shutil.copy(reference / "tokenizer_esm" / "vocab.txt", folder)
    manifest = {"name": "golden", "format": "transformers", "weights_sha256": "0"}
    write_json(folder / "manifest.json", manifest)
    if backend == "fair-esm":
        folder = fair_esm_folder(folder, tmp_path / "pt")
    encoder = load_encoder(folder, device="cpu", dtype="float32")
    sequences = [row["sequence"] for row in json.loads((reference / "rows.json").read_text())]
    expected = load_file(reference / "expected.safetensors")[f"encoder.hidden_states.{layer}"]
    tolerance = readme["expected"][f"encoder.hidden_states.{layer}"]["suggested_atol"]
    for row, hidden in enumerate(encoder.encode(sequences, layer)):
        assert (hidden - expected[row, : len(hidden)]).abs().max() <= tolerance
