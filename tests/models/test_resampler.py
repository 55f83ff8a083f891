import pytest
import torch
from safetensors.torch import load_file
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM

from helpers_golden import close, suggested_tolerances
from protscribe.errors import InputError
from protscribe.models.captioner import Captioner
from protscribe.models.connectors import build_connector, pad_states
from protscribe.models.language_model import add_lora
from protscribe.models.resampler import POSITIONS, Resampler
from protscribe.prompts import IGNORED_LABEL, PLACEHOLDER_ID

SMALL = {"latents": 5, "depth": 2, "heads": 3, "head_dim": 4, "multiplier": 2}
CPU = torch.device("cpu")


def small(**changes):
    """Return a resampler with every weight off its usual value, so that omissions show."""
    torch.manual_seed(0)
    resampler = Resampler(12, 7, **(SMALL | changes))
    with torch.no_grad():
        for parameter in resampler.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return resampler


def random_states(*lengths, width=12):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, width, generator=generator) for length in lengths]


class Published:
    """The tiny reference model: its resampler with our names, its inputs and its outputs."""

    def __init__(self, golden):
        self.folder = golden / "protein2text"
        self.inputs = load_file(self.folder / "inputs.safetensors")
        self.expected = load_file(self.folder / "expected.safetensors")
        self.tolerances = suggested_tolerances(self.folder)
        file = self.folder / "protein2text-tiny" / "non_lora_trainables.safetensors"
        weights = {self.name(key): tensor for key, tensor in load_file(file).items()}
        # Of the table of positions only the first row is ever read.
        weights["media"] = weights["media"][0]
        self.resampler = Resampler(24, 40, latents=8, depth=2, heads=4, head_dim=8, multiplier=2)
        self.resampler.load_state_dict(weights)

    @staticmethod
    def name(key):
        key = key.removeprefix("base_model.model.model.").replace("mm_projector.", "projector.")
        key = key.removeprefix("mm_resampler.").replace("media_pos_emb", "media")
        parts = key.split(".")
        if parts[0] == "layers":
            parts[0], parts[2] = "blocks", ("attention", "feed_forward")[int(parts[2])]
        return ".".join(parts)

    def check(self, found, name):
        close(found.detach(), self.expected[name], self.tolerances[name])


@pytest.fixture
def published(golden):
    return Published(golden)


def test_outputs_are_the_published_ones(published):
    states = [published.expected[f"features.patch.{i}"] for i in range(3)]
    batch, mask = pad_states(states, CPU)
    published.check(published.resampler.resample(batch, mask), "resampler.output")
    tokens, real = published.resampler(batch, mask)
    published.check(tokens, "projector.output")
    assert real.shape == (3, 8) and bool(real.all())
    for i in range(3):
        batch, mask = pad_states([published.inputs[f"random_features.{i}"]], CPU)
        found = published.resampler.resample(batch, mask)[0]
        published.check(found, f"random.resampler.output.{i}")
        published.check(published.resampler(batch, mask)[0][0], f"random.projector.output.{i}")


def test_loss_and_gradients_are_the_published_ones(published):
    model = AutoModelForCausalLM.from_pretrained(
        published.folder / "llama_base", dtype=torch.float32
    ).requires_grad_(False)
    lora = {"rank": 4, "alpha": 1, "dropout": 0.0, "targets": "all-linear"}
    model = add_lora(model, lora, 0)
    file = published.folder / "protein2text-tiny" / "adapter_model.safetensors"
    stored = load_file(file)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.copy_(stored.pop(name.replace(".default", "")))
    assert not stored
    # The published loader merges before it does anything else.
    model = model.merge_and_unload()
    captioner = Captioner(model, published.resampler, end_of_turn_id=377)
    ids, labels = [], []
    rows = (published.inputs[f"batch.{name}"] for name in ("input_ids", "attention_mask", "labels"))
    for row, mask, wanted in zip(*rows, strict=True):
        place = int((row == PLACEHOLDER_ID).nonzero())
        kept = int(mask.sum())
        latents = torch.full((8,), PLACEHOLDER_ID)
        ids.append(torch.cat([row[:place], latents, row[place + 1 : kept]]))
        unlearned = torch.full((8,), IGNORED_LABEL)
        labels.append(torch.cat([wanted[:place], unlearned, wanted[place + 1 : kept]]))
    mask = pad_sequence([torch.ones(len(row)) for row in ids], batch_first=True).long()
    joined = pad_sequence(ids, batch_first=True)
    wanted = pad_sequence(labels, batch_first=True, padding_value=IGNORED_LABEL)
    states = [published.expected[f"features.patch.{i}"] for i in range(3)]
    embedded = captioner.embed(joined, mask, states)
    for row, expected in enumerate(published.expected["splice.inputs_embeds"]):
        real = mask[row].bool()
        tolerance = published.tolerances["splice.inputs_embeds"]
        close(embedded[row][real].detach(), expected[: len(real)][real], tolerance)
    loss, count = captioner.answer_loss(joined, mask, wanted, states)
    published.check(loss / count, "forward.loss")
    (loss / count).backward()
    gradients = {name: p.grad for name, p in published.resampler.named_parameters()}
    checked = {name for name in published.expected if name.startswith("grad.")}
    assert len(checked) == len(gradients)
    for key in checked:
        name = Published.name(key.removeprefix("grad."))
        expected = published.expected[key]
        if name == "media":
            assert not expected[1:].any(), "rows that nothing reaches"
            expected = expected[0]
        # The tolerances are for the whole model. Here the encoder's states are given, and their
        # own spread between machines (5e-6) moves gradients by as much again.
        close(gradients[name], expected, 2 * published.tolerances[key])


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_batch_gives_what_each_protein_gives_alone(positions):
    resampler = small(positions=positions)
    states = random_states(9, 1, 4, 30)
    batch, mask = pad_states(states, CPU)
    # What lies in the padding is nobody's business.
    together, real = resampler(batch.masked_fill(~mask.unsqueeze(-1), 7.0), mask)
    assert real.tolist() == [[True] * 5] * 4
    for tokens, alone in zip(together, states, strict=True):
        ((single,), _) = resampler(*pad_states([alone], CPU))
        torch.testing.assert_close(tokens, single, rtol=1e-5, atol=1e-5)


def test_every_residue_counts():
    resampler = small()
    (states,) = random_states(6)
    plain, _ = resampler(*pad_states([states], CPU))
    for residue in range(6):
        changed = states.clone()
        changed[residue] = -changed[residue]
        tokens, _ = resampler(*pad_states([changed], CPU))
        assert (tokens - plain).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("positions", "aware"), [("one", False), ("none", False), ("residues", True)]
)
def test_only_residue_positions_make_it_see_the_order(positions, aware):
    resampler = small(positions=positions)
    (states,) = random_states(9)
    forwards, _ = resampler(*pad_states([states], CPU))
    backwards, _ = resampler(*pad_states([states.flip(0)], CPU))
    assert ((forwards - backwards).abs().max() > 1e-3) == aware


def test_fresh_residue_positions_are_seen_and_learned():
    torch.manual_seed(0)
    resampler = Resampler(12, 7, **SMALL, positions="residues")
    (states,) = random_states(9)
    tokens, _ = resampler(*pad_states([states], CPU))
    backwards, _ = resampler(*pad_states([states.flip(0)], CPU))
    assert not torch.allclose(tokens, backwards, rtol=0, atol=1e-5)
    tokens.square().sum().backward()
    assert resampler.media.grad.abs().sum() > 0


def test_nothing_is_dead_weight():
    for positions in POSITIONS:
        resampler = small(positions=positions)
        tokens, _ = resampler(*pad_states(random_states(9, 4), CPU))
        tokens.square().sum().backward()
        for name, parameter in resampler.named_parameters():
            assert bool((parameter.grad != 0).any(dim=-1).all()), (positions, name)


def test_a_protein_of_35000_residues():
    resampler = Resampler(16, 8, latents=8, depth=2, heads=2, head_dim=8)
    states = random_states(35_000, 3, width=16)
    with torch.no_grad():
        tokens, _ = resampler(*pad_states(states, CPU))
        ((short,), _) = resampler(*pad_states(states[1:], CPU))
    assert tokens.shape == (2, 8, 8) and bool(tokens.isfinite().all())
    torch.testing.assert_close(tokens[1], short, rtol=1e-5, atol=1e-5)
    assert resampler.token_count(35_000) == resampler.token_count(1) == 8


def test_tokens_are_float32_under_autocast():
    resampler = small()
    batch, mask = pad_states(random_states(9, 4), CPU)
    with torch.autocast("cpu", torch.bfloat16):
        tokens, _ = resampler(batch, mask)
    assert tokens.dtype == torch.float32
    torch.testing.assert_close(tokens, resampler(batch, mask)[0], rtol=0.1, atol=0.1)


def test_odd_widths_have_positions_too():
    tokens, _ = Resampler(9, 4, latents=2, heads=1, head_dim=4, positions="residues")(
        *pad_states(random_states(5, width=9), CPU)
    )
    assert tokens.shape == (1, 2, 4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"positions": "rotary"}, "connector.positions is 'rotary'; allowed: one, none, residues"),
        ({"hidden": 4}, "connector of type resampler: .*hidden"),
    ],
)
def test_a_wrong_setting_is_named(settings, words):
    with pytest.raises(InputError, match=words):
        build_connector({"type": "resampler", **SMALL, **settings}, 8, 6)
