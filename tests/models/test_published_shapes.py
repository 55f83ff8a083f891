"""The shipped paper-scale configurations, built on the meta device at their real shapes."""

import torch
import yaml
from transformers import (
    EsmConfig,
    EsmModel,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

from conftest import HOUSE
from protscribe.configuration import resolve
from protscribe.models.captioner import Captioner
from protscribe.models.connectors import build_connector
from protscribe.models.language_model import add_lora
from protscribe.models.residue_rows import ResidueRows

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
ESM2_650M = EsmConfig(
    vocab_size=33,
    hidden_size=1280,
    num_hidden_layers=33,
    num_attention_heads=20,
    intermediate_size=5120,
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


OPT_1_3B = OPTConfig(
    vocab_size=50272,
    hidden_size=2048,
    ffn_dim=8192,
    num_hidden_layers=24,
    num_attention_heads=32,
    max_position_embeddings=2048,
    word_embed_proj_dim=2048,
)


def count(parameters):
    return sum(parameter.numel() for parameter in parameters)


def shipped(name):
    """Return the settings of a system from its configuration at paper scale."""
    schema = yaml.safe_load((HOUSE / "config" / "schema.yaml").read_text())
    config = yaml.safe_load((HOUSE / "config" / f"{name}.yaml").read_text())
    return resolve(config, schema)["systems"][name]


def test_prot2text_v2():
    system = shipped("prot2text_v2")
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


def test_protein2text():
    system = shipped("protein2text")
    assert system["align"]["examples_per_step"] == 256
    assert system["tune"]["examples_per_step"] == 128
    with torch.device("meta"):
        encoder = EsmModel(ESM2_650M, add_pooling_layer=False)
        llama = LlamaForCausalLM(LLAMA_31_8B).requires_grad_(False)
        connector = build_connector(
            system["connector"], ESM2_650M.hidden_size, LLAMA_31_8B.hidden_size
        )
        captioner = Captioner(add_lora(llama, system["tune"]["lora"], seed=0), connector, 128009)
    assert 6.4e8 < count(encoder.parameters()) < 6.6e8
    assert connector.token_count(1000) == 128
    projector = count(connector.projector.parameters())
    assert projector == 22_028_288
    # The published resampler has 4,095 more rows of positions, which no input reaches.
    resampler = count(connector.parameters()) - projector
    assert resampler == 18_533_120
    assert resampler + 4095 * 1280 == 23_774_720
    trained = {name: p for name, p in captioner.named_parameters() if p.requires_grad}
    adapters = [p for name, p in trained.items() if "lora_" in name]
    assert count(adapters) == 167_772_160
    assert count(trained.values()) == 167_772_160 + 18_533_120 + 22_028_288


def test_instructprotein():
    system = shipped("instructprotein")
    assert system["encoder"] is None and system["connector"] is None
    # Both stages train the same adapters, on rows that the model has positions for.
    assert system["align"]["lora"] == system["tune"]["lora"]
    assert system["align"]["context"] <= OPT_1_3B.max_position_embeddings
    assert system["align"]["max_steps"] == 40_000 and system["tune"]["max_steps"] == 20_000
    with torch.device("meta"):
        model = OPTForCausalLM(OPT_1_3B).requires_grad_(False)
        assert count(model.parameters()) == 1_315_758_080
        rows = ResidueRows(model, seed=0)
        captioner = Captioner(add_lora(model, system["tune"]["lora"], seed=0), None, 2, rows)
    trained = {name: p for name, p in captioner.named_parameters() if p.requires_grad}
    # Input and output are tied, so that 28 rows do for both.
    residues = [p for name, p in trained.items() if name.startswith("residues.")]
    assert count(residues) == 28 * 2048
    adapters = [p for name, p in trained.items() if "lora_" in name]
    assert count(adapters) == 56_623_104
    assert count(trained.values()) == 56_623_104 + 28 * 2048
