"""Hard negatives: annotations that a protein lacks, which frequency alone does not give away.

Of the yes-or-no questions of a fold and relation, half of those on every annotation become
negative. Where they can, these exchange their annotations among each other, so that every
annotation is asked as often with the answer no as with yes: neither the annotation nor its
frequency tells the answer. What cannot be exchanged gets another annotation that is about as
frequent in training.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from protscribe.corpora.knowledge.facts import Facts
from protscribe.corpora.knowledge.name_index import words_of
from protscribe.corpora.knowledge.relations import UNINFORMATIVE
from protscribe.corpora.knowledge.tasks import VERIFY, Plan
from protscribe.seeds import derive_seed
from protscribe.tables import read_table

NO_NEGATIVE = "no safe negative"
"""A protein has, or may have, everything that could be asked of it as a negative."""
UNBALANCED = "no negative to balance it"
"""A positive question left out because a negative one on the same annotation could not be had."""

_ROUNDS = 60
_KEPT_PROTEINS = 20_000


class Lineage:
    """Which annotations a protein has, implies, or may have.

    Parameters
    ----------
    facts
        The graph.
    edges
        Table ``knowledge_edges``; an annotation implies all that its edges lead to.
    closure
        Table ``ontology_closure``, or None.
    """

    def __init__(self, facts: Facts, edges: Path, closure: Path | None) -> None:
        self._facts = facts
        places: dict[str, int] = {name: place for place, name in enumerate(facts.ids)}
        self._parents: dict[int, list[int]] = defaultdict(list)
        pairs = read_table(edges, "knowledge_edges", ["child", "parent"]).to_pydict()
        for child, parent in zip(pairs["child"], pairs["parent"], strict=True):
            # An edge may lead over terms that no protein has.
            for name in (child, parent):
                places.setdefault(name, len(places))
            self._parents[places[child]].append(places[parent])
        if closure is not None:
            columns = ["descendant", "ancestor"]
            for batch in read_table(closure, "ontology_closure", columns).to_batches():
                for child, parent in zip(*batch.to_pydict().values(), strict=True):
                    if child in places and parent in places:
                        self._parents[places[child]].append(places[parent])
        self._ancestors: dict[int, frozenset[int]] = {}
        # Vocabularies share names, such as nucleus, which are one thing to whoever is asked.
        by_words: dict[tuple[str, ...], int] = {}
        self._sense = [
            by_words.setdefault(tuple(words_of(name)), place)
            for place, name in enumerate(facts.names)
        ]
        self._implied = lru_cache(_KEPT_PROTEINS)(self._find_implied)

    def ancestors(self, annotation: int) -> frozenset[int]:
        """Return the places of all that an annotation implies, itself left out.

        A cycle among the edges ends the search and is no error here.
        """
        found = self._ancestors.get(annotation)
        if found is None:
            seen: set[int] = set()
            open_ = [annotation]
            while open_:
                for parent in self._parents.get(open_.pop(), ()):
                    if parent not in seen:
                        seen.add(parent)
                        open_.append(parent)
            found = self._ancestors[annotation] = frozenset(seen - {annotation})
        return found

    def is_safe(self, protein: int, annotation: int) -> bool:
        """Return whether a protein neither has nor may have an annotation.

        It may have what its annotations imply, what implies one of them, and what has the same
        name as one of those it has or implies.
        """
        own, senses = self._implied(protein)
        return self._sense[annotation] not in senses and self.ancestors(annotation).isdisjoint(own)

    def _find_implied(self, protein: int) -> tuple[frozenset[int], frozenset[int]]:
        """Return the annotations of a protein, and the senses of all that they imply."""
        own = frozenset(self._facts.annotations_of(protein).tolist())
        implied = own.union(*(self.ancestors(annotation) for annotation in own))
        return own, frozenset(self._sense[i] for i in implied if i < len(self._sense))


def ask_negatives(
    plan: Plan, facts: Facts, lineage: Lineage, seed: int, *, uniform: bool = False
) -> tuple[Plan, list[tuple[int, str]]]:
    """Turn half of the yes-or-no questions of a plan into negative ones.

    Parameters
    ----------
    plan
        Instructions with positive answers.
    facts, lineage
        The graph.
    seed
        Decides which questions exchange annotations.
    uniform
        Draw negatives from all annotations of the relation alike, as the published benchmarks
        do. Most of them are rare or never seen, so that their frequency alone gives the answer
        away; only what the protein itself has is left out.

    Returns
    -------
    Plan
        The same instructions, with other annotations asked where the answer is no.
    list of tuple
        Place and reason of each question to leave out: one that no negative was found for, and
        as many positive ones on the same annotation of the same fold, if there are.
    """
    asked, positive = plan.asked.copy(), plan.positive.copy()
    places = {fold: place for place, fold in enumerate(sorted(set(facts.folds)))}
    fold = np.array([places[name] for name in facts.folds], np.int64)[plan.protein]
    group = fold * (int(facts.kind.max(initial=0)) + 1) + facts.kind[plan.annotation]
    rows = _chosen(plan, group, facts.training_frequency())
    positive[rows] = False
    candidates = _Candidates(facts)
    dropped: list[tuple[int, str]] = []
    lacking: Counter[tuple[int, int]] = Counter()
    for number in np.unique(group[rows]).tolist():
        own = rows[group[rows] == number]
        rng = random.Random(derive_seed(seed, "negatives", number))
        proteins = plan.protein[own].tolist()
        if uniform:
            for row, protein in zip(own.tolist(), proteins, strict=True):
                found = candidates.any_other(protein, int(plan.annotation[row]), rng)
                if found is None:
                    dropped.append((row, NO_NEGATIVE))
                else:
                    asked[row] = found
            continue
        for row, protein, found in zip(
            own.tolist(),
            proteins,
            _exchange(proteins, plan.annotation[own].tolist(), lineage, rng),
            strict=True,
        ):
            annotation = int(plan.annotation[row])
            if found is None:
                found = candidates.draw(protein, annotation, lineage, rng)
            if found is None:
                dropped.append((row, NO_NEGATIVE))
                lacking[number, annotation] += 1
            else:
                asked[row] = found
    kept = np.flatnonzero((plan.task == VERIFY) & positive)
    for row in kept[np.argsort(plan.chance[kept, 0], kind="stable")].tolist():
        key = (int(group[row]), int(plan.annotation[row]))
        if lacking[key] > 0:
            lacking[key] -= 1
            dropped.append((row, UNBALANCED))
    return replace(plan, asked=asked, positive=positive), sorted(dropped)


def _chosen(plan: Plan, group: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Return every second question of each group, by frequency and annotation.

    So of every annotation, and among the rare ones as among the frequent ones, half are negative.
    """
    rows = np.flatnonzero(plan.task == VERIFY)
    annotation = plan.annotation[rows]
    keys = (rows, plan.chance[rows, 0], annotation, frequency[annotation], group[rows])
    ordered = rows[np.lexsort(keys)]
    if not len(ordered):
        return ordered
    begins = np.flatnonzero(np.append(True, np.diff(group[ordered]) != 0))
    sizes = np.diff(np.append(begins, len(ordered)))
    place = np.arange(len(ordered)) - np.repeat(begins, sizes)
    # Which one of the first two is negative is left to chance, for groups of one as well.
    first = np.repeat(plan.chance[ordered[begins], 0] < 0.5, sizes)
    return np.sort(ordered[(place % 2 == 0) == first])


def _exchange(
    proteins: list[int], annotations: list[int], lineage: Lineage, rng: random.Random
) -> list[int | None]:
    """Deal the annotations out again, each to a protein that is safe to ask about it.

    Parameters
    ----------
    proteins, annotations
        Of each question.

    Returns
    -------
    list
        The new annotation of each question, None where none was found in `_ROUNDS` tries.
    """
    dealt = annotations.copy()
    rng.shuffle(dealt)
    count = len(dealt)
    unsafe = [i for i in range(count) if not lineage.is_safe(proteins[i], dealt[i])]
    for _ in range(_ROUNDS):
        left = []
        for i in unsafe:
            if lineage.is_safe(proteins[i], dealt[i]):
                continue
            j = rng.randrange(count)
            # What is exchanged has to suit both; one that was unsafe as well is then mended too.
            if lineage.is_safe(proteins[i], dealt[j]) and lineage.is_safe(proteins[j], dealt[i]):
                dealt[i], dealt[j] = dealt[j], dealt[i]
            else:
                left.append(i)
        unsafe = left
        if not unsafe:
            break
    missing = set(unsafe)
    return [None if i in missing else annotation for i, annotation in enumerate(dealt)]


class _Candidates:
    """Annotations of each relation by how frequent they are in training, in powers of 2."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._stratum = strata(facts.training_frequency())
        self._members: dict[tuple[int, int], list[int]] = defaultdict(list)
        # Ancestors that no protein has itself are among them, as in an ontology.
        self._of_kind: dict[str, list[int]] = defaultdict(list)
        for place, kind in enumerate(facts.kinds):
            self._of_kind[kind].append(place)
        for place in np.unique(facts.annotation).tolist():
            if facts.ids[place] not in UNINFORMATIVE:
                self._members[self._key(place)].append(place)

    def draw(
        self, protein: int, annotation: int, lineage: Lineage, rng: random.Random
    ) -> int | None:
        """Return an annotation that the protein lacks, as frequent as one that it has."""
        members = self._members[self._key(annotation)]
        # A few hundred tries find one where there are any but the rarest.
        tried: Iterable[int] = rng.sample(members, min(len(members), 200))
        return next((place for place in tried if lineage.is_safe(protein, place)), None)

    def any_other(self, protein: int, annotation: int, rng: random.Random) -> int | None:
        """Return any annotation of the same relation that the protein has not itself, if any."""
        kind = self._facts.kinds[annotation]
        own = set(self._facts.annotations_of(protein).tolist())
        others = [i for i in self._of_kind[kind] if i not in own]
        return rng.choice(others) if others else None

    def _key(self, annotation: int) -> tuple[int, int]:
        return int(self._facts.kind[annotation]), int(self._stratum[annotation])


def strata(frequency: np.ndarray) -> np.ndarray:
    """Return the stratum of each frequency: 0, 1 to 2, 3 to 6, 7 to 14 and so on."""
    return np.floor(np.log2(frequency + 1)).astype(np.int64)
