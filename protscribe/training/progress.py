"""How far a training has come, and the learning rate along the way."""

import math
from dataclasses import dataclass, field

from torch import Tensor

COLUMNS = ("step", "epoch", "split", "loss", "learning_rate", "gradient_norm")

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Loss:
    """One line of ``losses.tsv``; the mean loss of a step or of the validation set."""

    step: int
    epoch: int
    split: str
    loss: float
    learning_rate: float | None = None
    gradient_norm: float | None = None

    def line(self) -> str:
        """Return the tab-separated line, numbers with all digits that float32 has."""
        values = [getattr(self, column) for column in COLUMNS]
        return "\t".join(
            "" if v is None else f"{v:.9g}" if isinstance(v, float) else str(v) for v in values
        )


@dataclass
class Progress:
    """How far a training has come."""

    step: int = 0
    losses: list[Loss] = field(default_factory=list)
    best_step: int | None = None
    best_loss: float = math.inf
    best: Weights = field(default_factory=dict)


def learning_rate_factor(step: int, steps: int, warmup_fraction: float) -> float:
    """Return the share of the peak learning rate at a step, by linear warm-up and cosine.

    Parameters
    ----------
    step
        From 0 to ``steps - 1``.
    steps
        Steps in all.
    warmup_fraction
        Share of the steps, rounded up, in which the rate rises; the last of them has the
        peak. It never becomes quite zero, so that no step is lost.
    """
    warmup = math.ceil(warmup_fraction * steps)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
