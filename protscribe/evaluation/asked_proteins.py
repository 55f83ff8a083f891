"""The proteins that questions are about: the run's own and those of published benchmarks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from protscribe.atomic import sha256_text
from protscribe.embeddings.store import EmbeddingStore
from protscribe.errors import InputError
from protscribe.evaluation.classification.tasks import read_questions
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import encoder_facts
from protscribe.models.proteins import Proteins
from protscribe.prompts import PromptBuilder
from protscribe.schemas import TABLES
from protscribe.tables import write_table

Row = Mapping[str, Any]


def protein_key(row: Row) -> str:
    """Return the name under which the protein of a question is embedded.

    Parameters
    ----------
    row
        ``accession`` and ``sequence`` of a question.

    Returns
    -------
    str
        The accession; for a published protein, which has none, ``sequence:`` and the SHA-256 of
        its residues.
    """
    return row["accession"] or f"sequence:{sha256_text(row['sequence'])}"


def write_asked_proteins(questions: Sequence[Path], output: Path) -> None:
    """Write the published proteins of questions as a table of proteins, to be embedded.

    Parameters
    ----------
    questions
        Tables of questions.
    output
        Table ``proteins`` to write: `protein_key` as accession, sequence, length and hash, all
        else null. Proteins with an accession stand in the run's own table and are left out.

    Raises
    ------
    InputError
        As `protscribe.evaluation.classification.tasks.read_questions`.
    """
    published = {
        protein_key(row): row["sequence"]
        for row in read_questions(questions)
        if row["accession"] is None
    }
    empty = dict.fromkeys(TABLES["proteins"].schema.names)
    rows = [
        empty
        | {
            "accession": key,
            "sequence": sequence,
            "length": len(sequence),
            "sequence_hash": sha256_text(sequence),
        }
        for key, sequence in published.items()
    ]
    write_table(output, "proteins", rows)


class AskedProteins:
    """Proteins of questions as a system takes them, by `protein_key`.

    Parameters
    ----------
    facts
        ``system.json`` of the model.
    captioner, builder
        The model and its prompts.
    stores
        Folders of embeddings, for a system with an encoder: of the run's proteins, of published
        ones, or both.
    rows
        The questions; a system with residue tokens reads and writes their sequences.

    Raises
    ------
    InputError
        If the model was trained on other embeddings, or on none.
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        captioner: Captioner,
        builder: PromptBuilder,
        stores: Sequence[Path],
        rows: Sequence[Row],
    ) -> None:
        opened: list[EmbeddingStore | None] = [EmbeddingStore(folder) for folder in stores]
        opened = opened or [None]
        made_by = [None if store is None else store.manifest for store in opened]
        if any(encoder_facts(manifest) != facts["encoder"] for manifest in made_by):
            names = ", ".join(str(folder) for folder in stores) or "none at all"
            raise InputError(
                f"{facts['name']} was trained on other embeddings than {names}; run "
                "embed_proteins and the training again"
            )
        settings = facts["system"].get("residues")
        self._sources = [
            Proteins(
                store=store,
                connector=captioner.connector,
                residues=builder.residues,
                sequences={protein_key(row): row["sequence"] for row in rows},
                max_residues=settings["max_residues"] if settings else None,
            )
            for store in opened
        ]

    def read(self, key: str) -> tuple[list[int], Tensor | None]:
        """Return what stands for a protein in a prompt, and its encoder states if it has any.

        Raises
        ------
        InputError
            If the protein has no embedding or holds a letter that is no residue.
        """
        for source in self._sources:
            if source.store is None or key in source.store:
                break
        else:
            # Its error says what is missing.
            source = self._sources[0]
        (ids,) = source.prompt_ids([key])
        states = source.states([key])
        return ids, None if states is None else states[0]

    def written(self, key: str) -> list[int]:
        """Return a protein in residue tokens as it is to be written.

        Raises
        ------
        InputError
            If it holds a letter that is no residue, or the system has no residue tokens.
        """
        return self._sources[0].answer_ids(key)
