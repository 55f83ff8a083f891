"""From predictions to scores of each answer, and from those to metrics with intervals."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from protscribe.evaluation import bootstrap
from protscribe.evaluation.estimates import (
    Estimate,
    Sample,
    differences,
    draw,
    estimate,
    rows_by_seed,
)
from protscribe.evaluation.examples import SEQUENCE_CONDITION
from protscribe.evaluation.runs import (
    ALL_STRATUM,
    CONTROL_SUFFIX,
    DIFFERENCE_SUFFIX,
    KEY,
    PAIRED_WITH,
    SIGNATURE_KEY,
    Group,
    Run,
    check_same_ids,
    read_predictions,
    read_run,
    training_count,
)
from protscribe.evaluation.text_metrics import score_texts, signatures
from protscribe.evaluation.tokens import score_tokens, token_signatures
from protscribe.provenance import model_manifest
from protscribe.seeds import derive_seed
from protscribe.tables import read_table, write_table, write_tsv


def score_predictions(
    predictions: Path,
    scores: Path,
    *,
    predictor: str,
    bertscore_model: Path,
    seed: int,
    device: str,
    threads: int,
) -> None:
    """Score each prediction of one predictor against its reference.

    Parameters
    ----------
    predictions
        Table of predictions.
    scores
        Table to write; its metadata holds each metric's signature.
    predictor
        Name to write into the table.
    bertscore_model
        Folder of the text encoder behind BERTScore.
    seed
        Seed of the pairing behind BERTScore's floor.
    device, threads
        Where the text encoder runs.

    Raises
    ------
    InputError
        If the table is empty, or a prediction or reference is missing.
    """
    import torch

    from protscribe.evaluation.bertscore import (
        BertScorer,
        floor_scores,
        rescale,
        score_pairs,
        signature,
    )

    torch.set_num_threads(threads)
    model = model_manifest(bertscore_model)
    rows = read_predictions(predictions).rows
    hypotheses = [row["prediction"] for row in rows]
    references = [row["reference"] for row in rows]
    columns: dict[str, Sequence[float | None]] = dict(score_texts(hypotheses, references))
    columns |= score_tokens(hypotheses, references, [row["task"] for row in rows])
    scorer = BertScorer(bertscore_model, device=device)
    pairs = score_pairs(scorer, hypotheses, references)
    f1 = pairs["bertscore_f1"]
    columns |= pairs
    floors: list[float | None] = [None] * len(rows)
    rescaled: list[float | None] = [None] * len(rows)
    for (task, fold), members in sorted(_by_fold(rows).items()):
        texts = [references[i] for i in members]
        floor = floor_scores(scorer, texts, derive_seed(seed, "bertscore floor", task, fold))
        if floor is None:
            print(
                f"warning: all references of {fold} ({task}) are equal; BERTScore has no floor",
                file=sys.stderr,
            )
            continue
        # By id, so that it is the same number for one training seed and for many.
        by_id = {rows[i]["id"]: value for i, value in zip(members, floor, strict=True)}
        mean = float(np.mean([by_id[name] for name in sorted(by_id)]))
        for i, value in zip(members, floor, strict=True):
            floors[i] = value
            rescaled[i] = rescale(f1[i], mean)
    columns |= {"bertscore_f1_floor": floors, "bertscore_f1_rescaled": rescaled}
    if scorer.cut:
        print(f"BERTScore: {scorer.cut} texts were cut to the model's length", file=sys.stderr)
    bert = signature(model["name"], scorer.layer, model["weights_sha256"])
    facts = signatures() | token_signatures()
    facts |= {name: bert for name in columns if name.startswith("bertscore_")}
    write_table(
        scores,
        "scores",
        _score_table(predictor, rows, columns),
        {SIGNATURE_KEY + name: text for name, text in facts.items()} | {"predictor": predictor},
    )


def _score_table(
    predictor: str, rows: Sequence[dict[str, Any]], columns: dict[str, Sequence[float | None]]
) -> pa.Table:
    """Return one row per prediction and metric, made column by column: there are millions."""
    keys = pa.table({name: [row[name] for row in rows] for name in KEY})
    keys = keys.append_column("predictor", pa.repeat(predictor, len(rows)))
    return pa.concat_tables(
        keys.append_column("metric", pa.repeat(metric, len(rows))).append_column(
            "value", pa.array(values, pa.float64())
        )
        for metric, values in columns.items()
    )


def collect_metrics(
    predictions: Sequence[Path],
    scores: Sequence[Path],
    split: Path,
    tsv: Path,
    parquet: Path,
    *,
    others: Sequence[Path] = (),
    resamples: int,
    seed: int,
) -> None:
    """Write the results table: every predictor, fold and metric with a 95% interval.

    Scores of single answers are averaged over test ids; BLEU and chrF are computed from the
    summed counts of a fold. Several training seeds are averaged after that. Intervals come
    from resampled homology clusters (see `protscribe.evaluation.bootstrap`); predictors other
    than `PAIRED_WITH` also get the difference to it on the same resamples.

    Every metric of a predictor also stands as its difference to the nearest neighbour
    (``METRIC_minus_nearest_neighbour``), and under a control, such as shuffled residues, as its
    difference to the same predictor's under the condition ``sequence``
    (``METRIC_minus_sequence``). Both are paired: on the ids of the group, resample by resample.
    Baselines know the condition ``sequence`` alone, so that is what controls are compared with.

    Parameters
    ----------
    predictions, scores
        Tables of all predictors, in the same order.
    split
        The split table, for each protein's cluster.
    tsv, parquet
        Where the metrics go.
    others
        Tables of metrics that were measured elsewhere and stand in the same table.
    resamples
        Number of resamples.
    seed
        Seed of the draws.

    Raises
    ------
    InputError
        If predictors were not tested on exactly the same ids, a test protein is not in the
        split table, or scores do not belong to the predictions.
    """
    clusters = _read_clusters(split)
    runs = [read_run(*pair) for pair in zip(predictions, scores, strict=True)]
    check_same_ids(runs)
    paired = next((run for run in runs if run.predictor == PAIRED_WITH), None)
    rows: list[dict[str, Any]] = []
    for group in sorted({group for run in runs for group in run.groups}):
        members = [run for run in runs if group in run.groups]
        sample = draw(group, members[0], clusters, split, resamples=resamples, seed=seed)
        estimates = {run.predictor: estimate(run, group, sample) for run in members}
        # The same questions with nothing taken away.
        main = group._replace(condition=SEQUENCE_CONDITION)
        base = estimates.get(PAIRED_WITH)
        if group != main and paired and main in paired.groups:
            base = estimate(paired, main, sample)
        for run in members:
            own = estimates[run.predictor]
            compared: dict[str, Estimate] = {}
            if base is not None and base is not own:
                compared |= differences(own, base, DIFFERENCE_SUFFIX)
            if group != main and main in run.groups:
                compared |= differences(own, estimate(run, main, sample), CONTROL_SUFFIX)
            rows += _metric_rows(run, group, sample, own | compared)
    rows += [row for path in others for row in read_table(path, "metrics").to_pylist()]
    table = write_table(parquet, "metrics", rows, {"resamples": str(resamples), "seed": str(seed)})
    write_tsv(tsv, "metrics", table)


def _read_clusters(split: Path) -> dict[str, tuple[str, str]]:
    rows = read_table(split, "split", ["accession", "cluster", "fold"]).to_pylist()
    return {row["accession"]: (row["cluster"], row["fold"]) for row in rows}


def _by_fold(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], list[int]]:
    folds: dict[tuple[str, str], list[int]] = {}
    for i, row in enumerate(rows):
        folds.setdefault((row["task"], row["fold"]), []).append(i)
    return folds


def _metric_rows(
    run: Run, group: Group, sample: Sample, estimates: dict[str, Estimate]
) -> list[dict[str, Any]]:
    shared = {
        "predictor": run.predictor,
        **group._asdict(),
        "stratum": ALL_STRATUM,
        "n": len(sample.ids),
        "clusters": sample.clusters,
        "seeds": len(rows_by_seed(run, group)),
        "small_sample": sample.clusters < bootstrap.MIN_CLUSTERS,
        "training_examples": training_count(run, "training_examples"),
        "training_steps": training_count(run, "training_steps"),
    }
    rows = []
    for metric, (value, resampled) in sorted(estimates.items()):
        low: float | None = None
        high: float | None = None
        known = bool(np.isfinite(value))
        # One cluster drawn again and again says nothing about other proteins.
        if known and sample.clusters > 1:
            low, high = bootstrap.interval(resampled)
        rows.append(
            shared
            | {
                "metric": metric,
                "value": value if known else None,
                "low": low,
                "high": high,
                "signature": run.signatures.get(
                    metric.removesuffix(DIFFERENCE_SUFFIX).removesuffix(CONTROL_SUFFIX)
                ),
            }
        )
    return rows
