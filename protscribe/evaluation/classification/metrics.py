"""From likelihoods of options to metrics with intervals."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from protscribe.errors import InputError
from protscribe.evaluation import bootstrap
from protscribe.evaluation.classification import scoring, tasks
from protscribe.evaluation.classification.option_table import (
    Group,
    Options,
    Row,
    by_group,
    read_options,
    training_facts,
)
from protscribe.evaluation.classification.scoring import DEFAULT_METHOD, METHODS, Resamples
from protscribe.evaluation.runs import ALL_STRATUM
from protscribe.seeds import derive_seed
from protscribe.tables import read_table, write_table

_OF_TERM = 5
"""Questions of either answer that a term must have: the area of a few is too high by chance, the
more so when some of them are drawn again."""
_SIGNATURES = {
    "accuracy": "ties:shared",
    "macro_f1": "classes:present|ties:shared",
    "ece": f"bins:{scoring.BINS}|confidence:softmax",
    "aupr": "positive:yes|area:steps",
    "aupr_by_term": f"positive:yes|area:steps|mean:terms|of_term:{_OF_TERM}",
}
_ENOUGH = 0.5
"""Share of the resamples that must have a value for an interval."""
_SCALE = 100.0
"""What a metric is when it is 1: all metrics of the results table go from 0 to 100."""


def score_classification(
    option_scores: Sequence[Path],
    questions: Sequence[Path],
    split: Path,
    output: Path,
    *,
    resamples: int,
    seed: int,
) -> None:
    """Measure how well options are ranked, by several ways to compare their likelihoods.

    All metrics are on a scale of 0 to 100, as those of texts. Each stands there for each method of
    `scoring.METHODS` (``accuracy_sum``, ``accuracy_average``, ``accuracy_pmi``) and, without a
    suffix, for the default one: accuracy, macro-F1 where all questions of a task have the same
    options, expected calibration error, and for yes/no questions the area under the
    precision-recall curve of "yes", over all questions and as the mean over terms that are asked
    about often. Training seeds are averaged. PMI needs likelihoods without the protein; in
    pairing, where the protein itself is what is scored, they would be the same for all options
    and are not asked for.

    Intervals are from resampled homology clusters. A published protein, which has no cluster, is
    one of its own.

    Parameters
    ----------
    option_scores
        Tables ``option_scores``, one for each predictor; their metadata say
        ``training_examples`` and ``training_steps``.
    questions
        Tables ``questions``.
    split
        Table ``split``, for the clusters.
    output
        Table ``metrics`` to write.
    resamples
        Number of resamples.
    seed
        Seed of the draws; predictors that answer the same questions share them.

    Raises
    ------
    InputError
        If scores do not belong to the questions, a number is missing or not finite, training
        seeds differ in what they answer, or a protein is not in its fold.
    """
    known = {row["id"]: row for row in tasks.read_questions(questions)}
    placed = read_table(split, "split", ["accession", "cluster", "fold"]).to_pylist()
    clusters = {row["accession"]: (row["cluster"], row["fold"]) for row in placed}
    rows: list[dict[str, Any]] = []
    seen: dict[str, Path] = {}
    for path in option_scores:
        facts = training_facts(path)
        table = read_table(path, "option_scores").combine_chunks()
        found = by_group(table)
        for predictor in sorted({group.predictor for group in found}):
            if seen.setdefault(predictor, path) != path:
                raise InputError(f"{path}: {predictor} is in {seen[predictor]} already")
        for group, by_seed in sorted(found.items()):
            parts = [
                read_options(path, table, by_seed[one], group, known) for one in sorted(by_seed)
            ]
            ids = tuple(row["id"] for row in parts[0].questions)
            if any(tuple(row["id"] for row in part.questions) != ids for part in parts):
                raise InputError(
                    f"{path}: training seeds of {group.predictor} answer other questions of "
                    f"{group.task} in {group.fold}; score all of them again"
                )
            names = _cluster_names(parts[0].questions, clusters, split)
            # Drawn again for each predictor, and the same: kept, they would fill the memory.
            drawn = _draw(names, resamples, derive_seed(seed, "bootstrap", group.task, group.fold))
            rows += _metric_rows(group, parts, drawn, facts)
    settings = {"resamples": str(resamples), "seed": str(seed), "default_method": DEFAULT_METHOD}
    write_table(output, "metrics", rows, settings)
    print(f"{len(rows)} metrics of {len(seen)} predictors", file=sys.stderr)


def _cluster_names(
    questions: Sequence[Row], clusters: Mapping[str, tuple[str, str]], split: Path
) -> list[str]:
    names = []
    for row in questions:
        if row["accession"] is None:
            names.append(f"sequence {row['sequence']}")
            continue
        cluster, fold = clusters.get(row["accession"], (None, None))
        if cluster is None or fold != row["fold"]:
            raise InputError(
                f"{split}: {row['accession']} of {row['id']} is asked about in {row['fold']} but "
                f"stands {'nowhere' if cluster is None else f'in fold {fold}'}; make the "
                "questions again"
            )
        names.append(f"cluster {cluster}")
    return names


def _draw(names: Sequence[str], resamples: int, seed: int) -> Resamples:
    distinct, membership = np.unique(np.array(names), return_inverse=True)
    return Resamples(membership, bootstrap.draw_clusters(len(distinct), resamples, seed))


def _metric_rows(
    group: Group, parts: Sequence[Options], drawn: Resamples, facts: Mapping[str, int]
) -> list[dict[str, Any]]:
    estimates: dict[str, np.ndarray] = {}
    for method in METHODS:
        of_seeds = [_estimates(part, method, drawn) for part in parts]
        for metric in of_seeds[0]:
            values = np.mean([one[metric] for one in of_seeds], axis=0)
            estimates[f"{metric}_{method}"] = values
            if method == DEFAULT_METHOD:
                estimates[metric] = values
    shared = {
        **group._asdict(),
        **facts,
        "stratum": ALL_STRATUM,
        "n": len(parts[0].questions),
        "clusters": drawn.clusters,
        "seeds": len(parts),
        "small_sample": drawn.clusters < bootstrap.MIN_CLUSTERS,
    }
    rows = []
    for metric, values in estimates.items():
        value, resampled = float(values[0]), values[1:]
        resampled = resampled[np.isfinite(resampled)]
        low: float | None = None
        high: float | None = None
        # One cluster drawn again and again says nothing about other proteins.
        if drawn.clusters > 1 and len(resampled) >= _ENOUGH * (len(values) - 1):
            low, high = bootstrap.interval(resampled)
        rows.append(
            shared
            | {
                "metric": metric,
                "value": value if np.isfinite(value) else None,
                "low": low,
                "high": high,
                "signature": _signature(metric),
            }
        )
    return rows


def _estimates(part: Options, method: str, drawn: Resamples) -> dict[str, np.ndarray]:
    """Return each metric, 0 to 100, over the sample and its resamples, shape (1 + resamples,)."""
    scores = scoring.method_scores(method, part.likelihoods, part.tokens, part.priors)
    if scores is None:
        return {}
    truth = np.zeros(scores.shape, dtype=bool)
    for place, row in enumerate(part.questions):
        truth[place, row["truth"]] = True
    found = {
        "accuracy": scoring.accuracy(scores, truth, drawn),
        "ece": scoring.calibration_error(scores, truth, drawn),
    }
    if len({tuple(row["options"]) for row in part.questions}) == 1:
        found["macro_f1"] = scoring.macro_f1(scores, truth, drawn)
    if all(row["kind"] == tasks.YES_NO for row in part.questions):
        margins = (scores[:, tasks.YES] - scores[:, tasks.NO]).round(6)
        positive = truth[:, tasks.YES]
        found["aupr"] = scoring.average_precision(margins, positive, drawn)
        if (by_term := _mean_over_terms(part, margins, positive, drawn)) is not None:
            found["aupr_by_term"] = by_term
    return {name: _SCALE * values for name, values in found.items()}


def _mean_over_terms(
    part: Options, margins: np.ndarray, positive: np.ndarray, drawn: Resamples
) -> np.ndarray | None:
    """Return the mean area over the terms that are asked about often enough, if any are."""
    names = [row["group"] or "" for row in part.questions]
    terms, numbers = np.unique(names, return_inverse=True)
    asked = np.array(
        [np.bincount(numbers[of], minlength=len(terms)) for of in (positive, ~positive)]
    )
    kept = (asked.min(axis=0) >= _OF_TERM)[numbers]
    if len(terms) < 2 or not kept.any():
        return None
    some = Resamples(drawn.membership[kept], drawn.draws)
    return scoring.average_precision(margins[kept], positive[kept], some, numbers[kept])


def _signature(metric: str) -> str:
    name, _, method = metric.rpartition("_")
    if method not in METHODS:
        name, method = metric, DEFAULT_METHOD
    return f"{name}|options:whole|method:{method}|{_SIGNATURES[name]}"
