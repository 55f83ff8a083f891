"""Trainings as the rules start them: real processes, killed and taken up again."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from helpers_training import build_house, captioning_system, tiny_system
from protscribe.atomic import sha256_file, write_json
from protscribe.errors import InputError
from protscribe.models.checkpoint import load_captioner
from protscribe.training.launch import TrainingJob, run_training

ROOT = Path(__file__).parents[2]
LAUNCH = """
import sys
from protscribe.training.launch import TrainingJob, run_training
run_training(TrainingJob.read(sys.argv[1]), processes=1, device="cpu")
"""
LONG = {"batch_tokens": 250, "batches_per_step": 1, "epochs": 12}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return build_house(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def system():
    return tiny_system({"epochs": 30}, **LONG)


@pytest.fixture(scope="module")
def captioning():
    return captioning_system(**LONG | {"epochs": 20})


@pytest.fixture(scope="module")
def undisturbed(house, system):
    for stage in ("align", "tune"):
        run_training(house.job(stage, "undisturbed", system), processes=1, device="cpu")
    return house.root / "undisturbed"


@pytest.fixture(scope="module")
def captioned(house, captioning):
    run_training(house.job("align", "captioned", captioning), processes=1, device="cpu")
    return house.root / "captioned"


def files(folder):
    return {
        str(path.relative_to(folder)): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.slow
def test_everything_is_in_its_place_and_the_state_is_gone(undisturbed, house, system):
    assert set(files(undisturbed)) == {
        "align/weights.safetensors",
        "align/losses.tsv",
        "align/summary.json",
        "tune/losses.tsv",
        "tune/summary.json",
        "tune/last/weights.safetensors",
        "model/system.json",
        "model/weights.safetensors",
    }
    for name in files(undisturbed):
        assert str(house.root).encode() not in (undisturbed / name).read_bytes(), name
    header, *lines = (undisturbed / "tune" / "losses.tsv").read_text().splitlines()
    assert header.split("\t")[:5] == ["step", "epoch", "split", "loss", "learning_rate"]
    losses = [float(line.split("\t")[3]) for line in lines if "\ttrain\t" in line]
    assert losses[-1] < losses[0]
    summary = json.loads((undisturbed / "tune" / "summary.json").read_text())
    assert summary["examples"] == 14
    assert summary["steps"] == len(losses)
    _, _, facts = load_captioner(undisturbed / "model", house.language_model)
    assert facts["system"] == system
    assert facts["training"]["steps"] == len(losses)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["align", "tune"])
def test_killed_and_taken_up_again_gives_the_same_bytes(house, system, undisturbed, stage):
    job = house.job(stage, f"killed-{stage}", system, save_seconds=0)
    if stage == "tune":
        weights = str(undisturbed / "align" / "weights.safetensors")
        job = replace(job, inputs=job.inputs | {"weights": weights})
    check_killed(house, job, undisturbed)


@pytest.mark.slow
def test_captioning_killed_and_taken_up_again_gives_the_same_bytes(house, captioning, captioned):
    job = house.job("align", "killed-captioning", captioning, save_seconds=0)
    check_killed(house, job, captioned)
    losses = (captioned / "align" / "losses.tsv").read_text().splitlines()
    trained = [float(line.split("\t")[3]) for line in losses if "\ttrain\t" in line]
    assert trained[-1] < trained[0]


def check_killed(house, job, undisturbed):
    """Kill a training twice, let it finish, and compare its files with an undisturbed one's."""
    name = Path(job.output).parent.name
    state = Path(job.state)
    write_json(house.root / f"{name}.json", asdict(job))
    command = [sys.executable, "-c", LAUNCH, str(house.root / f"{name}.json")]
    for _ in range(2):
        before = saved_step(state)
        launcher = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
        workers = wait_for_step(state, before + 2, launcher)
        os.kill(launcher.pid, signal.SIGKILL)
        launcher.wait()
        wait_until_gone(workers)
        assert state.exists()
        assert not Path(job.output).exists(), "nothing may look finished"
    run_training(job, processes=1, device="cpu")
    assert not state.exists()
    ours = files(house.root / name)
    wanted = files(undisturbed)
    assert ours
    assert ours == {path: wanted[path] for path in ours}


def wait_for_step(state, step, launcher):
    """Wait until a step is saved; return the ids of the processes below the launcher."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert launcher.poll() is None, "ended before it could be killed"
        if saved_step(state) >= step:
            return descendants(launcher.pid)
        time.sleep(0.01)
    raise AssertionError("no step was saved")


def saved_step(state):
    file = state / "resume.pt"
    return torch.load(file)["step"] if file.exists() else 0


def descendants(process):
    children = Path(f"/proc/{process}/task/{process}/children")
    found = [int(child) for child in children.read_text().split()]
    return found + [deeper for child in found for deeper in descendants(child)]


def wait_until_gone(processes):
    assert len(processes) >= 2, "torchrun and a worker"
    deadline = time.monotonic() + 20
    while any(is_running(process) for process in processes):
        assert time.monotonic() < deadline, "a worker outlived its launcher"
        time.sleep(0.05)


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
def test_an_interrupt_ends_the_workers(house, system):
    job = house.job("align", "interrupted", system, save_seconds=0)
    write_json(house.root / "interrupted.json", asdict(job))
    command = [sys.executable, "-c", LAUNCH, str(house.root / "interrupted.json")]
    launcher = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
    workers = wait_for_step(Path(job.state), 1, launcher)
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(30) != 0
    wait_until_gone(workers)


@pytest.mark.slow
def test_two_processes_learn_the_same(house, system, undisturbed):
    # Dropout is seeded by batch, so that it does not matter which process has it.
    weights = str(undisturbed / "align" / "weights.safetensors")
    job = house.job("tune", "two", system)
    job = replace(job, inputs=job.inputs | {"weights": weights})
    run_training(job, processes=2, device="cpu")
    ours, wanted = (
        [line.split("\t") for line in (folder / "tune" / "losses.tsv").read_text().splitlines()]
        for folder in (house.root / "two", undisturbed)
    )
    assert [row[:3] for row in ours] == [row[:3] for row in wanted]
    for row, other in zip(ours[1:], wanted[1:], strict=True):
        assert float(row[3]) == pytest.approx(float(other[3]), abs=1e-4)
    assert not Path(job.state).exists()


@pytest.mark.slow
def test_a_bad_input_comes_out_as_one_clear_error(house, system, tmp_path, capfd):
    job = house.job("align", "bad", system)
    job = replace(job, inputs=job.inputs | {"texts": str(tmp_path / "none.parquet")})
    with pytest.raises(InputError, match=r"align tiny: .*none.parquet: no such file"):
        run_training(job, processes=1, device="cpu")
    assert "Traceback" not in capfd.readouterr().err
    assert not Path(job.output).exists()
    job = replace(job, inputs=house.job("align", "bad", system).inputs)
    run_training(job, processes=1, device="cpu")
    assert (Path(job.output) / "summary.json").exists()


def test_a_job_survives_its_file(house, system, tmp_path):
    job = house.job("align", "x", system)
    write_json(tmp_path / "job.json", asdict(job))
    assert TrainingJob.read(tmp_path / "job.json") == job
    assert job.settings == system["align"]
    assert replace(job, training_seed=1).key != job.key
    assert replace(job, state="elsewhere").key == job.key


def test_a_finished_training_killed_before_the_move_is_only_moved(house, system):
    job = house.job("align", "moved", system)
    finished = Path(job.state) / "finished" / "align"
    finished.mkdir(parents=True)
    (finished / "summary.json").write_text("{}")
    run_training(job, processes=1, device="cpu")
    assert (Path(job.output) / "summary.json").read_text() == "{}"
    assert not Path(job.state).exists()
