"""Words that two texts share, plainly counted or weighted by what they tell.

Texts are cut as in SQuAD's evaluation (Rajpurkar et al., 2016): lower case, without ASCII
punctuation and without the words a, an and the. All scores are on a scale of 0 to 100.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

TOKENS = "tokens:squad"
"""How texts are cut, for signatures."""

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def count_tokens(text: str) -> Counter[str]:
    """Return how often each token stands in a text.

    As in SQuAD, punctuation goes without leaving a gap (``DNA-binding`` is one token) and the
    letter of "protein kinase A" goes with the articles.
    """
    return Counter(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def overlap_f1(
    prediction: Counter[str],
    reference: Counter[str],
    weight: Callable[[str], float] | None = None,
) -> float:
    """Return the F1 of the tokens that two texts share, each counted as often as both have it.

    Parameters
    ----------
    prediction, reference
        Tokens and their counts.
    weight
        What a token weighs, more than 0; every token weighs the same by default.

    Returns
    -------
    float
        0 to 100; 100 if neither text has a token, 0 if only one has.
    """

    def mass(tokens: Counter[str]) -> float:
        if weight is None:
            return float(tokens.total())
        # Exact, so that the order of tokens cannot change the last digit.
        return math.fsum(weight(token) * count for token, count in tokens.items())

    if not prediction or not reference:
        return 100.0 if not prediction and not reference else 0.0
    shared = mass(prediction & reference)
    return 100.0 * 2 * shared / (mass(prediction) + mass(reference))


class TokenInformation:
    """How much a token tells of one text among others.

    Parameters
    ----------
    texts
        The texts; equal ones count once.

    Notes
    -----
    The weight of a token in ``d`` of ``n`` texts is the inverse document frequency of BM25 in
    the form that never falls below 0, ``ln(1 + (n - d + 0.5) / (d + 0.5))``. A word in all
    texts weighs about ``1 / 2n``, one in half of them 0.69, one in a single text ``ln(n)``.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        found: Counter[str] = Counter()
        distinct = set(texts)
        for text in distinct:
            found.update(count_tokens(text).keys())
        self._found = found
        self._texts = len(distinct)

    def weight(self, token: str) -> float:
        """Return what a token weighs; one that is in no text weighs most."""
        found = self._found[token]
        return math.log1p((self._texts - found + 0.5) / (found + 0.5))


def score_tokens(
    predictions: Sequence[str], references: Sequence[str], tasks: Sequence[str]
) -> dict[str, list[float]]:
    """Score each prediction by the tokens that it shares with its reference.

    Parameters
    ----------
    predictions, references
        Texts, one pair per position.
    tasks
        The task of each pair.

    Returns
    -------
    dict
        For each metric one value per pair. ``token_f1`` counts all tokens alike.
        ``content_f1`` weighs each token by its information among the distinct references of
        the same task, so that the words of a template, which every reference shares, weigh
        next to nothing, and a text cannot score by its form alone.
    """
    of_task: dict[str, set[str]] = {}
    for task, reference in zip(tasks, references, strict=True):
        of_task.setdefault(task, set()).add(reference)
    information = {task: TokenInformation(texts) for task, texts in of_task.items()}
    scores: dict[str, list[float]] = {"token_f1": [], "content_f1": []}
    for prediction, reference, task in zip(predictions, references, tasks, strict=True):
        pair = count_tokens(prediction), count_tokens(reference)
        scores["token_f1"].append(overlap_f1(*pair))
        scores["content_f1"].append(overlap_f1(*pair, information[task].weight))
    return scores


def token_signatures() -> dict[str, str]:
    """Return what makes each metric of this module what it is, by its name."""
    return {
        "token_f1": f"{TOKENS}|weight:1",
        "content_f1": f"{TOKENS}|weight:ln(1+(n-d+0.5)/(d+0.5))|n:distinct references of the task",
    }
