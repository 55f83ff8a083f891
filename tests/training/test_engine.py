import math

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from transformers import AutoModelForCausalLM

from helpers_training import build_house, captioning_system, tiny_system, write_connector
from protscribe.atomic import read_json, sha256_file, write_json
from protscribe.errors import InputError
from protscribe.models.checkpoint import load_captioner
from protscribe.prompts import PLACEHOLDER_ID
from protscribe.tables import read_table
from protscribe.training.engine import Trainer
from protscribe.training.objectives import build_objective


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = build_house(tmp_path_factory.mktemp("house"))
    write_connector(house, "x", tiny_system())
    return house


@pytest.fixture(autouse=True)
def fresh_accelerator():
    torch.set_num_threads(1)
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def trainer(house, state, system=None, precision="no", stage="tune", **tune):
    system = system or tiny_system(**tune)
    job = house.job(stage, "x", system)
    return Trainer(
        build_objective(job, "cpu"),
        job.settings,
        seed=0,
        accelerator=Accelerator(cpu=True, mixed_precision=precision),
        state=state,
        key=job.key,
        save_seconds=0,
    )


def test_the_last_batches_of_an_epoch_are_not_lost(house, tmp_path):
    run = trainer(house, tmp_path, batch_tokens=250, batches_per_step=4, epochs=2)
    plan = run.objective.plan(0)
    assert len(plan) % 4, "the case needs a remainder"
    progress = run.train()
    assert progress.step == sum(math.ceil(len(run.objective.plan(e)) / 4) for e in (0, 1))
    assert run.examples_seen() == 14
    steps = [loss.step for loss in progress.losses if loss.split == "train"]
    assert steps == list(range(1, progress.step + 1))


def test_a_step_of_so_many_examples_weighs_them_alike_in_any_batches(house, tmp_path):
    losses = []
    for tokens in (250, 10**6):
        system = captioning_system(batch_tokens=tokens, examples_per_step=6, epochs=1)
        run = trainer(house, tmp_path / str(tokens), system, stage="align")
        assert [sum(map(len, step)) for step in run.objective.steps(0)] == [6, 6, 2]
        losses.append([loss.loss for loss in run.train().losses])
    assert len(losses[0]) == 5
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_the_number_of_steps_can_be_capped(house, tmp_path):
    run = trainer(house, tmp_path, batch_tokens=150, batches_per_step=1, max_steps=2)
    progress = run.train()
    assert progress.step == 2
    assert run.examples_seen() == sum(len(batch) for batch in run.objective.plan(0)[:2])
    assert progress.losses[-1].split == "validation"


def test_the_best_weights_are_those_of_the_lowest_validation_loss(house, tmp_path):
    # Far too fast, so that the validation loss soon rises.
    run = trainer(house, tmp_path, learning_rate=0.05, epochs=6, evaluate_every=1)
    progress = run.train()
    validation = {loss.step: loss.loss for loss in progress.losses if loss.split == "validation"}
    untrained = validation.pop(0)
    assert set(validation) == set(range(1, progress.step + 1))
    assert progress.best_loss == min(validation.values()) < untrained
    assert progress.best_step == min(validation, key=validation.__getitem__)
    last = {name: p.detach() for name, p in run.trained.items()}
    if progress.best_step != progress.step:
        assert not all(torch.equal(last[name], progress.best[name]) for name in last)


def test_a_loss_is_that_of_all_its_tokens(house, tmp_path):
    system = tiny_system(batch_tokens=600, batches_per_step=1, max_steps=1, lora=NO_DROPOUT)
    system["connector"]["dropout"] = 0.0
    write_connector(house, "x", system)
    whole = trainer(house, tmp_path / "a", system).train().losses[1]
    split = tiny_system(batch_tokens=150, batches_per_step=100, max_steps=1, lora=NO_DROPOUT)
    split["connector"]["dropout"] = 0.0
    run = trainer(house, tmp_path / "b", split)
    assert len(run.objective.plan(0)) > 4
    pieces = run.train().losses[1]
    all_in_one = tiny_system(batch_tokens=10**6, batches_per_step=1, max_steps=1, lora=NO_DROPOUT)
    all_in_one["connector"]["dropout"] = 0.0
    joined = trainer(house, tmp_path / "c", all_in_one).train().losses[1]
    assert pieces.loss == pytest.approx(joined.loss, abs=1e-5)
    assert pieces.gradient_norm == pytest.approx(joined.gradient_norm, abs=1e-5)
    assert whole.step == 1


NO_DROPOUT = {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": "all-linear"}


SHORT = {"batch_tokens": 250, "epochs": 3, "evaluate_every": 2}


@pytest.mark.parametrize(
    ("stage", "system"),
    [
        ("tune", tiny_system(**SHORT)),
        ("tune", tiny_system(**SHORT, examples_per_step=6)),
        ("align", tiny_system({"objective": "captioning", **SHORT})),
        ("align", captioning_system(**SHORT, examples_per_step=5)),
    ],
)
def test_going_on_after_any_step_equals_not_stopping(house, tmp_path, stage, system):
    straight = trainer(house, tmp_path / "straight", system, stage=stage)
    wanted = straight.train()
    assert straight.steps > 3
    state = tmp_path / "stopped"
    # Stopped after each step in turn, each time in a trainer that knows nothing.
    for stop in range(1, straight.steps + 1):
        run = trainer(house, state, system, stage=stage)
        run.optimizer.register_step_post_hook(Stop(run, stop))
        try:
            progress = run.train()
        except Stop.Stopped:
            continue
    assert progress.losses == wanted.losses
    assert progress.best_step == wanted.best_step
    for name, parameter in straight.trained.items():
        assert torch.equal(run.trained[name], parameter), name
        assert torch.equal(progress.best[name], wanted.best[name]), name


class Stop:
    """Fail in the middle of a step, after the weights changed and before that is noted."""

    class Stopped(Exception):
        pass

    def __init__(self, run, step):
        self.run, self.step = run, step

    def __call__(self, *_):
        if self.run.progress.step == self.step < self.run.steps - 1:
            raise self.Stopped


def test_the_state_of_another_training_is_not_used(house, tmp_path, capsys):
    trainer(house, tmp_path, max_steps=1).train()
    run = trainer(house, tmp_path, max_steps=2)
    progress = run.train()
    assert "of another training; starting afresh" in capsys.readouterr().out
    assert [loss.step for loss in progress.losses if loss.split == "train"] == [1, 2]


def test_small_steps_still_move_weights_in_bfloat16(house, tmp_path):
    system = tiny_system(learning_rate=1e-5, epochs=2, warmup_fraction=0.0)
    system["precision"] = "bf16"
    run = trainer(house, tmp_path, system, precision="bf16")
    assert {p.dtype for p in run.trained.values()} == {torch.float32}
    frozen = run.objective.module.causal_model.get_input_embeddings().weight
    assert frozen.dtype == torch.bfloat16
    before = {name: p.detach().clone() for name, p in run.trained.items()}
    progress = run.train()
    assert all(math.isfinite(loss.loss) for loss in progress.losses)
    for name, parameter in run.trained.items():
        moved = (parameter.detach() - before[name]).abs().max()
        # Less than bfloat16 resolves beside most of these weights.
        assert 0 < moved < 1e-4, name


def test_a_loss_that_is_no_number_ends_the_training(house, tmp_path):
    with pytest.raises(InputError, match=r"step \d+: the loss is .*; lower the learning rate"):
        trainer(house, tmp_path, learning_rate=1e30, epochs=20).train()


def make_articulate(folder):
    """Scale the output layer up: with weights of 0.02 no prediction can come near certainty."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.get_input_embeddings().weight.data.mul_(20)
    model.save_pretrained(folder)
    manifest = read_json(folder / "manifest.json")
    manifest["weights_sha256"] = sha256_file(folder / "model.safetensors")
    write_json(folder / "manifest.json", manifest)


@pytest.mark.slow
def test_eight_proteins_are_learned_by_heart(tmp_path):
    house = build_house(tmp_path / "house", proteins=8, validation=0, hidden=128, layers=2)
    make_articulate(house.language_model)
    system = tiny_system(
        lora={"rank": 16, "alpha": 32, "dropout": 0.0, "targets": "all-linear"},
        batch_tokens=2000,
        batches_per_step=1,
        epochs=200,
        learning_rate=3e-3,
        weight_decay=0.0,
    )
    system["connector"]["dropout"] = 0.0
    write_connector(house, "x", system)
    run = trainer(house, tmp_path / "state", system)
    run.save_seconds = 1e9
    progress = run.train()
    assert progress.losses[-1].loss < 0.02
    assert progress.best_step == progress.step
    objective = run.objective
    objective.write(tmp_path, progress.best, progress.best, {"examples": 8, "steps": 1})
    captioner, builder, _ = load_captioner(tmp_path / "model", house.language_model)
    rows = read_table(house.conversations, "conversations").to_pylist()
    states = [objective.proteins.store[row["accession"]] for row in rows]
    prompts = [
        builder.prompt(
            row["turns"][:-1], [PLACEHOLDER_ID] * captioner.connector.token_count(len(s))
        )
        for row, s in zip(rows, states, strict=True)
    ]
    for (ids, reason), row in zip(captioner.generate(prompts, states, 40), rows, strict=True):
        cut, _ = builder.answer(row["turns"][-1]["content"], 24)
        assert (builder.decode(ids), reason) == (builder.decode(cut), "stop")
