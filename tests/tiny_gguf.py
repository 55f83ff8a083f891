"""Tiny models as GGUF files, with the weights laid out as llama.cpp wants them."""

import json
from pathlib import Path

import gguf
import numpy as np
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

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


def write_gguf(model_folder: Path, path: Path, pre: str = "smollm") -> Path:
    """Write a tiny Llama folder as GGUF; `pre` names how the text is cut before BPE."""
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


def permute(weights: Tensor | np.ndarray, heads: int) -> Tensor | np.ndarray:
    """Interleave the halves of each head, the order that llama.cpp rotates in."""
    shape = weights.shape
    return (
        weights.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)
    )
