"""The one training loop: every objective, any number of processes, resumable at any step.

Nothing random lives longer than a batch: each is seeded by the step and its place in it. So
the state to resume from is the trained weights, the optimiser and the losses so far, and a
killed and resumed run equals an undisturbed one bit for bit.
"""

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from tqdm import tqdm

from protscribe.atomic import atomic_path
from protscribe.errors import InputError
from protscribe.seeds import derive_seed
from protscribe.training.collectives import sum_gradients, sum_number
from protscribe.training.objectives import (
    Batch,
    Objective,
    Step,
    load_trained,
    trained_parameters,
)
from protscribe.training.progress import Loss, Progress, Weights, learning_rate_factor

BETAS = (0.9, 0.999)
EPSILON = 1e-6
"""Of AdamW; the value that the published hyperparameters give."""

SAVED_STATE = "resume.pt"
SAVE_SHARE = 0.05
"""Largest share of the time that may go into saving the state."""


class Trainer:
    """Train an objective, or go on where a killed training stopped.

    Parameters
    ----------
    objective
        What is trained.
    settings
        ``epochs``, ``max_steps``, ``weight_decay``, ``warmup_fraction``, ``clip_norm`` and
        ``evaluate_every`` (steps, or None for every epoch) of a stage.
    seed
        Seed of this training.
    accelerator
        Gives device, precision and processes.
    state
        Folder for the state to resume from.
    key
        Says which training the state belongs to; another one's is not touched but replaced.
    save_seconds
        Time between two savings of the state; it is saved after each validation anyway.
    """

    def __init__(
        self,
        objective: Objective,
        settings: Mapping[str, Any],
        *,
        seed: int,
        accelerator: Accelerator,
        state: Path,
        key: str,
        save_seconds: float = 60.0,
    ) -> None:
        self.objective = objective
        self.settings = settings
        self.seed = seed
        self.accelerator = accelerator
        self.file = state / SAVED_STATE
        self.key = key
        self.save_seconds = save_seconds
        self.trained = dict(trained_parameters(objective.module))
        if not self.trained:
            raise InputError("nothing is to be trained; set train_connector or add adapters")
        if wrong := [name for name, p in self.trained.items() if p.dtype != torch.float32]:
            raise TypeError(f"trained weights must be float32, {wrong[0]} is not")
        self.optimizer = torch.optim.AdamW(
            self._groups(), lr=0.0, betas=BETAS, eps=EPSILON, fused=False
        )
        self.validation = objective.validation_plan()
        self.steps = sum(len(objective.steps(epoch)) for epoch in range(settings["epochs"]))
        if settings["max_steps"] is not None:
            self.steps = min(self.steps, settings["max_steps"])
        self.progress = Progress()
        self._saved_at = time.monotonic()
        self._saving_took = 0.0

    def train(self) -> Progress:
        """Run the steps that remain.

        Returns
        -------
        Progress
            With all losses and the best weights; the module holds the last ones. Without
            validation examples, the last are the best.

        Raises
        ------
        InputError
            If the loss stops being a number.
        """
        self._restore()
        progress, module = self.progress, self.objective.module
        if progress.step == 0 and not progress.losses:
            self._validate(0)
        bar = tqdm(
            total=self.steps,
            initial=progress.step,
            desc="training",
            unit="step",
            mininterval=5,
            disable=not self.accelerator.is_main_process,
        )
        for epoch, batches, ends_epoch in self._plan():
            module.train()
            loss = self._step(epoch, batches)
            bar.update()
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            every = self.settings["evaluate_every"]
            due = ends_epoch if every is None else progress.step % every == 0
            if due or progress.step == self.steps:
                self._validate(epoch + 1)
                self._save()
            elif time.monotonic() - self._saved_at >= max(
                self.save_seconds, self._saving_took / SAVE_SHARE
            ):
                self._save()
        bar.close()
        if not self.validation:
            progress.best, progress.best_step = self._weights(), progress.step
        return progress

    def examples_seen(self) -> int:
        """Return the number of distinct examples in all steps, past and to come."""
        seen: set[int] = set()
        for number, (_, batches, _) in enumerate(self._all_steps()):
            if number == self.steps:
                break
            seen.update(i for batch in batches for i in self.objective.members(batch))
        return len(seen)

    def _step(self, epoch: int, batches: Step) -> float:
        progress, accelerator = self.progress, self.accelerator
        factor = learning_rate_factor(progress.step, self.steps, self.settings["warmup_fraction"])
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=accelerator.device)
        # Of the whole step, not of the process: short answers weigh no more than long ones.
        count = sum(self.objective.count(batch) for batch in batches)
        for name, piece in self._deal(batches):
            torch.manual_seed(derive_seed(self.seed, "dropout", progress.step, name))
            with accelerator.autocast():
                loss = self.objective.loss_sum(piece) / count
            loss.backward()
            total += loss.detach()
        sum_gradients(self.trained.values())
        norm = torch.nn.utils.clip_grad_norm_(self.trained.values(), self.settings["clip_norm"])
        loss_value, norm_value = sum_number(total), float(norm)
        if not (math.isfinite(loss_value) and math.isfinite(norm_value)):
            raise InputError(
                f"step {progress.step + 1}: the loss is {loss_value} and its gradient "
                f"{norm_value}; lower the learning rate"
            )
        self.optimizer.step()
        progress.step += 1
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        progress.losses.append(
            Loss(progress.step, epoch + 1, "train", loss_value, rate, norm_value)
        )
        return loss_value

    @torch.no_grad()
    def _validate(self, epoch: int) -> None:
        if not self.validation:
            return
        progress, module = self.progress, self.objective.module
        module.eval()
        total = torch.zeros((), device=self.accelerator.device)
        for _, piece in self._deal(self.validation):
            with self.accelerator.autocast():
                total += self.objective.loss_sum(piece)
        count = sum(self.objective.count(batch) for batch in self.validation)
        loss = sum_number(total) / count
        progress.losses.append(Loss(progress.step, epoch, "validation", loss))
        # The untrained model is shown for comparison, not to be chosen.
        if progress.step > 0 and loss < progress.best_loss:
            progress.best_step, progress.best_loss = progress.step, loss
            progress.best = self._weights()

    def _deal(self, batches: list[Batch]) -> list[tuple[str, Any]]:
        accelerator = self.accelerator
        return self.objective.deal(batches, accelerator.process_index, accelerator.num_processes)

    def _plan(self) -> Iterator[tuple[int, Step, bool]]:
        for number, step in enumerate(self._all_steps()):
            if number >= self.steps:
                return
            if number >= self.progress.step:
                yield step

    def _all_steps(self) -> Iterator[tuple[int, Step, bool]]:
        for epoch in range(self.settings["epochs"]):
            steps = self.objective.steps(epoch)
            for number, batches in enumerate(steps, 1):
                yield epoch, batches, number == len(steps)

    def _groups(self) -> list[dict[str, Any]]:
        rates = self.objective.learning_rates()
        groups: dict[tuple[float, float], list[Tensor]] = {}
        for name, parameter in self.trained.items():
            prefix = max((p for p in rates if name.startswith(p)), key=len)
            # Biases and temperatures have no size that decay should shrink.
            decay = self.settings["weight_decay"] if parameter.ndim > 1 else 0.0
            groups.setdefault((rates[prefix], decay), []).append(parameter)
        return [
            {"params": members, "peak": rate, "weight_decay": decay}
            for (rate, decay), members in groups.items()
        ]

    def _weights(self) -> Weights:
        return {name: p.detach().to("cpu", copy=True) for name, p in self.trained.items()}

    def _save(self) -> None:
        # All processes hold the same; the others may already train on.
        if not self.accelerator.is_main_process:
            return
        start = time.monotonic()
        progress = self.progress
        with atomic_path(self.file) as partial:
            torch.save(
                {
                    "key": self.key,
                    "step": progress.step,
                    "losses": [loss.__dict__ for loss in progress.losses],
                    "best_step": progress.best_step,
                    "best_loss": progress.best_loss,
                    "best": progress.best,
                    "weights": self._weights(),
                    "optimizer": self.optimizer.state_dict(),
                },
                partial,
            )
        self._saved_at = time.monotonic()
        self._saving_took = self._saved_at - start

    def _restore(self) -> None:
        if self.file.exists():
            saved = torch.load(self.file, map_location="cpu", weights_only=True)
            if saved["key"] == self.key:
                load_trained(self.objective.module, saved["weights"])
                self.optimizer.load_state_dict(saved["optimizer"])
                self.progress = Progress(
                    step=saved["step"],
                    losses=[Loss(**loss) for loss in saved["losses"]],
                    best_step=saved["best_step"],
                    best_loss=saved["best_loss"],
                    best=saved["best"],
                )
                self.accelerator.print(f"going on after step {saved['step']} of {self.steps}")
            else:
                self.accelerator.print(f"{self.file}: of another training; starting afresh")
        # Nobody may write before all have read.
        self.accelerator.wait_for_everyone()
