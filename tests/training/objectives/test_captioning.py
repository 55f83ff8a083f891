import pytest
import torch
from safetensors.torch import load_file

from helpers_training import ALIGN, build_house, captioning_system, tiny_system
from protscribe.errors import InputError
from protscribe.prompts import IGNORED_LABEL, PLACEHOLDER_ID
from protscribe.tables import read_table
from protscribe.training.objectives import build_objective
from protscribe.training.objectives.instruction import InstructionObjective


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return build_house(tmp_path_factory.mktemp("house"))


def build(house, system=None, **align):
    return build_objective(house.job("align", "x", system or captioning_system(**align)), "cpu")


def test_gradients_reach_the_connector_and_nothing_else(house):
    objective = build(house)
    model = objective.module.language_model
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    (objective.loss_sum(objective.train[:3]) / 10).backward()
    for name, parameter in objective.module.named_parameters():
        if name.startswith("connector."):
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
        else:
            assert not parameter.requires_grad and parameter.grad is None, name
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_a_fresh_connector_depends_on_the_seed_alone(house):
    first, again = (build(house).module.connector.state_dict() for _ in range(2))
    other = build_objective(
        house.job("align", "x", captioning_system(), training_seed=1), "cpu"
    ).module.connector.state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["latents"], other["latents"])


def test_the_conversation_stands_in_its_own_prompt(house):
    objective = build(house)
    (row,) = [
        row
        for row in read_table(house.conversations, "conversations").to_pylist()
        if row["accession"] == objective.accessions[0]
    ]
    example = objective.examples[0]
    prompt = objective.builder.prompt(row["turns"][:-1], [PLACEHOLDER_ID] * 4)
    assert example.input_ids[: len(prompt)] == prompt
    answer, _ = objective.builder.answer(row["turns"][-1]["content"], 24)
    assert [label for label in example.labels if label != IGNORED_LABEL] == answer


def test_tuning_takes_up_what_captioning_wrote(house):
    system = captioning_system()
    objective = build(house, system)
    trained = {
        name: p.detach() + 0.01
        for name, p in objective.module.named_parameters()
        if p.requires_grad
    }
    numbers = objective.write(house.root / "taken", trained, {}, {"examples": 14, "steps": 1})
    assert numbers["answers_cut"] == sum(objective.examples[i].truncated for i in objective.train)
    assert 0 <= numbers["padding_fraction"] < 1
    written = load_file(house.root / "taken" / "align" / "weights.safetensors")
    assert set(written) == {f"connector.{n}" for n in objective.module.connector.state_dict()}
    tuned = InstructionObjective(house.job("tune", "taken", system), "cpu")
    for name, tensor in tuned.module.connector.state_dict().items():
        assert torch.equal(tensor, trained[f"connector.{name}"]), name


def test_a_connector_aligned_for_other_settings_is_refused(house):
    system = captioning_system()
    objective = build(house, system)
    weights = dict(objective.module.named_parameters())
    trained = {name: p.detach() for name, p in weights.items() if p.requires_grad}
    objective.write(house.root / "other", trained, {}, {})
    system["connector"]["latents"] = 5
    with pytest.raises(InputError, match="was trained with another connector than"):
        InstructionObjective(house.job("tune", "other", system), "cpu")


def test_the_projector_can_be_aligned_by_captioning_too(house):
    system = tiny_system({"objective": "captioning"})
    assert system["align"] == ALIGN["captioning"]
    objective = build(house, system)
    objective.loss_sum(objective.train[:2]).backward()
    assert all(p.grad is not None for p in objective.module.connector.parameters())


def test_bad_inputs_are_named(house):
    with pytest.raises(InputError, match=r"more than align.batch_tokens \(30\)"):
        build(house, batch_tokens=30)
    with pytest.raises(InputError, match="no conversation of qa to train on"):
        build(house, corpora=["qa"])
