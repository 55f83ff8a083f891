"""The released layout of Protein2Text against the numbers of its own code."""

import shutil

import pytest
import torch

from helpers_golden import close, import_protein2text, suggested_tolerances
from protscribe.models.connectors import pad_states
from protscribe.models.tensors import read_tensors
from protscribe.prompts import IGNORED_LABEL, PLACEHOLDER_ID


@pytest.fixture(scope="module")
def tolerance(golden):
    return suggested_tolerances(golden / "protein2text")


@pytest.fixture(scope="module")
def released(golden, tmp_path_factory):
    folder = golden / "protein2text" / "protein2text-tiny"
    return import_protein2text(golden, folder, tmp_path_factory.mktemp("protein2text"))


def without(folder, ending, target):
    """Copy a release, less one of the two forms of its weights."""
    shutil.copytree(folder, target)
    for path in target.glob(f"*{ending}"):
        path.unlink()
    return target


def test_embeddings_are_its_patch_features(released, tolerance):
    for number, states in enumerate(released.states):
        name = f"features.patch.{number}"
        close(states, released.expected[name], tolerance[name])


def test_resampler_and_projector(released, tolerance):
    states, mask = pad_states(released.states, torch.device("cpu"))
    connector = released.captioner.connector
    close(
        connector.resample(states, mask),
        released.expected["resampler.output"],
        tolerance["resampler.output"],
    )
    tokens, real = connector(states, mask)
    assert bool(real.all())
    close(tokens, released.expected["projector.output"], tolerance["projector.output"])


def test_random_features(released, tolerance):
    for number in range(3):
        features = released.inputs[f"random_features.{number}"]
        tokens, _ = released.captioner.connector(*pad_states([features], features.device))
        name = f"random.projector.output.{number}"
        close(tokens[0], released.expected[name], tolerance[name])


def test_prompts_are_its_prompts(released):
    for number, prompt in enumerate(released.prompts()):
        wanted = released.inputs[f"prompt.{number}.input_ids"].tolist()
        place = wanted.index(PLACEHOLDER_ID)
        assert prompt == wanted[:place] + [PLACEHOLDER_ID] * 8 + wanted[place + 1 :]


def test_the_adapter_is_merged_as_published(released, tolerance):
    name = "merged.model.layers.0.self_attn.q_proj.weight"
    weights = released.captioner.language_model.state_dict()
    close(weights[name.removeprefix("merged.")], released.expected[name], tolerance[name])


def test_spliced_embeddings_logits_and_loss(released, tolerance):
    ids = released.spliced("batch.input_ids", PLACEHOLDER_ID)
    mask = released.spliced("batch.attention_mask", 1)
    labels = released.spliced("batch.labels", IGNORED_LABEL)
    assert torch.equal(mask, released.expected["splice.attention_mask"])
    assert torch.equal(labels, released.expected["splice.labels"])
    captioner, real = released.captioner, mask.bool()
    embedded = captioner.embed(ids, mask, released.states)
    name = "splice.inputs_embeds"
    close(embedded[real], released.expected[name][real], tolerance[name])
    logits = captioner.causal_model(inputs_embeds=embedded, attention_mask=mask).logits
    close(logits[real], released.expected["forward.logits"][real], tolerance["forward.logits"])
    loss, count = captioner.answer_loss(ids, mask, labels, released.states)
    close(loss / count, released.expected["forward.loss"], tolerance["forward.loss"])


def test_greedy_answers(released, tolerance):
    steps = []
    head = released.captioner.causal_model.get_output_embeddings()
    hook = head.register_forward_hook(lambda module, args, output: steps.append(output))
    answers = released.captioner.generate(released.prompts(), released.states, 12)
    hook.remove()
    logits = torch.stack(steps, dim=1)
    for number, (ids, reason) in enumerate(answers):
        assert ids == released.expected[f"generate.{number}.greedy12"].tolist()
        assert reason == "length"
        name = f"generate.{number}.step_logits"
        close(logits[number], released.expected[name], tolerance[name])
        first = f"prompt.{number}.logits_last"
        close(logits[number, 0], released.expected[first], tolerance[first])


@pytest.mark.parametrize("ending", [".bin", ".safetensors"])
def test_both_forms_of_weights_are_the_same(released, golden, tmp_path, ending):
    folder = golden / "protein2text" / "protein2text-tiny"
    other = import_protein2text(golden, without(folder, ending, tmp_path / "own"), tmp_path)
    for name, tensor in released.captioner.state_dict().items():
        assert torch.equal(other.captioner.state_dict()[name], tensor), name
    assert other.facts["files"] == released.facts["files"]


@pytest.mark.parametrize("ending", [".bin", ".safetensors"])
def test_the_first_stage(golden, tolerance, tmp_path, ending):
    folder = without(golden / "protein2text" / "stage1", ending, tmp_path / "own")
    found = import_protein2text(golden, folder, tmp_path)
    assert found.facts["lora"] is None
    close(
        found.captioner.connector(*pad_states(found.states, torch.device("cpu")))[0],
        found.expected["projector.output"],
        tolerance["projector.output"],
    )
    expected, _ = read_tensors(golden / "protein2text" / "llama_base" / "model.safetensors")
    for name, tensor in found.captioner.language_model.state_dict().items():
        assert torch.equal(expected[name], tensor), name
