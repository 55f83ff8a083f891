"""A process of a training that only notes its gradients: ``torchrun helpers_distributed.py``."""

import sys
from pathlib import Path

import torch
from accelerate import Accelerator

from protscribe.training.engine import Trainer
from protscribe.training.launch import TrainingJob
from protscribe.training.objectives import build_objective


def main(folder: Path, steps: int) -> None:
    """Write the gradients of each job's first steps, after they were summed and clipped."""
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=True)
    for file in sorted(folder.glob("*.json")):
        job = TrainingJob.read(file)
        trainer = Trainer(
            build_objective(job, "cpu"),
            job.settings | {"max_steps": steps},
            seed=job.training_seed,
            accelerator=accelerator,
            state=folder / f"{file.stem}-{accelerator.num_processes}",
            key="",
            save_seconds=1e9,
        )
        kept: list[dict[str, torch.Tensor]] = []
        trainer.optimizer.register_step_pre_hook(Note(trainer, kept))
        trainer.train()
        losses = [(loss.step, loss.split, loss.loss) for loss in trainer.progress.losses]
        name = f"{file.stem}-{accelerator.process_index}-of-{accelerator.num_processes}.pt"
        torch.save({"gradients": kept, "losses": losses}, folder / name)


class Note:
    """Copy the gradients when the optimiser is about to use them."""

    def __init__(self, trainer: Trainer, kept: list[dict[str, torch.Tensor]]) -> None:
        self.trainer, self.kept = trainer, kept

    def __call__(self, *_: object) -> None:
        self.kept.append({n: p.grad.clone() for n, p in self.trainer.trained.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
