"""Tokens a second of sampling proteins: a batch of requests against one by one.

Run as

    python -m bench.design.batches [--model FOLDER] [--batch 16] [--residues 200] [--rounds 2]

FOLDER is a language model as `get_model` leaves it, such as that of SmolLM2-135M; without it, a
LLaMA of 8 layers and width 576 with random weights is built. Either gets fresh residue tokens and
runs in float32. Requests are our own wordings of keywords, for the built model random ids. Each
gets one protein, which may close only after so many residues and is cut there if it does not.
Reading the prompts is part of the time.

Both ways draw from the same seeds. The nucleus takes part (temperature 0.8, top-p 0.95), so that
rounding could turn one residue into another; the share of proteins that are the same is printed.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

from bench.steps import VOCABULARY, language_model
from protscribe.corpora.knowledge import wording
from protscribe.llm.pretrained import load_language_model, load_tokenizer
from protscribe.models.captioner import Captioner
from protscribe.models.published.prompts import format_for, prompt_builder
from protscribe.models.residue_rows import ResidueRows
from protscribe.models.sampling import Sampler, Written, seeded_generators

KEYWORDS = ("Zinc", "Membrane", "Kinase", "Transport", "Protease", "Ribosomal protein")
PROMPT = 30
"""Tokens of a prompt of random ids."""

Prompts = list[list[int]]


def requests(folder: Path | None, batch: int) -> tuple[Captioner, Prompts]:
    """Return a model with residue tokens, and prompts up to where a protein begins."""
    if folder is None:
        torch.manual_seed(0)
        model = language_model()
        rows = ResidueRows(model, 0)
        spread = torch.randint(100, VOCABULARY, (batch, PROMPT)).tolist()
        return Captioner(model, None, 2, rows).eval(), [
            [*ids[: PROMPT - i % 6], rows.residues.open_id] for i, ids in enumerate(spread)
        ]
    model = load_language_model(folder, precision="float32")
    rows = ResidueRows(model, 0)
    tokenizer = load_tokenizer(folder)
    builder = prompt_builder({"format": format_for(tokenizer)}, tokenizer, rows.residues)
    prompts = []
    for number in range(batch):
        name = KEYWORDS[number % len(KEYWORDS)]
        asked = [{"role": "user", "content": wording.design_request("keyword", name, number)}]
        lead_in = wording.design_lead_in("keyword", name, number)
        prompts.append(builder.opened(asked, f"{lead_in}\n"))
    return Captioner(model, None, builder.end_of_turn_id, rows).eval(), prompts


def sample(
    captioner: Captioner, prompts: Prompts, sampler: Sampler, size: int
) -> tuple[list[Written], float]:
    """Write a protein for each prompt, so many at a time; return them and the seconds."""
    written: list[Written] = []
    start = time.perf_counter()
    for first in range(0, len(prompts), size):
        own = prompts[first : first + size]
        seeds = range(first, first + len(own))
        written += captioner.design(own, None, sampler, seeded_generators(seeds))
    return written, time.perf_counter() - start


def main() -> None:
    """Sample in turn by both ways and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="folder of a language model")
    parser.add_argument("--batch", type=int, default=16, help="proteins in a batch")
    parser.add_argument("--residues", type=int, default=200, help="of each protein")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each way")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    captioner, prompts = requests(options.model, options.batch)
    assert captioner.residues is not None
    ids = captioner.residues.residues
    limits = {"min_residues": options.residues, "max_residues": options.residues}
    sampler = Sampler(
        torch.tensor(ids.residue_ids[:20]), ids.close_id, temperature=0.8, top_p=0.95, **limits
    )
    # The first run of a shape allocates.
    brief = Sampler(torch.tensor(ids.residue_ids[:20]), ids.close_id, max_residues=3)
    rates: dict[int, list[float]] = {1: [], options.batch: []}
    found: dict[int, list[Written]] = {}
    for size in rates:
        sample(captioner, prompts[:size], brief, size)
    for _ in range(options.rounds):
        for size, results in rates.items():
            found[size], seconds = sample(captioner, prompts, sampler, size)
            results.append(sum(one.tokens for one in found[size]) / seconds)
    same = sum(a.residues == b.residues for a, b in zip(*found.values(), strict=True))
    print("| proteins at a time | tokens a second |")
    print("|---|---|")
    for size, results in rates.items():
        print(f"| {size} | {statistics.median(results):.0f} |")
    pairs = zip(rates[options.batch], rates[1], strict=True)
    ratio = statistics.median(together / alone for together, alone in pairs)
    print(
        f"\nBatched is {ratio:.1f} times as fast; {same} of {len(prompts)} proteins are the same."
    )


if __name__ == "__main__":
    main()
