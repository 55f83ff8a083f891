import pytest
import torch

from protscribe.errors import InputError
from protscribe.llm.pretrained import (
    hidden_size,
    identity,
    load_language_model,
    load_prompt_builder,
)
from protscribe.models.language_model import add_lora
from tiny_models import write_tiny_language_model

LORA = {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": "all-linear"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_language_model(tmp_path_factory.mktemp("models") / "tiny")


def test_adapters_are_float32_on_frozen_bfloat16(folder):
    model = add_lora(load_language_model(folder, precision="bf16"), LORA, 0)
    for name, parameter in model.named_parameters():
        trained = "lora_" in name
        assert parameter.requires_grad == trained
        assert parameter.dtype == (torch.float32 if trained else torch.bfloat16)


def test_adapters_start_from_their_seed_and_change_nothing(folder):
    ids = torch.arange(3, 13).unsqueeze(0)
    bare = load_language_model(folder, precision="float32")(ids).logits
    first, again, other = (
        add_lora(load_language_model(folder, precision="float32"), LORA, seed) for seed in (0, 0, 1)
    )
    torch.testing.assert_close(first(ids).logits, bare, rtol=0, atol=0)
    pairs = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not all(
        torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True)
    )


def test_identity_and_width_come_from_the_folder(folder):
    assert set(identity(folder)) == {"name", "weights_sha256"}
    assert hidden_size(folder) == 32


def test_missing_things_are_named(folder, tmp_path):
    for function in (identity, hidden_size, load_prompt_builder):
        with pytest.raises(InputError, match=str(tmp_path)):
            function(tmp_path)
    with pytest.raises(InputError, match="precision is 'fp16'"):
        load_language_model(folder, precision="fp16")
