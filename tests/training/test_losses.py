"""Each option of the contrastive loss against plain NumPy."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from protscribe.models.projector import Projector
from protscribe.training.losses import info_nce, paired_vectors
from protscribe.training.objectives.contrastive import ContrastiveModel

SETTINGS = {
    "pooling": ["mean", "std"],
    "loss": "concat",
    "term_weights": [1.0, 1.0],
    "symmetric": True,
    "temperature": 0.05,
    "learn_temperature": False,
    "gather_negatives": True,
    "mask_identical_texts": True,
}


def numpy_loss(proteins, texts, ids, settings):
    """Return the loss of one batch with loops and float64; parts are lists of (mean, std)."""

    def norm(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def one_way(queries, candidates):
        total = 0.0
        for i in range(len(queries)):
            similar = [np.exp(queries[i] @ c / settings["temperature"]) for c in candidates]
            if settings["mask_identical_texts"]:
                similar = [s for j, s in enumerate(similar) if j == i or ids[j] != ids[i]]
            own = np.exp(queries[i] @ candidates[i] / settings["temperature"])
            total -= np.log(own / sum(similar))
        return total

    parts = [{"mean": 0, "std": 1}[part] for part in settings["pooling"]]
    if settings["loss"] == "concat":
        sides = [
            [norm(np.concatenate([side[p] for p in parts], axis=1)) for side in (proteins, texts)]
        ]
        weights = [1.0]
    else:
        sides = [[norm(side[p]) for side in (proteins, texts)] for p in parts]
        weights = settings["term_weights"]
    total = 0.0
    for weight, (left, right) in zip(weights, sides, strict=True):
        term = one_way(left, right)
        if settings["symmetric"]:
            term = (term + one_way(right, left)) / 2
        total += weight * term
    return total


def batch(seed=0):
    rng = np.random.default_rng(seed)
    lengths = [3, 7, 5, 2, 6]
    states = [torch.tensor(rng.normal(size=(n, 6)), dtype=torch.float32) for n in lengths]
    mask = torch.zeros(5, 7, dtype=torch.bool)
    padded = torch.full((5, 7, 6), 99.0)
    for row, rows in enumerate(states):
        padded[row, : len(rows)], mask[row, : len(rows)] = rows, True
    mean, std = (torch.tensor(rng.normal(size=(5, 4)), dtype=torch.float32) for _ in range(2))
    return SimpleNamespace(
        states=states,
        padded=padded,
        mask=mask,
        mean=mean,
        std=std,
        ids=torch.tensor([4, 1, 4, 0, 2]),
    )


def build(settings):
    torch.manual_seed(1)
    return ContrastiveModel(Projector(6, 4, hidden=8), settings).eval()


OPTIONS = [
    dict(zip(("loss", "symmetric", "mask_identical_texts"), values, strict=True))
    for values in itertools.product(("concat", "two_term"), (True, False), (True, False))
]
OPTIONS += [
    {"pooling": ["mean"]},
    {"pooling": ["std"]},
    {"loss": "two_term", "term_weights": [0.3, 2.0]},
    {"temperature": 0.5},
    {"learn_temperature": True, "temperature": 0.2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_each_option_is_what_numpy_says(options):
    settings = SETTINGS | options
    model, data = build(settings), batch()
    with torch.no_grad():
        found = model(
            data.padded, data.mask, data.mean, data.std, data.ids, torch.ones(5, dtype=torch.bool)
        )
        tokens = [
            model.connector(rows[None], torch.ones(1, len(rows), dtype=torch.bool))[0][0].numpy()
            for rows in data.states
        ]
    proteins = [
        np.stack([t.astype(np.float64).mean(axis=0) for t in tokens]),
        np.stack([t.astype(np.float64).std(axis=0) for t in tokens]),
    ]
    texts = [data.mean.double().numpy(), data.std.double().numpy()]
    wanted = numpy_loss(proteins, texts, data.ids.tolist(), settings)
    np.testing.assert_allclose(float(found), wanted, rtol=2e-6)


def test_rows_that_fill_up_change_nothing():
    model, data = build(SETTINGS), batch()
    real = torch.tensor([True, True, True, False, False])
    full = model(data.padded, data.mask, data.mean, data.std, data.ids, real)
    three = model(
        data.padded[:3], data.mask[:3], data.mean[:3], data.std[:3], data.ids[:3], real[:3]
    )
    torch.testing.assert_close(full, three)
    nothing = model(data.padded, data.mask, data.mean, data.std, data.ids, torch.zeros_like(real))
    assert float(nothing.detach()) == 0
    nothing.backward()


def test_a_learned_temperature_learns_and_a_fixed_one_does_not():
    data, real = batch(), torch.ones(5, dtype=torch.bool)
    for learned in (True, False):
        model = build(SETTINGS | {"learn_temperature": learned})
        model(data.padded, data.mask, data.mean, data.std, data.ids, real).backward()
        assert (model.log_temperature.grad is not None) == learned


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_no_overflow_at_cosine_one(dtype):
    vectors = torch.eye(4, dtype=dtype).requires_grad_()
    loss = info_nce(vectors, vectors.detach(), torch.arange(4), 0.01)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert torch.isfinite(vectors.grad).all()


def test_the_loss_is_float32_under_autocast():
    data, real = batch(), torch.ones(5, dtype=torch.bool)
    model = build(SETTINGS)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(data.padded, data.mask, data.mean, data.std, data.ids, real)
    assert loss.dtype == torch.float32
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_identical_texts_get_no_gradient_as_negatives():
    torch.manual_seed(0)
    queries = torch.nn.functional.normalize(torch.randn(3, 4), dim=1)
    candidates = torch.nn.functional.normalize(torch.randn(3, 4), dim=1).requires_grad_()
    same = torch.zeros(3, 3, dtype=torch.bool)
    same[0, 2] = same[2, 0] = True
    row = info_nce(queries[:1], candidates, torch.tensor([0]), 0.1, same[:1])
    row.backward()
    assert candidates.grad[2].abs().max() == 0
    assert candidates.grad[1].abs().max() > 0


def test_vectors_are_joined_or_apart():
    mean, std = torch.randn(2, 3), torch.randn(2, 3)
    (joined,) = paired_vectors(mean, std, ["mean", "std"], "concat")
    assert joined.shape == (2, 6)
    first, second = paired_vectors(mean, std, ["mean", "std"], "two_term")
    for rows in (joined, first, second):
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(2))
