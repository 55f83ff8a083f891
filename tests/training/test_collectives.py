"""Gradients on two gloo processes: equal on both, and equal to one process's."""

import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from helpers_training import RESAMPLER, build_house, tiny_system, write_connector
from protscribe.atomic import write_json
from protscribe.training.collectives import gather_rows, sum_gradients, sum_number, world

HOUSE = Path(__file__).parents[2]


NO_DROPOUT = {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": "all-linear"}
STEPS = 3
CASES = {
    "symmetric": ("align", {"batch_size": 8}, {}),
    "two-term": ("align", {"loss": "two_term", "learn_temperature": True, "epochs": 3}, {}),
    # Three batches a step on two processes, and a last step with but one.
    "instruction": ("tune", None, {"batch_tokens": 250, "batches_per_step": 3}),
    "captioning": (
        "align",
        {"objective": "captioning", "batch_tokens": 250, "examples_per_step": 5},
        {},
    ),
}


def without_dropout(align=None, **tune):
    system = tiny_system(align, lora=NO_DROPOUT, **tune)
    system["connector"]["dropout"] = 0.0
    return system


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Run all cases on one process and on two."""
    house = build_house(tmp_path_factory.mktemp("house"))
    folder = tmp_path_factory.mktemp("gradients")
    for name, (stage, align, tune) in CASES.items():
        system = without_dropout(align, **tune)
        if name == "captioning":
            system["connector"] = dict(RESAMPLER)
        write_connector(house, name, system)
        write_json(folder / f"{name}.json", asdict(house.job(stage, name, system)))
    for processes in (1, 2):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += ["--local-addr", "127.0.0.1", "--nproc-per-node", str(processes)]
        command += [str(HOUSE / "tests" / "helpers_distributed.py"), str(folder), str(STEPS)]
        environment = os.environ | {"PYTHONPATH": str(HOUSE), "OMP_NUM_THREADS": "1"}
        subprocess.run(command, env=environment, check=True, timeout=300)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_processes_have_the_gradients_of_one(folder, case):
    one = torch.load(folder / f"{case}-0-of-1.pt")
    first, second = (torch.load(folder / f"{case}-{rank}-of-2.pt") for rank in (0, 1))
    assert len(one["gradients"]) == STEPS
    for step, wanted in enumerate(one["gradients"]):
        for name, gradient in wanted.items():
            ours = first["gradients"][step][name]
            assert torch.equal(ours, second["gradients"][step][name]), name
            torch.testing.assert_close(ours, gradient, rtol=0, atol=1e-5)
    assert first["losses"] == second["losses"]
    for ours, wanted in zip(first["losses"], one["losses"], strict=True):
        assert ours[:2] == wanted[:2]
        assert ours[2] == pytest.approx(wanted[2], abs=1e-5)


def test_alone_nothing_is_exchanged():
    rows = torch.ones(2, 3)
    assert world() == (0, 1)
    assert gather_rows(rows) is rows
    assert sum_number(torch.tensor(2.5)) == 2.5
    parameter = torch.nn.Parameter(torch.ones(2))
    sum_gradients([parameter])
    assert parameter.grad is None
