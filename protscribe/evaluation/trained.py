"""Finished models as predictors: loading the right one, and what is told of its training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protscribe.errors import InputError
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import load_captioner
from protscribe.prompts import PromptBuilder


def load_predictor(
    folder: Path, language_model: Path, *, predictor: str, seed: int, device: str
) -> tuple[Captioner, PromptBuilder, dict[str, Any]]:
    """Load a system's finished model of one training seed; see `load_captioner`.

    Raises
    ------
    InputError
        If the folder holds another system's model, or one of another seed.
    """
    captioner, builder, facts = load_captioner(folder, language_model, device=device)
    if (facts["name"], facts["training_seed"]) != (predictor, seed):
        raise InputError(
            f"{folder}: is the model {facts['name']} of training seed {facts['training_seed']}, "
            f"not {predictor} of {seed}"
        )
    return captioner, builder, facts


def training_facts(predictor: str, training: Sequence[Mapping[str, int]]) -> dict[str, str]:
    """Return what a table says of its predictor.

    Parameters
    ----------
    predictor
        Its name.
    training
        ``examples`` and ``steps`` of each training seed; none for what was not trained.
    """
    # Of several trainings the longest: batches may differ a little from seed to seed.
    return {
        "predictor": predictor,
        "training_examples": str(max((c["examples"] for c in training), default=0)),
        "training_steps": str(max((c["steps"] for c in training), default=0)),
    }
