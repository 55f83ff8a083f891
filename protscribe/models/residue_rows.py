"""Embeddings of residue tokens: new rows beside those of a frozen language model."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from protscribe.prompts.residues import Residues
from protscribe.seeds import derive_seed

NOISE = 0.5
"""Spread of fresh rows around the mean of the old ones, in standard deviations of the old ones.

Rows that are all the mean give equal logits and equal gradients, and stay the same for ever.
"""


class ResidueRows(nn.Module):
    """The rows that residue tokens add to a language model's vocabulary.

    Only they are trained; the rows of the words stay as they are, and nothing of their size is
    copied or gets a gradient. Where the language model's output layer is tied to its input,
    so are the new rows.

    Parameters
    ----------
    language_model
        A transformers causal language model, bare or with adapters; only read.
    seed
        Decides the fresh rows.

    Attributes
    ----------
    residues : Residues
        The ids that these rows stand for.
    input : torch.nn.Parameter
        What the decoder reads, float32, shape (28, width).
    output : torch.nn.Parameter or None
        What it is compared with for the logits; None where input and output are tied.
    """

    def __init__(self, language_model: Any, seed: int) -> None:
        super().__init__()
        words = language_model.get_input_embeddings().weight
        heads = language_model.get_output_embeddings().weight
        self.residues = Residues(len(words))
        self.input = nn.Parameter(_around(words, self.residues.size, seed, "input"))
        fresh = None if heads is words else _around(heads, self.residues.size, seed, "output")
        self.register_parameter("output", None if fresh is None else nn.Parameter(fresh))

    def place(self, words: Tensor, input_ids: Tensor) -> Tensor:
        """Return embeddings with the rows of residues where their ids stand.

        Parameters
        ----------
        words
            Embeddings of the ids, whatever they hold at residues; shape (..., width).
        input_ids
            The ids, shape (...).
        """
        offset = input_ids - self.residues.first_id
        mine = offset >= 0
        rows = F.embedding(offset.clamp(min=0), self.input).to(words.dtype)
        return torch.where(mine.unsqueeze(-1), rows, words)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits of residue tokens, shape (..., 28), in float32."""
        rows = self.input if self.output is None else self.output
        return hidden.float() @ rows.T


@torch.no_grad()
def _around(rows: Tensor, count: int, seed: int, name: str) -> Tensor:
    """Return random rows around the mean of others."""
    old = rows.detach().float()
    generator = torch.Generator().manual_seed(derive_seed(seed, "residues", name))
    noise = torch.randn(count, old.shape[1], generator=generator, device="cpu").to(old.device)
    return old.mean(dim=0) + NOISE * old.std(dim=0) * noise
