"""Instruction tuning: the language model learns to answer, given the protein's tokens.

Trained are low-rank adapters in the language model, or all of it, the rows of residue tokens and,
if configured, the connector.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import (
    captioner_weights,
    load_weights,
    save_model,
    save_weights,
)
from protscribe.models.system_file import WEIGHTS
from protscribe.training.objectives import load_trained, own_rates
from protscribe.training.objectives.answers import AnswerObjective
from protscribe.training.perplexity import held_out_perplexity


class InstructionObjective(AnswerObjective):
    """Tuning of a captioner on conversations.

    Parameters and errors are those of `AnswerObjective`; the job's inputs also hold
    ``weights``, what alignment trained, and its stage settings are ``tune`` of the system.
    With ``documents``, tables of a pretraining corpus, the summary also says how well the tuned
    model still predicts their validation folds.
    """

    def prepare(self, captioner: Captioner) -> None:
        """Go on from what alignment trained."""
        load_weights(self.job.inputs["weights"], captioner, self.facts, aligned=True)
        if captioner.connector is not None:
            captioner.connector.requires_grad_(self.job.settings["train_connector"])

    def learning_rates(self) -> Mapping[str, float]:
        """Return the learning rates of language model, connector and rows of residue tokens."""
        return own_rates(self.job.settings, "connector", "residue")

    def write(
        self, folder: Path, best: Mapping[str, Tensor], last: Mapping[str, Tensor], facts: dict
    ) -> dict[str, Any]:
        """Write the last weights below ``tune/last`` and the best as a finished model."""
        job = self.job
        load_trained(self.module, last)
        weights = captioner_weights(self.module)
        save_weights(folder / "tune" / "last" / WEIGHTS, weights, self.facts)
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
        numbers = self.numbers()
        if documents := job.inputs.get("documents"):
            numbers["perplexity"] = held_out_perplexity(
                self.module, self.builder, documents, job.system
            )
        return numbers
