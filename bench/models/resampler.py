"""Seconds and memory of the resampler: a masked batch against one protein at a time.

Run as

    python -m bench.models.resampler [--width 1280] [--batch 16] [--batches 4] [--rounds 2]

The resampler has the published sizes (128 latents, 2 blocks, 8 heads of 64) between an encoder
of width 1280 and a language model of width 4096, random weights, float32. Proteins have the
lengths of Swiss-Prot (log-normal, mean about 360 residues, longest 1022). One protein at a time
is what the published code does, and batching by length is what training here does. Both run
forward and backward on the same proteins and must give the same tokens. Each variant runs in a
process of its own, in turn with its rival.
"""

import argparse
import json
import resource
import statistics
import time

import numpy as np
import torch
from torch import Tensor

from bench.variants import in_turn
from protscribe.batching import token_budget_batches
from protscribe.models.connectors import pad_states
from protscribe.models.resampler import Resampler

VARIANTS = ("alone", "together")
CPU = torch.device("cpu")


def proteins(width: int, count: int) -> list[Tensor]:
    """Return random encoder states with the lengths of Swiss-Prot."""
    rng = np.random.default_rng(0)
    lengths = np.exp(rng.normal(5.7, 0.6, count)).clip(30, 1022).astype(int)
    return [torch.randn(length, width) for length in lengths.tolist()]


def run(resampler: Resampler, states: list[Tensor]) -> Tensor:
    """Run forward and backward; return the tokens."""
    tokens, _ = resampler(*pad_states(states, CPU))
    tokens.square().mean().backward()
    return tokens.detach()


def measure(variant: str, width: int, batch: int, batches: int) -> dict[str, float]:
    """Run one variant; return seconds per protein, peak memory in MB and a checksum."""
    torch.manual_seed(0)
    resampler = Resampler(width, int(3.2 * width))
    states = proteins(width, batch * batches)
    lengths = [len(rows) for rows in states]
    budget = batch * int(statistics.mean(lengths))
    plan = token_budget_batches(lengths, max_tokens=max(budget, max(lengths)))
    if variant == "alone":
        plan = [[i] for chunk in plan for i in chunk]
    run(resampler, states[:1])
    total = 0.0
    start = time.perf_counter()
    for chunk in plan:
        total += float(run(resampler, [states[i] for i in chunk]).abs().sum())
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds / len(states), "memory": peak, "sum": total / len(states)}


def main() -> None:
    """Measure both variants in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=1280, help="of the encoder states")
    parser.add_argument("--batch", type=int, default=16, help="proteins of mean length in a batch")
    parser.add_argument("--batches", type=int, default=4, help="batches per round")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each variant")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = {name: getattr(options, name) for name in ("width", "batch", "batches")}
    if options.variant:
        print(json.dumps(measure(options.variant, **sizes)))
        return
    found = in_turn("bench.models.resampler", VARIANTS, options.rounds, sizes)
    alone, together = found["alone"], found["together"]
    if abs(alone[0]["sum"] / together[0]["sum"] - 1) > 1e-4:
        raise SystemExit("a batch does not give what its proteins give alone")
    print("| resampler | seconds a protein | peak memory, MB |")
    print("|---|---|---|")
    for name, results in (("one at a time", alone), ("batched and masked", together)):
        seconds, memory = (
            statistics.median(r[key] for r in results) for key in list(results[0])[:2]
        )
        print(f"| {name} | {seconds:.3f} | {memory:.0f} |")
    ratio = statistics.median(
        a["seconds"] / t["seconds"] for a, t in zip(alone, together, strict=True)
    )
    print(f"\nBatched is {ratio:.1f} times as fast.")


if __name__ == "__main__":
    main()
