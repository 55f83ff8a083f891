"""Questions scored in parts that are fixed beforehand, so that a killed job goes on."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from protscribe.atomic import read_json, write_json
from protscribe.evaluation.asked_proteins import protein_key
from protscribe.evaluation.classification.tasks import is_pairing
from protscribe.evaluation.examples import SEQUENCE_CONDITION
from protscribe.evaluation.option_prompts import OptionPrompts, Text
from protscribe.evaluation.ranking import OptionLikelihoods, Prefix, option_log_likelihoods
from protscribe.models.captioner import Captioner

PRIOR = "prior"

_PART = 64
"""Questions from which finished work is worth a file."""

Row = Mapping[str, Any]
Found = dict[str, OptionLikelihoods]
"""Scores by the id of a question."""


class OptionWork:
    """Questions that a model scores, each part of them kept as a file when it is done.

    Parameters
    ----------
    captioner, prompts
        The model and how it is asked.
    batch_tokens
        As for `protscribe.evaluation.ranking.option_log_likelihoods`.
    state
        Folder of finished parts, which belongs to these very questions and this model.
    title
        What the progress bar says.
    """

    def __init__(
        self,
        captioner: Captioner,
        prompts: OptionPrompts,
        batch_tokens: int,
        state: Path,
        title: str,
    ) -> None:
        self._captioner = captioner
        self._prompts = prompts
        self._batch_tokens = batch_tokens
        self._state = state
        self._title = title

    def priors(self, rows: Sequence[Row]) -> Found:
        """Score questions without their proteins, each distinct text once.

        Parameters
        ----------
        rows
            Questions whose answers are words.

        Raises
        ------
        InputError
            If a question cannot be asked or exceeds the budget.
        """
        first: dict[Text, str] = {}
        same_as = {row["id"]: first.setdefault(self._prompts.text(row), row["id"]) for row in rows}
        known = {row["id"]: row for row in rows}
        # Like texts stand together, so that they share more of a tree.
        distinct = [known[first[text]] for text in sorted(first)]
        groups = [distinct[i : i + _PART] for i in range(0, len(distinct), _PART)]
        found = self._run(PRIOR, groups, self._prompts.without_protein)
        return {key: found[other] for key, other in same_as.items()}

    def answers(self, rows: Sequence[Row]) -> Found:
        """Score questions with their proteins, those about one protein together.

        Parameters
        ----------
        rows
            Questions of any kind.

        Raises
        ------
        InputError
            If a question cannot be asked or exceeds the budget, or a protein cannot be read.
        """
        groups: dict[str, list[Row]] = {}
        for row in rows:
            own = f"{row['id']}\n" if is_pairing(row["task"]) else ""
            groups.setdefault(own + protein_key(row), []).append(row)
        # The longest first, so that what does not fit is found out at once.
        order = sorted(groups, key=lambda key: (-len(groups[key][0]["sequence"]), key))
        return self._run(SEQUENCE_CONDITION, [groups[key] for key in order], self._asked)

    def _asked(self, rows: Sequence[Row]) -> Prefix:
        if is_pairing(rows[0]["task"]):
            return self._prompts.requests(rows[0])
        return self._prompts.with_protein(rows)

    def _run(
        self, name: str, groups: Sequence[Sequence[Row]], prefix: Callable[[Sequence[Row]], Prefix]
    ) -> Found:
        parts: list[list[Sequence[Row]]] = []
        for group in groups:
            if not parts or sum(map(len, parts[-1])) >= _PART:
                parts.append([])
            parts[-1].append(group)
        found: Found = {}
        for number, part in enumerate(tqdm(parts, desc=f"{self._title} {name}", mininterval=5)):
            kept = self._state / name / f"part-{number:06d}.json"
            if not kept.exists():
                scores: Found = {}
                for group in part:
                    scores |= self._scores(group, prefix(group))
                write_json(kept, {key: vars(one) for key, one in scores.items()})
            read = read_json(kept)
            if set(read) != {row["id"] for group in part for row in group}:
                raise RuntimeError(f"{kept}: holds other scores than asked for; delete the folder")
            found |= {key: OptionLikelihoods(**one) for key, one in read.items()}
        return found

    def _scores(self, rows: Sequence[Row], prefix: Prefix) -> Found:
        scores = option_log_likelihoods(self._captioner, prefix, batch_tokens=self._batch_tokens)
        if is_pairing(rows[0]["task"]):
            # One question a request, with the protein as its only option.
            totals = [one.log_likelihoods[0] for one in scores]
            return {rows[0]["id"]: OptionLikelihoods(totals, [one.tokens[0] for one in scores])}
        return {row["id"]: one for row, one in zip(rows, scores, strict=True)}
