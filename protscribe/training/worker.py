"""One process of a training; torchrun starts it.

``python -m torch.distributed.run -m protscribe.training.worker STATE/job.json DEVICE``
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator

from protscribe.atomic import atomic_folder, atomic_path, write_json
from protscribe.errors import InputError
from protscribe.seeds import seed_everything
from protscribe.training.engine import Trainer
from protscribe.training.launch import ERROR, FINISHED, TrainingJob, die_with_parent
from protscribe.training.objectives import build_objective
from protscribe.training.progress import COLUMNS, Loss


def train(job: TrainingJob, device: str) -> None:
    """Do a job, up to the finished files in its state folder.

    Parameters
    ----------
    job
        What to train.
    device
        ``cpu`` or ``cuda``.

    Raises
    ------
    InputError
        If an input is missing or does not fit, or the training diverges.
    """
    torch.set_num_threads(job.torch_threads)
    seed_everything(job.training_seed)
    # It writes to all fresh memory, to expose code that reads it unset; a fifth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    accelerator = Accelerator(
        cpu=device == "cpu",
        mixed_precision="bf16" if job.system["precision"] == "bf16" else "no",
    )
    state = Path(job.state)
    objective = build_objective(job, str(accelerator.device))
    trainer = Trainer(
        objective,
        job.settings,
        seed=job.training_seed,
        accelerator=accelerator,
        state=state,
        key=job.key,
        save_seconds=job.save_seconds,
    )
    progress = trainer.train()
    if not accelerator.is_main_process:
        return
    last = {name: p.detach().cpu().clone() for name, p in trainer.trained.items()}
    facts = {
        "examples": trainer.examples_seen(),
        "steps": progress.step,
        "best_step": progress.best_step,
    }
    with atomic_folder(state / FINISHED) as folder:
        more = objective.write(folder, progress.best, last, facts)
        _write_losses(folder / job.stage / "losses.tsv", progress.losses)
        validation = [loss.loss for loss in progress.losses if loss.split == "validation"]
        summary = {
            "stage": job.stage,
            "system": job.system_name,
            "training_seed": job.training_seed,
            "processes": accelerator.num_processes,
            "trained_parameters": sum(p.numel() for p in trainer.trained.values()),
            "validation_examples": sum(len(batch) for batch in trainer.validation),
            "first_validation_loss": validation[0] if validation else None,
            "best_validation_loss": progress.best_loss if validation else None,
        }
        write_json(folder / job.stage / "summary.json", summary | facts | more)


def main(job_file: str, device: str) -> int:
    """Run one worker process; return its exit status."""
    die_with_parent()
    job = TrainingJob.read(job_file)
    try:
        with _only_one(Path(job.state)):
            train(job, device)
    except InputError as error:
        if os.environ.get("RANK", "0") == "0":
            write_json(Path(job.state) / ERROR, str(error))
        # The launcher reads the file. A status other than 0 would make torchrun print a page
        # of its own, but with several processes it is what ends the others.
        return 0 if os.environ.get("WORLD_SIZE", "1") == "1" else 1
    return 0


@contextmanager
def _only_one(state: Path) -> Iterator[None]:
    """Hold the state folder, so that no leftover of a killed run writes there as well."""
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    with (state / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"{state}: another process still trains this; end it and run again"
            ) from None
        yield


def _write_losses(path: Path, losses: list[Loss]) -> None:
    with atomic_path(path) as partial:
        lines = ["\t".join(COLUMNS), *(loss.line() for loss in losses)]
        partial.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
