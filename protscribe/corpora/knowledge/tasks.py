"""Which instructions there are: triples drawn so many times, each draw with a task of its own."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from protscribe.corpora.knowledge.facts import TRAINING, Chains, Facts
from protscribe.corpora.knowledge.relations import UNINFORMATIVE
from protscribe.errors import InputError
from protscribe.seeds import unit_hash

TASKS = ("annotate", "design", "explain", "verify")
ANNOTATE, DESIGN, EXPLAIN, VERIFY = range(len(TASKS))
MAX_EXPLAINED = 0.5
"""Largest part of the instructions on targets with chains that are chains: the others keep such
targets known in the other tasks as well."""
UNTOLD = "says next to nothing"
"""An annotation such as protein binding, which is true and not worth a question."""
BEYOND = "beyond the limit of a protein outside training"


@dataclass(frozen=True)
class Plan:
    """Instructions as numbers; all arrays have the shape (instructions,).

    Parameters
    ----------
    protein, annotation
        The triple that each instruction was made for.
    number
        Which draw of the triple, from 1.
    task
        Place in `TASKS`.
    asked
        The annotation that it asks about: another one where the answer is no.
    positive
        Whether the protein has what is asked.
    chance
        Numbers in [0, 1) for later choices, of shape (instructions, 3).
    """

    protein: np.ndarray
    annotation: np.ndarray
    number: np.ndarray
    task: np.ndarray
    asked: np.ndarray
    positive: np.ndarray
    chance: np.ndarray

    def __len__(self) -> int:
        return len(self.protein)

    def take(self, rows: np.ndarray) -> "Plan":
        """Return some of the instructions."""
        return Plan(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    def ids(self, facts: Facts) -> Iterable[str]:
        """Yield the id of each instruction."""
        columns = (self.task, self.protein, self.annotation, self.number)
        for task, protein, annotation, number in zip(*map(np.ndarray.tolist, columns), strict=True):
            yield instruction_id(
                TASKS[task], facts.accessions[protein], facts.ids[annotation], number
            )


def instruction_id(task: str, accession: str, annotation: str, number: int) -> str:
    """Return the id of the conversation of one draw of a triple."""
    return f"knowledge:{task}:{accession}:{annotation}:{number}"


def check_shares(shares: Mapping[str, float]) -> np.ndarray:
    """Return the shares of `TASKS` in their order, in sum 1.

    Raises
    ------
    InputError
        If a task is unknown, a share is negative or all of them are 0.
    """
    if unknown := sorted(set(shares) - set(TASKS)):
        raise InputError(
            f"knowledge.tasks: {unknown[0]!r} is no task; there are {', '.join(TASKS)}"
        )
    numbers = np.array([float(shares.get(task, 0)) for task in TASKS])
    if (numbers < 0).any() or not numbers.sum() > 0:
        raise InputError("knowledge.tasks: shares are 0 or more, and one of them is more than 0")
    if numbers[EXPLAIN] == numbers.sum():
        raise InputError(
            "knowledge.tasks: not every annotation has a chain to explain it by; give another task "
            "beside explain a share"
        )
    return numbers / numbers.sum()


def plan_instructions(
    facts: Facts, chains: Chains, shares: np.ndarray, seed: int, max_held_out: int
) -> tuple[Plan, list[tuple[int, str]]]:
    """Give each draw of a training triple, and some triples of the other proteins, a task.

    The shares hold over all training instructions: where a share of chains is wanted that not
    all targets have, targets with chains get more of them, at most `MAX_EXPLAINED`, and the other
    tasks fill what is left in their proportion.

    Parameters
    ----------
    facts, chains
        The graph.
    shares
        Share of each task, as `check_shares` returns them.
    seed
        Decides the tasks, by a hash of protein, annotation and number of the draw.
    max_held_out
        Most triples of a protein that is not in the training fold, chosen by a hash.

    Returns
    -------
    Plan
        Sorted by protein, annotation and number; every answer is a positive one as yet.
    list of tuple
        Place and reason of each triple that was drawn or would be asked about and is not.
    """
    untold = np.array([name in UNINFORMATIVE for name in facts.ids], bool)[facts.annotation]
    drawn = np.flatnonzero((facts.draws > 0) & ~untold)
    rows = np.repeat(drawn, facts.draws[drawn])
    begins = np.repeat(np.cumsum(facts.draws[drawn]) - facts.draws[drawn], facts.draws[drawn])
    numbers = np.arange(len(rows)) - begins + 1
    held, beyond = _held_out(facts, untold, seed, max_held_out)
    training = np.array([fold == TRAINING for fold in facts.folds], bool)
    passed_over = np.flatnonzero(untold & ((facts.draws > 0) | ~training[facts.protein]))
    left_out = [(row, UNTOLD) for row in passed_over.tolist()] + [(row, BEYOND) for row in beyond]
    rows = np.concatenate([rows, np.array(held, np.int64)])
    numbers = np.concatenate([numbers, np.ones(len(held), np.int64)])
    order = np.lexsort((numbers, rows))
    rows, numbers = rows[order], numbers[order].astype(np.int32)

    protein, annotation = facts.protein[rows], facts.annotation[rows]
    chance = _chances(
        (
            f"{seed}\x1f{facts.accessions[p]}\x1f{facts.ids[a]}\x1f{n}"
            for p, a, n in zip(protein.tolist(), annotation.tolist(), numbers.tolist(), strict=True)
        ),
        len(rows),
    )
    explainable = chains.count(protein, annotation) > 0
    task = _tasks(chance[:, 0], explainable, training[protein], shares)
    plan = Plan(
        protein=protein,
        annotation=annotation,
        number=numbers,
        task=task,
        asked=annotation.copy(),
        positive=np.ones(len(rows), bool),
        chance=chance[:, 1:],
    )
    return plan, sorted(left_out)


def in_shard(accessions: Sequence[str], shard: int, shards: int) -> np.ndarray:
    """Return for each protein whether its instructions belong to a shard, by a hash."""
    return np.array([int(unit_hash(0, name) * shards) == shard for name in accessions], bool)


def _held_out(
    facts: Facts, untold: np.ndarray, seed: int, most: int
) -> tuple[list[int], list[int]]:
    """Return the places of triples outside the training fold: those chosen and the others."""
    chosen: list[int] = []
    beyond: list[int] = []
    for place, fold in enumerate(facts.folds):
        if fold == TRAINING:
            continue
        accession = facts.accessions[place]
        first, last = int(facts.starts[place]), int(facts.starts[place + 1])
        own = [row for row in range(first, last) if not untold[row]]
        ids = {row: facts.ids[facts.annotation[row]] for row in own}
        ranked = sorted(own, key=lambda row: (unit_hash(seed, f"{accession}\x1f{ids[row]}"), row))
        chosen += ranked[:most]
        beyond += ranked[most:]
    return chosen, beyond


def _chances(keys: Iterable[str], count: int) -> np.ndarray:
    """Return four numbers in [0, 1) for each key, of shape (count, 4)."""
    digests = b"".join(hashlib.sha256(key.encode()).digest() for key in keys)
    # 53 bits are what a float holds, so that no number rounds up to 1.
    return (np.frombuffer(digests, ">u8").reshape(count, 4) >> np.uint64(11)) / 2**53


def _tasks(
    chance: np.ndarray, explainable: np.ndarray, training: np.ndarray, shares: np.ndarray
) -> np.ndarray:
    others = np.delete(shares, EXPLAIN)
    places = np.delete(np.arange(len(TASKS)), EXPLAIN)
    part = explainable[training].mean() if training.any() else 0.0
    explained = min(shares[EXPLAIN] / part, MAX_EXPLAINED) if part else 0.0
    limit = np.where(explainable, explained, 0.0)
    # What is above the limit is stretched to [0, 1) again, to choose among the others.
    rest = (chance - limit) / (1 - limit)
    bounds = np.cumsum(others / others.sum())
    chosen = places[np.minimum(np.searchsorted(bounds, rest, "right"), len(places) - 1)]
    return np.where(chance < limit, EXPLAIN, chosen).astype(np.int8)
