"""Seconds of a training step: stored embeddings against encoding the proteins in every step.

Run as

    python -m bench.training.step [--steps 3] [--batch 8] [--rounds 2]

Both stages of Protein2Text: captioning trains the resampler alone, instruction tuning trains it
and LoRA. Shapes: ESM-2 8M as encoder, a LLaMA of 8 layers and width 576 as language model, 32
latents, random weights, float32; lengths of Swiss-Prot. Both ways take the very same batches of
like length, so that what differs is where the encoder states come from: one reads them from a
memory-mapped store, the other runs the frozen encoder. `bench.steps` compares with the whole
naive way instead. Each variant runs in a process of its own, in turn with its rival.
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from bench.steps import ENCODER_WIDTH, VOCABULARY, WIDTH, encoder, language_model, lengths, padded
from bench.variants import in_turn
from protscribe.batching import token_budget_batches
from protscribe.models.captioner import Captioner
from protscribe.models.resampler import Resampler
from protscribe.prompts import IGNORED_LABEL, PLACEHOLDER_ID

STAGES, WAYS = ("captioning", "instruction"), ("stored", "encoded")
PROMPT, LATENTS, PROTEINS = 40, 32, 512

States = Callable[[list[int]], list[Tensor]]


def stored_states(file: Path, residues: list[int]) -> States:
    """Return a function that reads states from a file, as the store of embeddings does."""
    starts = [sum(residues[:i]) for i in range(len(residues))]
    save_file({"states": torch.randn(sum(residues), ENCODER_WIDTH)}, file)
    rows = safe_open(file, framework="pt").get_slice("states")
    return lambda batch: [rows[starts[i] : starts[i] + residues[i]] for i in batch]


def encoded_states(residues: list[int]) -> States:
    """Return a function that runs the encoder."""
    esm = encoder()

    @torch.no_grad()
    def states(batch: list[int]) -> list[Tensor]:
        ids, mask = padded([residues[i] for i in batch], 24)
        hidden = esm(ids, mask).last_hidden_state
        return [hidden[row, : residues[i]] for row, i in enumerate(batch)]

    return states


def training_step(stage: str, states: States, tokens: list[int]) -> Callable[[list[int]], None]:
    """Return a function that makes one step on a batch of proteins."""
    model = language_model()
    if stage == "instruction":
        model = get_peft_model(model, LoraConfig(r=16, lora_alpha=4, target_modules="all-linear"))
    captioner = Captioner(model, Resampler(ENCODER_WIDTH, WIDTH, latents=LATENTS), 2)
    trained = [p for p in captioner.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    start = PROMPT + LATENTS

    def step(batch: list[int]) -> None:
        sizes = [start + tokens[i] for i in batch]
        ids, mask = padded(sizes, VOCABULARY)
        labels = torch.full_like(ids, IGNORED_LABEL)
        for row, size in enumerate(sizes):
            labels[row, start:size] = ids[row, start:size]
        ids[:, PROMPT:start] = PLACEHOLDER_ID
        loss, count = captioner.answer_loss(ids, mask, labels, states(batch))
        (loss / count).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure(variant: str, steps: int, batch: int) -> dict[str, float]:
    """Run one variant; return seconds per protein and peak memory in MB."""
    torch.manual_seed(0)
    stage, way = variant.split()
    residues, tokens = lengths(PROTEINS)
    sizes = [PROMPT + LATENTS + size for size in tokens]
    budget = max(batch * int(statistics.mean(sizes)), max(sizes))
    plan = token_budget_batches(sizes, max_tokens=budget, shuffle_seed=0)[: steps + 1]
    with TemporaryDirectory() as folder:
        if way == "stored":
            states = stored_states(Path(folder) / "states.safetensors", residues)
        else:
            states = encoded_states(residues)
        step = training_step(stage, states, tokens)
        step(plan[0])
        start = time.perf_counter()
        for indices in plan[1:]:
            step(indices)
        seconds = time.perf_counter() - start
    proteins = sum(len(indices) for indices in plan[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds / proteins, "memory": peak}


def main() -> None:
    """Measure all variants in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3, help="steps per round")
    parser.add_argument("--batch", type=int, default=8, help="examples of mean length in a batch")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each variant")
    variants = [f"{stage} {way}" for stage in STAGES for way in WAYS]
    parser.add_argument("--variant", choices=variants, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options.variant, options.steps, options.batch)))
        return
    sizes = {"steps": options.steps, "batch": options.batch}
    found = in_turn("bench.training.step", variants, options.rounds, sizes)
    print("| stage | seconds a protein, encoded / stored | ratio | peak memory, MB |")
    print("|---|---|---|---|")
    for stage in STAGES:
        encoded, stored = (found[f"{stage} {way}"] for way in ("encoded", "stored"))
        seconds = [statistics.median(r["seconds"] for r in way) for way in (encoded, stored)]
        memory = [statistics.median(r["memory"] for r in way) for way in (encoded, stored)]
        pairs = zip(encoded, stored, strict=True)
        ratio = statistics.median(e["seconds"] / s["seconds"] for e, s in pairs)
        print(
            f"| {stage} | {seconds[0]:.3f} / {seconds[1]:.3f} | {ratio:.2f} "
            f"| {memory[0]:.0f} / {memory[1]:.0f} |"
        )


if __name__ == "__main__":
    main()
