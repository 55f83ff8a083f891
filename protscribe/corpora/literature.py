"""The corpus ``literature``: sentences of abstracts, for pretraining.

A publication goes where the proteins go that it is tied to: by a mention, whatever its route, or
by an entry that cites it for the protein's function. One that is tied to a test protein is left
out.
"""

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from protscribe.corpora.qa.sentences import sentences_of
from protscribe.errors import InputError
from protscribe.homology.split import TRAIN, VALIDATION
from protscribe.seeds import derive_seed, unit_hash
from protscribe.sources.literature.contexts import FUNCTION_STATEMENT
from protscribe.sources.literature.pmc import may_share
from protscribe.tables import read_metadata, read_table, write_table

CORPUS = "literature"
STAGE = "make_literature"
ABSTRACT, SENTENCE = "abstract", "sentence"
SETTINGS = ("unit", "validation", "statements")

_FUNCTION_SCOPE = "FUNCTION"
_PART = 10_000


class _Document(NamedTuple):
    key: str
    fold: str
    accession: str | None
    pubmed_id: str | None
    text: str
    licence: str | None
    source: str | None


class _Proteins(NamedTuple):
    """What the proteins table says: publications for the function, and texts, by accession."""

    cited: dict[str, set[str]]
    functions: dict[str, str | None]


def make_literature(
    publications: Path | None,
    mentions: Path | None,
    proteins: Path,
    split: Path,
    output: Path,
    rejects: Path,
    *,
    settings: Mapping[str, Any],
    seed: int,
    allow: Collection[str] | None,
    licence: str,
) -> None:
    """Write the texts of publications, and where asked the curated statements of proteins.

    A publication that is tied to a test protein is left out, whatever else it is tied to; of the
    others one with a validation protein is for validation, and one with a training protein for
    training. One that is tied to dropped proteins alone is left out as well. One that is tied to
    none is for validation if its hash says so. No text stands in the table twice, none is that
    of a test protein's function statement or of a sentence of it, and one of both folds is for
    validation.

    Parameters
    ----------
    publications, mentions
        The tables; None where a run has none, for which statements then serve.
    proteins, split
        The tables.
    output
        Table ``pretraining`` to write; ids are ``literature:``, the PubMed id or the accession
        and, for sentences, their number.
    rejects
        The table to write. Each publication, and for statements each training and validation
        protein, is a reject or becomes texts; texts = rows + rejects.
    settings
        ``unit``: one row per ``abstract`` or ``sentence``, ``validation``: share of the
        publications tied to no protein that is for validation, ``statements``: whether function
        statements of training and validation proteins are documents too.
    seed
        Seed of the hash.
    allow
        Licences such as ``CC0`` and ``CC BY`` that an abstract has to have; None for any.
    licence
        Licence of the statements.

    Raises
    ------
    InputError
        If a setting is wrong, the tables do not belong together or nothing is left to train on.
    """
    _check_settings(settings)
    placed = read_table(split, "split", ["accession", "fold"]).to_pydict()
    fold_of: dict[str, str | None] = dict(zip(placed["accession"], placed["fold"], strict=True))
    facts = _read_proteins(proteins)
    if set(fold_of) != set(facts.functions):
        raise InputError(f"{split}: holds other proteins than {proteins}; make it again")
    unit = settings["unit"]
    rejected: list[dict[str, str]] = []
    documents: list[_Document] = []
    if publications is not None:
        tied = _ties(mentions, facts.cited, fold_of)
        share, order = settings["validation"], derive_seed(seed, STAGE)
        for row in _read_publications(publications):
            found = _place(row, tied.get(row["pubmed_id"], set()), fold_of, allow)
            if found is None:
                found = VALIDATION if unit_hash(order, row["pubmed_id"]) < share else TRAIN
            if isinstance(found, str):
                documents += _publication(row, found, unit)
            else:
                rejected.append(_reject(row["pubmed_id"], *found))
    if settings["statements"]:
        for accession, fold in sorted(fold_of.items()):
            if fold not in (TRAIN, VALIDATION):
                continue
            if text := facts.functions[accession]:
                documents += _statement(accession, fold, text, unit, licence)
            else:
                rejected.append(_reject(accession, "no function statement", ""))
    kept, repeated = _distinct(documents, _test_texts(facts.functions, fold_of))
    if not any(document.fold == TRAIN for document in kept):
        raise InputError(
            f"{output}: of {len(documents)} texts none is left to train on; give publications of "
            "licences that are allowed, or let function statements serve (statements: true)"
        )
    metadata = read_metadata(proteins)
    write_table(output, "pretraining", [_row(document) for document in kept], metadata)
    write_table(rejects, "rejects", rejected + repeated, metadata)
    _tell(kept, rejected + repeated)


def _check_settings(settings: Mapping[str, Any]) -> None:
    where = "pretraining literature"
    if set(settings) != set(SETTINGS):
        raise InputError(f"settings of {where} must hold exactly {', '.join(SETTINGS)}")
    if settings["unit"] not in (ABSTRACT, SENTENCE):
        raise InputError(
            f"{where}: unit is {settings['unit']!r}; {ABSTRACT} and {SENTENCE} are known"
        )
    if not 0 <= settings["validation"] < 1:
        raise InputError(f"{where}: validation must be at least 0 and below 1")


def _read_proteins(path: Path) -> _Proteins:
    cited: dict[str, set[str]] = {}
    functions: dict[str, str | None] = {}
    columns = ["accession", "function", "references", "function_evidence"]
    # By parts, because the records hold whole statements.
    for batch in read_table(path, "proteins", columns).to_batches(max_chunksize=_PART):
        for row in batch.to_pylist():
            functions[row["accession"]] = row["function"]
            records = [
                *(
                    reference
                    for reference in row["references"] or ()
                    if _FUNCTION_SCOPE in (reference["scope"] or "").upper()
                ),
                *(row["function_evidence"] or ()),
            ]
            for record in records:
                if record["pubmed_id"]:
                    cited.setdefault(record["pubmed_id"], set()).add(row["accession"])
    return _Proteins(cited, functions)


def _ties(
    mentions: Path | None, cited: Mapping[str, set[str]], fold_of: Mapping[str, str | None]
) -> dict[str, set[str]]:
    """Return the accessions that each publication is tied to."""
    tied = {pubmed_id: set(accessions) for pubmed_id, accessions in cited.items()}
    if mentions is None:
        return tied
    pairs = read_table(mentions, "mentions", ["accession", "pubmed_id"]).to_pydict()
    for accession, pubmed_id in zip(pairs["accession"], pairs["pubmed_id"], strict=True):
        if accession not in fold_of:
            raise InputError(
                f"{mentions}: mentions {accession}, which the split lacks; make it again"
            )
        tied.setdefault(pubmed_id, set()).add(accession)
    return tied


def _read_publications(path: Path) -> Iterator[dict[str, Any]]:
    columns = ["pubmed_id", "abstract", "licence", "retracted", "source"]
    for batch in read_table(path, "publications", columns).to_batches(max_chunksize=_PART):
        yield from batch.to_pylist()


def _place(
    row: Mapping[str, Any],
    accessions: Iterable[str],
    fold_of: Mapping[str, str | None],
    allow: Collection[str] | None,
) -> str | tuple[str, str] | None:
    """Return the fold of a publication, or reason and detail of leaving it out.

    None is for one that could be of either fold.
    """
    by_fold: dict[str | None, str] = {}
    for accession in sorted(accessions):
        by_fold.setdefault(fold_of[accession], accession)
    tests = sorted(fold for fold in by_fold if fold not in (None, TRAIN, VALIDATION))
    if tests:
        return "tied to a test protein", f"{by_fold[tests[0]]} ({tests[0]})"
    if row["retracted"]:
        return "retracted", ""
    if not (row["abstract"] or "").strip():
        return "no abstract", ""
    if allow is not None and not may_share(row["licence"], allow):
        return "licence not allowed", row["licence"] or "none known"
    for fold in (VALIDATION, TRAIN):
        if fold in by_fold:
            return fold
    if None in by_fold:
        return "tied to proteins dropped by the split alone", by_fold[None]
    return None


def _publication(row: Mapping[str, Any], fold: str, unit: str) -> Iterator[_Document]:
    pubmed_id = row["pubmed_id"]
    for key, text in _texts(pubmed_id, row["abstract"], unit):
        yield _Document(key, fold, None, pubmed_id, text, row["licence"], row["source"])


def _statement(
    accession: str, fold: str, function: str, unit: str, licence: str
) -> Iterator[_Document]:
    for key, text in _texts(accession, function, unit):
        yield _Document(key, fold, accession, None, text, licence, FUNCTION_STATEMENT)


def _texts(key: str, text: str, unit: str) -> Iterator[tuple[str, str]]:
    """Cut a text into its documents; line breaks and runs of blanks become a blank."""
    sentences = [sentence.text for sentence in sentences_of(" ".join(text.split()))]
    if unit == SENTENCE:
        for number, sentence in enumerate(sentences, start=1):
            yield f"{key}:{number}", sentence
    else:
        yield key, " ".join(sentences)


def _test_texts(
    functions: Mapping[str, str | None], fold_of: Mapping[str, str | None]
) -> dict[str, str]:
    """Return the function statements of test proteins, and their sentences, with the accession."""
    found: dict[str, str] = {}
    for accession in sorted(
        a for a, fold in fold_of.items() if fold not in (None, TRAIN, VALIDATION)
    ):
        for unit in (ABSTRACT, SENTENCE):
            for _, text in _texts(accession, functions[accession] or "", unit):
                found.setdefault(text, accession)
    return found


def _distinct(
    documents: Iterable[_Document], tests: Mapping[str, str]
) -> tuple[list[_Document], list[dict[str, str]]]:
    """Keep each text once, and none of a test protein."""
    taken: dict[str, str] = {}
    kept: list[_Document] = []
    rejected: list[dict[str, str]] = []
    # What is held out claims a text first.
    for document in sorted(documents, key=lambda document: (document.fold == TRAIN, document.key)):
        text = document.text
        if text in tests:
            rejected.append(_reject(document.key, "text of a test protein", tests[text]))
        elif text in taken:
            rejected.append(_reject(document.key, "the same text as another", taken[text]))
        else:
            taken[text] = document.key
            kept.append(document)
    return kept, rejected


def _row(document: _Document) -> dict[str, Any]:
    facts = document._asdict()
    return {"id": f"{CORPUS}:{facts.pop('key')}", "corpus": CORPUS, "sequence": None, **facts}


def _reject(key: str, reason: str, detail: str) -> dict[str, str]:
    return {"stage": STAGE, "key": key, "reason": reason, "detail": detail}


def _tell(kept: list[_Document], rejected: list[dict[str, str]]) -> None:
    parts = [f"{n} for {fold}" for fold, n in sorted(Counter(d.fold for d in kept).items())]
    reasons = Counter(row["reason"] for row in rejected)
    parts += [f"{count} left out ({reason})" for reason, count in sorted(reasons.items())]
    print(f"{len(kept)} texts: {', '.join(parts)}", file=sys.stderr)
