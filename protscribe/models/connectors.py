"""What stands between the protein encoder and the language model, and how one is chosen.

A new connector is one module with a subclass of `Connector`, and one line in `_kinds`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from protscribe.errors import InputError


class Connector(nn.Module, ABC):
    """Turns encoder states of a protein into vectors that a language model reads as tokens.

    Parameters
    ----------
    input_size
        Width of the encoder states.
    output_size
        Width of the language model's embeddings.
    """

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.output_size = output_size

    @abstractmethod
    def token_count(self, length: int) -> int:
        """Return how many vectors come out for a protein of `length` encoder states."""

    @abstractmethod
    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Connect a padded batch.

        Parameters
        ----------
        states
            Encoder states, shape (proteins, positions, input_size).
        mask
            True where a position is real, shape (proteins, positions).

        Returns
        -------
        tokens, mask
            float32 of shape (proteins, tokens, output_size), and True where a token is real;
            row ``i`` has ``token_count(number of its real positions)`` of them.
        """


def build_connector(settings: Mapping[str, Any], input_size: int, output_size: int) -> Connector:
    """Build the connector that a system's settings describe, with fresh weights.

    Parameters
    ----------
    settings
        ``connector`` of a system: ``type``, and the keyword arguments of that type's class.
    input_size, output_size
        As for `Connector`.

    Raises
    ------
    InputError
        If the type or one of its options does not exist.
    """
    options = dict(settings)
    kind = options.pop("type", None)
    kinds = _kinds()
    if kind not in kinds:
        raise InputError(f"connector.type is {kind!r}; allowed: {', '.join(sorted(kinds))}")
    try:
        return kinds[kind](input_size, output_size, **options)
    except TypeError as error:
        raise InputError(f"connector of type {kind}: {error}") from None


def pad_states(states: Sequence[Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Put encoder states of several proteins into one padded float32 batch.

    Parameters
    ----------
    states
        Shape (positions, width) each.
    device
        Where the batch is to lie.

    Returns
    -------
    states, mask
        Shapes (proteins, longest, width) and (proteins, longest); padding is zero.
    """
    lengths = torch.tensor([len(rows) for rows in states])
    # Moved in the stored type and widened there: half the traffic for a bfloat16 store.
    batch = pad_sequence(list(states), batch_first=True).to(device).float()
    mask = torch.arange(batch.shape[1]) < lengths.unsqueeze(1)
    return batch, mask.to(device)


def _kinds() -> dict[str, type[Connector]]:
    # Imported here because each of them subclasses the class above.
    from protscribe.models.projector import Projector
    from protscribe.models.resampler import Resampler

    return {"projector": Projector, "resampler": Resampler}
