"""Seconds and memory of a training step, against the naive way, side by side.

Run as

    python -m bench.steps [--steps 3] [--batch 4] [--rounds 2]

Shapes: ESM-2 8M as encoder, a LLaMA of 8 layers and width 576 as language model, random
weights, float32. Proteins and texts have the lengths of Swiss-Prot (log-normal, means about
360 residues and 90 tokens; longest 512 and 256).

Naive is what most published code does: both frozen models run in every step, batches come in
random order and are padded to their longest member, and logits are computed at every
position. Ours reads cached states, fills batches from length buckets and computes logits at
label positions. Each variant runs in a process of its own, in turn with its rival, so that
peak memory is its own and a drift of the machine's speed hits both.
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional as F
from transformers import EsmConfig, EsmModel, LlamaConfig, LlamaForCausalLM

from bench.variants import in_turn
from protscribe.batching import padding_fraction, token_budget_batches
from protscribe.embeddings.pooling import pooled
from protscribe.models.captioner import Captioner
from protscribe.models.connectors import build_connector
from protscribe.prompts import IGNORED_LABEL, PLACEHOLDER_ID
from protscribe.training.losses import info_nce, paired_vectors

WIDTH, ENCODER_WIDTH, VOCABULARY, PROMPT = 576, 320, 49152, 40
VARIANTS = ("align naive", "align ours", "tune naive", "tune ours")


def encoder() -> EsmModel:
    """Return an encoder of the shape of ESM-2 8M."""
    config = EsmConfig(
        vocab_size=33,
        hidden_size=ENCODER_WIDTH,
        num_hidden_layers=6,
        num_attention_heads=20,
        intermediate_size=1280,
        position_embedding_type="rotary",
        pad_token_id=1,
        mask_token_id=32,
        token_dropout=True,
    )
    return EsmModel(config, add_pooling_layer=False).eval().requires_grad_(False)


def language_model() -> LlamaForCausalLM:
    """Return a LLaMA of 8 layers and width 576."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=1536,
        num_hidden_layers=8,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).eval().requires_grad_(False)


def lengths(count: int) -> tuple[list[int], list[int]]:
    """Return residues and text tokens of so many proteins."""
    rng = np.random.default_rng(0)
    residues = np.exp(rng.normal(5.7, 0.6, count)).clip(30, 512).astype(int)
    tokens = np.exp(rng.normal(4.3, 0.7, count)).clip(8, 256).astype(int)
    return residues.tolist(), tokens.tolist()


def padded(sizes: list[int], vocabulary: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random ids padded to the longest, and their mask."""
    mask = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
    ids = torch.randint(4, vocabulary, mask.shape)
    return ids.masked_fill(~mask, 1), mask.long()


def batches(
    batch: int, count: int, residues: list[int], tokens: list[int], ours: bool
) -> tuple[list[list[int]], float]:
    """Return batches of indices: from length buckets of equal cost, or random ones."""
    sizes = [PROMPT + r + t for r, t in zip(residues, tokens, strict=True)]
    random = torch.randperm(len(sizes)).split(batch)
    naive = [chunk.tolist() for chunk in random]
    budget = int(statistics.mean(len(b) * max(sizes[i] for i in b) for b in naive))
    bucketed = token_budget_batches(sizes, max_tokens=budget, shuffle_seed=0)
    chosen = bucketed if ours else naive
    return chosen[:count], padding_fraction(sizes, chosen)


def align_step(ours: bool, batch: int) -> Callable[[list[int]], None]:
    """Return a function that makes one alignment step on a batch of proteins."""
    settings = {"type": "projector", "hidden": 512, "activation": "gelu", "dropout": 0.3}
    projector = build_connector({**settings, "token_norm": "l2"}, ENCODER_WIDTH, WIDTH)
    optimizer = torch.optim.AdamW(projector.parameters(), lr=1e-4)
    residues, tokens = lengths(4096)
    esm, llama = (None, None) if ours else (encoder(), language_model())

    def step(indices: list[int]) -> None:
        ids, mask = padded([residues[i] for i in indices], 24)
        text_ids, text_mask = padded([tokens[i] for i in indices], VOCABULARY)
        if esm is None or llama is None:
            states = torch.randn(*ids.shape, ENCODER_WIDTH)
            texts = torch.randn(len(indices), WIDTH), torch.rand(len(indices), WIDTH)
        else:
            with torch.no_grad():
                states = esm(ids, mask).last_hidden_state
                hidden = llama(text_ids, text_mask, output_hidden_states=True).hidden_states[4]
                texts = pooled(hidden, text_mask)
        proteins = pooled(*projector(states, mask))
        pooling = ["mean", "std"]
        (queries,) = paired_vectors(*proteins, pooling, "concat")
        (candidates,) = paired_vectors(*texts, pooling, "concat")
        info_nce(queries, candidates, torch.arange(len(indices)), 0.05).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def tune_step(ours: bool, batch: int) -> Callable[[list[int]], None]:
    """Return a function that makes one tuning step on a batch of proteins."""
    settings = {"type": "projector", "hidden": 512, "activation": "gelu", "dropout": 0.3}
    projector = build_connector({**settings, "token_norm": "l2"}, ENCODER_WIDTH, WIDTH)
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")
    captioner = Captioner(get_peft_model(language_model(), lora), projector, 2)
    trained = [p for p in captioner.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    residues, tokens = lengths(4096)
    esm = None if ours else encoder()

    def step(indices: list[int]) -> None:
        sizes = [PROMPT + residues[i] + tokens[i] for i in indices]
        ids, mask = padded(sizes, VOCABULARY)
        labels = torch.full_like(ids, IGNORED_LABEL)
        for row, i in enumerate(indices):
            start = PROMPT + residues[i]
            ids[row, PROMPT:start] = PLACEHOLDER_ID
            labels[row, start : sizes[row]] = ids[row, start : sizes[row]]
        if esm is None:
            states = [torch.randn(residues[i], ENCODER_WIDTH) for i in indices]
            loss, count = captioner.answer_loss(ids, mask, labels, states)
        else:
            protein_ids, protein_mask = padded([residues[i] for i in indices], 24)
            with torch.no_grad():
                hidden = esm(protein_ids, protein_mask).last_hidden_state
            states = [hidden[row, : residues[i]] for row, i in enumerate(indices)]
            logits = captioner.language_model(
                inputs_embeds=captioner.embed(ids, mask, states), attention_mask=mask
            ).logits.float()
            flat = logits[:, :-1].reshape(-1, VOCABULARY)
            loss, count = F.cross_entropy(flat, labels[:, 1:].reshape(-1), reduction="sum"), 1
        (loss / count).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure(variant: str, steps: int, batch: int) -> dict[str, float]:
    """Run one variant; return seconds per protein, padding and peak memory in MB."""
    torch.manual_seed(0)
    stage, way = variant.split()
    make = {"align": align_step, "tune": tune_step}[stage]
    step = make(way == "ours", batch)
    plan, padding = batches(batch, steps + 1, *lengths(4096), ours=way == "ours")
    step(plan[0])
    start = time.perf_counter()
    for indices in plan[1:]:
        step(indices)
    seconds = time.perf_counter() - start
    proteins = sum(len(indices) for indices in plan[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds / proteins, "padding": padding, "memory": peak}


def main() -> None:
    """Measure all variants in turn and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3, help="steps per round")
    parser.add_argument("--batch", type=int, default=4, help="proteins per naive batch")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each variant")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options.variant, options.steps, options.batch)))
        return
    sizes = {"steps": options.steps, "batch": options.batch}
    found = in_turn("bench.steps", VARIANTS, options.rounds, sizes)
    print("| stage | time, naive / ours | peak memory, naive / ours | padding, naive and ours |")
    print("|---|---|---|---|")
    for stage in ("align", "tune"):
        naive, ours = found[f"{stage} naive"], found[f"{stage} ours"]
        ratios = {
            key: statistics.median(n[key] / o[key] for n, o in zip(naive, ours, strict=True))
            for key in ("seconds", "memory")
        }
        print(
            f"| {stage} | {ratios['seconds']:.1f} | {ratios['memory']:.1f} "
            f"| {naive[0]['padding']:.0%} and {ours[0]['padding']:.0%} |"
        )


if __name__ == "__main__":
    main()
