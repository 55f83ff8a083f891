"""Proteins that a tuned system writes on request."""

import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from protscribe.atomic import read_json, write_json
from protscribe.batching import token_budget_batches
from protscribe.corpora.prompted import apply_style
from protscribe.errors import InputError
from protscribe.evaluation.design.tables import design_id, design_seed, write_fasta
from protscribe.evaluation.trained import load_predictor, training_facts
from protscribe.models.sampling import Sampler, seeded_generators
from protscribe.prompts import PromptBuilder, PromptStyle, Residues
from protscribe.tables import read_table, write_table

NATURAL = "ACDEFGHIKLMNPQRSTVWY"
"""What a design is made of: the residues that any cell can put into a protein."""

Row = dict[str, Any]


def design_proteins(
    models: Mapping[int, Path],
    language_model: Path,
    requests: Path,
    designs: Path,
    fasta: Path,
    *,
    system: str,
    settings: Mapping[str, Any],
    batch_tokens: int,
    state: Path,
    device: str,
    threads: int,
    seed: int,
) -> None:
    """Write proteins for every request, once per training seed.

    What is drawn for a design depends on its own seed alone, neither on the batch nor on the order
    of work. Each finished batch is kept in `state`; a job that was killed goes on from there.

    Parameters
    ----------
    models
        Folder of the finished model of each training seed.
    language_model
        Folder of the language model that they were tuned on.
    requests
        Table of design requests.
    designs, fasta
        Table of designs and FASTA file to write.
    system
        Name of the system.
    settings
        ``design`` of the system: ``number`` of proteins for a request and the options of
        `protscribe.models.sampling.Sampler`.
    batch_tokens
        Most positions of a batch, prompt and protein together.
    state
        Folder for finished batches, which belongs to this very job; removed at the end.
    device, threads
        Where the model runs.
    seed
        Seed of the draws.

    Raises
    ------
    InputError
        If there is no request, a model is another system's or has no residue tokens, or a prompt
        exceeds the budget.
    """
    torch.set_num_threads(threads)
    asked = read_table(requests, "design_requests").to_pylist()
    if not asked:
        raise InputError(f"{requests}: asks for nothing; raise design.requests or give terms")
    rows: list[Row] = []
    training: list[Mapping[str, int]] = []
    for training_seed, folder in sorted(models.items()):
        captioner, builder, facts = load_predictor(
            folder, language_model, predictor=system, seed=training_seed, device=device
        )
        if builder.residues is None:
            raise InputError(f"{folder}: {system} has no residue tokens and writes no proteins")
        options = {key: value for key, value in settings.items() if key != "number"}
        sampler = Sampler(natural_ids(builder.residues), builder.residues.close_id, **options)
        plan = [
            _planned(request, number, seed, training_seed)
            for request in asked
            for number in range(1, settings["number"] + 1)
        ]
        style = PromptStyle(**facts["system"]["prompt"])
        prompts = {r["id"]: request_prompt(builder, style, r) for r in asked}
        batches = token_budget_batches(
            [len(prompts[row["request"]]) + sampler.max_residues + 1 for row in plan],
            max_tokens=batch_tokens,
        )
        for number, batch in enumerate(tqdm(batches, desc=f"designs of {system} {training_seed}")):
            kept = state / str(training_seed) / f"batch-{number:06d}.json"
            if not kept.exists():
                written = captioner.design(
                    [prompts[plan[i]["request"]] for i in batch],
                    None,
                    sampler,
                    seeded_generators([plan[i]["seed"] for i in batch], device),
                )
                write_json(kept, [list(one) for one in written])
            for i, (residues, tokens, reason) in zip(batch, read_json(kept), strict=True):
                rows.append(
                    plan[i]
                    | {
                        "system": system,
                        "prompt": builder.tokenizer.decode(
                            prompts[plan[i]["request"]][:-1], skip_special_tokens=False
                        ),
                        "sequence": builder.residues.decode(residues),
                        "finish_reason": reason,
                        "tokens": tokens,
                    }
                )
        training.append(facts["training"])
    write_table(designs, "designs", rows, training_facts(system, training))
    write_fasta(designs, fasta)
    ends = Counter(row["finish_reason"] for row in rows)
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(ends.items()))
    print(f"{system}: {len(rows)} designs for {len(asked)} requests: {told}", file=sys.stderr)
    shutil.rmtree(state, ignore_errors=True)


def natural_ids(residues: Residues) -> torch.Tensor:
    """Return the ids of the residues that a design is made of."""
    return torch.tensor(residues.encode(NATURAL)[1:-1])


def request_prompt(
    builder: PromptBuilder, style: PromptStyle, request: Mapping[str, Any]
) -> list[int]:
    """Return the ids of a request, in the system's prompt, up to where the protein begins."""
    turns: Sequence[Mapping[str, str]] = [{"role": "user", "content": request["text"]}]
    return builder.opened(apply_style(style, turns, {}), f"{request['lead_in']}\n")


def _planned(request: Mapping[str, Any], number: int, seed: int, training_seed: int) -> Row:
    return {
        "id": design_id(request["id"], number),
        "training_seed": training_seed,
        "request": request["id"],
        "relation": request["relation"],
        "annotation": request["annotation"],
        "number": number,
        "seed": design_seed(seed, training_seed, request["id"], number),
    }
