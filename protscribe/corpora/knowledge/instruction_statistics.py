"""What a corpus of instructions consists of, and what its questions give away, in numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from protscribe.corpora.knowledge.facts import TRAINING, Facts
from protscribe.corpora.knowledge.tasks import TASKS, VERIFY, Plan
from protscribe.corpora.knowledge.wording import KINDS

_DIGITS = 4
_SHOWN = 5

Counts = dict[str, Any]


class Tally:
    """Counts of what was written, to which the counts of other shards can be added."""

    def __init__(self) -> None:
        self.counts: Counts = {
            "instructions": 0, "tasks": {}, "relations": {}, "folds": {}, "writers": {},
            "tasks_by_fold": {}, "verify": {}, "rejected": {},
        }  # fmt: skip

    def add(self, task: str, relation: str, fold: str, writer: str, positive: bool) -> None:
        """Count one instruction."""
        counts = self.counts
        counts["instructions"] += 1
        for name, value in (("tasks", task), ("relations", relation), ("writers", writer)):
            counts[name][value] = counts[name].get(value, 0) + 1
        counts["folds"][fold] = counts["folds"].get(fold, 0) + 1
        by_fold = counts["tasks_by_fold"].setdefault(fold, {})
        by_fold[task] = by_fold.get(task, 0) + 1
        if task == TASKS[VERIFY]:
            answers = counts["verify"].setdefault(fold, {"positive": 0, "negative": 0})
            answers["positive" if positive else "negative"] += 1

    def reject(self, reason: str) -> None:
        """Count one that was left out."""
        self.counts["rejected"][reason] = self.counts["rejected"].get(reason, 0) + 1


def join_counts(counts: Sequence[Counts]) -> Counts:
    """Return the sum of the counts of several shards."""

    def add(first: Any, second: Any) -> Any:
        if isinstance(first, Mapping):
            return {
                key: add(first[key], second[key]) if key in first and key in second else value
                for key, value in (*first.items(), *second.items())
            }
        return first + second

    total: Counts = Tally().counts
    for one in counts:
        total = add(total, one)
    return total


def plan_statistics(plan: Plan, facts: Facts) -> dict[str, Any]:
    """Describe a plan: what is asked most, and how well frequency alone answers yes or no.

    Parameters
    ----------
    plan
        All instructions, those that were left out aside.
    facts
        The graph.

    Returns
    -------
    dict
        JSON-ready. ``blind_prior``: for each fold the number of yes-or-no ``questions``, the
        ``accuracy`` of answering by the annotation's frequency in training alone, and that of the
        ``majority`` answer. The prior has one threshold and direction for each relation, those
        that answer most questions of the training fold; its own training accuracy is therefore
        above what it can do elsewhere. ``commonest``: for each relation the share of its training
        instructions that the most frequent annotations have, negatives included.
    """
    fold_of = np.array(facts.folds, object)[plan.protein]
    frequency = facts.training_frequency()[plan.asked]
    relation = facts.kind[plan.asked]
    verify = plan.task == VERIFY
    said = np.zeros(len(plan), bool)
    for kind in np.unique(relation[verify]).tolist():
        own = verify & (relation == kind)
        learned = own & (fold_of == TRAINING)
        threshold, above = _best_threshold(frequency[learned], plan.positive[learned])
        said[own] = (frequency[own] >= threshold) == above
    prior = {}
    for fold in sorted(set(fold_of[verify])):
        own = verify & (fold_of == fold)
        yes = float(plan.positive[own].mean())
        right = float((said[own] == plan.positive[own]).mean())
        prior[fold] = {
            "questions": int(own.sum()),
            "accuracy": round(right, _DIGITS),
            "majority": round(max(yes, 1 - yes), _DIGITS),
        }
    return {
        "instructions": len(plan),
        "blind_prior": prior,
        "commonest": _commonest(plan, facts, fold_of == TRAINING),
    }


def _best_threshold(frequency: np.ndarray, positive: np.ndarray) -> tuple[float, bool]:
    """Return from which frequency on, or up to which, yes is the best answer."""
    if not len(frequency):
        return 0.0, True
    values, place = np.unique(frequency, return_inverse=True)
    yes = np.bincount(place, positive, len(values))
    no = np.bincount(place, ~positive, len(values))
    # Right answers if yes begins at each value, or beyond the last one.
    right = np.concatenate([[yes.sum()], yes.sum() - np.cumsum(yes) + np.cumsum(no)])
    bounds = [*values.tolist(), float("inf")]
    best, worst = int(right.argmax()), int(right.argmin())
    if right[best] >= len(frequency) - right[worst]:
        return bounds[best], True
    return bounds[worst], False


def _commonest(plan: Plan, facts: Facts, training: np.ndarray) -> dict[str, Any]:
    asked = plan.asked[training]
    counts = np.bincount(asked, minlength=len(facts.ids))
    found = {}
    for place, relation in enumerate(KINDS):
        own = np.flatnonzero((facts.kind == place) & (counts > 0))
        if not len(own):
            continue
        total = int(counts[own].sum())
        order = own[np.argsort(-counts[own], kind="stable")][:_SHOWN]
        found[relation] = {
            "instructions": total,
            "annotations": len(own),
            "top": [
                {"annotation": facts.ids[i], "share": round(counts[i] / total, _DIGITS)}
                for i in order.tolist()
            ],
        }
    return found
