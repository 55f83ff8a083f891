"""Prompts answered in batches that are fixed beforehand, so that a killed job goes on."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from protscribe.atomic import read_json, write_json
from protscribe.batching import token_budget_batches
from protscribe.models.captioner import Captioner
from protscribe.models.decoding import Generated
from protscribe.models.proteins import Proteins
from protscribe.prompts import PLACEHOLDER_ID, PROTEIN_MARKER, PromptBuilder


class Answers:
    """Prompts, each with its protein or none, and the batches that they are answered in.

    A prompt that stands several times with the same protein is answered once: without the
    protein, the descriptions of all test proteins are one and the same question.

    Parameters
    ----------
    prompts
        Token ids.
    proteins
        Encoder states of the proteins; None where prompts have no protein.
    accessions
        Each prompt's protein; left out of account without proteins.
    max_new_tokens
        Most ids of an answer, its end-of-turn included.
    batch_tokens
        Most positions of a batch, prompt and answer together.

    Raises
    ------
    InputError
        If a prompt exceeds the budget.
    """

    def __init__(
        self,
        prompts: Sequence[Sequence[int]],
        proteins: Proteins | None,
        accessions: Sequence[str],
        *,
        max_new_tokens: int,
        batch_tokens: int,
    ) -> None:
        self.prompts = prompts
        self._proteins = proteins
        self._max_new_tokens = max_new_tokens
        self._accessions = accessions
        first: dict[tuple[str | None, tuple[int, ...]], int] = {}
        self._same_as: list[int] = []
        """For each prompt the first one that is the same."""
        for i, (prompt, accession) in enumerate(zip(prompts, accessions, strict=True)):
            protein = None if proteins is None else accession
            self._same_as.append(first.setdefault((protein, tuple(prompt)), i))
        distinct = list(first.values())
        batches = token_budget_batches(
            [len(prompts[i]) + max_new_tokens for i in distinct], max_tokens=batch_tokens
        )
        self._batches = [[distinct[i] for i in batch] for batch in batches]

    def generate(self, captioner: Captioner, state: Path, title: str) -> list[Generated]:
        """Answer greedily.

        Parameters
        ----------
        captioner
            The model.
        state
            Folder of finished batches, which belongs to these very prompts; a batch that is
            there already is not generated again.
        title
            What the progress bar says.

        Returns
        -------
        list of (ids, finish reason)
            In the order of the prompts.
        """
        answers: dict[int, Generated] = {}
        for number, batch in enumerate(tqdm(self._batches, desc=title, mininterval=5)):
            kept = state / f"batch-{number:06d}.json"
            if not kept.exists():
                generated = captioner.generate(
                    [self.prompts[i] for i in batch], self._states(batch), self._max_new_tokens
                )
                write_json(kept, [{"ids": ids, "finish": finish} for ids, finish in generated])
            found = read_json(kept)
            if len(found) != len(batch):
                raise RuntimeError(f"{kept}: holds other answers than asked for; delete the folder")
            answers |= {i: (a["ids"], a["finish"]) for i, a in zip(batch, found, strict=True)}
        return [answers[i] for i in self._same_as]

    def _states(self, batch: Sequence[int]) -> list[Tensor] | None:
        if self._proteins is None:
            return None
        return self._proteins.states([self._accessions[i] for i in batch])


def readable_prompt(builder: PromptBuilder, prompt: Sequence[int]) -> str:
    """Return a prompt as the model reads it, with one marker for the protein if it has one."""

    def is_protein(token_id: int) -> bool:
        residues = builder.residues
        return token_id == PLACEHOLDER_ID or (residues is not None and residues.holds(token_id))

    return "".join(
        PROTEIN_MARKER
        if protein
        else builder.tokenizer.decode(list(ids), skip_special_tokens=False)
        for protein, ids in groupby(prompt, is_protein)
    )


def cut_answers(answers: Sequence[Generated]) -> int:
    """Return how many answers ended because they became too long."""
    return sum(finish == "length" for _, finish in answers)
