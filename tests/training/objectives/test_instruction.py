import pytest
import torch
from safetensors.torch import load_file

from helpers_golden import close, published_adapter, suggested_tolerances
from helpers_training import build_house, tiny_system, write_connector
from protscribe.errors import InputError
from protscribe.models.checkpoint import load_captioner
from protscribe.prompts import IGNORED_LABEL, PLACEHOLDER_ID
from protscribe.training.objectives.instruction import InstructionObjective


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = build_house(tmp_path_factory.mktemp("house"))
    write_connector(house, "x", tiny_system())
    return house


def build(house, **tune):
    return InstructionObjective(house.job("tune", "x", tiny_system(**tune)), "cpu")


def test_five_steps_of_training_are_the_published_ones(golden):
    reference = published_adapter(golden)
    captioner = reference.captioner
    trained = [p for p in captioner.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-3)

    def loss():
        total, count = captioner.answer_loss(
            reference.ids("input_ids"),
            reference.inputs["attention_mask"],
            reference.inputs["labels"],
            reference.states,
        )
        return total / count

    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        losses.append(value.detach())
    losses.append(loss().detach())
    wanted = load_file(golden / "lora" / "expected.safetensors")["train.stage2.losses"]
    close(torch.stack(losses), wanted, suggested_tolerances(golden / "lora")["train.stage2.losses"])


def test_labels_are_the_answer_and_its_end_alone(house):
    objective = build(house)
    ids, mask, labels, states = objective.collate(objective.train[:3])
    for row, index in enumerate(objective.train[:3]):
        example = objective.examples[index]
        kept = labels[row][labels[row] != IGNORED_LABEL]
        assert kept.tolist() == example.answer_ids
        assert kept[-1] == objective.builder.end_of_turn_id
        assert ids[row][mask[row].bool()].tolist() == example.input_ids
        assert int((ids[row] == PLACEHOLDER_ID).sum()) == len(states[row])


def test_a_cut_answer_still_ends(house):
    objective = build(house, max_answer_tokens=5)
    for example in objective.examples:
        assert len(example.answer_ids) == 5
        assert example.answer_ids[-1] == objective.builder.end_of_turn_id


def test_trained_are_adapters_and_connector_with_their_rates(house):
    objective = build(house, connector_learning_rate=5e-5)
    names = [n for n, p in objective.module.named_parameters() if p.requires_grad]
    assert all("lora_" in n or n.startswith("connector.") for n in names)
    assert objective.learning_rates() == {"": 1e-3, "connector.": 5e-5}
    assert build(house).learning_rates()["connector."] == 1e-3
    frozen = build(house, train_connector=False).module
    assert not any(p.requires_grad for p in frozen.connector.parameters())


def test_batches_keep_the_budget_and_each_example(house):
    objective = build(house, batch_tokens=300)
    plan = objective.plan(0)
    assert sorted(i for batch in plan for i in batch) == sorted(objective.train)
    for batch in plan:
        assert len(batch) * max(len(objective.examples[i]) for i in batch) <= 300
    dealt = [objective.deal(plan, rank, 3) for rank in range(3)]
    assert sorted(int(name) for share in dealt for name, _ in share) == list(range(len(plan)))
    assert objective.count(plan[0]) == sum(len(objective.examples[i].answer_ids) for i in plan[0])


def test_examples_are_capped_by_a_seeded_choice(house):
    objective = build(house, max_examples=6)
    assert len(objective.train) == 6
    assert len(objective.validation) == 4
    again = build(house, max_examples=6)
    assert objective.accessions == again.accessions
    more = build(house, max_examples=7)
    chosen, of = ({o.accessions[i] for i in o.train} for o in (objective, more))
    assert chosen < of


def test_bad_inputs_are_named(house, tmp_path):
    with pytest.raises(
        InputError, match=r"conversation descriptions:P\d+ has \d+ tokens, more than"
    ):
        build(house, batch_tokens=50)
    job = house.job("tune", "x", tiny_system())
    other = tiny_system()
    other["connector"] = other["connector"] | {"hidden": 12}
    with pytest.raises(InputError, match="was trained with another connector than"):
        InstructionObjective(house.job("tune", "x", other), "cpu")
    missing = house.job("tune", "x", tiny_system(), inputs=job.inputs | {"connector": "none"})
    with pytest.raises(InputError, match="none: no such file"):
        InstructionObjective(missing, "cpu")


def test_what_is_written_loads_again(house, tmp_path):
    objective = build(house)
    trained = {
        n: p.detach().clone() for n, p in objective.module.named_parameters() if p.requires_grad
    }
    best = {name: tensor + 0.01 for name, tensor in trained.items()}
    objective.write(tmp_path, best, trained, {"examples": 14, "steps": 1})
    loaded, _, facts = load_captioner(tmp_path / "model", house.language_model)
    weights = loaded.connector.state_dict()
    last = load_file(tmp_path / "tune" / "last" / "connector.safetensors")
    for name, tensor in weights.items():
        assert torch.equal(tensor, best[f"connector.{name}"])
        assert torch.equal(last[name], trained[f"connector.{name}"])
    assert facts["training"]["examples"] == 14
