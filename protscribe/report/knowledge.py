"""What the results page says of the knowledge graph and of the instructions made from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from protscribe.atomic import read_json
from protscribe.errors import InputError
from protscribe.report.plots import FOLD_ORDER
from protscribe.tables import read_table

METHODS = ("uniform", "published", "tempered")
"""Ways to sample triples, in the order of their table."""


class KnowledgeFiles(NamedTuple):
    """What a run leaves of its knowledge graph.

    Parameters
    ----------
    counts
        Table ``knowledge_counts``.
    sampling
        ``sampling.json`` of the sampled triples.
    statistics
        ``statistics.json`` of the instructions.
    """

    counts: Path
    sampling: Path
    statistics: Path


def knowledge_section(files: KnowledgeFiles) -> dict[str, Any]:
    """Arrange the graph, its sampling and its instructions for the page.

    Parameters
    ----------
    files
        Files of the run.

    Returns
    -------
    dict
        ``counts``, rows of the table by falling number of triples, and their sums ``triples`` and
        ``training_triples``; ``sampling``, ``instructions`` and ``blind``, see the functions
        below.

    Raises
    ------
    InputError
        If a file is missing or lacks a number.
    """
    counts = read_table(files.counts, "knowledge_counts").to_pylist()
    counts.sort(key=lambda row: (-row["triples"], row["relation"]))
    sampling, statistics = read_json(files.sampling), read_json(files.statistics)
    try:
        sampled = _sampling(sampling)
    except (KeyError, TypeError, AttributeError) as error:
        raise _lacking(files.sampling, error, "sample_triples") from None
    try:
        instructions, blind = _instructions(statistics["written"]), _blind(statistics["plan"])
    except (KeyError, TypeError, AttributeError) as error:
        raise _lacking(files.statistics, error, "join_instructions") from None
    return {
        "counts": counts,
        "triples": sum(row["triples"] for row in counts),
        "training_triples": sum(row["training_triples"] for row in counts),
        "sampling": sampled,
        "instructions": instructions,
        "blind": blind,
    }


def _sampling(found: Mapping[str, Any]) -> dict[str, Any]:
    """Arrange how even each way of sampling is.

    Returns
    -------
    dict
        The ``method`` that was used and its number of ``draws``; ``names`` of the ways;
        ``lines``, overall numbers of each way and of what was drawn; ``relations``, for each its
        numbers by way, in the order of names.
    """
    methods = found["methods"]
    names = [name for name in METHODS if name in methods]
    names += sorted(set(methods) - set(names))
    relations = sorted({one for name in names for one in methods[name]["relations"]})
    lines = [(name, _spread(methods[name]["overall"])) for name in names]
    lines.append((f"drawn, {found['method']}", _spread(found["drawn"]["overall"])))
    return {
        "method": found["method"],
        "draws": found["draws"],
        "names": names,
        "lines": lines,
        "relations": [
            (one, [_spread(methods[name]["relations"][one]) for name in names]) for one in relations
        ],
    }


def _spread(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: numbers[name] for name in ("entropy", "top_term", "top_share")}


def _instructions(written: Mapping[str, Any]) -> dict[str, Any]:
    """Arrange counts of instructions.

    Returns
    -------
    dict
        Their ``number``; ``folds``; ``tasks``, for each its counts by fold and their sum;
        ``totals`` of the folds; ``writers`` and what was ``rejected``, frequent ones first.
    """
    by_fold = written["tasks_by_fold"]
    folds = in_order(by_fold)
    tasks = sorted({task for counts in by_fold.values() for task in counts})
    lines = [(task, [by_fold[fold].get(task, 0) for fold in folds]) for task in tasks]
    return {
        "number": written["instructions"],
        "folds": folds,
        "tasks": [(task, counts, sum(counts)) for task, counts in lines],
        "totals": [sum(by_fold[fold].values()) for fold in folds],
        "writers": _frequent(written["writers"]),
        "rejected": _frequent(written["rejected"]),
    }


def _blind(plan: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return how well yes or no is answered by frequency alone, for each fold."""
    prior = plan["blind_prior"]
    return [
        (fold, {name: prior[fold][name] for name in ("questions", "accuracy", "majority")})
        for fold in in_order(prior)
    ]


def in_order(folds: Mapping[str, Any]) -> list[str]:
    """Return names of folds in the order of the split, unknown ones last."""
    return [fold for fold in FOLD_ORDER if fold in folds] + sorted(set(folds) - set(FOLD_ORDER))


def _frequent(counts: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _lacking(path: Path, error: Exception, rule: str) -> InputError:
    return InputError(f"{path}: does not hold what the page shows ({error!r}); run {rule} again")
