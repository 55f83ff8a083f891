"""Questions with options as the prompts of a model, the ones about a protein together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor

from protscribe.corpora.prompted import apply_style
from protscribe.errors import InputError
from protscribe.evaluation.asked_proteins import AskedProteins, protein_key
from protscribe.evaluation.ranking import Prefix, Question
from protscribe.prompts import PROTEIN_MARKER, PromptBuilder, PromptStyle
from protscribe.tables import read_table

Row = Mapping[str, Any]
Text = tuple[tuple[tuple[str, str], ...], str, tuple[str, ...]]
"""Turns, lead and options: all of a question but the protein."""

_UNKNOWN = {"protein_name": None, "organism": None}


class OptionPrompts:
    """The prompts that a model gets with questions.

    Parameters
    ----------
    builder
        Prompts of the language model.
    style
        What the system puts around a question.
    rows
        The questions.
    proteins
        Where their proteins come from; None for a model that reads none.
    table
        The proteins table, for a style that names the protein or its organism.

    Raises
    ------
    InputError
        If the style needs the table and there is none.
    """

    def __init__(
        self,
        builder: PromptBuilder,
        style: PromptStyle,
        rows: Sequence[Row],
        proteins: AskedProteins | None = None,
        table: Path | None = None,
    ) -> None:
        self._builder = builder
        self._style = style
        self._proteins = proteins
        self._named: dict[str, Row] = {}
        if "{" in style.user_template:
            if table is None:
                raise InputError("prompt.user_template names the protein; give the proteins table")
            self._named = _names(table, {row["accession"] for row in rows} - {None})

    def text(self, row: Row) -> Text:
        """Return what two questions have in common if they differ in the protein alone."""
        turns = tuple((turn["role"], turn["content"]) for turn in self._turns(row))
        return turns, row["lead"] or "", tuple(row["options"])

    def with_protein(self, rows: Sequence[Row]) -> Prefix:
        """Return the questions about one protein, after what their prompts begin with.

        Raises
        ------
        InputError
            If a question cannot be asked, or its protein cannot be read.
        """
        assert self._proteins is not None
        ids, states = self._proteins.read(protein_key(rows[0]))
        return self._prefix(rows, ids, states)

    def without_protein(self, rows: Sequence[Row]) -> Prefix:
        """Return questions with the protein left out, after what their prompts begin with."""
        return self._prefix(rows, (), None)

    def requests(self, row: Row) -> Prefix:
        """Return a question whose options are requests and whose answer is the protein.

        Each request becomes a question of its own, with the protein as its single option, so
        that the likelihoods of one protein after all the requests can be compared.
        """
        assert self._proteins is not None
        protein = self._proteins.written(protein_key(row))
        lead, _ = self._builder.designed(f"{row['lead'] or ''} {PROTEIN_MARKER}", ())
        prompts = [
            [*self._builder.prompt(self._requested(option), ()), *lead] for option in row["options"]
        ]
        start = common_start([prompt[:-1] for prompt in prompts])
        questions = [Question(row["id"], prompt[len(start) :], [protein]) for prompt in prompts]
        return Prefix(start, None, questions)

    def _prefix(self, rows: Sequence[Row], protein: Sequence[int], states: Tensor | None) -> Prefix:
        split = [self._ids(row, protein) for row in rows]
        # What predicts an option belongs to its question, also if there is but one.
        start = common_start([ids[:-1] for ids, _ in split])
        questions = [
            Question(row["id"], ids[len(start) :], options)
            for row, (ids, options) in zip(rows, split, strict=True)
        ]
        return Prefix(start, states, questions)

    def _ids(self, row: Row, protein: Sequence[int]) -> tuple[list[int], list[list[int]]]:
        """Return the ids of a question up to its options, and those of the options."""
        try:
            lead, options = answer_ids(self._builder, row["lead"] or "", row["options"])
            return [*self._builder.prompt(self._turns(row), protein), *lead], options
        except InputError as error:
            raise InputError(f"question {row['id']}: {error}") from None

    def _turns(self, row: Row) -> list[dict[str, str]]:
        if not row["question"]:
            raise InputError(f"question {row['id']} is empty; drop it")
        named = self._named.get(row["accession"], _UNKNOWN)
        turn = {"role": "user", "content": f"{PROTEIN_MARKER}\n{row['question']}"}
        return apply_style(self._style, [turn], named)

    def _requested(self, option: str) -> list[dict[str, str]]:
        return apply_style(self._style, [{"role": "user", "content": option}], _UNKNOWN)


def answer_ids(
    builder: PromptBuilder, lead: str, options: Sequence[str]
) -> tuple[list[int], list[list[int]]]:
    """Return the ids of options as they would stand in answers that a system is trained on.

    An option is tokenised with its lead and the space between them, as one answer; it begins
    where the first of the options differs from the lead alone. A tokenizer that joins the end of
    the lead with an option's beginning so makes the lead shorter, for all options alike: all are
    conditioned on the same ids and can be compared.

    Parameters
    ----------
    builder
        Prompts of the language model.
    lead
        What an answer begins with before the option; may be empty.
    options
        Texts of the options.

    Returns
    -------
    lead, options
        The ids that all answers begin with, and those that follow in each; without the
        end-of-turn.

    Raises
    ------
    InputError
        If there are fewer than two options, one is blank or two are the same.
    """
    texts = [" ".join(option.split()) for option in options]
    if len(texts) < 2:
        raise InputError(f"has {len(texts)} options; at least two can be compared")
    if "" in texts:
        raise InputError(f"option {texts.index('') + 1} is blank")
    if len(set(texts)) < len(texts):
        twice = next(text for text in texts if texts.count(text) > 1)
        raise InputError(f"has the option {twice!r} more than once; options must differ")
    answers = [builder.answer(f"{lead.rstrip()} {option.strip()}")[0][:-1] for option in options]
    start = len(common_start([builder.answer(lead)[0][:-1], *answers]))
    return answers[0][:start], [answer[start:] for answer in answers]


def common_start(lists: Sequence[Sequence[int]]) -> list[int]:
    """Return the ids that all lists begin with."""
    if not lists:
        return []
    # Sorted, the first and the last list differ first where any two do.
    low, high = min(map(list, lists)), max(map(list, lists))
    unlike = (i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b)
    return low[: next(unlike, len(low))]


def _names(table: Path, accessions: set[str]) -> dict[str, Row]:
    found = read_table(table, "proteins", ["accession", "protein_name", "organism"])
    found = found.filter(pc.is_in(found["accession"], pa.array(sorted(accessions), pa.string())))
    named = {row["accession"]: row for row in found.to_pylist()}
    if lacking := sorted(accessions - set(named)):
        raise InputError(f"{table}: lacks {lacking[0]}, which a question is about")
    return named
