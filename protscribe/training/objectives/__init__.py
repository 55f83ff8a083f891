"""What a stage of training minimises.

A new objective is one module with a subclass of `Objective`, and one line in
`build_objective`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from protscribe.errors import InputError
from protscribe.training.launch import TrainingJob

Batch = list[int]
"""Indices of examples."""

Step = list[Batch]
"""The batches of one optimiser step, over all processes."""

Item = TypeVar("Item")


class Objective(ABC):
    """Examples, how they are batched, and the loss of a batch.

    Steps and their global batches are planned first and dealt out to the processes
    afterwards, so that what is learned does not depend on their number.

    Attributes
    ----------
    module : torch.nn.Module
        Holds everything that is trained: its parameters with ``requires_grad``.
    """

    module: nn.Module

    @abstractmethod
    def steps(self, epoch: int) -> list[Step]:
        """Return the optimiser steps of an epoch, with each training example exactly once."""

    def plan(self, epoch: int) -> list[Batch]:
        """Return the training batches of an epoch, in order."""
        return [batch for step in self.steps(epoch) for batch in step]

    @abstractmethod
    def validation_plan(self) -> list[Batch]:
        """Return the validation batches; empty if there is nothing to validate on."""

    @abstractmethod
    def count(self, batch: Batch) -> int:
        """Return how many terms the loss of a batch sums over (pairs, label tokens)."""

    def members(self, batch: Batch) -> Iterable[int]:
        """Return what stands for the examples in a batch; equal numbers are one example."""
        return batch

    @abstractmethod
    def deal(self, batches: Sequence[Batch], rank: int, processes: int) -> list[tuple[str, Any]]:
        """Return this process's share of some batches.

        Returns
        -------
        list of (name, piece)
            The names seed dropout; a piece is what `loss_sum` takes. Over all processes the
            pieces hold each example exactly once.
        """

    @abstractmethod
    def loss_sum(self, piece: Any) -> Tensor:
        """Return the loss of a piece, a float32 scalar, summed and not divided."""

    @abstractmethod
    def learning_rates(self) -> Mapping[str, float]:
        """Return the peak learning rate by prefix of parameter names; ``""`` fits all."""

    @abstractmethod
    def write(
        self, folder: Path, best: Mapping[str, Tensor], last: Mapping[str, Tensor], facts: dict
    ) -> dict[str, Any]:
        """Write the trained files.

        Parameters
        ----------
        folder
            Stands for the folder ``systems/SYSTEM/SEED`` of a run.
        best, last
            Trained parameters at the lowest validation loss and at the end.
        facts
            Numbers about the training so far, for the files.

        Returns
        -------
        dict
            More numbers for the summary.
        """


def build_objective(job: TrainingJob, device: str) -> Objective:
    """Build the objective that a job's system configures for its stage.

    Raises
    ------
    InputError
        If there is no such objective, or its inputs do not fit.
    """
    # Imported here because each of them subclasses the class above.
    from protscribe.training.objectives.captioning import CaptioningObjective
    from protscribe.training.objectives.contrastive import ContrastiveObjective
    from protscribe.training.objectives.instruction import InstructionObjective
    from protscribe.training.objectives.language_modelling import LanguageModellingObjective

    kinds: dict[str, type[Objective]] = {
        "captioning": CaptioningObjective,
        "contrastive": ContrastiveObjective,
        "instruction": InstructionObjective,
        "language_modelling": LanguageModellingObjective,
    }
    name = job.settings["objective"]
    if name not in kinds:
        raise InputError(f"{job.stage}.objective is {name!r}; allowed: {', '.join(sorted(kinds))}")
    return kinds[name](job, device)  # type: ignore[call-arg]


def in_groups(items: Sequence[Item], size: int) -> list[list[Item]]:
    """Cut a sequence into groups of `size`; the last one may have fewer."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def own_rates(settings: Mapping[str, Any], *parts: str) -> dict[str, float]:
    """Return the peak learning rate by prefix of parameter names.

    Parameters
    ----------
    settings
        Of a stage: ``learning_rate``, and ``PART_learning_rate`` or None of each part.
    parts
        Any of ``connector`` and ``residue``, which may have rates of their own.
    """
    prefixes = {"connector": "connector.", "residue": "residues."}
    rate = settings["learning_rate"]
    own = {prefixes[part]: settings[f"{part}_learning_rate"] for part in parts}
    return {"": rate} | {prefix: rate if o is None else o for prefix, o in own.items()}


def load_trained(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy trained parameters into a module, in place."""
    parameters = dict(trained_parameters(module))
    for name, tensor in weights.items():
        parameters[name].data.copy_(tensor)


def trained_parameters(module: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
    """Return the names and parameters of a module that are trained."""
    return [(name, p) for name, p in module.named_parameters() if p.requires_grad]
