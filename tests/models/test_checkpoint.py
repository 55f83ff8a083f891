import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from helpers_golden import close, published_adapter, suggested_tolerances
from protscribe.atomic import read_json, sha256_file, write_json
from protscribe.errors import InputError
from protscribe.llm.pretrained import identity, load_language_model, load_prompt_builder
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import (
    connector_weights,
    load_captioner,
    load_weights,
    save_model,
    save_weights,
    weight_facts,
)
from protscribe.models.connectors import build_connector
from protscribe.models.language_model import add_lora
from protscribe.models.published.prompts import Protein2TextPrompts
from protscribe.models.tensors import read_tensors, write_tensors
from protscribe.prompts import PLACEHOLDER_ID, PromptBuilder
from tiny_models import write_tiny_language_model

LORA = {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": "all-linear"}
SYSTEM = {
    "precision": "float32",
    "connector": {"type": "projector", "hidden": 16, "dropout": 0.1},
    "tune": {"lora": LORA},
}
ENCODER = {"model": "encoder", "weights_sha256": "0" * 64, "dim": 8}


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    return write_tiny_language_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def captioner(language_model):
    model = add_lora(load_language_model(language_model, precision="float32"), LORA, 0)
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    connector = build_connector(SYSTEM["connector"], 8, 32)
    return Captioner(model, connector, load_prompt_builder(language_model).end_of_turn_id).eval()


@pytest.fixture
def saved(captioner, language_model, tmp_path):
    save(captioner, language_model, tmp_path / "model")
    return tmp_path / "model"


def save(captioner, language_model, folder, system=SYSTEM):
    save_model(
        folder,
        captioner,
        name="tiny",
        training_seed=3,
        system=system,
        encoder=ENCODER,
        language_model=identity(language_model),
        training={"examples": 5, "steps": 7},
    )


def prompts():
    torch.manual_seed(5)
    states = [torch.randn(4, 8), torch.randn(6, 8)]
    return [[5, *[PLACEHOLDER_ID] * len(rows), 6] for rows in states], states


def test_a_loaded_model_answers_as_the_saved_one(saved, captioner, language_model):
    loaded, builder, facts = load_captioner(saved, language_model)
    assert loaded.generate(*prompts(), 12) == captioner.generate(*prompts(), 12)
    assert builder.end_of_turn_id == captioner.end_of_turn_id
    assert facts["training"] == {"examples": 5, "steps": 7}
    assert facts["system"] == SYSTEM
    assert not any(p.requires_grad for p in loaded.parameters())
    # Merged, so that nothing of the adapter is left to compute.
    assert not isinstance(loaded.language_model, PeftModel)


def test_a_model_without_an_adapter(language_model, tmp_path):
    connector = build_connector(SYSTEM["connector"], 8, 32)
    bare = Captioner(load_language_model(language_model, precision="float32"), connector, 2).eval()
    system = {key: SYSTEM[key] for key in ("precision", "connector")}
    save(bare, language_model, tmp_path / "model", system)
    names = sorted(path.name for path in (tmp_path / "model").iterdir())
    assert names == ["system.json", "weights.safetensors"]
    loaded, _, facts = load_captioner(tmp_path / "model", language_model)
    assert facts["lora"] is None
    assert loaded.generate(*prompts(), 12) == bare.generate(*prompts(), 12)


def test_a_model_has_the_prompt_of_its_format(captioner, language_model, tmp_path):
    for name, kind in (("chat", PromptBuilder), ("protein2text", Protein2TextPrompts)):
        system = SYSTEM | {"prompt": {"format": name}}
        save(captioner, language_model, tmp_path / name, system)
        assert type(load_captioner(tmp_path / name, language_model)[1]) is kind


def test_a_model_in_bfloat16_keeps_float32_adapters(saved, language_model):
    loaded, _, _ = load_captioner(saved, language_model, precision="bf16")
    types = {p.dtype for name, p in loaded.named_parameters() if "lora_" in name}
    assert types == {torch.float32}
    assert len(loaded.generate(*prompts(), 3)) == 2


def test_two_saved_models_have_equal_bytes(saved, captioner, language_model, tmp_path):
    save(captioner, language_model, tmp_path / "again")
    for path in saved.iterdir():
        assert sha256_file(path) == sha256_file(tmp_path / "again" / path.name), path.name


def test_only_trained_weights_are_saved(saved):
    names = load_file(saved / "weights.safetensors")
    kinds = {name.split(".")[0]: name for name in names}
    assert set(kinds) == {"connector", "adapter"}
    assert all("lora_" in name for name in names if name.startswith("adapter."))


@pytest.mark.parametrize("name", ["weights.safetensors", "system.json"])
def test_a_missing_file_is_an_error(saved, language_model, name):
    (saved / name).unlink()
    with pytest.raises(InputError, match=name):
        load_captioner(saved, language_model)


def test_a_changed_file_is_an_error(saved, language_model):
    with (saved / "weights.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    with pytest.raises(InputError, match="differs from what system.json records"):
        load_captioner(saved, language_model)


def test_another_language_model_is_an_error(saved, tmp_path):
    other = write_tiny_language_model(tmp_path / "other", seed=9)
    with pytest.raises(InputError, match="was trained on the language model tiny with weights"):
        load_captioner(saved, other)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop(min(t)), "lacks adapter.base_model"),
        (lambda t: t.update(extra=torch.zeros(1)), "holds extra"),
        (lambda t: t.update({min(t): torch.zeros(2, 2)}), r"has shape \(2, 2\)"),
    ],
)
def test_a_foreign_adapter_is_an_error(saved, language_model, change, words):
    tensors, trained_on = read_tensors(saved / "weights.safetensors")
    change(tensors)
    write_tensors(saved / "weights.safetensors", tensors, trained_on)
    facts = read_json(saved / "system.json")
    facts["files"]["weights.safetensors"] = sha256_file(saved / "weights.safetensors")
    write_json(saved / "system.json", facts)
    with pytest.raises(InputError, match=words):
        load_captioner(saved, language_model)


def test_a_foreign_system_file_is_an_error(saved, language_model):
    write_json(saved / "system.json", {"name": "tiny"})
    with pytest.raises(InputError, match="lacks encoder, files, language_model"):
        load_captioner(saved, language_model)


def test_weights_of_another_training_are_an_error(language_model, tmp_path):
    path = tmp_path / "weights.safetensors"
    facts = weight_facts(SYSTEM, ENCODER, {"name": "a", "weights_sha256": "1"})
    connector = build_connector(SYSTEM["connector"], 8, 32)
    save_weights(path, connector_weights(connector), facts)

    def load(expected, width=8):
        model = load_language_model(language_model, precision="float32")
        captioner = Captioner(model, build_connector(SYSTEM["connector"], width, 32), 2)
        load_weights(path, captioner, expected, aligned=True)
        return captioner.connector

    again = load(facts)
    assert torch.equal(again.fc1.weight, connector.fc1.weight)
    other = weight_facts(SYSTEM, ENCODER | {"layer": 4}, {"name": "b", "weights_sha256": "2"})
    with pytest.raises(InputError, match="another encoder and another language_model than"):
        load(other)
    with pytest.raises(InputError, match=r"connector.fc1.weight has shape \(16, 8\)"):
        load(facts, width=9)
    path.write_bytes(b"not safetensors")
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load(facts)
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        load(facts)


def test_lora_loss_and_gradients_are_the_published_ones(golden):
    reference = published_adapter(golden)
    captioner = reference.captioner
    loss, count = captioner.answer_loss(
        reference.ids("input_ids"),
        reference.inputs["attention_mask"],
        reference.inputs["labels"],
        reference.states,
    )
    close((loss / count).detach(), reference.expected["full.lora.loss"], 5e-5)
    (loss / count).backward()
    parameters = {
        name.removeprefix("language_model.base_model.model.").replace(".default", ""): p
        for name, p in captioner.named_parameters()
    }
    tolerances = suggested_tolerances(golden / "lora")
    checked = 0
    for name, wanted in reference.expected.items():
        if name.startswith("full.grad."):
            ours = name.removeprefix("full.grad.").replace("llama_decoder.", "")
            ours = ours.replace("adapter.", "connector.")
            close(parameters[ours].grad, wanted, tolerances[name])
            checked += 1
    assert checked == 24


def test_merged_answers_are_the_published_ones(golden):
    reference = published_adapter(golden)
    reference.captioner.language_model = reference.captioner.language_model.merge_and_unload()
    answers = reference.captioner.generate(reference.prompts(), reference.states, 12)
    wanted = reference.expected["full.merged.generate.greedy12"].tolist()
    assert [ids for ids, _ in answers] == wanted
