"""Tiny random models in the layout that `get_model` leaves, built offline in milliseconds."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    EsmConfig,
    EsmModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from protscribe.atomic import sha256_file, write_json

ESM_VOCABULARY = [
    *("<cls>", "<pad>", "<eos>", "<unk>"),
    *"LAGVSERTIDPKQNFYMHWCXBUZO.-",
    *("<null_1>", "<mask>"),
]

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

CORPUS = """
Catalyzes the hydrolysis of the substrate. Binds to DNA and RNA. Component of the complex.
Involved in the regulation of transcription. May play a role in cell division and transport.
Essential for growth. Required for the biosynthesis of the membrane. Inhibits the activity of
protein kinase. Receptor for the ligand. Transfers the phosphate group from ATP to the protein.
You describe what a protein does. Describe the function of this protein: system user assistant
"""


def write_tiny_encoder(
    folder: Path, *, seed: int = 0, hidden: int = 32, layers: int = 3, heads: int = 4
) -> Path:
    """Write an `EsmModel` folder with the 33-letter ESM-2 vocabulary; return the folder."""
    config = EsmConfig(
        vocab_size=len(ESM_VOCABULARY),
        mask_token_id=ESM_VOCABULARY.index("<mask>"),
        pad_token_id=ESM_VOCABULARY.index("<pad>"),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        max_position_embeddings=1026,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    torch.manual_seed(seed)
    model = EsmModel(config, add_pooling_layer=False)
    _spread_weights(model, seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(ESM_VOCABULARY))
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "EsmTokenizer"})
    return _save(model, folder, "protein_encoder")


def write_tiny_language_model(
    folder: Path,
    *,
    seed: int = 0,
    hidden: int = 32,
    layers: int = 4,
    heads: int = 4,
    vocabulary: int = 384,
    tied: bool = True,
) -> Path:
    """Write a `LlamaForCausalLM` folder whose tokenizer speaks ChatML; return the folder.

    The tokenizer is byte-level (any text survives), ``<|im_end|>`` ends a turn.
    """
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [CORPUS],
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=specials,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(fast),
            hidden_size=hidden,
            intermediate_size=3 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=max(1, heads // 2),
            max_position_embeddings=2048,
            bos_token_id=fast.bos_token_id,
            eos_token_id=fast.eos_token_id,
            pad_token_id=fast.pad_token_id,
            tie_word_embeddings=tied,
        )
    )
    fast.save_pretrained(folder)
    return _save(model, folder, "language_model")


def write_tiny_bert(folder: Path, *, seed: int = 0, hidden: int = 32, layers: int = 2) -> Path:
    """Write a `BertModel` folder with a character vocabulary, for BERTScore; return the folder."""
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    vocabulary += [f"##{letter}" for letter in letters]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    tokenizer = BertTokenizerFast(
        vocab={token: index for index, token in enumerate(vocabulary)},
        do_lower_case=True,
        model_max_length=512,
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * hidden,
        max_position_embeddings=512,
    )
    return _save(BertModel(config), folder, "text_encoder")


def _spread_weights(model: PreTrainedModel, seed: int) -> None:
    """Give every parameter seeded noise, biases and norms too, so that omissions show."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)


def _save(model: PreTrainedModel, folder: Path, kind: str) -> Path:
    # Written directly, because save_pretrained brings back the names of TensorFlow's days.
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    if model.can_generate():
        model.generation_config.save_pretrained(folder)
    weights = {
        key: value
        for key, value in model.state_dict().items()
        if key not in model.all_tied_weights_keys and not key.endswith("inv_freq")
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    files = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name != "manifest.json")
    checksums = {name: sha256_file(folder / name) for name in files}
    write_json(
        folder / "manifest.json",
        {
            "name": folder.name,
            "kind": kind,
            "licence": "CC0-1.0",
            "source": {"source": "random", "download_sha256": None},
            "format": "transformers",
            "architecture": type(model).__name__,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "weights_sha256": checksums["model.safetensors"],
            "files": checksums,
        },
    )
    return folder
