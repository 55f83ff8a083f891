"""Instruction tuning: the language model learns to answer, given the protein's tokens.

Trained are low-rank adapters in the language model and, if configured, the connector.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from protscribe.models.checkpoint import (
    ADAPTER,
    CONNECTOR,
    adapter_tensors,
    load_connector,
    save_connector,
    save_model,
)
from protscribe.models.connectors import Connector
from protscribe.models.language_model import add_lora
from protscribe.models.tensors import write_tensors
from protscribe.training.objectives import load_trained
from protscribe.training.objectives.answers import AnswerObjective


class InstructionObjective(AnswerObjective):
    """Tuning of a captioner on conversations.

    Parameters and errors are those of `AnswerObjective`; the job's inputs also hold
    ``connector``, the aligned one, and its stage settings are ``tune`` of the system.
    """

    def make_connector(self, output_size: int) -> Connector:
        """Return the aligned connector, to be trained on if configured."""
        job = self.job
        connector = load_connector(
            job.inputs["connector"],
            job.system["connector"],
            self.store.dim,
            output_size,
            self.facts,
        )
        return connector.requires_grad_(job.settings["train_connector"])

    def adapt(self, language_model: Any) -> Any:
        """Return the frozen language model with low-rank adapters."""
        return add_lora(language_model, self.job.settings["lora"], self.job.training_seed)

    def learning_rates(self) -> Mapping[str, float]:
        """Return one learning rate for the adapters and one for the connector."""
        settings = self.job.settings
        connector = settings["connector_learning_rate"]
        rate = settings["learning_rate"]
        return {"": rate, "connector.": rate if connector is None else connector}

    def write(
        self, folder: Path, best: Mapping[str, Tensor], last: Mapping[str, Tensor], facts: dict
    ) -> dict[str, Any]:
        """Write the last weights below ``tune/last`` and the best as a finished model."""
        job = self.job
        assert self.module.connector is not None
        load_trained(self.module, last)
        save_connector(folder / "tune" / "last" / CONNECTOR, self.module.connector, self.facts)
        adapter = adapter_tensors(self.module.language_model)
        write_tensors(folder / "tune" / "last" / ADAPTER, adapter)
        load_trained(self.module, best)
        save_model(
            folder / "model",
            self.module,
            name=job.system_name,
            training_seed=job.training_seed,
            system=job.system,
            encoder=self.encoder,
            language_model=self.language_model,
            training=facts,
        )
        return self.numbers()
