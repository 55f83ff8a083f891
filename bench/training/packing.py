"""Padding and seconds of a pretraining step on proteins: packed rows against padded batches.

Run as

    python -m bench.training.packing [--context 1024] [--steps 3] [--rows 4] [--rounds 2]

A LLaMA of 8 layers and width 576 with the vocabulary of SmolLM2 and residue tokens, random weights,
float32, LoRA of rank 16; next-token loss at every position, as in the stage ``align`` with the
objective ``language_modelling``. Proteins have the lengths of Swiss-Prot (log-normal, mean about
360 residues, longest 2000), and those longer than the context are cut into pieces, the same ones
for all ways.

``packed`` fills rows of the context's length with whole proteins that do not see each other;
``like length`` pads batches from length buckets, as instruction tuning has them; ``random`` pads
batches in random order, as most published code does. A step has so many positions in all of them.
Padding and efficiency are of 100,000 proteins, seconds are for 1,000 tokens that are no padding.
All ways must give the same loss on the same proteins. Each runs in a process of its own, in turn
with its rivals.
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor

from bench.steps import language_model
from bench.variants import in_turn
from protscribe.batching import padding_fraction, token_budget_batches
from protscribe.models.captioner import Captioner
from protscribe.models.residue_rows import ResidueRows
from protscribe.training.objectives import in_groups
from protscribe.training.packing import IGNORED, Piece, collate, efficiency, pack, windows

VARIANTS = ("packed", "like length", "random")
MANY, USED, COMPARED = 100_000, 4096, 6
"""Proteins to measure padding on, to train on, and to compare losses on."""

Inputs = tuple[Tensor, Tensor, Tensor, Tensor | None]
"""Ids, mask, labels and, of packed rows, positions."""
Batches = list[list[int]]


def residues(count: int) -> list[int]:
    """Return the residues of so many proteins."""
    rng = np.random.default_rng(0)
    return np.exp(rng.normal(5.7, 0.6, count)).clip(30, 2000).astype(int).tolist()


def pieces(count: int, context: int) -> list[int]:
    """Return the tokens of proteins, those longer than the context cut as packing cuts them."""
    # Opened, closed and ended.
    sizes = [length + 3 for length in residues(count)]
    return [end - start for size in sizes for start, end in windows(size, context)]


def batches(variant: str, lengths: Sequence[int], positions: int) -> Batches:
    """Return padded batches of so many positions at most, as indices of pieces."""
    if variant == "like length":
        return token_budget_batches(lengths, max_tokens=positions, shuffle_seed=0)
    order = np.random.default_rng(0).permutation(len(lengths)).tolist()
    made: Batches = [[]]
    longest = 0
    for i in order:
        longest = max(longest, lengths[i])
        if longest * (len(made[-1]) + 1) > positions:
            made.append([])
            longest = lengths[i]
        made[-1].append(i)
    return made


def padded(documents: Sequence[Sequence[int]]) -> Inputs:
    """Return documents padded on the right to the longest of them."""
    shape = len(documents), max(map(len, documents))
    ids = torch.zeros(shape, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full(shape, IGNORED)
    for row, document in enumerate(documents):
        ids[row, : len(document)] = torch.tensor(document)
        mask[row, : len(document)] = 1
        labels[row, 1 : len(document)] = ids[row, 1 : len(document)]
    return ids, mask, labels, None


def packed(
    rows: Sequence[Sequence[Piece]], documents: Sequence[Sequence[int]], context: int
) -> Inputs:
    """Return packed rows."""
    batch = collate(rows, documents, context, pad_id=0)
    return batch.input_ids, batch.attention_mask, batch.labels, batch.position_ids


def plan(
    variant: str, documents: Sequence[Sequence[int]], context: int, positions: int
) -> list[tuple[Callable[[], Inputs], int]]:
    """Return the steps of one way: what makes the inputs, and how many tokens they hold."""
    lengths = [len(document) for document in documents]
    if variant == "packed":
        groups = in_groups(pack(lengths, context, seed=0), positions // context)
        sizes = [sum(p.end - p.start for row in rows for p in row) for rows in groups]
        makers = [partial(packed, rows, documents, context) for rows in groups]
        return list(zip(makers, sizes, strict=True))
    return [
        (partial(padded, [documents[i] for i in batch]), sum(lengths[i] for i in batch))
        for batch in batches(variant, lengths, positions)
    ]


def answer_loss(captioner: Captioner, inputs: Inputs) -> tuple[Tensor, int]:
    """Return the loss summed over its tokens, and how many they are."""
    ids, mask, labels, positions = inputs
    return captioner.answer_loss(ids, mask, labels, None, positions)


def measure(variant: str, context: int, steps: int, rows: int) -> dict[str, float]:
    """Run one way; return seconds, peak memory in MB, padding and the loss to compare."""
    torch.manual_seed(0)
    model = language_model()
    table = ResidueRows(model, 0)
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")
    captioner = Captioner(get_peft_model(model, lora), None, 2, table)
    positions = rows * context
    first, last = table.residues.residue_ids[0], table.residues.residue_ids[19]
    documents = [
        torch.randint(first, last + 1, (length,)).tolist() for length in pieces(USED, context)
    ]
    compared = plan(variant, documents[:COMPARED], context, positions)
    with torch.no_grad():
        loss = sum(float(answer_loss(captioner, make())[0]) for make, _ in compared)
    trained = [p for p in captioner.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)

    def step(make: Callable[[], Inputs]) -> None:
        total, count = answer_loss(captioner, make())
        (total / count).backward()
        optimizer.step()
        optimizer.zero_grad()

    chosen = plan(variant, documents, context, positions)[: steps + 1]
    step(chosen[0][0])
    start = time.perf_counter()
    for make, _ in chosen[1:]:
        step(make)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tokens = sum(count for _, count in chosen[1:])
    lengths = pieces(MANY, context)
    start = time.perf_counter()
    if variant == "packed":
        padding = 1 - efficiency(pack(lengths, context, seed=0), lengths, context)
    else:
        padding = padding_fraction(lengths, batches(variant, lengths, positions))
    return {
        "padding": padding,
        "planning": time.perf_counter() - start,
        "seconds": 1000 * seconds / tokens,
        "memory": peak,
        "loss": loss,
    }


def main() -> None:
    """Measure all ways in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--context", type=int, default=1024, help="positions of a packed row")
    parser.add_argument("--steps", type=int, default=3, help="per round")
    parser.add_argument("--rows", type=int, default=4, help="packed rows in a step")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each way")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = {name: getattr(options, name) for name in ("context", "steps", "rows")}
    if options.variant:
        print(json.dumps(measure(options.variant, **sizes)))
        return
    found = in_turn("bench.training.packing", VARIANTS, options.rounds, sizes)
    losses = [results[0]["loss"] for results in found.values()]
    if max(losses) / min(losses) - 1 > 1e-4:
        raise SystemExit(f"the ways disagree: {losses}")
    print(
        f"| rows | padding | efficiency | planning {MANY} proteins, s | seconds for 1,000 tokens "
        "| time, this / packed | peak memory, MB |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, results in found.items():
        m = {key: statistics.median(one[key] for one in results) for key in results[0]}
        ratio = statistics.median(
            one["seconds"] / other["seconds"]
            for one, other in zip(results, found["packed"], strict=True)
        )
        print(
            f"| {name} | {m['padding']:.2%} | {1 - m['padding']:.2%} | {m['planning']:.2f} "
            f"| {m['seconds']:.2f} | {ratio:.2f} | {m['memory']:.0f} |"
        )


if __name__ == "__main__":
    main()
