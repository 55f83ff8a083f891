"""Made-up tables and files for tests of classification by likelihood."""

import json
import pickle
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lmdb

from helpers_data import natural_protein, write_proteins
from helpers_evaluation import fill, write_split
from protscribe.tables import write_table


class Tables(NamedTuple):
    """Where the tables of a made-up run lie, in the order of `make_questions`."""

    proteins: Path
    split: Path
    triples: Path
    annotations: Path
    closure: Path


def write_tables(
    folder: Path,
    folds: Mapping[str, str | None],
    triples: Sequence[tuple[str, str, str]],
    *,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    ancestors: Sequence[tuple[str, str]] = (),
    nameless: Sequence[str] = (),
    sequences: Mapping[str, str] | None = None,
    clusters: Mapping[str, str] | None = None,
) -> Tables:
    """Write tables of proteins in folds and their (accession, relation, annotation) triples."""
    folder.mkdir(exist_ok=True)
    rng = random.Random(0)
    made = {accession: natural_protein(rng, 60) for accession in sorted(folds)}
    tables = Tables(*(folder / f"{name}.parquet" for name in Tables._fields))
    write_proteins(tables.proteins, made | dict(sequences or {}), **(facts or {}))
    write_split(
        tables.split,
        [
            {"accession": one, "cluster": (clusters or {}).get(one, one), "fold": fold}
            for one, fold in folds.items()
        ],
    )
    write_table(
        tables.triples,
        "knowledge_triples",
        [{"accession": a, "relation": r, "annotation": t, "fold": folds[a]} for a, r, t in triples],
    )
    kinds = {annotation: relation for _, relation, annotation in triples}
    write_table(
        tables.annotations,
        "knowledge_annotations",
        [
            {
                "id": one,
                "kind": kind,
                "name": None if one in nameless else f"name of {one}",
                "source": "made up",
            }
            for one, kind in kinds.items()
        ],
    )
    rows = [{"descendant": d, "ancestor": a, "distance": 1} for d, a in ancestors]
    write_table(tables.closure, "ontology_closure", rows)
    return tables


def zipf_triples(
    accessions: Sequence[str], relation: str, terms: int, each: int, seed: int = 0
) -> list[tuple[str, str, str]]:
    """Return triples with terms that are as unevenly frequent as real ones."""
    rng = random.Random(seed)
    names = [f"GO:{number:07d}" for number in range(terms)]
    weights = [1 / (rank + 1) for rank in range(terms)]
    found = set()
    for accession in accessions:
        chosen = set(rng.choices(names, weights, k=each))
        found |= {(accession, relation, name) for name in chosen}
    return sorted(found)


def write_ontology(
    folder: Path, names: Mapping[str, str], **leads: str | None
) -> tuple[Path, Path]:
    """Write terms of the molecular function aspect, and the ids that lead to them."""
    terms, ids = folder / "terms.parquet", folder / "ids.parquet"
    write_table(
        terms,
        "ontology_terms",
        [
            fill("ontology_terms", {"id": one, "name": name, "aspect": "F", "obsolete": False})
            for one, name in names.items()
        ],
    )
    rows = [{"id": one, "term": one, "kind": "current"} for one in names]
    rows += [{"id": f"GO:{one}", "term": to, "kind": "alternative"} for one, to in leads.items()]
    write_table(ids, "ontology_ids", rows)
    return terms, ids


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    """Write objects as JSON lines, and texts as they are."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def write_lmdb(folder: Path, records: Sequence[Any], count: Any = None) -> Path:
    """Write records as a published localisation file; bytes are written as they are."""
    folder.mkdir(parents=True)
    # Read-only copies have no lock file.
    with lmdb.open(str(folder), map_size=1 << 24, lock=False) as environment:
        values = {str(number): record for number, record in enumerate(records)}
        values["num_examples"] = len(records) if count is None else count
        with environment.begin(write=True) as transaction:
            for key, value in values.items():
                data = value if isinstance(value, bytes) else pickle.dumps(value, protocol=3)
                transaction.put(key.encode(), data)
    return folder


def question_row(name: str, **more: Any) -> dict[str, Any]:
    """Return a yes/no question, for a table of questions."""
    row = {
        "id": name,
        "task": "go_molecular_function",
        "fold": "test_low_homology",
        "accession": name,
        "sequence": "MKV",
        "question": "Does the protein associate with binding?",
        "lead": "Based on the record, the answer is",
        "options": ["yes", "no"],
        "truth": [0],
        "group": "GO:0000001",
        "kind": "yes_no",
    }
    return row | more


def score_row(
    question: Mapping[str, Any], likelihoods: Sequence[float], **more: Any
) -> dict[str, Any]:
    """Return the scores of a question's options, one token each and equal priors."""
    row = {name: question[name] for name in ("id", "task", "fold", "accession")} | {
        "predictor": "model",
        "condition": "sequence",
        "training_seed": 0,
        "log_likelihoods": list(likelihoods),
        "tokens": [1] * len(likelihoods),
        "prior_log_likelihoods": [0.0] * len(likelihoods),
    }
    return row | more


def write_option_scores(path: Path, rows: Sequence[Mapping[str, Any]], **facts: str) -> Path:
    """Write option scores with the metadata that they need."""
    metadata = {"training_examples": "7", "training_steps": "3"} | facts
    write_table(path, "option_scores", rows, metadata)
    return path
