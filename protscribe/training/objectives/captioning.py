"""Captioning: the connector learns to bring proteins into the language model's view.

The stage "projector and resampler alignment" of Protein2Text, as in LLaVA: encoder and
language model stay frozen, and the loss of the texts, given the protein's tokens, reaches the
fresh connector through the language model. Unlike the published code, which drops the question
here, the conversation stands in the prompt that it has later.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import connector_weights, save_weights
from protscribe.models.system_file import WEIGHTS
from protscribe.training.objectives import load_trained
from protscribe.training.objectives.answers import AnswerObjective


class CaptioningObjective(AnswerObjective):
    """Alignment of a connector through the frozen language model.

    Parameters and errors are those of `AnswerObjective`; the stage settings are ``align`` of
    the system.
    """

    def prepare(self, captioner: Captioner) -> None:
        """Train the fresh connector and nothing else."""
        if captioner.residues is not None:
            captioner.residues.requires_grad_(False)

    def learning_rates(self) -> Mapping[str, float]:
        """Return the one learning rate."""
        return {"": self.job.settings["learning_rate"]}

    def write(
        self, folder: Path, best: Mapping[str, Tensor], last: Mapping[str, Tensor], facts: dict
    ) -> dict[str, Any]:
        """Write the connector with the lowest validation loss."""
        load_trained(self.module, best)
        assert self.module.connector is not None
        weights = connector_weights(self.module.connector)
        save_weights(folder / "align" / WEIGHTS, weights, self.facts)
        return self.numbers()
