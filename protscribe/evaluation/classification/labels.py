"""What training proteins are annotated with, in the terms of each task."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from protscribe.errors import InputError
from protscribe.evaluation.classification import tasks
from protscribe.evaluation.classification.families import RELATION
from protscribe.evaluation.classification.location import binding_of, locations_of
from protscribe.evaluation.classification.material import PROTEIN_COLUMNS
from protscribe.evaluation.classification.metal import binds_metal
from protscribe.evaluation.classification.relatives import Relatives
from protscribe.evaluation.examples import TRAIN_FOLD
from protscribe.tables import read_table

_PRIOR = 0.5
"""Added to a count, so that what training never saw is rare and not impossible."""
_METAL_RELATION = "molecular_function"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TaskLabels:
    """What training says about a task.

    Parameters
    ----------
    holders
        Training proteins that have an answer to it, sorted.
    labels
        Labels of such a protein: option texts of a choice, terms (with ancestors) of a yes/no.
    rates
        Share of the holders that have a label.
    odds
        Prior odds of yes for a term, by its frequency alone; see `term_odds`.
    """

    holders: Sequence[str]
    labels: Callable[[str], Collection[str]]
    rates: Mapping[str, float]
    odds: Mapping[str, float]

    def rate(self, label: str) -> float:
        """Return the smoothed share of training proteins that have a label."""
        return self.rates.get(label, _PRIOR / (len(self.holders) + 2 * _PRIOR))


def term_odds(counts: Mapping[str, int], terms: Iterable[str], vocabulary: int) -> dict[str, float]:
    """Return the odds that a term is a positive, for one who sees nothing but the term.

    Positives come as often as they are annotated in training, negatives are taken to be drawn
    uniformly from the whole vocabulary, as in the published files. So a term is likelier right
    than wrong if it is more frequent than the average one.

    Parameters
    ----------
    counts
        Annotations of each term in training.
    terms
        Terms to answer for.
    vocabulary
        Number of terms that negatives are drawn from.
    """
    size = max(vocabulary, len(counts), 1)
    # So little that a term seen once is above the average of a small training set.
    smoothing = _PRIOR / size
    total = sum(counts.values()) + smoothing * size
    return {term: (counts.get(term, 0) + smoothing) / total * size for term in terms}


class TrainingAnnotations:
    """Annotations of the training fold, read once for all tasks.

    Parameters
    ----------
    proteins, split, triples, annotations, closure, terms
        Tables ``proteins``, ``split``, ``knowledge_triples``, ``knowledge_annotations``,
        ``ontology_closure`` and ``ontology_terms`` (the last two None without an ontology).

    Attributes
    ----------
    sequences : dict
        Sequence of each training protein.

    Raises
    ------
    InputError
        If nothing is in the training fold, or the tables do not belong together.
    """

    def __init__(
        self,
        proteins: Path,
        split: Path,
        triples: Path,
        annotations: Path,
        closure: Path | None,
        terms: Path | None,
    ) -> None:
        placed = read_table(split, "split", ["accession", "fold"])
        members = placed.filter(pc.equal(placed["fold"], TRAIN_FOLD))["accession"]
        if not len(members):
            raise InputError(f"{split}: no protein is in the training fold; lower split.fractions")
        self._triples, self._annotations = triples, annotations
        self._closure, self._terms = closure, terms
        table = read_table(proteins, "proteins", PROTEIN_COLUMNS)
        self._entries = table.filter(pc.is_in(table["accession"], members.combine_chunks()))
        self.accessions: list[str] = sorted(members.to_pylist())
        if self._entries.num_rows < len(self.accessions):
            raise InputError(
                f"{proteins}: lacks training proteins of {split}; make the split again"
            )
        columns = (self._entries[name].to_pylist() for name in ("accession", "sequence"))
        self.sequences: dict[str, str] = dict(zip(*columns, strict=True))

    def of(self, task: str, questions: Sequence[Row]) -> TaskLabels | None:
        """Return what training says about a task, or None where it says nothing.

        Parameters
        ----------
        task
            A task without the prefix of published ones.
        questions
            Its questions; nothing is counted that none asks about.
        """
        if task in tasks.ASPECTS:
            return self._term_labels(tasks.ASPECTS[task], {row["group"] for row in questions})
        if task == tasks.PAIRING:
            return self._family_labels({option for row in questions for option in row["options"]})
        found: dict[str, list[str]] = {}
        functions = self._grouped(_METAL_RELATION) if task == tasks.METAL else {}
        terms = {term for of in functions.values() for term in of}
        relatives = Relatives(self._closure, terms)
        for batch in self._entries.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                own = functions.get(row["accession"], ())
                labels = _entry_labels(task, row, relatives.with_ancestors(own))
                if labels is not None:
                    found[row["accession"]] = labels
        counts = Counter(label for labels in found.values() for label in labels)
        return _task_labels(found, found.__getitem__, counts)

    def _term_labels(self, relation: str, asked: set[str]) -> TaskLabels | None:
        direct = self._grouped(relation)
        counts = Counter(term for terms in direct.values() for term in terms)
        relatives = Relatives(self._closure, counts.keys())

        def labels(accession: str) -> set[str]:
            return relatives.with_ancestors(direct[accession])

        held = Counter(term for accession in direct for term in labels(accession) & asked)
        odds = term_odds(counts, sorted(asked), self._vocabulary(relation))
        return _task_labels(direct, labels, held, odds)

    def _family_labels(self, options: set[str]) -> TaskLabels | None:
        names = read_table(self._annotations, "knowledge_annotations", ["id", "name"]).to_pylist()
        option_of = {row["id"]: tasks.pairing_option(row["name"]) for row in names if row["name"]}
        found = {
            accession: sorted({option_of[one] for one in families if one in option_of})
            for accession, families in self._grouped(RELATION).items()
        }
        counts = Counter(option for held in found.values() for option in held if option in options)
        # Folds of SCOPe are no families of ours.
        return _task_labels(found, found.__getitem__, counts) if counts else None

    def _grouped(self, relation: str) -> dict[str, list[str]]:
        """Return the annotations of each training protein by a relation."""
        table = read_table(self._triples, "knowledge_triples")
        table = table.filter(
            pc.and_(pc.equal(table["relation"], relation), pc.equal(table["fold"], TRAIN_FOLD))
        )
        # One string for each annotation, not one for each triple.
        encoded = table["annotation"].combine_chunks().dictionary_encode()
        names = encoded.dictionary.to_pylist()
        found: dict[str, list[str]] = {}
        pairs = zip(table["accession"].to_pylist(), encoded.indices.to_pylist(), strict=True)
        for accession, place in pairs:
            if accession not in self.sequences:
                raise InputError(
                    f"{self._triples}: has {accession} in training, which is not in the split's "
                    "training fold; build the graph again"
                )
            found.setdefault(accession, []).append(names[place])
        return found

    def _vocabulary(self, relation: str) -> int:
        """Return the number of present terms of an aspect, 0 where no ontology says it."""
        if self._terms is None:
            return 0
        table = read_table(self._terms, "ontology_terms", ["aspect", "obsolete"])
        letter = {"molecular_function": "F", "biological_process": "P"}.get(relation, "C")
        present = pc.and_(pc.equal(table["aspect"], letter), pc.invert(table["obsolete"]))
        return int(pc.sum(present.cast(pa.int64())).as_py() or 0)


def _entry_labels(task: str, row: Row, functions: Collection[str]) -> list[str] | None:
    """Return what an entry says about a task, None where it says nothing."""
    if task in (tasks.LOCATION_10, tasks.LOCATION_2_WORDS):
        return [
            tasks.LOCATIONS[one] for one in locations_of(row["subcellular_location"] or [])
        ] or None
    if task == tasks.LOCATION_2:
        bound = binding_of(row)
        return None if bound is None else [tasks.BINDINGS[bound]]
    answer = binds_metal(row, functions)
    if answer is None:
        return None
    return [tasks.METAL_TERM] if answer == tasks.YES else []


def _task_labels(
    found: Mapping[str, Any],
    labels: Callable[[str], Collection[str]],
    counts: Mapping[str, int],
    odds: Mapping[str, float] | None = None,
) -> TaskLabels | None:
    if not found:
        return None
    size = len(found) + 2 * _PRIOR
    rates = {label: (count + _PRIOR) / size for label, count in counts.items()}
    return TaskLabels(sorted(found), labels, rates, odds or {})
