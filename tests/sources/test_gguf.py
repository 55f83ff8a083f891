"""A GGUF file becomes a plain folder that computes the same."""

import json

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from protscribe.errors import InputError
from protscribe.sources.gguf import convert_gguf
from tiny_models import write_tiny_language_model

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_gguf(model_folder, path, pre="smollm"):
    """Write a tiny Llama folder as GGUF, with the weights laid out as llama.cpp wants them."""
    model = AutoModelForCausalLM.from_pretrained(model_folder)
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    data = json.loads((model_folder / "tokenizer.json").read_text())
    vocabulary = data["model"]["vocab"]
    specials = {token["content"] for token in data["added_tokens"]}
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    kinds = gguf.TokenType
    writer.add_token_types([kinds.CONTROL if t in specials else kinds.NORMAL for t in tokens])
    writer.add_token_merges([" ".join(merge) for merge in data["model"]["merges"]])
    writer.add_bos_token_id(config.bos_token_id)
    writer.add_eos_token_id(config.eos_token_id)
    writer.add_pad_token_id(config.pad_token_id)
    writer.add_chat_template(AutoTokenizer.from_pretrained(model_folder).chat_template)
    for key, value in model.state_dict().items():
        array = value.numpy()
        if key == "lm_head.weight":
            continue
        if "layers" in key:
            _, _, layer, rest = key.split(".", 3)
            stem = rest.removesuffix(".weight")
            if stem in ("self_attn.q_proj", "self_attn.k_proj"):
                query = stem.endswith("q_proj")
                heads = config.num_attention_heads if query else config.num_key_value_heads
                array = permute(array, heads)
            name = f"blk.{layer}.{NAMES[stem]}.weight"
        else:
            name = {"model.embed_tokens.weight": "token_embd.weight"}.get(key, "output_norm.weight")
        writer.add_tensor(name, np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def permute(weights, heads):
    """Interleave the halves of each head, the order that llama.cpp rotates in."""
    shape = weights.shape
    return (
        weights.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)
    )


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return write_tiny_language_model(tmp_path_factory.mktemp("models") / "lm")


def test_converted_model_computes_what_the_original_does(model_folder, tmp_path):
    folder = tmp_path / "converted"
    folder.mkdir()
    convert_gguf(write_gguf(model_folder, tmp_path / "tiny.gguf"), folder)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in folder.iterdir()
    }
    assert "gguf" not in (folder / "config.json").read_text()
    original = AutoModelForCausalLM.from_pretrained(model_folder).eval()
    converted = AutoModelForCausalLM.from_pretrained(folder).eval()
    before = AutoTokenizer.from_pretrained(model_folder)
    after = AutoTokenizer.from_pretrained(folder)
    assert after.chat_template == before.chat_template
    assert (after.eos_token, after.pad_token) == (before.eos_token, before.pad_token)
    turns = [{"role": "user", "content": "Describe the protein."}]
    ids = [t.apply_chat_template(turns, return_dict=True)["input_ids"] for t in (before, after)]
    assert ids[0] == ids[1]
    batch = torch.tensor([ids[0]])
    with torch.inference_mode():
        assert torch.allclose(original(batch).logits, converted(batch).logits, atol=1e-6)


@pytest.mark.parametrize(("pre", "alone"), [("smollm", True), ("gpt-2", False)])
def test_digits_stand_alone_where_the_model_was_trained_so(model_folder, tmp_path, pre, alone):
    folder = tmp_path / "converted"
    folder.mkdir()
    convert_gguf(write_gguf(model_folder, tmp_path / "tiny.gguf", pre), folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pieces = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("p 123")
    assert ([piece for piece, _ in pieces][-3:] == ["1", "2", "3"]) is alone


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"model\.gguf: not a GGUF file"):
        convert_gguf(path, tmp_path)
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(InputError, match=r"model\.gguf: transformers cannot read it"):
        convert_gguf(path, tmp_path)
