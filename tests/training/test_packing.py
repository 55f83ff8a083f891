"""Rows of several documents: nothing lost, little padding, and no document sees another."""

import time

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, OPTConfig, OPTForCausalLM

from protscribe.errors import InputError
from protscribe.training.packing import (
    IGNORED,
    PackedBatch,
    Piece,
    collate,
    efficiency,
    mix,
    pack,
    windows,
)
from tiny_models import write_tiny_language_model


def protein_lengths(count, seed=0):
    """Lengths like those of real proteins, with the tokens that stand around one."""
    sizes = np.random.default_rng(seed).lognormal(np.log(300), 0.75, count)
    return (sizes.astype(int) + 3).tolist()


def sentence_lengths(count, seed=0):
    return (np.random.default_rng(seed).gamma(4, 8, count).astype(int) + 2).tolist()


def covered(rows):
    """How often each token of each document stands in a row."""
    seen = {}
    for piece in (piece for row in rows for piece in row):
        for token in range(piece.start, piece.end):
            seen[piece.document, token] = seen.get((piece.document, token), 0) + 1
    return seen


@pytest.mark.parametrize("width", [2, 3, 7, 10])
@pytest.mark.parametrize("length", range(32))
def test_windows_lose_no_token(length, width):
    found = windows(length, width)
    assert [token for start, end in found for token in range(start, end)] == list(range(length))
    assert all(0 < end - start <= width for start, end in found)
    assert len(found) == -(-length // width)
    # A piece of one token would have no label.
    if length > width > 2:
        assert all(end - start > 1 for start, end in found)


def test_rows_of_one_token_predict_nothing():
    with pytest.raises(InputError, match="rows of 1 tokens predict nothing"):
        pack([3], 1, seed=0)


@pytest.mark.parametrize("lengths", [protein_lengths, sentence_lengths])
@pytest.mark.parametrize("width", [128, 1024])
def test_rows_hold_every_token_once_and_little_padding(lengths, width):
    documents = lengths(2000)
    rows = pack(documents, width, seed=0)
    seen = covered(rows)
    assert len(seen) == sum(documents) and set(seen.values()) == {1}
    assert {document for document, _ in seen} == set(range(2000))
    assert all(sum(end - start for _, start, end in row) <= width for row in rows)
    share = efficiency(rows, documents, width)
    assert share == sum(documents) / (width * len(rows))
    assert share >= 0.99


def test_windows_of_pieces_cost_little():
    documents = protein_lengths(5000)
    rows = pack(documents, 1024, seed=0, window=500)
    assert set(covered(rows).values()) == {1}
    assert efficiency(rows, documents, 1024) >= 0.95


def test_documents_slightly_too_long_for_a_row_do_not_halve_it():
    documents = [129] * 256
    assert efficiency(pack(documents, 128, seed=0), documents, 128) >= 0.95


def test_pieces_fill_the_fullest_row_with_room():
    (first, second) = sorted(pack([5, 7, 3, 1, 4], 10, seed=0), key=lambda row: -len(row))
    assert sorted(piece.document for piece in first) == [0, 3, 4]
    assert sorted(piece.document for piece in second) == [1, 2]


def test_a_seed_gives_the_rows_and_their_order():
    documents = protein_lengths(500)
    rows = pack(documents, 512, seed=1)
    assert pack(documents, 512, seed=1) == rows
    other = pack(documents, 512, seed=2)
    assert other != rows and {tuple(r) for r in other} != {tuple(r) for r in rows}
    # Rows do not come fullest or longest first.
    longest = [row[0].end - row[0].start for row in rows]
    assert longest != sorted(longest, reverse=True)


def test_nothing_to_pack():
    assert pack([], 10, seed=0) == [] and pack([0, 0], 10, seed=0) == []
    assert efficiency([], [], 10) == 0
    assert pack([0, 4], 10, seed=0) == [[Piece(1, 0, 4)]]


@pytest.mark.slow
def test_a_million_documents_take_seconds():
    documents = protein_lengths(1_000_000)
    before = time.process_time()
    rows = pack(documents, 1024, seed=0)
    # About 4 s; quadratic packing would take hours.
    assert time.process_time() - before < 60
    assert efficiency(rows, documents, 1024) >= 0.99


def token_shares(epoch, lengths):
    tokens = dict.fromkeys(lengths, 0)
    for name, index in epoch.order:
        tokens[name] += lengths[name][index]
    return {name: count / sum(tokens.values()) for name, count in tokens.items()}


def test_shares_of_tokens():
    lengths = {"sequences": protein_lengths(3000), "literature": sentence_lengths(2000)}
    epoch = mix(lengths, {"sequences": 3, "literature": 1}, seed=0)
    assert token_shares(epoch, lengths)["sequences"] == pytest.approx(0.75, abs=0.001)
    total = sum(map(sum, lengths.values()))
    assert sum(lengths[name][i] for name, i in epoch.order) == pytest.approx(total, rel=0.001)
    # The large corpus is cut, and nothing of it comes twice; all of the small one is repeated.
    assert epoch.passes["sequences"] < 1 < epoch.passes["literature"]
    counts = {name: np.zeros(len(sizes), int) for name, sizes in lengths.items()}
    for name, index in epoch.order:
        counts[name][index] += 1
    assert set(counts["sequences"].tolist()) == {0, 1}
    times = int(epoch.passes["literature"])
    assert set(counts["literature"].tolist()) == {times, times + 1}
    # The corpora are mixed, not one after the other.
    halves = np.array_split([name == "sequences" for name, _ in epoch.order], 2)
    assert abs(halves[0].mean() - halves[1].mean()) < 0.05


def test_a_seed_gives_the_mixture_and_what_is_cut():
    lengths = {"a": protein_lengths(300), "b": sentence_lengths(300)}
    shares = {"a": 0.5, "b": 0.5}
    assert mix(lengths, shares, seed=1) == mix(lengths, shares, seed=1)
    first, second = (mix(lengths, shares, seed=seed) for seed in (1, 2))
    kept = [sorted(i for name, i in epoch.order if name == "a") for epoch in (first, second)]
    assert kept[0] != kept[1]


def test_an_epoch_of_so_many_tokens():
    lengths = {"a": [10] * 50, "b": [10] * 50}
    epoch = mix(lengths, {"a": 1, "b": 0}, seed=0, tokens=200)
    assert [name for name, _ in epoch.order] == ["a"] * 20
    assert epoch.passes == {"a": 0.4}
    assert mix(lengths, {"a": 1, "b": 0}, seed=0).passes == {"a": 1}


@pytest.mark.parametrize(
    ("lengths", "shares", "message"),
    [
        ({"a": [1]}, {"a": 1, "b": 1}, "given for a, b, but the corpora are a"),
        ({"a": [1], "b": [1]}, {"a": 1}, "given for a, but the corpora are a, b"),
        ({"a": [1]}, {"a": -1}, "at least 0"),
        ({"a": [1]}, {"a": 0}, "one of them above"),
        ({"a": []}, {"a": 1}, "corpus a has a share of 1 but no tokens"),
    ],
)
def test_shares_that_cannot_be_met(lengths, shares, message):
    with pytest.raises(InputError, match=message):
        mix(lengths, shares, seed=0)


def test_tensors():
    documents = [[11, 12, 13], [21, 22], [31, 32, 33, 34]]
    rows = [[Piece(0, 0, 3), Piece(1, 0, 2)], [Piece(2, 2, 4)]]
    batch = collate(rows, documents, 6, pad_id=9)
    assert batch.input_ids.tolist() == [[11, 12, 13, 21, 22, 9], [33, 34, 9, 9, 9, 9]]
    none = IGNORED
    assert batch.labels.tolist() == [[none, 12, 13, none, 22, none], [none, 34, *[none] * 4]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 0, 1, 0], [0, 1, 0, 0, 0, 0]]
    assert batch.attention_mask.shape == (2, 1, 6, 6) and batch.attention_mask.dtype == torch.bool
    expected = torch.zeros(6, 6, dtype=torch.bool)
    for start, end in ((0, 3), (3, 5), (5, 6)):
        size = end - start
        expected[start:end, start:end] = torch.ones(size, size, dtype=torch.bool).tril()
    assert torch.equal(batch.attention_mask[0, 0], expected)
    # No position is left without one to look at.
    assert batch.attention_mask.any(-1).all()


def summed_loss(model, batch):
    logits = model(
        input_ids=batch.input_ids,
        position_ids=batch.position_ids,
        attention_mask=batch.attention_mask,
    ).logits
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).double(),
        batch.labels[:, 1:].flatten(),
        ignore_index=IGNORED,
        reduction="sum",
    )


def loss_alone(model, tokens):
    """The summed loss that transformers itself gives a document, without mask or positions."""
    ids = torch.tensor([tokens])
    return model(input_ids=ids, labels=ids).loss.double() * (len(tokens) - 1)


def tiny_opt(folder):
    torch.manual_seed(0)
    config = OPTConfig(
        vocab_size=384,
        hidden_size=32,
        ffn_dim=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        word_embed_proj_dim=32,
        max_position_embeddings=256,
        dropout=0.0,
        init_std=0.3,
    )
    return OPTForCausalLM(config)


def tiny_llama(folder):
    return AutoModelForCausalLM.from_pretrained(write_tiny_language_model(folder))


@pytest.fixture(scope="module", params=[tiny_llama, tiny_opt])
def model(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("model")).eval()


@pytest.fixture(scope="module")
def documents():
    rng = np.random.default_rng(0)
    return [rng.integers(5, 259, size).tolist() for size in (2, 31, 17, 64, 40, 5, 9, 23)]


@torch.no_grad()
def test_a_packed_row_has_the_loss_of_its_documents_alone(model, documents):
    rows = pack([len(tokens) for tokens in documents], 70, seed=0)
    assert max(map(len, rows)) > 1
    for row in rows:
        alone = sum(loss_alone(model, documents[piece.document]) for piece in row)
        batch = collate([row], documents, 70, pad_id=0)
        assert summed_loss(model, batch).item() == pytest.approx(alone.item(), rel=1e-5)
    together = sum(loss_alone(model, tokens) for tokens in documents)
    batch = collate(rows, documents, 70, pad_id=0)
    assert summed_loss(model, batch).item() == pytest.approx(together.item(), rel=1e-5)
    # Were one to see another, the loss would differ.
    plain = torch.ones(70, 70, dtype=torch.bool).tril().expand(len(rows), 1, -1, -1)
    seen = PackedBatch(*batch[:3], plain)
    assert summed_loss(model, seen).item() != pytest.approx(together.item(), rel=1e-4)
    counted = batch.position_ids[:, :1] + torch.arange(70)
    moved = PackedBatch(*batch[:2], counted, batch.attention_mask)
    is_relative = type(model).__name__ == "LlamaForCausalLM"
    same = summed_loss(model, moved).item() == pytest.approx(together.item(), rel=1e-5)
    assert same == is_relative


def test_gradients_are_those_of_the_documents_alone(model, documents):
    rows = pack([len(tokens) for tokens in documents], 70, seed=0)
    model.zero_grad()
    summed_loss(model, collate(rows, documents, 70, pad_id=0)).backward()
    packed = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    sum(loss_alone(model, tokens) for tokens in documents).backward()
    alone = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert packed.keys() == alone.keys()
    # Some are 0 but for rounding, such as those of a bias that shifts all keys alike.
    scale = max(gradient.abs().max() for gradient in alone.values())
    for name, gradient in alone.items():
        assert torch.allclose(packed[name] / scale, gradient / scale, rtol=1e-4, atol=1e-6), name
