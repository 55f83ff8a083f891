"""Made-up releases in both layouts: imported they answer as their authors' parts do, or say why
not."""

import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers_evaluation import qa_row, write_conversations
from helpers_releases import (
    PROT2TEXT_V2,
    PROTEIN2TEXT,
    SEQUENCES,
    embedded,
    made,
    part,
    write_prot2text_v2,
    write_protein2text,
)
from protscribe.atomic import read_json, sha256_file, write_json
from protscribe.embeddings.encoders import load_encoder
from protscribe.embeddings.store import EmbeddingStore
from protscribe.errors import InputError
from protscribe.evaluation.generate import predict_system
from protscribe.llm.pretrained import load_language_model
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import load_captioner
from protscribe.models.published.importing import import_model
from protscribe.prompts import PLACEHOLDER_ID
from protscribe.provenance import model_manifest
from protscribe.tables import read_table
from tiny_models import write_tiny_encoder, write_tiny_language_model

QUESTION = [{"role": "user", "content": "<protein_sequence>\nWhat does it bind?"}]


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """An encoder, a language model, and embeddings as Protein2Text reads them."""
    root = tmp_path_factory.mktemp("parts")
    encoder = write_tiny_encoder(root / "models" / "encoder")
    language_model = write_tiny_language_model(root / "models" / "language_model")
    store = embedded(encoder, root, layer=-2, special_tokens="end")
    return encoder, language_model, store


def run_import(checkpoint, store, language_model, root, system=PROTEIN2TEXT, **changes):
    system = {**system, "connector": system["connector"] | changes}
    options = {"name": "released", "system": system, "training_seed": 3}
    import_model(checkpoint, store, language_model, root / "model", **options)
    return root / "model"


def answers(captioner, builder, store):
    embeddings = EmbeddingStore(store)
    states = [embeddings[accession] for accession in SEQUENCES]
    prompts = [
        builder.prompt(QUESTION, [PLACEHOLDER_ID] * captioner.connector.token_count(len(s)))
        for s in states
    ]
    return captioner.generate(prompts, states, 10)


@pytest.mark.parametrize("torch_files", [False, True])
def test_protein2text_answers_as_its_parts(parts, tmp_path, torch_files):
    _, language_model, store = parts
    own, model = write_protein2text(tmp_path / "own", language_model, torch_files=torch_files)
    checkpoint = made("protein2text", "checkpoint", tmp_path / "own", tmp_path)
    assert not [p for p in checkpoint.iterdir() if p.suffix in (".bin", ".pt")]
    folder = run_import(checkpoint, store, language_model, tmp_path)
    captioner, builder, facts = load_captioner(folder, language_model)
    for name, tensor in own.state_dict().items():
        assert torch.equal(captioner.connector.state_dict()[name], tensor), name
    expected = Captioner(model.merge_and_unload(), own, builder.end_of_turn_id).eval()
    found = answers(captioner, builder, store)
    assert found == answers(expected, builder, store)
    # The adapter changes the answers, so it was loaded.
    bare = load_language_model(language_model, precision="float32")
    assert found != answers(Captioner(bare, own, builder.end_of_turn_id).eval(), builder, store)
    assert (facts["name"], facts["training_seed"]) == ("released", 3)
    assert facts["training"] == {"examples": 0, "steps": 0, "published": True}
    assert facts["lora"]["rank"] == 3
    release = facts["release"]
    assert release["files"] == model_manifest(checkpoint)["files"]
    assert release["unused"] == ["mm_resampler.media_pos_emb[1:]"]


def test_two_imports_have_equal_bytes(parts, tmp_path):
    _, language_model, store = parts
    for name, torch_files in (("one", False), ("two", True)):
        write_protein2text(tmp_path / name / "own", language_model, torch_files=torch_files)
        root = tmp_path / name
        checkpoint = made("protein2text", "checkpoint", root / "own", root)
        run_import(checkpoint, store, language_model, root)
    for path in (tmp_path / "one" / "model").iterdir():
        other = tmp_path / "two" / "model" / path.name
        assert sha256_file(path) == sha256_file(other) or path.name == "system.json"


def test_the_first_stage_has_no_adapter(parts, tmp_path):
    _, language_model, store = parts
    own, _ = write_protein2text(tmp_path / "own", language_model)
    weights = load_file(tmp_path / "own" / "non_lora_trainables.safetensors")
    weights = {key.replace("base_model.model.", ""): value for key, value in weights.items()}
    for name in ("mm_projector", "mm_resampler"):
        chosen = {key: value for key, value in weights.items() if f"model.{name}." in key}
        torch.save(chosen, tmp_path / "own" / f"{name}.bin")
    torch.save({"model.mm_gated_cross_attention.x": torch.ones(1)},
               tmp_path / "own" / "mm_gated_cross_attention.bin")  # fmt: skip
    for name in ("non_lora_trainables.safetensors", "adapter_model.safetensors"):
        (tmp_path / "own" / name).unlink()
    for name in ("adapter_config.json", "model_args.json"):
        (tmp_path / "own" / name).unlink()
    write_json(tmp_path / "own" / "trainer_state.json", {"global_step": 1539})
    checkpoint = made("stage1", "checkpoint", tmp_path / "own", tmp_path)
    folder = run_import(checkpoint, store, language_model, tmp_path)
    captioner, builder, facts = load_captioner(folder, language_model)
    for name, tensor in own.state_dict().items():
        assert torch.equal(captioner.connector.state_dict()[name], tensor), name
    assert facts["lora"] is None
    assert sorted(p.name for p in folder.iterdir()) == ["system.json", "weights.safetensors"]
    assert facts["training"]["steps"] == 1539
    assert "mm_gated_cross_attention.safetensors" in facts["release"]["unused"]
    assert len(answers(captioner, builder, store)) == 3
    with pytest.raises(InputError, match="has neither non_lora_trainables nor mm_projector"):
        (checkpoint / "mm_resampler.safetensors").unlink()
        run_import(checkpoint, store, language_model, tmp_path)


@pytest.mark.parametrize("shards", [1, 3])
def test_prot2text_v2_answers_as_its_parts(parts, tmp_path, shards):
    encoder, language_model, _ = parts
    own = write_prot2text_v2(tmp_path / "own", encoder, language_model, shards=shards)
    checkpoint = made("released_v2", "checkpoint", tmp_path / "own", tmp_path)
    esm = part("esm", "protein_encoder", checkpoint, encoder, tmp_path)
    llama = part("llama", "language_model", checkpoint, language_model, tmp_path)
    manifest = model_manifest(llama)
    assert manifest["source"]["of"] == "released_v2"
    assert manifest["source"]["tokenizer"]["source"] == "path"
    store = embedded(esm, tmp_path)
    folder = run_import(checkpoint, store, llama, tmp_path, PROT2TEXT_V2)
    captioner, builder, facts = load_captioner(folder, llama)
    assert facts["lora"] is None
    assert facts["release"]["unused"] == [
        *("adapter.ln1.bias", "adapter.ln1.weight", "adapter.ln2.bias", "adapter.ln2.weight")
    ]
    theirs = load_encoder(encoder, device="cpu", dtype="float32")
    embeddings = EmbeddingStore(store)
    for accession, sequence in SEQUENCES.items():
        (states,) = theirs.encode([sequence], -1)
        assert torch.allclose(embeddings[accession], states, atol=1e-5)
    model = load_language_model(language_model, precision="float32")
    expected = Captioner(model, own.eval(), builder.end_of_turn_id).eval()
    assert answers(captioner, builder, store) == answers(expected, builder, store)
    # A decoder that the release's own training has not changed is the wrong one.
    with pytest.raises(InputError, match="is no part of released_v2; name a model of source: part"):
        run_import(checkpoint, store, language_model, tmp_path, PROT2TEXT_V2)


def test_a_published_model_predicts_like_any_other(parts, tmp_path):
    _, language_model, store = parts
    folder = run_import(release(parts, tmp_path), store, language_model, tmp_path)
    test = {"fold": "test_low_homology", "answer": "Binds zinc."}
    rows = [qa_row(name, test["fold"], "What does it bind?", "Zinc.") for name in SEQUENCES]
    rows += [{"accession": name} | test for name in SEQUENCES]
    predict_system(
        {3: folder},
        language_model,
        [write_conversations(tmp_path / "both.parquet", rows)],
        tmp_path / "predictions.parquet",
        store=store,
        predictor="released",
        max_new_tokens=10,
        reference_max_tokens=None,
        batch_tokens=2000,
        state=tmp_path / "state",
        device="cpu",
        threads=1,
        conditions=["sequence", "blind"],
    )
    found = read_table(tmp_path / "predictions.parquet", "predictions").to_pylist()
    keys = sorted((row["id"], row["condition"]) for row in found)
    wanted = [f"descriptions:{a}" for a in SEQUENCES] + [f"qa:{a}:1" for a in SEQUENCES]
    assert keys == sorted((i, c) for i in wanted for c in ("sequence", "blind"))
    captioner, builder, _ = load_captioner(folder, language_model)
    texts = [builder.decode(ids) for ids, _ in answers(captioner, builder, store)]
    asked = {row["accession"]: row["prediction"] for row in found if row["id"].startswith("qa:")
             and row["condition"] == "sequence"}  # fmt: skip
    assert [asked[name] for name in SEQUENCES] == texts
    assert all(
        row["prompt"].count("<protein_sequence>") == (row["condition"] == "sequence")
        for row in found
    )


def release(parts, root, change=None):
    """Write and take in a Protein2Text release, its files changed before or its tensors."""
    write_protein2text(root / "own", parts[1])
    if change is not None:
        change(root / "own")
    return made("protein2text", "checkpoint", root / "own", root)


def tensors(name, change):
    def apply(folder):
        weights = load_file(folder / f"{name}.safetensors")
        change(weights)
        save_file({k: v.contiguous() for k, v in weights.items()}, folder / f"{name}.safetensors")

    return apply


def settings(name, **changes):
    def apply(folder):
        write_json(folder / name, read_json(folder / name) | changes)

    return apply


BASE = "base_model.model.model"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            tensors("non_lora_trainables", lambda t: t.pop(f"{BASE}.mm_resampler.latents")),
            r"non_lora_trainables\.safetensors: lacks mm_resampler\.latents",
        ),
        (
            tensors(
                "non_lora_trainables",
                lambda t: t.update({f"{BASE}.mm_gated_cross_attention.x": torch.ones(1)}),
            ),
            "holds mm_gated_cross_attention.x, which the model has no place for",
        ),
        (
            tensors("non_lora_trainables", lambda t: t.update(stray=torch.ones(1))),
            "holds stray, which the model has no place for",
        ),
        (
            tensors(
                "non_lora_trainables",
                lambda t: t.update({f"{BASE}.mm_resampler.latents": torch.ones(6, 31)}),
            ),
            r"mm_resampler\.latents has shape \(6, 31\), .* would have \(6, 32\)",
        ),
        (
            tensors(
                "non_lora_trainables",
                lambda t: t.update({f"{BASE}.mm_resampler.media_pos_emb": torch.ones(4, 1, 32)}),
            ),
            r"media_pos_emb has shape \(4, 1, 32\), .* would have \(32, 1, 32\)",
        ),
        (
            tensors("adapter_model", lambda t: t.pop(min(t))),
            r"adapter_model\.safetensors: lacks base_model\.model\.model\.layers\.0",
        ),
        (
            tensors("adapter_model", lambda t: t.update(extra=torch.ones(1))),
            r"adapter_model\.safetensors: holds extra",
        ),
        (
            tensors("adapter_model", lambda t: t.update({min(t): torch.ones(2, 2)})),
            r"has shape \(2, 2\)",
        ),
        (settings("adapter_config.json", r=4), r"has shape .*the model needs \(4, "),
        (settings("adapter_config.json", use_dora=True), "use_dora is True; only plain LoRA"),
        (settings("adapter_config.json", modules_to_save=["lm_head"]), "modules_to_save is"),
        (settings("adapter_config.json", target_modules=["nowhere"]), "adapter_config.json does"),
        (settings("model_args.json", mm_use_resampler_gca="gca"), "mm_use_resampler_gca is 'gca'"),
        (
            settings("model_args.json", perceiver_heads=4),
            r"systems\.released\.connector\.heads is 2, but protein2text was trained with 4",
        ),
        (settings("model_args.json", num_media_tokens=8), "connector.latents is 6"),
        (settings("model_args.json", dim_attention_head=16), "connector.head_dim is 8"),
        (settings("model_args.json", ff_mult=2), "connector.multiplier is 3"),
        (settings("model_args.json", perceiver_depth=3), "connector.depth is 2"),
        (
            settings("model_args.json", mm_hidden_size=1280),
            "encoder.model's width is 32, but protein2text was trained with 1280",
        ),
        (
            settings("model_args.json", llm_hidden_size=4096),
            "language_model's width is 32, but protein2text was trained with 4096",
        ),
        (
            settings("config.json", mm_protein_select_layer=-1),
            r"encoder\.layer is 2, but protein2text was trained with 3",
        ),
        (
            settings("config.json", mm_protein_select_feature="cls_patch"),
            r"encoder\.special_tokens is 'end', but protein2text was trained with True",
        ),
        (settings("config.json", mm_protein_select_feature="cls"), "select_feature is 'cls'"),
        (settings("config.json", mm_projector_type="linear"), "mm_projector_type is 'linear'"),
        (settings("config.json", model_type="llama"), "model_type is 'llama'; can import"),
        (lambda folder: (folder / "model_args.json").unlink(), r"model_args\.json: no such file"),
        (
            lambda folder: (folder / "adapter_config.json").unlink(),
            r"adapter_config\.json: no such file",
        ),
        (
            lambda folder: (folder / "model_args.json").write_text("[]"),
            r"model_args\.json: not a JSON object",
        ),
    ],
)
def test_a_release_that_does_not_fit_is_an_error(parts, tmp_path, change, words):
    _, language_model, store = parts
    checkpoint = release(parts, tmp_path, change)
    with pytest.raises(InputError, match=words):
        run_import(checkpoint, store, language_model, tmp_path)
    assert not (tmp_path / "model").exists()


def test_another_connector_is_an_error(parts, tmp_path):
    _, language_model, store = parts
    checkpoint = release(parts, tmp_path)
    with pytest.raises(InputError, match=r"connector\.positions is 'residues'"):
        run_import(checkpoint, store, language_model, tmp_path, positions="residues")
    with pytest.raises(InputError, match=r"connector\.type is 'another'"):
        run_import(checkpoint, store, language_model, tmp_path, PROT2TEXT_V2)
    encoder = made("encoder", "protein_encoder", parts[0], tmp_path)
    with pytest.raises(InputError, match=r"models\.encoder is of kind protein_encoder"):
        run_import(encoder, store, language_model, tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (tensors("model", lambda t: t.pop("adapter.fc2.bias")), r"lacks adapter\.fc2\.bias"),
        (
            tensors("model", lambda t: t.update({"adapter.fc3.bias": torch.ones(1)})),
            r"holds adapter\.fc3\.bias, which the model has no place for",
        ),
        (
            tensors("model", lambda t: t.update({"reward.weight": torch.ones(1)})),
            r"holds reward\.weight, which the model has no place for",
        ),
        (
            tensors("model", lambda t: t.update({"adapter.fc1.weight": torch.ones(24, 31)})),
            r"adapter\.fc1\.weight has shape \(24, 31\), .* would have \(24, 32\)",
        ),
        (settings("config.json", adapter_config=None), "lacks adapter_config"),
        (
            settings("config.json", adapter_config={"input_dim": 32, "output_dim": 32}),
            r"connector\.hidden is 24, but released_v2 was trained with None",
        ),
    ],
)
def test_another_prot2text_v2_is_an_error(parts, tmp_path, change, words):
    encoder, language_model, _ = parts
    write_prot2text_v2(tmp_path / "own", encoder, language_model)
    change(tmp_path / "own")
    checkpoint = made("released_v2", "checkpoint", tmp_path / "own", tmp_path)
    llama = part("llama", "language_model", checkpoint, language_model, tmp_path)
    store = embedded(encoder, tmp_path)
    with pytest.raises(InputError, match=words):
        run_import(checkpoint, store, llama, tmp_path, PROT2TEXT_V2)


def test_prot2text_v2_of_another_layer_is_an_error(parts, tmp_path):
    encoder, language_model, store = parts
    write_prot2text_v2(tmp_path / "own", encoder, language_model)
    checkpoint = made("released_v2", "checkpoint", tmp_path / "own", tmp_path)
    llama = part("llama", "language_model", checkpoint, language_model, tmp_path)
    with pytest.raises(InputError, match=r"encoder\.special_tokens is 'end', .* with True"):
        run_import(checkpoint, store, llama, tmp_path, PROT2TEXT_V2)
    other = embedded(encoder, tmp_path, layer=-2)
    with pytest.raises(InputError, match=r"encoder\.layer is 2, .* with 3"):
        run_import(checkpoint, other, llama, tmp_path, PROT2TEXT_V2)


class _Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_a_pickle_with_code_in_it_is_refused(parts, tmp_path, form):
    write_protein2text(tmp_path / "own", parts[1], torch_files=True)
    harmful = {f"{BASE}.mm_projector.0.weight": _Harmful(tmp_path / "code was run")}
    path = tmp_path / "own" / "non_lora_trainables.bin"
    if form == "torch":
        torch.save(harmful, path)
    else:
        path.write_bytes(pickle.dumps(harmful))
    with pytest.raises(InputError, match=r"non_lora_trainables\.bin: not a torch file of plain"):
        made("protein2text", "checkpoint", tmp_path / "own", tmp_path)
    assert not (tmp_path / "code was run").exists()
    assert not (tmp_path / "models" / "protein2text").exists()


def test_what_was_changed_after_the_import_is_found(parts, tmp_path):
    _, language_model, store = parts
    folder = run_import(release(parts, tmp_path), store, language_model, tmp_path)
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"differs from what system\.json records"):
        load_captioner(tmp_path / "copy", language_model)
    facts = json.loads((folder / "system.json").read_text())
    write_json(folder / "system.json", facts | {"lora": facts["lora"] | {"rank": 4}})
    with pytest.raises(InputError, match="has shape"):
        load_captioner(folder, language_model)
