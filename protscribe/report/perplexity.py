"""What pretraining and tuning did to the prediction of held-out text and proteins."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protscribe.atomic import read_json
from protscribe.errors import InputError

PROTEINS = "sequences"
"""The pretraining corpus of proteins; all others are plain text."""

MAX_RISE = 0.1
"""Rise of the perplexity of plain text from which a model counts as worse at it."""

_STAGES = ("before", "align", "tune")
_AFTER = {"align": "after pretraining", "tune": "after tuning"}


def perplexity_section(summaries: Sequence[Path]) -> dict[str, Any] | None:
    """Arrange perplexities before pretraining, after it and after tuning for the page.

    Parameters
    ----------
    summaries
        ``summary.json`` of the stages ``align`` (with ``perplexity_before`` and ``perplexity``)
        and ``tune`` (with ``perplexity``) of some systems and training seeds. Those that hold no
        perplexity are left out.

    Returns
    -------
    dict or None
        ``lines`` of ``{system, seed, corpus, documents, tokens, before, align, tune}``, numbers
        as text; ``sentences`` of ``(text, good)`` on plain text, one for each training. None if
        no summary holds a perplexity.

    Raises
    ------
    InputError
        If a summary is missing or lacks a number.
    """
    found: dict[tuple[str, int, str], dict[str, Mapping[str, Any]]] = {}
    for path in summaries:
        summary = read_json(path)
        try:
            for stage, numbers in _measured(summary).items():
                for corpus, measured in numbers.items():
                    key = str(summary["system"]), int(summary["training_seed"]), corpus
                    kept = {name: measured[name] for name in ("perplexity", "documents", "tokens")}
                    found.setdefault(key, {})[stage] = kept
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{path}: does not hold what the page shows ({error!r}); train again"
            ) from None
    if not found:
        return None
    return {
        "lines": [_line(key, found[key]) for key in sorted(found)],
        "sentences": [
            told
            for system, seed, corpus in sorted(found)
            if corpus != PROTEINS and (told := _told(system, seed, found[system, seed, corpus]))
        ],
    }


def _measured(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the perplexities in a summary by what they came after."""
    stage = summary["stage"]
    names = {"before": "perplexity_before", stage: "perplexity"}
    return {what: summary[name] for what, name in names.items() if summary.get(name)}


def _line(key: tuple[str, int, str], stages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    system, seed, corpus = key
    # The same documents at every stage.
    known = next(iter(stages.values()))
    return {
        "system": system,
        "seed": seed,
        "corpus": corpus,
        "documents": known["documents"],
        "tokens": known["tokens"],
        **{stage: _text(stages.get(stage, {}).get("perplexity")) for stage in _STAGES},
    }


def _told(
    system: str, seed: int, stages: Mapping[str, Mapping[str, Any]]
) -> tuple[str, bool] | None:
    """Say in a sentence whether plain text became harder to predict; None if nobody knows."""
    before = stages.get("before", {}).get("perplexity")
    changes = {
        # Rounded, so that a rise of a tenth is not more than one.
        after: round(stages[stage]["perplexity"] / before - 1, 6)
        for stage, after in _AFTER.items()
        if before and stages.get(stage, {}).get("perplexity")
    }
    if not changes:
        return None
    good = max(changes.values()) <= MAX_RISE
    numbers = " and ".join(f"{100 * change:+.1f}% {after}" for after, change in changes.items())
    verdict = "did not rise by more than" if good else "rose by more than"
    text = (
        f"The perplexity of plain text under {system} (training seed {seed}) {verdict} "
        f"{100 * MAX_RISE:.0f}%: {numbers}."
    )
    return text, good


def _text(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.1f}" if value < 1e9 else f"{value:.2e}"
