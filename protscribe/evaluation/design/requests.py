"""Which proteins are to be designed: one request for each chosen annotation."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protscribe.corpora.knowledge.wording import (
    KINDS,
    PUBLISHED_DESIGN_LEAD_IN,
    design_lead_in,
    design_request,
    published_design_request,
)
from protscribe.errors import InputError
from protscribe.evaluation.design.carriers import read_placed
from protscribe.homology.split import TRAIN
from protscribe.seeds import derive_seed
from protscribe.tables import read_metadata, read_table, write_table

UNKNOWN = "unknown:"
"""Starts the id of a request for a term that no annotation has."""
UNKNOWN_KIND = "keyword"
"""How a term is asked for whose kind cannot be told from it."""
PREFIXES = {
    "EC:": "ec",
    "KW:": "keyword",
    "location:": "location",
    "cofactor:": "cofactor",
    "family:": "family",
    "active_site:": "active_site",
    "binding_site:": "binding_site",
}
"""What the id of an annotation says of its kind."""
SAME_PROTEINS = 0.9
"""Of two annotations whose sets of proteins overlap (Jaccard) by this much, one is chosen."""


@dataclass(frozen=True)
class RequestSettings:
    """What to ask for.

    Parameters
    ----------
    requests
        Most requests to choose where none are given.
    terms
        Annotation ids or names.
    file
        A text file with one of them per line; empty lines and lines that begin with ``#`` are
        skipped.
    relations
        Kinds of annotation to choose from, in the order of choice; all by default.
    min_proteins
        Fewest training proteins, and fewest held-out proteins of other clusters, of a chosen
        annotation.
    """

    requests: int = 16
    terms: Sequence[str] = ()
    file: str | None = None
    relations: Sequence[str] = ()
    min_proteins: int = 2

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "RequestSettings":
        """Check settings of the configuration.

        Raises
        ------
        InputError
            If a key is unknown, a number is below 1 or a relation does not exist.
        """
        if unknown := sorted(set(settings) - set(cls.__dataclass_fields__)):
            raise InputError(f"design has no option {unknown[0]}")
        made = cls(**settings)
        for name in ("requests", "min_proteins"):
            if getattr(made, name) < 1:
                raise InputError(f"design.{name} is {getattr(made, name)}; it must be at least 1")
        if wrong := [relation for relation in made.relations if relation not in KINDS]:
            raise InputError(
                f"design.relations holds {wrong[0]!r}, which is no relation of the knowledge "
                f"graph; there are {', '.join(KINDS)}"
            )
        return made


def request_designs(
    triples: Path,
    annotations: Path,
    training: Path | None,
    split: Path,
    output: Path,
    *,
    settings: Mapping[str, Any],
    seed: int,
    published: bool = False,
) -> None:
    """Write what is to be designed.

    Terms that are given are taken as they are: an id, or a name, of which the one with the most
    training proteins is meant if several annotations share it. One that nobody knows or that
    training never saw is allowed; its ``seen`` is false. Where no terms are given, each relation
    in turn gives its annotation with the most training proteins, unless nearly the same proteins
    have one that is chosen already.

    Parameters
    ----------
    triples, annotations
        Tables ``knowledge_triples`` and ``knowledge_annotations``.
    training
        Table ``sampled_triples``: what training draws. None takes all training triples.
    split
        The split table.
    output
        Table ``design_requests`` to write.
    settings
        See `RequestSettings`.
    seed
        Decides the wording of each request.
    published
        Take the published wording, as the instructions did that models were tuned on.

    Raises
    ------
    InputError
        If a setting is wrong, a file is missing, or no annotation has enough proteins.
    """
    wanted = RequestSettings.of(settings)
    known = _read_annotations(annotations)
    counts = _Counts.read(triples, training, set(read_placed(split).evidence))
    terms = [*wanted.terms, *(_read_terms(Path(wanted.file)) if wanted.file else ())]
    if terms:
        chosen = [_resolve(term, known, counts) for term in terms]
    else:
        chosen = [(a, *known[a]) for a in _choose(wanted, known, counts, triples)]
    rows: dict[str, dict[str, Any]] = {}
    for annotation, kind, name in chosen:
        name_of = annotation or UNKNOWN + name
        number = derive_seed(seed, "design request", name_of)
        text, lead_in = design_request(kind, name, number), design_lead_in(kind, name, number)
        if published:
            text, lead_in = published_design_request(name), PUBLISHED_DESIGN_LEAD_IN
        rows[name_of] = {
            "id": name_of,
            "relation": kind,
            "annotation": annotation,
            "name": name,
            "text": text,
            "lead_in": lead_in,
            "training_proteins": counts.training.get(annotation or "", 0),
            "held_out_proteins": counts.held_out.get(annotation or "", 0),
            "seen": counts.training.get(annotation or "", 0) > 0,
        }
    for row in rows.values():
        if not row["seen"]:
            print(f"warning: training never saw {row['id']} ({row['name']})", file=sys.stderr)
    if len(rows) < len(chosen):
        print(f"{len(chosen) - len(rows)} terms are there twice and asked once", file=sys.stderr)
    write_table(output, "design_requests", list(rows.values()), read_metadata(triples))
    print(f"{len(rows)} requests, {sum(r['seen'] for r in rows.values())} seen", file=sys.stderr)


@dataclass(frozen=True)
class _Counts:
    """Proteins of each annotation: those of training, and held-out ones of other clusters."""

    training: Mapping[str, int]
    held_out: Mapping[str, int]

    @classmethod
    def read(cls, triples: Path, training: Path | None, evidence: set[str]) -> "_Counts":
        table = read_table(triples, "knowledge_triples", ["accession", "annotation", "fold"])
        if training is None:
            seen = table.filter(pc.equal(table["fold"], TRAIN))
        else:
            drawn = read_table(training, "sampled_triples", ["accession", "annotation", "draws"])
            seen = drawn.filter(pc.greater(drawn["draws"], 0))
        others = pa.array(sorted(evidence), pa.string())
        return cls(_count(seen), _count(table.filter(pc.is_in(table["accession"], others))))


def _count(table: pa.Table) -> dict[str, int]:
    # An annotation has one relation, so each protein stands there once.
    counted = table.group_by("annotation").aggregate([("accession", "count")])
    columns = (counted[name].to_pylist() for name in ("annotation", "accession_count"))
    return dict(zip(*columns, strict=True))


def _read_annotations(path: Path) -> dict[str, tuple[str, str]]:
    rows = read_table(path, "knowledge_annotations", ["id", "kind", "name"]).to_pylist()
    return {row["id"]: (row["kind"], row["name"]) for row in rows}


def _read_terms(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; design.file names one term per line") from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise InputError(f"{path}: not a text file; design.file names one term per line") from None
    terms = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not terms:
        raise InputError(f"{path}: holds no term; write one per line or leave design.file empty")
    return terms


def _resolve(
    term: str, known: Mapping[str, tuple[str, str]], counts: _Counts
) -> tuple[str | None, str, str]:
    """Return annotation, kind and name of a term; no annotation if nobody knows it."""
    term = str(term).strip()
    if not term:
        raise InputError("design.terms holds an empty term; remove it")
    if term in known:
        return term, *known[term]
    named = [a for a, (_, name) in known.items() if name and name.casefold() == term.casefold()]
    if named:
        best = min(named, key=lambda a: (-counts.training.get(a, 0), a))
        if len(named) > 1:
            print(f"{term!r} names {len(named)} annotations; {best} is meant", file=sys.stderr)
        return best, *known[best]
    for prefix, kind in PREFIXES.items():
        if term.startswith(prefix) and term != prefix:
            return None, kind, term if prefix == "EC:" else term.removeprefix(prefix)
    return None, UNKNOWN_KIND, term


def _choose(
    wanted: RequestSettings,
    known: Mapping[str, tuple[str, str]],
    counts: _Counts,
    triples: Path,
) -> list[str]:
    ranked: dict[str, list[str]] = {}
    for annotation in sorted(counts.training, key=lambda a: (-counts.training[a], a)):
        fewest = min(counts.training[annotation], counts.held_out.get(annotation, 0))
        # What has no name cannot be asked for.
        if fewest >= wanted.min_proteins and known.get(annotation, ("", ""))[1]:
            ranked.setdefault(known[annotation][0], []).append(annotation)
    relations = list(wanted.relations or sorted(ranked))
    queues: list[Iterator[str]] = [iter(ranked.get(relation, ())) for relation in relations]
    proteins = _ProteinSets(triples, {a for ids in ranked.values() for a in ids})
    chosen: list[str] = []
    while queues and len(chosen) < wanted.requests:
        for queue in list(queues):
            found = next((a for a in queue if not proteins.resembles(a, chosen)), None)
            if found is None:
                queues.remove(queue)
            elif len(chosen) < wanted.requests:
                chosen.append(found)
    if not chosen:
        raise InputError(
            f"{triples}: no annotation of {', '.join(relations) or 'any relation'} has "
            f"{wanted.min_proteins} training proteins and as many held-out ones in clusters of "
            "their own; lower design.min_proteins or give design.terms"
        )
    if len(chosen) < wanted.requests:
        print(
            f"warning: only {len(chosen)} of {wanted.requests} requests: no other annotation has "
            f"{wanted.min_proteins} training and held-out proteins",
            file=sys.stderr,
        )
    return chosen


class _ProteinSets:
    """The proteins of annotations as sorted numbers, from one pass over the triples."""

    def __init__(self, triples: Path, annotations: set[str]) -> None:
        table = read_table(triples, "knowledge_triples", ["accession", "annotation"])
        chosen = pa.array(sorted(annotations), pa.string())
        table = table.filter(pc.is_in(table["annotation"], chosen)).combine_chunks()
        codes = table["accession"].combine_chunks().dictionary_encode().indices.to_numpy()
        place = pc.index_in(table["annotation"], chosen).combine_chunks().to_numpy()
        order = np.lexsort((codes, place))
        self._codes = codes[order]
        self._bounds = np.searchsorted(place[order], np.arange(len(chosen) + 1))
        self._place = {a: i for i, a in enumerate(chosen.to_pylist())}

    def resembles(self, annotation: str, others: Sequence[str]) -> bool:
        """Return whether nearly the same proteins have one of the other annotations."""
        own = self._of(annotation)
        for other in others:
            theirs = self._of(other)
            shared = len(np.intersect1d(own, theirs, assume_unique=True))
            if shared >= SAME_PROTEINS * (len(own) + len(theirs) - shared):
                return True
        return False

    def _of(self, annotation: str) -> np.ndarray:
        place = self._place[annotation]
        return self._codes[self._bounds[place] : self._bounds[place + 1]]
