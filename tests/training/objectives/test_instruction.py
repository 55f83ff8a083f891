import pytest
import torch
from safetensors.torch import load_file

from helpers_golden import close, published_adapter, suggested_tolerances
from helpers_training import build_house, tiny_system, write_connector
from protscribe.errors import InputError
from protscribe.models.checkpoint import connector_weights, load_captioner, save_weights
from protscribe.models.connectors import build_connector
from protscribe.models.published.prompts import Prot2TextV2Prompts
from protscribe.models.sampling import Sampler
from protscribe.prompts import IGNORED_LABEL, PLACEHOLDER_ID, PROTEIN_MARKER
from protscribe.tables import read_table, write_table
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
    texts = {
        row["accession"]: row["turns"][-1]["content"]
        for row in read_table(house.conversations, "conversations").to_pylist()
    }
    ids, mask, labels, states = objective.collate(objective.train[:3])
    for row, index in enumerate(objective.train[:3]):
        example = objective.examples[index]
        kept = labels[row][labels[row] != IGNORED_LABEL]
        answer, _ = objective.builder.answer(texts[objective.accessions[index]], 24)
        assert kept.tolist() == answer
        assert kept[-1] == objective.builder.end_of_turn_id
        assert ids[row][mask[row].bool()].tolist() == example.input_ids
        assert int((ids[row] == PLACEHOLDER_ID).sum()) == len(states[row])


def test_a_cut_answer_still_ends(house):
    objective = build(house, max_answer_tokens=5)
    for example in objective.examples:
        assert example.truncated
        assert example.label_count == 5
        assert example.labels[-1] == objective.builder.end_of_turn_id


def test_trained_are_adapters_and_connector_with_their_rates(house):
    objective = build(house, connector_learning_rate=5e-5)
    names = [n for n, p in objective.module.named_parameters() if p.requires_grad]
    assert all("lora_" in n or n.startswith("connector.") for n in names)
    rates = {"": 1e-3, "connector.": 5e-5, "residues.": 1e-3}
    assert objective.learning_rates() == rates
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
    assert objective.count(plan[0]) == sum(objective.examples[i].label_count for i in plan[0])


def test_examples_are_capped_by_a_seeded_choice(house):
    objective = build(house, max_examples=6)
    assert len(objective.train) == 6
    assert len(objective.validation) == 4
    again = build(house, max_examples=6)
    assert objective.accessions == again.accessions
    more = build(house, max_examples=7)
    chosen, of = ({o.accessions[i] for i in o.train} for o in (objective, more))
    assert chosen < of


def test_a_step_holds_so_many_examples_in_batches_of_the_budget(house):
    objective = build(house, batch_tokens=250, examples_per_step=6)
    steps = objective.steps(0)
    assert [sum(len(batch) for batch in step) for step in steps] == [6, 6, 2]
    assert any(len(step) > 1 for step in steps)
    for batch in objective.plan(0):
        assert len(batch) * max(len(objective.examples[i]) for i in batch) <= 250
    assert sorted(i for batch in objective.plan(0) for i in batch) == sorted(objective.train)
    members = [
        [sorted(i for batch in step for i in batch) for step in objective.steps(e)]
        for e in (0, 0, 1)
    ]
    assert members[0] == members[1] != members[2]


def change_turns(house, path, change):
    """Write the conversations with other turns in the first row of training; return the row."""
    rows = read_table(house.conversations, "conversations").to_pylist()
    row = next(row for row in rows if row["fold"] == "train")
    row["turns"] = change(row["turns"])
    write_table(path, "conversations", rows)
    return row


def build_from(house, conversations, **tune):
    job = house.job("tune", "x", tiny_system(**tune))
    inputs = job.inputs | {"conversations": [str(conversations)]}
    job = house.job("tune", "x", tiny_system(**tune), inputs=inputs)
    return InstructionObjective(job, "cpu")


def test_every_answer_of_a_conversation_is_learned(house, tmp_path):
    path = tmp_path / "c.parquet"
    more = [
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "content": "In the nucleus."},
    ]
    row = change_turns(house, path, lambda turns: turns + more)
    objective = build_from(house, path)
    example = objective.examples[objective.accessions.index(row["accession"])]
    answers = [
        objective.builder.answer(turn["content"], 24)[0]
        for turn in row["turns"]
        if turn["role"] == "assistant"
    ]
    learned = [label for label in example.labels if label != IGNORED_LABEL]
    assert learned == answers[0] + answers[1]
    for last in (2, 4):
        length = example.input_ids.count(PLACEHOLDER_ID)
        prompt = objective.builder.prompt(row["turns"][:last], [PLACEHOLDER_ID] * length, 24)
        assert prompt == example.input_ids[: len(prompt)]
        assert example.labels[len(prompt)] != IGNORED_LABEL


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda turns: turns[:-1],
            "end with an assistant turn; the turns of this one are system, user",
        ),
        (lambda turns: [*turns, turns[-1]], "turn 4 is the assistant's where the user's is due"),
        (lambda turns: [turns[0], {"role": "user", "content": "What?"}, turns[2]], "0 times"),
        (
            lambda turns: [turns[0], {"role": "user", "content": PROTEIN_MARKER * 2}, turns[2]],
            "2 times",
        ),
    ],
)
def test_a_broken_conversation_is_named(house, tmp_path, change, words):
    path = tmp_path / "c.parquet"
    row = change_turns(house, path, change)
    with pytest.raises(InputError, match=f"conversation {row['id']}: .*{words}"):
        build_from(house, path)


def test_the_prompt_is_that_of_the_configured_format(house):
    system = tiny_system()
    system["prompt"]["format"] = "prot2text_v2"
    objective = InstructionObjective(house.job("tune", "x", system), "cpu")
    assert type(objective.builder) is Prot2TextV2Prompts
    example = objective.examples[0]
    opening = objective.builder.decode(example.input_ids[: example.input_ids.index(PLACEHOLDER_ID)])
    assert opening.endswith("Sequence embeddings:")


def test_only_the_named_corpora_are_learned(house, tmp_path):
    path = tmp_path / "c.parquet"
    rows = read_table(house.conversations, "conversations").to_pylist()
    for row in rows[::2]:
        row["corpus"] = "qa"
    write_table(path, "conversations", rows)
    for corpora in (["qa"], ["descriptions"], ["qa", "descriptions"]):
        objective = build_from(house, path, corpora=corpora)
        wanted = [row["accession"] for row in rows if row["corpus"] in corpora]
        assert sorted(objective.accessions) == sorted(wanted)
    with pytest.raises(InputError, match="no conversation of knowledge to train on"):
        build_from(house, path, corpora=["knowledge"])


def test_a_connector_of_another_width_is_an_error(house, tmp_path):
    objective = build(house)
    path = tmp_path / "weights.safetensors"
    width = objective.proteins.store.dim + 1
    wide = build_connector(objective.job.system["connector"], width, 32)
    save_weights(path, connector_weights(wide), objective.facts)
    job = objective.job
    job = house.job("tune", "x", job.system, inputs=job.inputs | {"weights": str(path)})
    with pytest.raises(
        InputError, match=r"connector.fc1.weight has shape \(48, 33\), the model needs"
    ):
        InstructionObjective(job, "cpu")


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
    missing = house.job("tune", "x", tiny_system(), inputs=job.inputs | {"weights": "none"})
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
    last = load_file(tmp_path / "tune" / "last" / "weights.safetensors")
    for name, tensor in weights.items():
        assert torch.equal(tensor, best[f"connector.{name}"])
        assert torch.equal(last[f"connector.{name}"], trained[f"connector.{name}"])
    assert facts["training"]["examples"] == 14


def test_an_encoder_on_one_side_and_residues_on_the_other(house, tmp_path):
    """One model that reads proteins through a connector and writes them residue by residue."""
    rows = read_table(house.conversations, "conversations").to_pylist()
    for row in rows[1::2]:
        row["task"] = "design"
        row["turns"] = [
            {"role": "user", "content": "Design one."},
            {"role": "assistant", "content": f"Here:\n{PROTEIN_MARKER}"},
        ]
    path = tmp_path / "both.parquet"
    write_table(path, "conversations", rows)
    system = tiny_system(directions=["describe", "design"]) | {"residues": {"max_residues": 30}}
    write_connector(house, "hybrid", system)
    job = house.job("tune", "hybrid", system)
    inputs = job.inputs | {
        "conversations": [str(path)],
        "proteins": str(house.root / "proteins.parquet"),
    }
    objective = InstructionObjective(house.job("tune", "hybrid", system, inputs=inputs), "cpu")
    residues = objective.builder.residues
    for accession, example in zip(objective.accessions, objective.examples, strict=True):
        read = PLACEHOLDER_ID in example.input_ids
        written = [i for i in example.input_ids if residues.holds(i)]
        assert read != bool(written), accession
    objective.loss_sum(objective.plan(0)[0]).backward()
    gradients = {n for n, p in objective.module.named_parameters() if p.grad is not None}
    assert {name.split(".")[0] for name in gradients} == {
        *("language_model", "connector", "residues")
    }
    trained = {n: p.detach() for n, p in objective.module.named_parameters() if p.requires_grad}
    objective.write(tmp_path, trained, trained, {"examples": 14, "steps": 1})
    loaded, builder, _ = load_captioner(tmp_path / "model", house.language_model)
    assert loaded.connector is not None and loaded.residues is not None
    prompt = builder.opened([{"role": "user", "content": "Design one."}], "Here:\n")
    sampler = Sampler(
        torch.tensor(residues.encode("ACDEF")[1:-1]), residues.close_id, max_residues=5
    )
    (design,) = loaded.design([prompt], None, sampler, [torch.Generator().manual_seed(0)])
    assert set(builder.residues.decode(design.residues)) <= set("ACDEF")
