"""The projector of Prot2Text-V2: one token out for each encoder state in."""

from torch import Tensor, nn
from torch.nn import functional as F

from protscribe.errors import InputError
from protscribe.models.connectors import Connector


class Projector(Connector):
    """Linear, GELU, dropout, Linear, GELU, dropout, L2 norm of each token.

    The published projector (``ModalityAdapter``, commit 0d75d46) has this form at
    2560-2048-4096 with dropout 0.3, which is 13,637,632 parameters; `fc1` and `fc2` are its
    names for the layers.

    Parameters
    ----------
    input_size, output_size
        As for `Connector`.
    hidden
        Width between the two layers.
    activation
        ``gelu``, the exact one with the error function.
    dropout
        Share of activations dropped in training.
    token_norm
        ``l2`` gives every token norm 1; ``none`` leaves the norms alone.

    Raises
    ------
    InputError
        If `activation` or `token_norm` is none of these.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int,
        activation: str = "gelu",
        dropout: float = 0.0,
        token_norm: str = "l2",
    ) -> None:
        super().__init__(input_size, output_size)
        if activation != "gelu":
            raise InputError(f"connector.activation is {activation!r}; allowed: gelu")
        if token_norm not in ("l2", "none"):
            raise InputError(f"connector.token_norm is {token_norm!r}; allowed: l2, none")
        self.fc1 = nn.Linear(input_size, hidden)
        self.fc2 = nn.Linear(hidden, output_size)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(dropout)
        self.token_norm = token_norm

    def token_count(self, length: int) -> int:
        """Return `length`: each state becomes one token."""
        return length

    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Project each state; see `Connector.forward`."""
        hidden = self.dropout(self.activation(self.fc1(states)))
        tokens = self.dropout(self.activation(self.fc2(hidden))).float()
        if self.token_norm == "l2":
            tokens = F.normalize(tokens, dim=-1)
        return tokens, mask
