"""Captioning: the connector learns to bring proteins into the language model's view.

The stage "projector and resampler alignment" of Protein2Text, as in LLaVA: encoder and
language model stay frozen, and the loss of the texts, given the protein's tokens, reaches the
fresh connector through the language model. Unlike the published code, which drops the question
here, the conversation stands in the prompt that it has later.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from protscribe.models.checkpoint import CONNECTOR, save_connector
from protscribe.models.connectors import Connector, build_connector
from protscribe.seeds import derive_seed
from protscribe.training.objectives import load_trained
from protscribe.training.objectives.answers import AnswerObjective


class CaptioningObjective(AnswerObjective):
    """Alignment of a connector through the frozen language model.

    Parameters and errors are those of `AnswerObjective`; the stage settings are ``align`` of
    the system.
    """

    def make_connector(self, output_size: int) -> Connector:
        """Return a connector with fresh weights, decided by the seed."""
        torch.manual_seed(derive_seed(self.job.training_seed, "connector"))
        return build_connector(self.job.system["connector"], self.store.dim, output_size)

    def learning_rates(self) -> Mapping[str, float]:
        """Return the one learning rate."""
        return {"": self.job.settings["learning_rate"]}

    def write(
        self, folder: Path, best: Mapping[str, Tensor], last: Mapping[str, Tensor], facts: dict
    ) -> dict[str, Any]:
        """Write the connector with the lowest validation loss."""
        load_trained(self.module, best)
        assert self.module.connector is not None
        save_connector(folder / "align" / CONNECTOR, self.module.connector, self.facts)
        return self.numbers()
