"""Score designs and what they are compared with."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protscribe.errors import InputError
from protscribe.evaluation.design.agreement import Evidence, mismatched
from protscribe.evaluation.design.carriers import read_carriers, read_placed
from protscribe.evaluation.design.controls import (
    Candidate,
    as_candidates,
    matched_controls,
    natural_controls,
)
from protscribe.evaluation.design.properties import (
    Measured,
    ScoringSettings,
    kmer_model,
    measure,
)
from protscribe.evaluation.design.summary import Asked, summarise
from protscribe.evaluation.design.tables import read_designs
from protscribe.homology import mmseqs
from protscribe.tables import read_table, write_table, write_tsv


def score_designs(
    designs: Sequence[Path],
    requests: Path,
    proteins: Path,
    split: Path,
    triples: Path,
    scores: Path,
    tsv: Path,
    properties: Path,
    *,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    edges: Path | None = None,
    encoder: Path | None = None,
    device: str = "cpu",
    batch_tokens: int = 8192,
) -> None:
    """Score the designs of systems beside their controls.

    Parameters
    ----------
    designs
        Tables ``designs``, of one or more systems; they may be empty.
    requests
        Table ``design_requests``.
    proteins, split, triples
        Tables ``proteins``, ``split`` and ``knowledge_triples``.
    scores, tsv, properties
        Tables ``design_scores``, also as tab-separated values, and ``design_properties`` to
        write.
    settings
        See `ScoringSettings`.
    seed
        Seed of controls and intervals.
    threads
        CPU threads of MMseqs2; no influence on the result.
    edges
        Table ``knowledge_edges``: a protein that has a narrower term has a broader one too.
    encoder, device, batch_tokens
        A folder with an ESM model that has its language-model head, for pseudo-perplexities, and
        where it runs.

    Raises
    ------
    InputError
        If a setting is wrong, tables do not belong together, or the encoder has no head.
    """
    wanted = ScoringSettings.of(settings)
    rows = read_designs(designs)
    asked = [
        Asked(row["id"], row["relation"])
        for row in read_table(requests, "design_requests").to_pylist()
    ]
    ids = [one.id for one in asked]
    if strangers := sorted({row["request"] for row in rows} - set(ids)):
        raise InputError(
            f"{requests}: has no request {strangers[0]}, which a design answers; design again"
        )
    placed = read_placed(split, proteins)
    carriers = read_carriers(triples, ids, edges)
    evidence = Evidence.of(placed, ids, carriers, wanted.neighbours)
    candidates = as_candidates(rows)
    chain = kmer_model(placed, wanted.markov_order)
    controls = matched_controls(candidates, placed.training, chain, seed)
    controls += natural_controls(candidates, ids, carriers, placed, most=wanted.natural, seed=seed)
    candidates = sorted(candidates + controls, key=lambda c: (c.predictor, c.id, c.training_seed))
    measured = measure(
        candidates,
        ids,
        placed,
        evidence,
        settings=wanted,
        encoder=encoder,
        device=device,
        batch_tokens=batch_tokens,
        threads=threads,
    )
    facts = {
        "seed": str(seed),
        "training_proteins": str(len(placed.training)),
        "evidence_proteins": str(len(evidence.accessions)),
        "mmseqs": mmseqs.version(),
        **wanted.facts(),
    }
    relations = {one.id: one.relation for one in asked}
    write_table(properties, "design_properties", _rows(candidates, relations, measured), facts)
    natural = {
        one: [placed.training[a] for a in sorted(carriers[one]) if a in placed.training]
        for one in ids
    }
    table = summarise(
        candidates,
        asked,
        measured,
        mismatched(ids, carriers, wanted.max_overlap),
        natural,
        resamples=wanted.resamples,
        seed=seed,
        threads=threads,
    )
    write_tsv(tsv, "design_scores", write_table(scores, "design_scores", table, facts))
    open_ended = sum(row["finish_reason"] != "closed" for row in rows)
    print(
        f"{len(rows)} designs, {open_ended} of which never closed, and {len(controls)} controls; "
        f"{len(evidence.accessions)} proteins judge them",
        file=sys.stderr,
    )


def _rows(
    candidates: Sequence[Candidate], relations: Mapping[str, str], measured: Measured
) -> list[dict[str, Any]]:
    return [
        {
            "predictor": one.predictor,
            "id": one.id,
            "training_seed": one.training_seed,
            "request": one.request,
            "relation": relations[one.request],
            "sequence": one.sequence,
            "source": one.source,
            **{name: values[i] for name, values in measured.columns.items()},
        }
        for i, one in enumerate(candidates)
    ]
