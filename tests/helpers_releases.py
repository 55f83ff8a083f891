"""Made-up releases in the layouts of the published models, from tiny random parts."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from protscribe.atomic import read_json, sha256_text, write_json
from protscribe.embeddings.store import embed_proteins
from protscribe.llm.pretrained import load_language_model
from protscribe.models.checkpoint import adapter_tensors
from protscribe.models.language_model import add_lora
from protscribe.models.projector import Projector
from protscribe.models.resampler import Resampler
from protscribe.schemas import TABLES
from protscribe.sources.models import get_model
from protscribe.tables import write_table

SEQUENCES = {"P00001": "MKTAYIAKQRXU", "P00002": "MVLSPADKTNVKAAW", "P00003": "GRX"}
RESAMPLER = {"latents": 6, "depth": 2, "heads": 2, "head_dim": 8, "multiplier": 3}
LORA_TARGETS = ["q_proj", "v_proj", "down_proj"]
PROTEIN2TEXT: dict[str, Any] = {
    "checkpoint": "protein2text",
    "precision": "float32",
    "connector": {"type": "resampler", "positions": "one", **RESAMPLER},
    "prompt": {"format": "protein2text", "system_message": ""},
}
PROT2TEXT_V2: dict[str, Any] = {
    "checkpoint": "prot2text_v2",
    "precision": "float32",
    "connector": {"type": "projector", "hidden": 24, "token_norm": "l2"},
    "prompt": {"format": "prot2text_v2", "system_message": ""},
}


def made(name: str, kind: str, path: Path, root: Path, **more: Any) -> Path:
    """Bring a folder in as a model of a run; return where it lies."""
    folder = root / "models" / name
    get_model(name, {"kind": kind, "source": "path", "path": str(path), **more}, folder)
    return folder


def part(name: str, kind: str, checkpoint: Path, tokenizer: Path | None, root: Path) -> Path:
    """Take a part out of a checkpoint as a model of a run; return where it lies."""
    spec = {"kind": kind, "source": "part", "of": checkpoint.name}
    if tokenizer is not None:
        spec["tokenizer"] = {"source": "path", "path": str(tokenizer)}
    folder = root / "models" / name
    get_model(name, spec, folder, parts_of=checkpoint)
    return folder


def embedded(
    encoder: Path, root: Path, sequences: dict[str, str] = SEQUENCES, **options: Any
) -> Path:
    """Embed some proteins; return the folder of the store."""
    rows = []
    for accession, sequence in sequences.items():
        row = dict.fromkeys(TABLES["proteins"].schema.names)
        row |= {"accession": accession, "sequence": sequence, "length": len(sequence)}
        rows.append(row | {"sequence_hash": sha256_text(sequence)})
    write_table(root / "proteins.parquet", "proteins", rows)
    settings = {
        "layer": -1,
        "max_residues": 1000,
        "special_tokens": True,
        "dtype": "float32",
        "batch_tokens": 4096,
        "shard_tokens": 100_000,
        "device": "cpu",
        "threads": 1,
    }
    store = root / "store"
    settings |= options
    embed_proteins(root / "proteins.parquet", encoder, store, cache=root / "cache", **settings)
    return store


def spread(module: torch.nn.Module, seed: int) -> None:
    """Give every parameter noise, so that a mistaken name shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)


def write_protein2text(
    folder: Path, language_model: Path, *, torch_files: bool = False
) -> tuple[Resampler, Any]:
    """Write a release in LLaVA's layout; return its connector and its adapted language model."""
    torch.manual_seed(1)
    connector = Resampler(32, 32, **RESAMPLER)
    spread(connector, 1)
    weights = {}
    for name, tensor in connector.state_dict().items():
        first, _, rest = name.partition(".")
        if first == "blocks":
            number, which, rest = rest.split(".", 2)
            place = {"attention": 0, "feed_forward": 1}[which]
            name = f"mm_resampler.layers.{number}.{place}.{rest}"
        elif first == "projector":
            name = f"mm_projector.{rest}"
        elif first == "media":
            name, tensor = "mm_resampler.media_pos_emb", torch.randn(32, 1, 32)
            tensor[0] = connector.media.data
        else:
            name = f"mm_resampler.{name}"
        weights[f"base_model.model.model.{name}"] = tensor.clone()
    model = load_language_model(language_model, precision="float32")
    lora = {"rank": 3, "alpha": 5, "dropout": 0.0, "targets": LORA_TARGETS}
    model = add_lora(model, lora, seed=0)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            spread_one = torch.Generator().manual_seed(len(name))
            parameter.data.normal_(std=0.2, generator=spread_one)
    folder.mkdir(parents=True)
    for name, tensors in (
        ("non_lora_trainables", weights),
        ("adapter_model", {k: v.clone() for k, v in adapter_tensors(model).items()}),
    ):
        if torch_files:
            torch.save(tensors, folder / f"{name}.bin")
        else:
            save_file(tensors, folder / f"{name}.safetensors")
    write_json(
        folder / "adapter_config.json",
        {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": "somewhere/else",
            "r": 3,
            "lora_alpha": 5,
            "lora_dropout": 0.05,
            "bias": "none",
            "target_modules": LORA_TARGETS,
        },
    )
    write_json(
        folder / "config.json",
        {
            "architectures": ["LlavaLlamaForCausalLM"],
            "model_type": "llava_llama",
            "hidden_size": 32,
            "mm_hidden_size": 32,
            "mm_projector_type": "mlp2x_gelu",
            "mm_protein_select_feature": "patch",
            "mm_protein_select_layer": -2,
            "mm_use_resampler_gca": "resampler",
        },
    )
    write_json(
        folder / "model_args.json",
        {
            "mm_use_resampler_gca": "resampler",
            "mm_hidden_size": 32,
            "llm_hidden_size": 32,
            "num_media_tokens": 6,
            "perceiver_depth": 2,
            "perceiver_heads": 2,
            "dim_attention_head": 8,
            "ff_mult": 3,
        },
    )
    return connector, model


def write_prot2text_v2(
    folder: Path, encoder: Path, language_model: Path, *, shards: int = 1
) -> Projector:
    """Write a release in one Hugging Face folder; return its projector."""
    torch.manual_seed(2)
    connector = Projector(32, 32, hidden=24)
    spread(connector, 2)
    weights = {f"adapter.{key}": value for key, value in connector.state_dict().items()}
    for norm, width in (("ln1", 24), ("ln2", 32)):
        weights[f"adapter.{norm}.weight"] = torch.randn(width)
        weights[f"adapter.{norm}.bias"] = torch.randn(width)
    for prefix, model in (("esm_encoder.", encoder), ("llama_decoder.", language_model)):
        tensors = load_file(model / "model.safetensors")
        weights |= {prefix + key: value for key, value in tensors.items()}
    weights["esm_encoder.embeddings.position_embeddings.weight"] = torch.randn(1026, 32)
    for layer in range(3):
        name = f"esm_encoder.encoder.layer.{layer}.attention.self.rotary_embeddings.inv_freq"
        weights[name] = 1 / 10000 ** (torch.arange(0, 8, 2) / 8)
    folder.mkdir(parents=True)
    names = sorted(weights)
    for number in range(shards):
        own = {name: weights[name].contiguous() for name in names[number::shards]}
        name = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        save_file(own, folder / (name if shards > 1 else "model.safetensors"))
    write_json(
        folder / "config.json",
        {
            "architectures": ["Esm2LlamaInstructForCausalLM"],
            "model_type": "esm2llama_instruct",
            "esm_config": read_json(encoder / "config.json"),
            "llama_config": read_json(language_model / "config.json"),
            "adapter_config": {
                "model_type": "modality_adapter",
                "input_dim": 32,
                "intermediate_dim": 24,
                "output_dim": 32,
            },
        },
    )
    return connector
