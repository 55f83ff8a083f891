"""Scores that compare a text with its reference word by word or letter by letter.

All values are on a scale of 0 to 100. BLEU and chrF are corpus scores: sentences add up
their counts, and the score is a function of the sums. The scores of single sentences are
kept beside them, for looking at examples, and are never averaged.
"""

from collections.abc import Sequence
from importlib import metadata

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

PAIRS_AT_ONCE = 1000
"""sacrebleu keeps all n-grams of the references that it is given at a time: of 210,000 answers
to questions 9 GB."""

SENTENCE_PREFIX = "sentence_"
"""Starts the name of a score of one sentence by a metric that is defined over a corpus."""

_BLEU_ORDERS = {"bleu_2": 2, "bleu_4": 4}
CORPUS_METRICS = (*_BLEU_ORDERS, "chrf")
_ROUGE_NAMES = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}


class CorpusMetric:
    """BLEU or chrF by sacrebleu, taken apart into statistics of sentences and a score.

    Parameters
    ----------
    name
        One of `CORPUS_METRICS`: ``bleu_2`` and ``bleu_4`` are BLEU over n-grams of up to 2
        and 4 words (tokeniser 13a, case kept, exponential smoothing of zero counts),
        ``chrf`` is the F2 score over n-grams of up to 6 characters.

    Notes
    -----
    For any list of sentences, ``score(statistics(...).sum(axis=0))`` equals sacrebleu's
    ``corpus_score``, so that the corpus can be resampled without being tokenised again.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        if name in _BLEU_ORDERS:
            order = _BLEU_ORDERS[name]
            # force only silences a warning about text that looks tokenised already.
            self._metric = BLEU(max_ngram_order=order, force=True)
            self._sentence = BLEU(max_ngram_order=order, force=True, effective_order=True)
        else:
            self._metric = self._sentence = CHRF()

    @property
    def signature(self) -> str:
        """sacrebleu's signature, which names all that makes the number what it is."""
        self._metric.num_refs = 1
        order = f"order:{_BLEU_ORDERS[self.name]}|" if self.name in _BLEU_ORDERS else ""
        return f"{self.name.split('_')[0]}|{order}{self._metric.get_signature()}"

    def statistics(self, predictions: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """Return the counts of each sentence, as integers of shape (sentences, counts)."""
        return np.concatenate(
            [
                np.asarray(
                    self._metric._extract_corpus_statistics(
                        list(predictions[start : start + PAIRS_AT_ONCE]),
                        [list(references[start : start + PAIRS_AT_ONCE])],
                    ),
                    dtype=np.int64,
                )
                for start in range(0, len(predictions), PAIRS_AT_ONCE)
            ]
        )

    def score(self, statistics: np.ndarray) -> float:
        """Return the score of a corpus from the sum of its sentences' counts."""
        return float(self._metric._compute_score_from_stats(statistics.tolist()).score)

    def sentence_score(self, statistics: np.ndarray) -> float:
        """Return the score of one sentence; BLEU leaves out orders that it is too short for."""
        return float(self._sentence._compute_score_from_stats(statistics.tolist()).score)


def exact_match(prediction: str, reference: str) -> float:
    """Return 100 if two texts are equal but for white space, else 0.

    Case and punctuation count. (The published Prot2Text-V2 code lowers case and strips
    punctuation first, which calls more texts equal.)
    """
    return 100.0 if prediction.split() == reference.split() else 0.0


def score_texts(predictions: Sequence[str], references: Sequence[str]) -> dict[str, list[float]]:
    """Score each prediction against its reference.

    Parameters
    ----------
    predictions, references
        Texts, one pair per position.

    Returns
    -------
    dict
        For each metric one value per pair: ``exact_match``, ``rouge_1``, ``rouge_2`` and
        ``rouge_l`` (F1, lower case, no stemming), and the sentence scores of BLEU and chrF.
    """
    # Imported here because collecting metrics, in its smaller environment, needs only sacrebleu.
    from rouge_score.rouge_scorer import RougeScorer

    scores: dict[str, list[float]] = {
        "exact_match": [exact_match(*pair) for pair in zip(predictions, references, strict=True)]
    }
    rouge = RougeScorer(list(_ROUGE_NAMES.values()), use_stemmer=False)
    scores |= {name: [] for name in _ROUGE_NAMES}
    for prediction, reference in zip(predictions, references, strict=True):
        result = rouge.score(reference, prediction)
        for name, theirs in _ROUGE_NAMES.items():
            scores[name].append(100.0 * result[theirs].fmeasure)
    for name in CORPUS_METRICS:
        metric = CorpusMetric(name)
        counts = metric.statistics(predictions, references)
        scores[SENTENCE_PREFIX + name] = [metric.sentence_score(row) for row in counts]
    return scores


def signatures() -> dict[str, str]:
    """Return what makes each metric of this module what it is, by its name."""
    rouge = f"rouge-score:{metadata.version('rouge-score')}|case:lc|stemmer:no|measure:f1"
    return (
        {"exact_match": "case:mixed|whitespace:normalised"}
        | {name: f"{theirs}|{rouge}" for name, theirs in _ROUGE_NAMES.items()}
        | {name: CorpusMetric(name).signature for name in CORPUS_METRICS}
    )
