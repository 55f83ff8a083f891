"""What a corpus of questions and answers consists of, in numbers."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

QUANTILES = (5, 25, 75, 95)
"""Percentiles given beside mean, median, minimum and maximum."""

TOP_SHARE = 0.1
"""The part of the proteins, those with the most pairs, whose share of the corpus is given."""

NONE = "none"
"""Stands where a pair has no category or licence."""

_DIGITS = 4
_EXAMPLES = 3

Row = Mapping[str, Any]


def corpus_statistics(
    pairs: Sequence[Row],
    folds: Mapping[str, str],
    lengths: Mapping[str, int],
    scores: Mapping[str, Row] | None = None,
    scored_with: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Describe a corpus as the Protein2Text paper describes its own, and where it leans.

    Parameters
    ----------
    pairs
        Rows of table ``qa_pairs``.
    folds
        Fold of each protein.
    lengths
        Length of each protein's sequence in residues.
    scores
        Row of table ``qa_scores`` by pair id, where the pairs were scored.
    scored_with
        Facts about the scoring, such as model and threshold.

    Returns
    -------
    dict
        JSON-ready. ``pairs``, ``proteins``, ``publications`` and unique texts; lengths of
        sequences (residues, each protein once), questions and answers (words), each with mean,
        median, minimum, maximum and percentiles; ``categories``, ``contexts`` and ``licences``;
        ``pairs_per_protein`` and ``concentration`` (share of the pairs that the top tenth of the
        proteins holds); the same briefly by writer and by fold; ``answered_blind`` (None without
        scores); a few ``examples`` of each writer, the first by id.
    """
    per_protein = Counter(row["accession"] for row in pairs)
    writers = sorted({row["writer"] for row in pairs})
    used_folds = sorted({folds[row["accession"]] for row in pairs})

    def fold_of(row: Row) -> str:
        return folds[row["accession"]]

    def writer_of(row: Row) -> str:
        return row["writer"]

    return {
        "pairs": len(pairs),
        "proteins": len(per_protein),
        "publications": len({row["pubmed_id"] for row in pairs} - {None}),
        "pairs_without_publication": sum(row["pubmed_id"] is None for row in pairs),
        "unique_questions": len({row["question"] for row in pairs}),
        "unique_answers": len({row["answer"] for row in pairs}),
        "unique_pairs": len({(row["question"], row["answer"]) for row in pairs}),
        "sequence_length": summary(lengths[accession] for accession in per_protein),
        "question_words": summary(_words(row["question"]) for row in pairs),
        "answer_words": summary(_words(row["answer"]) for row in pairs),
        "categories": _counted(row["category"] or NONE for row in pairs),
        "contexts": _counted(row["context"] or NONE for row in pairs),
        "licences": _counted(row["licence"] or NONE for row in pairs),
        "pairs_per_protein": summary(per_protein.values()),
        "concentration": concentration(per_protein.values()),
        "answered_blind": _blind(pairs, scores, scored_with or {}),
        "writers": {name: _brief(_only(pairs, writer_of, name), scores) for name in writers},
        "folds": {name: _brief(_only(pairs, fold_of, name), scores) for name in used_folds},
        "writers_by_fold": {
            writer: _counted(fold_of(row) for row in _only(pairs, writer_of, writer))
            for writer in writers
        },
        "categories_by_writer": {
            writer: _counted(row["category"] or NONE for row in _only(pairs, writer_of, writer))
            for writer in writers
        },
        "examples": {
            writer: [
                {
                    "accession": row["accession"],
                    "question": row["question"],
                    "answer": row["answer"],
                }
                for row in sorted(_only(pairs, writer_of, writer), key=_id)[:_EXAMPLES]
            ]
            for writer in writers
        },
    }


def summary(values: Iterable[int]) -> dict[str, float | None]:
    """Return mean, median, minimum, maximum and `QUANTILES` of some counts.

    Percentiles are interpolated linearly; all are None where there is no value.
    """
    found = np.array(sorted(values), dtype=np.float64)
    names = ["mean", "median", "min", "max", *(f"p{q}" for q in QUANTILES)]
    if not len(found):
        return dict.fromkeys(names)
    numbers = [
        found.mean(),
        np.median(found),
        found[0],
        found[-1],
        *np.percentile(found, QUANTILES),
    ]
    return {name: round(float(x), _DIGITS) for name, x in zip(names, numbers, strict=True)}


def concentration(counts: Iterable[int]) -> dict[str, float | None]:
    """Return how many proteins are the top tenth, rounded up, and the share of pairs they hold."""
    ordered = sorted(counts, reverse=True)
    top = math.ceil(TOP_SHARE * len(ordered))
    share = round(sum(ordered[:top]) / sum(ordered), _DIGITS) if ordered else None
    return {"top_proteins": top, "share_of_pairs": share}


def _brief(pairs: Sequence[Row], scores: Mapping[str, Row] | None) -> dict[str, Any]:
    return {
        "pairs": len(pairs),
        "proteins": len({row["accession"] for row in pairs}),
        "unique_questions": len({row["question"] for row in pairs}),
        "mean_question_words": summary(_words(row["question"]) for row in pairs)["mean"],
        "mean_answer_words": summary(_words(row["answer"]) for row in pairs)["mean"],
        "share_answered_blind": (_blind(pairs, scores, {}) or {}).get("share"),
    }


def _blind(
    pairs: Sequence[Row], scores: Mapping[str, Row] | None, facts: Mapping[str, str]
) -> dict[str, Any] | None:
    if scores is None or not pairs:
        return None
    own = [scores[row["id"]] for row in pairs]
    answered = sum(score["answered_blind"] for score in own)
    return dict(facts) | {
        "pairs": answered,
        "share": round(answered / len(own), _DIGITS),
        "mean_blind_loss": round(float(np.mean([s["blind_loss"] for s in own])), _DIGITS),
        "mean_prior_loss": round(float(np.mean([s["prior_loss"] for s in own])), _DIGITS),
    }


def _only(pairs: Sequence[Row], value: Callable[[Row], str], wanted: str) -> list[Row]:
    return [row for row in pairs if value(row) == wanted]


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _words(text: str) -> int:
    return len(text.split())


def _id(row: Row) -> str:
    return row["id"]
