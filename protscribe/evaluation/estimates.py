"""A metric's value over the test proteins of a fold, and its values over resampled ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protscribe.errors import InputError
from protscribe.evaluation import bootstrap
from protscribe.evaluation.runs import Group, Run
from protscribe.evaluation.text_metrics import CORPUS_METRICS, SENTENCE_PREFIX, CorpusMetric
from protscribe.seeds import derive_seed


class Sample(NamedTuple):
    """The test ids of a group and the draws of their clusters."""

    ids: list[str]
    membership: np.ndarray
    clusters: int
    draws: np.ndarray


class Estimate(NamedTuple):
    """A metric's value and its values in the resamples."""

    value: float
    resampled: np.ndarray


def draw(
    group: Group,
    run: Run,
    clusters: dict[str, tuple[str, str]],
    split: Path,
    *,
    resamples: int,
    seed: int,
) -> Sample:
    """Number the clusters of a group's test proteins and draw them.

    Parameters
    ----------
    group
        Task, fold and condition.
    run
        Any predictor that was tested on them.
    clusters
        Cluster and fold of each accession.
    split
        Where those were read, for messages.
    resamples
        Number of draws.
    seed
        Seed; all predictors and conditions of a task and fold share their draws.

    Raises
    ------
    InputError
        If a protein is not in the fold that it is predicted in.
    """
    accessions = {run.rows[i]["id"]: run.rows[i]["accession"] for i in run.groups[group]}
    for name, accession in sorted(accessions.items()):
        found = clusters.get(accession)
        if found is None or found[1] != group.fold:
            where = "nowhere" if found is None else f"in fold {found[1]}"
            raise InputError(
                f"{split}: {accession} of {name} is predicted in {group.fold} but stands "
                f"{where}; predict again"
            )
    ids = sorted(accessions)
    names = [clusters[accessions[name]][0] for name in ids]
    number = {name: i for i, name in enumerate(sorted(set(names)))}
    # Neither predictor nor condition is in the seed: all of a fold share their draws.
    drawn = derive_seed(seed, "bootstrap", group.task, group.fold)
    return Sample(
        ids,
        np.array([number[name] for name in names]),
        len(number),
        bootstrap.draw_clusters(len(number), resamples, drawn),
    )


def estimate(run: Run, group: Group, sample: Sample) -> dict[str, Estimate]:
    """Return each metric of a predictor for one group, averaged over its training seeds.

    Scores of single answers are averaged over ids; corpus metrics are computed from the summed
    counts, in every resample anew. Ids of the group that are not in the sample are left out, so
    that two conditions can be compared on what both answer.
    """
    seeds = rows_by_seed(run, group)
    order = {s: [rows[name] for name in sample.ids] for s, rows in sorted(seeds.items())}
    names = sorted(name for name in run.values if not name.startswith(SENTENCE_PREFIX))
    # Means are linear, so seeds may be averaged first.
    table = np.column_stack([run.values[name] for name in names])
    values = np.mean([table[rows] for rows in order.values()], axis=0)
    means = bootstrap.resampled_means(sample.draws, values, sample.membership, sample.clusters)
    estimates = {
        name: Estimate(float(values[:, column].mean()), means[:, column])
        for column, name in enumerate(names)
    }
    for name in CORPUS_METRICS:
        metric = CorpusMetric(name)
        per_seed = []
        for rows in order.values():
            counts = metric.statistics(
                [run.rows[i]["prediction"] for i in rows], [run.rows[i]["reference"] for i in rows]
            )
            sums = bootstrap.cluster_sums(counts, sample.membership, sample.clusters)
            resampled = [metric.score(s) for s in bootstrap.resampled_sums(sample.draws, sums)]
            per_seed.append([metric.score(counts.sum(axis=0)), *resampled])
        value, *resampled = np.mean(per_seed, axis=0)
        estimates[name] = Estimate(float(value), np.array(resampled))
    return estimates


def differences(
    own: Mapping[str, Estimate], base: Mapping[str, Estimate], suffix: str
) -> dict[str, Estimate]:
    """Return the difference of each metric to another predictor's, resample by resample."""
    return {
        name + suffix: Estimate(
            own[name].value - base[name].value, own[name].resampled - base[name].resampled
        )
        # The floor belongs to the references alone.
        for name in own.keys() & base.keys() - {"bertscore_f1_floor"}
    }


def rows_by_seed(run: Run, group: Group) -> dict[int, dict[str, int]]:
    """Return for each training seed the position of each id's row."""
    seeds: dict[int, dict[str, int]] = {}
    for i in run.groups[group]:
        seeds.setdefault(run.rows[i]["training_seed"], {})[run.rows[i]["id"]] = i
    return seeds
