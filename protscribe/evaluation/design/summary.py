"""The results table of designs: every predictor, request, relation and novelty bin."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from protscribe.evaluation import bootstrap
from protscribe.evaluation.design.agreement import CLASSIFIERS
from protscribe.evaluation.design.composition import (
    composition,
    composition_distance,
    length_distances,
)
from protscribe.evaluation.design.controls import Candidate
from protscribe.evaluation.design.diversity import CLUSTERS, diversity
from protscribe.evaluation.design.estimates import (
    Estimate,
    Rates,
    mean_of_designs,
    mean_of_requests,
)
from protscribe.evaluation.design.novelty import BINS
from protscribe.evaluation.design.properties import Measured
from protscribe.models.sampling import CLOSED
from protscribe.seeds import derive_seed

ALL = "all"
BY_BIN = ("perplexity", "pseudo_perplexity", "low_complexity")
"""Metrics that are also given by novelty bin, beside agreement."""
PERPLEXITIES = ("perplexity", "pseudo_perplexity")
"""Metrics whose logarithms are averaged."""
WHOLE_REQUEST = ("length_wasserstein", "length_ks", "composition_js", *CLUSTERS)
"""Metrics of all designs of a request together."""

NO_DESIGN = "no design"
NOT_MEASURED = "no valid design, or nothing to measure it by"
NO_TRAINING = "no valid design, or no training protein has the annotation"
NO_EVIDENCE = "no design, no held-out protein of another cluster has the annotation, or no mismatch"
"""Why a number is missing."""


class Asked(NamedTuple):
    """A request: its id and its relation."""

    id: str
    relation: str


def summarise(
    candidates: Sequence[Candidate],
    requests: Sequence[Asked],
    measured: Measured,
    mismatched: np.ndarray,
    natural: Mapping[str, Sequence[str]],
    *,
    resamples: int,
    seed: int,
    threads: int,
) -> list[dict[str, Any]]:
    """Return the rows of table ``design_scores``.

    Parameters
    ----------
    candidates
        Designs and controls.
    requests
        All requests, in the order of the columns of `measured` and `mismatched`.
    measured
        What was measured on each candidate.
    mismatched
        See `agreement.mismatched`.
    natural
        Sequences of the training proteins that have the annotation of each request: lengths and
        compositions are compared with theirs.
    resamples, seed
        Of the intervals. All predictors share the draws of requests.
    threads
        CPU threads of MMseqs2; no influence on the result.
    """
    draws = (
        bootstrap.draw_clusters(len(requests), resamples, derive_seed(seed, "design requests"))
        if requests
        else np.empty((resamples, 0), dtype=int)
    )
    numbers = {one.id: i for i, one in enumerate(requests)}
    reference = [
        ([len(s) for s in natural[one.id]], composition(natural[one.id])) for one in requests
    ]
    clusters = diversity(candidates, measured.columns["valid"], numbers, threads=threads)
    rows: list[dict[str, Any]] = []
    for predictor in sorted({one.predictor for one in candidates}):
        places = np.array([i for i, one in enumerate(candidates) if one.predictor == predictor])
        one = _Predictor(
            [candidates[i] for i in places],
            {name: [values[i] for i in places] for name, values in measured.columns.items()},
            {name: hits[places] for name, hits in measured.hits.items()},
            np.array([numbers[candidates[i].request] for i in places]),
        )
        whole = one.of_whole_requests(reference, clusters[predictor])
        shared = {
            "predictor": predictor,
            "seeds": len({candidate.training_seed for candidate in one.candidates}),
        }
        for found in one.scopes(requests, mismatched, whole, draws, resamples, seed):
            rows.append(shared | found)
    return rows


class _Predictor:
    """What is known of one predictor's sequences."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        columns: Mapping[str, list[Any]],
        hits: Mapping[str, np.ndarray],
        membership: np.ndarray,
    ) -> None:
        self.candidates, self.hits, self.membership = candidates, hits, membership
        self.valid = np.array(columns["valid"], dtype=bool)
        self.bins = np.array([value or "" for value in columns["novelty"]])
        self.values = _values(candidates, columns, self.valid, self.bins)

    def of_whole_requests(
        self,
        reference: Sequence[tuple[list[int], np.ndarray]],
        clusters: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Return the metrics of `WHOLE_REQUEST`, NaN where a request has none."""
        table = {name: np.full(len(reference), np.nan) for name in WHOLE_REQUEST}
        for request, (lengths, residues) in enumerate(reference):
            own = [
                self.candidates[i].sequence
                for i in np.flatnonzero(self.valid & (self.membership == request)).tolist()
            ]
            if own and lengths:
                distances = length_distances([len(s) for s in own], lengths)
                table["length_wasserstein"][request], table["length_ks"][request] = distances
                table["composition_js"][request] = composition_distance(composition(own), residues)
        counts = np.bincount(self.membership, minlength=len(reference))
        for name, found in clusters.items():
            # What is not valid is no cluster, but stays in the denominator.
            table[name] = np.where(counts > 0, found / np.maximum(counts, 1), np.nan)
        return table

    def scopes(
        self,
        requests: Sequence[Asked],
        mismatched: np.ndarray,
        whole: Mapping[str, np.ndarray],
        draws: np.ndarray,
        resamples: int,
        seed: int,
    ) -> list[dict[str, Any]]:
        """Return the rows of each request, of each relation and of everything."""
        rows: list[dict[str, Any]] = []
        strata = {ALL: np.ones(len(self.valid), dtype=bool)}
        strata |= {name: self.bins == name for name in BINS}
        rates = {
            (stratum, classifier): Rates(
                self.hits[classifier][kept], self.membership[kept], mismatched
            )
            for stratum, kept in strata.items()
            for classifier in CLASSIFIERS
        }
        counts = np.bincount(self.membership, minlength=len(requests))
        groups: dict[str, list[int]] = {ALL: list(range(len(requests)))}
        for i, one in enumerate(requests):
            groups.setdefault(one.relation, []).append(i)
        for relation, members in groups.items():
            for stratum, kept in strata.items():
                inside = kept & np.isin(self.membership, members)
                named = (relation, ALL, stratum)
                for metric in self.values if stratum == ALL else BY_BIN:
                    found = mean_of_designs(
                        self.values[metric][inside],
                        self.membership[inside],
                        draws,
                        resamples=resamples,
                        seed=seed,
                        exponential=metric in PERPLEXITIES,
                    )
                    rows.append(_row(named, metric, found, NOT_MEASURED))
                for classifier in CLASSIFIERS:
                    table = rates[stratum, classifier].over(members, draws)
                    rows += [
                        _row(named, f"{classifier}_{name}", found, NO_EVIDENCE)
                        for name, found in table.items()
                    ]
            inside_draws = draws[:, members]
            for metric in WHOLE_REQUEST:
                found = mean_of_requests(whole[metric][members], counts[members], inside_draws)
                rows.append(_row((relation, ALL, ALL), metric, found, NO_TRAINING))
        for i, one in enumerate(requests):
            rows += self._of_request(i, one, whole, rates, counts, resamples, seed)
        return rows

    def _of_request(
        self,
        number: int,
        request: Asked,
        whole: Mapping[str, np.ndarray],
        rates: Mapping[tuple[str, str], Rates],
        counts: np.ndarray,
        resamples: int,
        seed: int,
    ) -> list[dict[str, Any]]:
        inside = self.membership == number
        drawn = derive_seed(seed, "designs of a request", request.id)
        named = (request.relation, request.id, ALL)
        rows = [
            _row(
                named,
                metric,
                mean_of_designs(
                    values[inside],
                    self.membership[inside],
                    None,
                    resamples=resamples,
                    seed=drawn,
                    exponential=metric in PERPLEXITIES,
                ),
                NOT_MEASURED if inside.any() else NO_DESIGN,
            )
            for metric, values in self.values.items()
        ]
        for metric in WHOLE_REQUEST:
            value = float(whole[metric][number])
            count = int(counts[number]) if np.isfinite(value) else 0
            # One set of designs has one distance: nothing to resample.
            found = Estimate(value, np.nan, np.nan, count, int(count > 0))
            rows.append(_row(named, metric, found, NO_TRAINING if inside.any() else NO_DESIGN))
        for classifier in CLASSIFIERS:
            table = rates[ALL, classifier].of(number, resamples=resamples, seed=drawn)
            rows += [
                _row(named, f"{classifier}_{name}", found, NO_EVIDENCE)
                for name, found in table.items()
            ]
        return rows


def _values(
    candidates: Sequence[Candidate],
    columns: Mapping[str, list[Any]],
    valid: np.ndarray,
    bins: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return the numbers that are averaged over designs, NaN where one has none."""
    values = {
        "valid": valid.astype(float),
        "closed": np.array([float(one.finish_reason == CLOSED) for one in candidates]),
    }
    for name in ("length", "entropy", "low_complexity", "max_identity", "coverage"):
        column = np.array([np.nan if v is None else v for v in columns[name]], dtype=float)
        values[name] = np.where(valid, column, np.nan)
    for name in PERPLEXITIES:
        column = np.array([np.nan if v is None else v for v in columns[name]], dtype=float)
        values[name] = np.log(column)
    for name in BINS:
        values[f"novelty_{name}"] = np.where(valid, (bins == name).astype(float), np.nan)
    return values


def _row(named: tuple[str, str, str], metric: str, found: Estimate, reason: str) -> dict[str, Any]:
    relation, annotation, stratum = named
    known = bool(np.isfinite(found.value))
    # A relation's number is unsure with few requests, a request's with few designs.
    units = found.requests if annotation == ALL else found.n
    return {
        "relation": relation,
        "annotation": annotation,
        "stratum": stratum,
        "metric": metric,
        "value": found.value if known else None,
        "low": found.low if np.isfinite(found.low) else None,
        "high": found.high if np.isfinite(found.high) else None,
        "n": found.n,
        "requests": found.requests,
        "small_sample": units < bootstrap.MIN_CLUSTERS,
        "reason": None if known else reason,
    }
