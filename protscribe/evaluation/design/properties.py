"""Everything that is measured on a single design."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from protscribe.errors import InputError
from protscribe.evaluation.design.agreement import (
    CLASSIFIERS,
    THRESHOLD,
    Evidence,
    homology_neighbours,
    profile_neighbours,
)
from protscribe.evaluation.design.carriers import Placed
from protscribe.evaluation.design.composition import invalid_reason, window_entropy
from protscribe.evaluation.design.controls import Candidate
from protscribe.evaluation.design.naturalness import KmerModel
from protscribe.evaluation.design.novelty import find_nearest, novelty_bin
from protscribe.models.sampling import CLOSED


@dataclass(frozen=True)
class ScoringSettings:
    """How designs are judged.

    Parameters
    ----------
    min_residues, max_residues
        Lengths of a valid design.
    perplexity_order, markov_order
        Residues of a context in the k-mer model that gives perplexities, and in the Markov chain
        that a control is drawn from.
    max_evalue
        Largest E-value of a hit, both for novelty and for agreement.
    min_coverage
        Least share of a design in a hit that counts for novelty.
    neighbours
        Most proteins that decide on an annotation.
    profile_length
        Residues of the k-mers of the profiles.
    max_overlap
        See `agreement.mismatched`.
    natural
        Most held-out natural proteins of a request.
    resamples
        Resamples of an interval.
    """

    min_residues: int = 30
    max_residues: int = 1000
    perplexity_order: int = 4
    markov_order: int = 3
    max_evalue: float = 1e-3
    min_coverage: float = 0.5
    neighbours: int = 5
    profile_length: int = 3
    max_overlap: float = 0.5
    natural: int = 100
    resamples: int = 1000

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "ScoringSettings":
        """Check settings of the configuration.

        Raises
        ------
        InputError
            If a key is unknown or a number out of range.
        """
        if unknown := sorted(set(settings) - {field.name for field in fields(cls)}):
            raise InputError(f"design.evaluation has no option {unknown[0]}")
        made = cls(**settings)
        ranges = {
            "min_residues": (1, made.max_residues),
            "perplexity_order": (1, 5),
            "markov_order": (1, 5),
            "max_evalue": (1e-300, 1e6),
            "min_coverage": (0, 1),
            # The k-mer stage of a large search reports the best 20.
            "neighbours": (1, 20),
            "profile_length": (1, 4),
            "max_overlap": (0, 1),
            "natural": (1, 10**6),
            "resamples": (1, 10**6),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(made, name) <= high:
                raise InputError(
                    f"design.evaluation.{name} is {getattr(made, name)}; it must be between {low} "
                    f"and {high}"
                )
        return made

    def facts(self) -> dict[str, str]:
        """Return the settings as metadata of a table."""
        return {name: str(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Measured:
    """Properties of candidates, each a list in their order.

    Parameters
    ----------
    columns
        By name of table ``design_properties``; None where a candidate has none.
    hits
        By classifier: shape (candidates, requests), 1 where it finds what a request asks for, NaN
        where it knows no protein that has it. A design that is not valid has 0.
    """

    columns: Mapping[str, list[Any]]
    hits: Mapping[str, np.ndarray]


def measure(
    candidates: Sequence[Candidate],
    requests: Sequence[str],
    placed: Placed,
    evidence: Evidence,
    *,
    settings: ScoringSettings,
    encoder: Path | None,
    device: str,
    batch_tokens: int,
    threads: int,
) -> Measured:
    """Measure each candidate by itself.

    All but validity and length is measured on valid ones alone.

    Parameters
    ----------
    candidates
        Designs and controls.
    requests
        Ids of all requests, in the order of the evidence's labels.
    placed
        Proteins of the split.
    evidence
        Proteins of the classifiers.
    settings
        See `ScoringSettings`.
    encoder
        Folder of an ESM model with its head, for pseudo-perplexities; None for none.
    device, batch_tokens
        Where it runs, and how much at once.
    threads
        CPU threads of MMseqs2; no influence on the result.
    """
    reasons = [
        invalid_reason(
            one.sequence,
            closed=one.finish_reason == CLOSED,
            min_residues=settings.min_residues,
            max_residues=settings.max_residues,
        )
        for one in candidates
    ]
    valid = [i for i, reason in enumerate(reasons) if reason is None]
    sequences = [candidates[i].sequence for i in valid]
    model = kmer_model(placed, settings.perplexity_order)
    entropy = [window_entropy(sequence) for sequence in sequences]
    nearest = find_nearest(
        sequences,
        placed.training,
        max_evalue=settings.max_evalue,
        min_coverage=settings.min_coverage,
        threads=threads,
    )
    hit = [nearest.get(sequence) for sequence in sequences]

    def spread(values: Sequence[Any]) -> list[Any]:
        column: list[Any] = [None] * len(candidates)
        for i, value in zip(valid, values, strict=True):
            column[i] = value if value is None or value == value else None
        return column

    columns: dict[str, list[Any]] = {
        "length": [len(one.sequence) for one in candidates],
        "valid": [reason is None for reason in reasons],
        "invalid_reason": reasons,
        "entropy": spread([mean for mean, _ in entropy]),
        "low_complexity": spread([low for _, low in entropy]),
        "perplexity": spread(np.exp(model.surprisal(sequences)).tolist()),
        "pseudo_perplexity": spread(
            _pseudo(sequences, encoder, device=device, batch_tokens=batch_tokens)
        ),
        "max_identity": spread([one.identity if one else None for one in hit]),
        "coverage": spread([one.coverage if one else None for one in hit]),
        "nearest": spread([one.accession if one else None for one in hit]),
        "novelty": spread([novelty_bin(one) for one in hit]),
    }
    # Natural proteins of held-out folds: what is judged must not be judged by its own family.
    own = [placed.clusters.get(candidates[i].source or "") for i in valid]
    hits = {}
    options = {"depth": settings.neighbours}
    for classifier in CLASSIFIERS:
        if classifier == "homology":
            near = homology_neighbours(
                sequences,
                own,
                evidence,
                max_evalue=settings.max_evalue,
                threads=threads,
                **options,
            )
        else:
            near = profile_neighbours(
                sequences, own, evidence, length=settings.profile_length, **options
            )
        found = near.scores(evidence)
        scores = np.zeros((len(candidates), len(requests)))
        scores[:, ~evidence.labels.any(axis=0)] = np.nan
        scores[valid] = found
        table = np.where(np.isfinite(scores), (scores >= THRESHOLD).astype(float), np.nan)
        numbers = {request: i for i, request in enumerate(requests)}
        asked = [numbers[one.request] for one in candidates]
        rows = np.arange(len(candidates))
        for name, values in (("score", scores), ("hit", table)):
            picked = values[rows, asked].tolist() if len(candidates) else []
            known = [value if value == value else None for value in picked]
            columns[f"{classifier}_{name}"] = (
                [None if value is None else bool(value) for value in known]
                if name == "hit"
                else known
            )
        hits[classifier] = table
    return Measured(columns, hits)


def kmer_model(placed: Placed, order: int) -> KmerModel:
    """Return the k-mer model of the training proteins."""
    clusters = [placed.clusters[accession] for accession in placed.training]
    return KmerModel(list(placed.training.values()), order, clusters)


def _pseudo(
    sequences: Sequence[str], encoder: Path | None, *, device: str, batch_tokens: int
) -> list[float | None]:
    if encoder is None:
        return [None] * len(sequences)
    from protscribe.evaluation.design.pseudo_perplexity import pseudo_perplexity

    print(f"pseudo-perplexity of {len(sequences)} sequences", file=sys.stderr)
    return pseudo_perplexity(encoder, sequences, device=device, batch_tokens=batch_tokens).tolist()
