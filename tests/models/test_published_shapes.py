"""The shipped paper-scale configurations, built on the meta device at their real shapes."""

import pytest
import torch
import yaml
from transformers import EsmConfig, EsmModel, LlamaConfig, LlamaForCausalLM

from conftest import HOUSE
from protscribe.configuration import resolve
from protscribe.models.captioner import Captioner
from protscribe.models.connectors import build_connector
from protscribe.models.language_model import add_lora

ESM2_3B = EsmConfig(
    vocab_size=33,
    hidden_size=2560,
    num_hidden_layers=36,
    num_attention_heads=40,
    intermediate_size=10240,
    max_position_embeddings=1026,
    position_embedding_type="rotary",
    pad_token_id=1,
    mask_token_id=32,
)
LLAMA_31_8B = LlamaConfig(
    vocab_size=128256,
    hidden_size=4096,
    intermediate_size=14336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
)


def count(parameters):
    return sum(parameter.numel() for parameter in parameters)


@pytest.fixture(scope="module")
def system():
    schema = yaml.safe_load((HOUSE / "config" / "schema.yaml").read_text())
    config = yaml.safe_load((HOUSE / "config" / "prot2text_v2.yaml").read_text())
    return resolve(config, schema)["systems"]["prot2text_v2"]


def test_prot2text_v2(system):
    with torch.device("meta"):
        encoder = EsmModel(ESM2_3B, add_pooling_layer=False)
        llama = LlamaForCausalLM(LLAMA_31_8B).requires_grad_(False)
        connector = build_connector(
            system["connector"], ESM2_3B.hidden_size, LLAMA_31_8B.hidden_size
        )
        assert count(llama.parameters()) == 8_030_261_248
        captioner = Captioner(add_lora(llama, system["tune"]["lora"], seed=0), connector, 128009)
    assert 2.8e9 < count(encoder.parameters()) < 2.9e9
    assert count(connector.parameters()) == 13_637_632
    trained = {name: p for name, p in captioner.named_parameters() if p.requires_grad}
    adapters = {name: p for name, p in trained.items() if "lora_" in name}
    assert count(adapters.values()) == 83_886_080
    assert count(trained.values()) == 83_886_080 + 13_637_632
    assert not any("lm_head" in name for name in trained)
