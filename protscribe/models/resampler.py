"""The Perceiver resampler of Protein2Text: a fixed number of tokens from any protein."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from protscribe.errors import InputError
from protscribe.models.connectors import Connector

INITIAL_SPREAD = 0.02
"""Standard deviation of fresh latents and of the fresh position row."""

INITIAL_POSITIONS = 0.1
"""Fresh weight of residue positions: small beside encoder states, which are of order 1."""

POSITIONS = ("one", "none", "residues")


class Resampler(Connector):
    """Learned latents that attend to the encoder states, and a two-layer projector.

    The Perceiver resampler of Flamingo (Alayrac et al. 2022) as in the code of Protein2Text
    (commit 421e888): in each block the latents query keys and values from the states and from
    themselves, then pass a feed-forward layer, both with a residual; a final norm; then the
    projector ``mlp2x_gelu`` of LLaVA-1.5. At 1280 to 4096 and the defaults that is 40,561,408
    parameters. The published module has 5,241,600 more: 4,095 further rows of its position
    table, which no input reaches.

    Parameters
    ----------
    input_size, output_size
        As for `Connector`.
    latents
        Tokens that come out, whatever the length of the protein.
    depth
        Blocks.
    heads, head_dim
        Heads of the attention and the width of each.
    multiplier
        Width of the feed-forward layer in units of `input_size`.
    positions
        ``one`` adds the same learned row to every state, as the published code does; ``none``
        adds nothing; ``residues`` adds sinusoids of the position, each dimension with a
        learned weight. With the first two the order of the residues counts only as far as
        the encoder put it into its states.

    Raises
    ------
    InputError
        If `positions` is none of these.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        latents: int = 128,
        depth: int = 2,
        heads: int = 8,
        head_dim: int = 64,
        multiplier: int = 2,
        positions: str = "one",
    ) -> None:
        super().__init__(input_size, output_size)
        if positions not in POSITIONS:
            raise InputError(
                f"connector.positions is {positions!r}; allowed: {', '.join(POSITIONS)}"
            )
        self.positions = positions
        self.latents = nn.Parameter(torch.randn(latents, input_size) * INITIAL_SPREAD)
        if positions == "one":
            self.media = nn.Parameter(torch.randn(1, input_size) * INITIAL_SPREAD)
        elif positions == "residues":
            self.media = nn.Parameter(torch.full((1, input_size), INITIAL_POSITIONS))
        self.blocks = nn.ModuleList(
            ResamplerBlock(input_size, heads, head_dim, multiplier) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(input_size)
        self.projector = nn.Sequential(
            nn.Linear(input_size, output_size), nn.GELU(), nn.Linear(output_size, output_size)
        )

    def token_count(self, length: int) -> int:
        """Return the number of latents, whatever the `length`."""
        return len(self.latents)

    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Resample each protein and project the result; see `Connector.forward`."""
        tokens = self.projector(self.resample(states, mask)).float()
        return tokens, mask.new_ones(tokens.shape[:2])

    def resample(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return the latents after all blocks and the final norm.

        Parameters
        ----------
        states, mask
            As for `Connector.forward`.

        Returns
        -------
        Tensor
            Shape (proteins, latents, input_size).
        """
        if self.positions == "one":
            states = states + self.media
        elif self.positions == "residues":
            states = states + self.media * _sinusoids(states)
        found = self.latents.expand(len(states), -1, -1)
        # Latents see all latents, and the real positions of their own protein.
        seen = torch.cat([mask, mask.new_ones(found.shape[:2])], dim=1)[:, None, None]
        for block in self.blocks:
            found = block(found, states, seen)
        return self.norm(found)


class ResamplerBlock(nn.Module):
    """Attention and a feed-forward layer, each with a norm before and a residual around it."""

    def __init__(self, width: int, heads: int, head_dim: int, multiplier: int) -> None:
        super().__init__()
        self.attention = PerceiverAttention(width, heads, head_dim)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width * multiplier, bias=False),
            nn.GELU(),
            nn.Linear(width * multiplier, width, bias=False),
        )

    def forward(self, latents: Tensor, states: Tensor, seen: Tensor) -> Tensor:
        """Return the changed latents; the arguments are those of `PerceiverAttention`."""
        latents = latents + self.attention(latents, states, seen)
        return latents + self.feed_forward(latents)


class PerceiverAttention(nn.Module):
    """Attention of latents to states and latents; linear in the number of states."""

    def __init__(self, width: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * head_dim
        self.norm_media = nn.LayerNorm(width)
        self.norm_latents = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)

    def forward(self, latents: Tensor, states: Tensor, seen: Tensor) -> Tensor:
        """Attend.

        Parameters
        ----------
        latents
            Shape (proteins, latents, width).
        states
            Shape (proteins, positions, width).
        seen
            True where a position or, after them, a latent may be attended to, shape
            (proteins, 1, 1, positions + latents).
        """
        latents = self.norm_latents(latents)
        sources = torch.cat([self.norm_media(states), latents], dim=1)
        keys, values = self.to_kv(sources).chunk(2, dim=-1)
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.to_q(latents), keys, values)
        )
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return self.to_out(attended.transpose(1, 2).flatten(2))


def _sinusoids(states: Tensor) -> Tensor:
    """Return the position table of Vaswani et al. (2017), shape (positions, width)."""
    positions, width = states.shape[1:]
    place = torch.arange(positions, device=states.device).unsqueeze(1)
    rates = torch.arange(0, width, 2, device=states.device) * (-math.log(10_000.0) / width)
    angles = place * rates.exp()
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]
