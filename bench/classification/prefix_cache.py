"""Seconds of ranking GO terms: each protein read once against once a question.

Run as

    python -m bench.classification.prefix_cache [--proteins 4] [--questions 30] [--rounds 3]

The language model has the width, heads and vocabulary of SmolLM2-135M and 8 of its 30 layers,
random weights, float32. Proteins stand in residue tokens with the lengths of Swiss-Prot
(log-normal, mean about 360 residues, longest 512), between 20 tokens of template; questions with
their lead have 16 to 30 tokens, of which the first six are the same, and the options are yes and
no. Every way must give the same likelihoods.

``alone`` runs protein and question once for each pair, as the published code does. ``batched``
puts pairs into padded batches. ``prefix`` is what `protscribe.evaluation.ranking` does. The time
saved is compared with the tokens saved: a cache that cost nothing would save as much of both.
Each variant runs in a process of its own, in turn with its rivals.
"""

import argparse
import json
import statistics
import time

import numpy as np
import torch
from torch import Tensor

from bench.steps import VOCABULARY, language_model, lengths
from bench.variants import in_turn
from protscribe.batching import token_budget_batches
from protscribe.evaluation.ranking import Prefix, Question, option_log_likelihoods
from protscribe.models.captioner import Captioner

VARIANTS = ("alone", "batched", "prefix")
TEMPLATE, SHARED = 20, 6
YES, NO = 11, 12
BATCH_TOKENS = 8192


class Counted(Captioner):
    """A captioner that counts the positions it is given."""

    positions = 0

    def embed(self, input_ids: Tensor, *rest: object) -> Tensor:
        """Embed as always, and count."""
        self.positions += input_ids.numel()
        return super().embed(input_ids, *rest)


def prefixes(proteins: int, questions: int) -> list[Prefix]:
    """Return proteins with questions, the same ones on every call."""
    rng = np.random.default_rng(0)

    def ids(count: int) -> list[int]:
        return rng.integers(100, VOCABULARY, count).tolist()

    start = ids(SHARED)
    made = []
    for residues in lengths(proteins)[0]:
        asked = [
            Question(str(i), start + ids(int(rng.integers(10, 25))), [[YES], [NO]])
            for i in range(questions)
        ]
        made.append(Prefix(ids(TEMPLATE + residues), None, asked))
    return made


@torch.inference_mode()
def by_pair(captioner: Captioner, prefix: Prefix, batched: bool) -> list[list[float]]:
    """Return the likelihoods of yes and no with a pass over each pair of protein and question."""
    texts = [[*prefix.ids, *question.ids] for question in prefix.questions]
    sizes = [len(text) for text in texts]
    plan = [[i] for i in range(len(texts))]
    if batched:
        plan = token_budget_batches(sizes, max_tokens=BATCH_TOKENS)
    found: dict[int, list[float]] = {}
    for batch in plan:
        longest = max(sizes[i] for i in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, i in enumerate(batch):
            ids[row, : sizes[i]] = torch.tensor(texts[i])
            mask[row, : sizes[i]] = 1
        hidden = captioner.causal_model.get_decoder()(
            inputs_embeds=captioner.embed(ids, mask, None), attention_mask=mask, use_cache=False
        ).last_hidden_state
        last = hidden[torch.arange(len(batch)), torch.tensor([sizes[i] - 1 for i in batch])]
        logs = captioner.logits(last).log_softmax(dim=-1)[:, [YES, NO]]
        found |= dict(zip(batch, logs.tolist(), strict=True))
    return [found[i] for i in range(len(texts))]


def likelihoods(variant: str, captioner: Captioner, prefix: Prefix) -> list[list[float]]:
    """Return those of yes and no for each question about a protein."""
    if variant == "prefix":
        found = option_log_likelihoods(captioner, prefix, batch_tokens=BATCH_TOKENS)
        return [one.log_likelihoods for one in found]
    return by_pair(captioner, prefix, batched=variant == "batched")


def measure(variant: str, proteins: int, questions: int) -> dict[str, float]:
    """Run one variant; return seconds and tokens per protein, and a sum of the likelihoods."""
    torch.manual_seed(0)
    captioner = Counted(language_model(), None, 2).eval()
    asked = prefixes(proteins, questions)
    # Of full size, or else the first protein pays for the memory of all.
    likelihoods(variant, captioner, asked[0])
    captioner.positions = 0
    start = time.perf_counter()
    found = [likelihoods(variant, captioner, prefix) for prefix in asked]
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds / proteins,
        "tokens": captioner.positions / proteins,
        # Differences between questions, lest a constant hide an error.
        "sum": float(sum(abs(pair[0] - pair[1]) for one in found for pair in one)),
    }


def main() -> None:
    """Measure all variants in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--proteins", type=int, default=4, help="per round")
    parser.add_argument("--questions", type=int, default=30, help="about each protein")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each variant")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = {"proteins": options.proteins, "questions": options.questions}
    if options.variant:
        print(json.dumps(measure(options.variant, **sizes)))
        return
    found = in_turn("bench.classification.prefix_cache", VARIANTS, options.rounds, sizes)
    sums = [results[0]["sum"] for results in found.values()]
    if max(sums) / min(sums) - 1 > 1e-3:
        raise SystemExit(f"the ways disagree: {sums}")
    prefix = found["prefix"]
    print("| way | seconds a protein | tokens a protein | time ratio | token ratio | share |")
    print("|---|---|---|---|---|---|")
    for name, results in found.items():
        seconds, tokens = (
            statistics.median(r[key] for r in results) for key in list(prefix[0])[:2]
        )
        pairs = list(zip(results, prefix, strict=True))
        saved = statistics.median(r["seconds"] / p["seconds"] for r, p in pairs)
        fewer = statistics.median(r["tokens"] / p["tokens"] for r, p in pairs)
        print(
            f"| {name} | {seconds:.2f} | {tokens:.0f} | {saved:.2f} | {fewer:.2f} "
            f"| {saved / fewer:.0%} |"
        )


if __name__ == "__main__":
    main()
