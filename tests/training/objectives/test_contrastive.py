import pytest
import torch

from helpers_golden import close, load_golden, suggested_tolerances
from helpers_training import build_house, tiny_system
from protscribe.embeddings.pooling import pooled
from protscribe.errors import InputError
from protscribe.models.connectors import pad_states
from protscribe.tables import read_table, write_table
from protscribe.training.losses import info_nce, paired_vectors
from protscribe.training.objectives.contrastive import (
    ContrastiveModel,
    ContrastiveObjective,
    _even_batches,
)

PUBLISHED = {
    "pooling": ["mean", "std"],
    "loss": "concat",
    "term_weights": [1.0, 1.0],
    "symmetric": False,
    "temperature": 0.05,
    "learn_temperature": False,
    "gather_negatives": False,
    "mask_identical_texts": False,
}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return build_house(tmp_path_factory.mktemp("house"))


def published(golden):
    """Return the published stage 1 in our parts, and a function that gives its loss."""
    reference = load_golden(golden)
    model = ContrastiveModel(reference.captioner.connector, PUBLISHED).eval()
    states, mask = pad_states(reference.states, torch.device("cpu"))
    text = [reference.expected[f"text.readout.{part}"] for part in ("mean", "std")]
    everything = torch.ones(4, dtype=torch.bool)

    def loss():
        return model(states, mask, *text, torch.arange(4), everything) / 4

    return reference, model, loss


def test_loss_and_gradients_are_the_published_ones(golden):
    reference, model, loss = published(golden)
    tolerances = suggested_tolerances(reference.folder)
    value = loss()
    for name in ("contrast.seg1.loss", "contrast.seg2.loss", "contrast.batch_infonce"):
        close(value.detach(), reference.expected[name], tolerances[name])
    value.backward()
    for segments in (1, 2):
        for name, parameter in model.connector.named_parameters():
            key = f"contrast.seg{segments}.grad.adapter.{name}"
            close(parameter.grad, reference.expected[key], tolerances[key])


def test_segments_that_do_not_divide_the_batch(golden):
    # The published code drops the remaining proteins and keeps their texts as negatives.
    reference, model, _ = published(golden)
    tolerances = suggested_tolerances(reference.folder)
    states, mask = pad_states(reference.states, torch.device("cpu"))
    text = [reference.expected[f"text.readout.{part}"] for part in ("mean", "std")]
    both = ["mean", "std"], "concat"
    (proteins,) = paired_vectors(*pooled(*model.connector(states, mask)), *both)
    (texts,) = paired_vectors(*text, *both)
    close(texts, reference.expected["text.readout.mix.normalized"], 2e-6)
    close((proteins @ texts.T).detach(), reference.expected["contrast.similarity"], 3e-6)
    value = info_nce(proteins[:3], texts, torch.arange(3), 0.05) / 3
    close(
        value.detach(), reference.expected["contrast.seg3.loss"], tolerances["contrast.seg3.loss"]
    )
    value.backward()
    for name, parameter in model.connector.named_parameters():
        key = f"contrast.seg3.grad.adapter.{name}"
        close(parameter.grad, reference.expected[key], tolerances[key])


def test_five_steps_of_training_are_the_published_ones(golden):
    reference, model, loss = published(golden)
    optimizer = torch.optim.Adam(model.connector.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        losses.append(value.detach())
    losses.append(loss().detach())
    close(torch.stack(losses), reference.expected["train.stage1.losses"], 1e-4)
    for name, parameter in model.connector.named_parameters():
        wanted = reference.expected[f"train.stage1.final.adapter.{name}"]
        close(parameter.detach(), wanted, 2e-4)


def test_each_pair_once_an_epoch_and_only_from_its_fold(house):
    objective = ContrastiveObjective(house.job("align", "x", tiny_system()), "cpu")
    folds = {
        row["accession"]: row["fold"]
        for row in read_table(house.conversations, "conversations").to_pylist()
    }
    plan = objective.plan(0)
    seen = [objective.pairs[i][0] for batch in plan for i in batch]
    assert sorted(seen) == sorted(a for a, fold in folds.items() if fold == "train")
    checked = [objective.pairs[i][0] for batch in objective.validation_plan() for i in batch]
    assert sorted(checked) == sorted(a for a, fold in folds.items() if fold == "validation")
    assert objective.plan(0) == plan
    assert objective.plan(1) != plan


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_dealing_loses_no_pair(house, processes):
    objective = ContrastiveObjective(house.job("align", "x", tiny_system()), "cpu")
    plan = [*objective.plan(0), [3]]
    dealt = [objective.deal(plan, rank, processes) for rank in range(processes)]
    for number, batch in enumerate(plan):
        pieces = [share[number][1] for share in dealt]
        assert len({len(piece.rows) for piece in pieces}) == 1
        real = [r for p in pieces for r, is_real in zip(p.rows, p.real, strict=True) if is_real]
        assert real == batch


@pytest.mark.parametrize(("items", "size"), [(1, 8), (2, 2), (3, 2), (9, 8), (70, 32), (64, 32)])
def test_batches_are_even_and_never_a_lone_pair(items, size):
    batches = _even_batches(range(items), size)
    assert [i for batch in batches for i in batch] == list(range(items))
    lengths = [len(batch) for batch in batches]
    assert max(lengths) - min(lengths) <= 1
    assert min(lengths) >= min(2, items)
    assert max(lengths) <= max(size, 3)


def test_only_the_named_corpora_are_aligned(house, tmp_path):
    rows = read_table(house.conversations, "conversations").to_pylist()
    for row in rows[::2]:
        row["corpus"] = "qa"
    path = tmp_path / "c.parquet"
    write_table(path, "conversations", rows)
    job = house.job("align", "x", tiny_system())
    inputs = job.inputs | {"conversations": [str(path)]}
    objective = ContrastiveObjective(house.job("align", "x", tiny_system(), inputs=inputs), "cpu")
    wanted = {row["accession"] for row in rows if row["corpus"] == "descriptions"}
    assert {accession for accession, _ in objective.pairs} == wanted


def without(path, table, keep, target):
    rows = [row for row in read_table(path, table).to_pylist() if keep(row)]
    write_table(target, table, rows)
    return str(target)


def test_bad_inputs_are_named(house, tmp_path):
    job = house.job("align", "x", tiny_system())

    def build(changes=None, **inputs):
        settings = tiny_system(align=changes)
        return ContrastiveObjective(
            house.job("align", "x", settings, inputs=job.inputs | inputs), "cpu"
        )

    few = without(
        house.conversations,
        "conversations",
        lambda row: row["fold"] != "train" or row["accession"] == "P00010",
        tmp_path / "few.parquet",
    )
    with pytest.raises(InputError, match=r"few.parquet: 1 training pair\(s\)"):
        build(conversations=[few])
    key = read_table(house.texts, "text_vectors")["text_hash"][0].as_py()
    texts = without(
        house.texts, "text_vectors", lambda row: row["text_hash"] != key, tmp_path / "t.parquet"
    )
    with pytest.raises(InputError, match="t.parquet: no vectors for the text of conversation"):
        build(texts=texts)
    with pytest.raises(InputError, match="run the rule embed_proteins"):
        build(store=str(tmp_path))
    with pytest.raises(InputError, match="two_term needs"):
        build({"loss": "two_term", "pooling": ["mean"]})
