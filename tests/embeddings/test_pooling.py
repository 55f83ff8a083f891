"""Pooling against a plain NumPy oracle, and where its gradient is delicate."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from protscribe.embeddings.pooling import pooled


@pytest.mark.parametrize("lengths", [[5], [1, 7, 3]])
def test_equals_numpy(lengths):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(len(lengths), 8, 6)).astype(np.float32)
    mask = np.arange(8)[None] < np.array(lengths)[:, None]
    mean, std = pooled(torch.tensor(hidden), torch.tensor(mask))
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(mean[row], hidden[row, :length].mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(std[row], hidden[row, :length].std(axis=0), atol=2e-6)


def test_padding_never_matters():
    hidden = torch.randn(2, 4, 3)
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0]])
    spoiled = hidden.clone()
    spoiled[mask == 0] = float("nan")
    for clean, dirty in zip(pooled(hidden, mask), pooled(spoiled, mask), strict=True):
        assert torch.equal(clean, dirty)


def test_gradient_is_finite_at_zero_variance():
    hidden = torch.ones(1, 3, 2, requires_grad=True)
    mean, std = pooled(hidden, torch.ones(1, 3))
    (mean.sum() + std.sum()).backward()
    assert torch.isfinite(hidden.grad).all()


def test_gradient_is_that_of_float64():
    torch.manual_seed(0)
    exact = torch.randn(2, 5, 3, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]).bool()
    weights = torch.randn(2, 6, dtype=torch.float64)
    reference = exact.clone().requires_grad_()
    rows = [(row[keep].mean(0), row[keep].std(0, correction=0)) for row, keep in
            zip(reference, mask, strict=True)]  # fmt: skip
    (torch.stack([torch.cat(row) for row in rows]) * weights).sum().backward()
    ours = exact.float().requires_grad_()
    (torch.cat(pooled(ours, mask), dim=1) * weights.float()).sum().backward()
    assert torch.allclose(ours.grad.double(), reference.grad, atol=1e-6)


def test_bfloat16_is_pooled_in_float32():
    hidden = torch.randn(1, 300, 2).bfloat16()
    mean, _ = pooled(hidden, torch.ones(1, 300))
    assert mean.dtype == torch.float32
    assert torch.allclose(mean, hidden.float().mean(dim=1), atol=1e-6)


def test_row_without_tokens_is_zero():
    mean, std = pooled(torch.full((1, 2, 3), float("nan")), torch.zeros(1, 2))
    assert torch.equal(mean, torch.zeros(1, 3))
    assert std.max() <= 1e-6


@pytest.mark.parametrize("part", ["mean", "std"])
def test_equals_published_code(golden, part):
    reference = golden / "prot2text_v2"
    expected = load_file(reference / "expected.safetensors")
    mask = load_file(reference / "inputs.safetensors")["protein_attention_mask"]
    facts = json.loads((reference / "README.json").read_text())["expected"]
    ours = dict(zip(("mean", "std"), pooled(expected["adapter.output"], mask), strict=True))
    name = f"protein.readout.{part}"
    error = (ours[part] - expected[name]).abs().max().item()
    assert error <= facts[name]["suggested_atol"]
