"""The graph as arrays: what instructions are made from, read once and checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.corpora.knowledge.wording import KINDS
from protscribe.errors import InputError
from protscribe.tables import read_table

TRAINING = "train"


@dataclass(frozen=True)
class Facts:
    """Triples as numbers, sorted by protein and annotation.

    Parameters
    ----------
    accessions
        Accession of each protein, in the order of the ids of its conversations.
    folds
        Fold of each protein.
    ids, kinds, names
        Of each annotation, in the order of the ids.
    kind
        Place of each annotation's kind in `protscribe.corpora.knowledge.wording.KINDS`.
    protein, annotation
        Of each triple, the places of both; int32 of shape (triples,).
    draws
        How often each triple was drawn; int32 of shape (triples,). 0 outside the training fold.
    starts
        Where the triples of each protein begin; int64 of shape (proteins + 1,).
    """

    accessions: list[str]
    folds: list[str]
    ids: list[str]
    kinds: list[str]
    names: list[str]
    kind: np.ndarray
    protein: np.ndarray
    annotation: np.ndarray
    draws: np.ndarray
    starts: np.ndarray

    def annotations_of(self, protein: int) -> np.ndarray:
        """Return the places of all annotations of a protein."""
        return self.annotation[self.starts[protein] : self.starts[protein + 1]]

    def training_frequency(self) -> np.ndarray:
        """Return the number of training proteins with each annotation, drawn or not."""
        training = np.array([fold == TRAINING for fold in self.folds])
        return np.bincount(self.annotation[training[self.protein]], minlength=len(self.ids))


class Chains:
    """Chains by protein and target.

    Parameters
    ----------
    path
        Table ``knowledge_chains``.
    facts
        The graph that the chains are of.

    Raises
    ------
    InputError
        If a chain is about a triple or an annotation that is not in the graph.
    """

    def __init__(self, path: Path, facts: Facts) -> None:
        columns = ["id", "accession", "annotation", "steps", "relations"]
        table = read_table(path, "knowledge_chains", columns)
        places = {name: place for place, name in enumerate(facts.ids)}
        steps = pc.list_flatten(table["steps"]).unique().to_pylist()
        if unknown := sorted({str(step) for step in steps if step not in places}):
            raise InputError(
                f"{path}: the step {unknown[0]} is no annotation of the graph; make the chains "
                "again"
            )
        keys = _keys(table, facts)
        order = np.lexsort((np.arange(len(keys)), keys))
        known = _triple_keys(facts)
        missing = np.setdiff1d(keys, known)
        if len(missing):
            row = int(np.flatnonzero(keys == missing[0])[0])
            raise InputError(
                f"{path}: the target of the chain {table['id'][row].as_py()} is no triple of the "
                "graph; make the chains again"
            )
        self._keys = keys[order]
        self._table = table.take(pa.array(order))
        self._width = len(facts.ids)

    def count(self, protein: np.ndarray, annotation: np.ndarray) -> np.ndarray:
        """Return how many chains each triple has."""
        keys = protein.astype(np.int64) * self._width + annotation
        return np.searchsorted(self._keys, keys, "right") - np.searchsorted(self._keys, keys)

    def take(
        self, protein: np.ndarray, annotation: np.ndarray, numbers: np.ndarray
    ) -> list[tuple[list[str], list[str]]]:
        """Return steps and relations of one chain of each triple.

        Parameters
        ----------
        protein, annotation
            The triples, each with at least one chain.
        numbers
            Which of its chains, counted round and round.
        """
        first = np.searchsorted(self._keys, protein.astype(np.int64) * self._width + annotation)
        rows = first + numbers % self.count(protein, annotation)
        chosen = self._table.select(["steps", "relations"]).take(pa.array(rows)).to_pydict()
        return list(zip(chosen["steps"], chosen["relations"], strict=True))


def read_facts(
    triples: Path, annotations: Path, sampled: Path, proteins: Path, split: Path
) -> Facts:
    """Read the graph and what was drawn of it.

    Parameters
    ----------
    triples, annotations
        Tables ``knowledge_triples`` and ``knowledge_annotations``.
    sampled
        Table ``sampled_triples``.
    proteins, split
        The tables.

    Raises
    ------
    InputError
        If the tables do not belong together, an annotation has no name or an unknown kind, or
        something outside the training fold was drawn.
    """
    known = read_table(annotations, "knowledge_annotations", ["id", "kind", "name"])
    ids, kinds, names = (known[column].to_pylist() for column in ("id", "kind", "name"))
    for id_, kind, name in zip(ids, kinds, names, strict=True):
        if not (name or "").strip():
            raise InputError(
                f"{annotations}: the annotation {id_} has no name, so no sentence can be made of "
                "it; make the graph again, or leave its relation out of knowledge.relations"
            )
        if kind not in KINDS:
            raise InputError(
                f"{annotations}: the annotation {id_} is of kind {kind!r}; there are "
                f"{', '.join(KINDS)}"
            )
    rows = read_table(triples, "knowledge_triples")
    accessions = _accessions(rows["accession"])
    folds = _folds(rows, accessions, triples, proteins, split)
    protein = _places(rows["accession"], accessions)
    annotation = _annotation_places(rows, ids, kinds, triples)
    order = np.lexsort((annotation, protein))
    protein, annotation = protein[order], annotation[order]
    kind_places = np.array([KINDS.index(kind) for kind in kinds], np.int16)
    facts = Facts(
        accessions, folds, ids, kinds, names, kind_places, protein, annotation,
        draws=np.zeros(len(protein), np.int32),
        starts=np.searchsorted(protein, np.arange(len(accessions) + 1)),
    )  # fmt: skip
    _fill_draws(facts, sampled)
    return facts


def _accessions(column: pa.ChunkedArray) -> list[str]:
    # Ids continue with a colon after the accession, which A0A024 and A0A0240001 sort by.
    return sorted(column.unique().to_pylist(), key=lambda accession: f"{accession}:")


def _places(column: pa.ChunkedArray, values: Sequence[str]) -> np.ndarray:
    """Return the place of each value, -1 where it is not among them."""
    places = pc.index_in(column, value_set=pa.array(values, pa.string()))
    return pc.fill_null(places, -1).to_numpy().astype(np.int32)


def _folds(
    rows: pa.Table, accessions: Sequence[str], triples: Path, proteins: Path, split: Path
) -> list[str]:
    """Return the fold of each protein, on which triples and split must agree."""
    known = set(read_table(proteins, "proteins", ["accession"])["accession"].to_pylist())
    placed = read_table(split, "split", ["accession", "fold"]).to_pydict()
    fold_of = dict(zip(placed["accession"], placed["fold"], strict=True))
    stated = rows.group_by(["accession", "fold"]).aggregate([]).to_pydict()
    for accession, fold in zip(stated["accession"], stated["fold"], strict=True):
        if accession not in known:
            raise InputError(f"{proteins}: lacks {accession}, which has triples in {triples}")
        if fold is None or fold_of.get(accession) != fold:
            raise InputError(
                f"{triples}: {accession} is of fold {fold}, in {split} of fold "
                f"{fold_of.get(accession)}; make the graph again from this split"
            )
    return [fold_of[accession] for accession in accessions]


def _annotation_places(
    rows: pa.Table, ids: Sequence[str], kinds: Sequence[str], path: Path
) -> np.ndarray:
    places = _places(rows["annotation"], ids)
    relations = _places(rows["relation"], KINDS)
    expected = np.array([*(KINDS.index(kind) for kind in kinds), -1], np.int32)[places]
    if len(wrong := np.flatnonzero((places < 0) | (relations != expected))):
        row = rows.slice(int(wrong[0]), 1).to_pylist()[0]
        raise InputError(
            f"{path}: the triple {_named(row)} has an annotation that the table of annotations "
            "lacks or has under another kind; make the graph again"
        )
    return places


def _fill_draws(facts: Facts, path: Path) -> None:
    """Write into `facts.draws` how often each triple was drawn."""
    rows = read_table(path, "sampled_triples")
    known, keys = _triple_keys(facts), _keys(rows, facts)
    kinds = np.array([*facts.kind, -1])[_places(rows["annotation"], facts.ids)]
    place = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))
    found = (known[place] == keys) if len(known) else np.zeros(len(keys), bool)
    found &= kinds == _places(rows["relation"], KINDS)
    if len(wrong := np.flatnonzero(~found)):
        row = rows.slice(int(wrong[0]), 1).to_pylist()[0]
        raise InputError(
            f"{path}: the sampled triple {_named(row)} is not in the graph; sample again"
        )
    training = np.array([fold == TRAINING for fold in facts.folds], bool)
    if len(wrong := np.flatnonzero(~training[facts.protein[place]])):
        row = rows.slice(int(wrong[0]), 1).to_pylist()[0]
        fold = facts.folds[int(facts.protein[place[wrong[0]]])]
        raise InputError(
            f"{path}: the sampled triple {_named(row)} is of a protein of fold {fold}; only "
            "training triples may be drawn, so sample again"
        )
    facts.draws[place] = pc.fill_null(rows["draws"], 0).to_numpy().astype(np.int32)


def _keys(rows: pa.Table, facts: Facts) -> np.ndarray:
    """Return one number for protein and annotation of each row, negative if one is unknown."""
    protein = _places(rows["accession"], facts.accessions).astype(np.int64)
    annotation = _places(rows["annotation"], facts.ids)
    keys = protein * len(facts.ids) + annotation
    keys[(protein < 0) | (annotation < 0)] = -1
    return keys


def _triple_keys(facts: Facts) -> np.ndarray:
    return facts.protein.astype(np.int64) * len(facts.ids) + facts.annotation


def _named(row: dict[str, str]) -> str:
    return " / ".join(str(row[column]) for column in ("accession", "relation", "annotation"))
