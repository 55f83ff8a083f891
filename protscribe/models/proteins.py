"""Proteins as a system takes them: encoder states, residue tokens, or both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from protscribe.embeddings.store import EmbeddingStore
from protscribe.errors import InputError
from protscribe.models.connectors import Connector
from protscribe.prompts import PLACEHOLDER_ID, Residues
from protscribe.tables import read_table


class Proteins:
    """Where a system's prompts and answers get their proteins from.

    Parameters
    ----------
    store
        Encoder states, for a system with an encoder; it reads proteins through these.
    connector
        Says how many tokens a protein becomes; goes with `store`.
    residues
        Residue tokens, for a system that has them. Without a store it reads proteins so.
    sequences
        One-letter residues by accession; goes with `residues`.
    max_residues
        Longer proteins in residue tokens are cut here, at the C-terminal end.
    """

    def __init__(
        self,
        *,
        store: EmbeddingStore | None = None,
        connector: Connector | None = None,
        residues: Residues | None = None,
        sequences: Mapping[str, str] | None = None,
        max_residues: int | None = None,
    ) -> None:
        self.store = store
        self._connector = connector
        self._residues = residues
        self._sequences = sequences or {}
        self._max_residues = max_residues

    def prompt_ids(self, accessions: Sequence[str]) -> list[list[int]]:
        """Return what stands for each protein in a prompt.

        Raises
        ------
        InputError
            If a protein is unknown or holds a letter that is no residue.
        """
        if self.store is not None:
            assert self._connector is not None
            counts = map(self._connector.token_count, self.store.lengths(accessions))
            return [[PLACEHOLDER_ID] * count for count in counts]
        return [self._encoded(accession, closed=True) for accession in accessions]

    def answer_ids(self, accession: str) -> list[int]:
        """Return a protein in residue tokens as it is to be written.

        A protein that is cut lacks the closing id.

        Raises
        ------
        InputError
            If the protein is unknown or the system has no residue tokens.
        """
        return self._encoded(accession, closed=False)

    def states(self, accessions: Sequence[str]) -> list[Tensor] | None:
        """Return each protein's encoder states; None for a system without an encoder."""
        return None if self.store is None else [self.store[a] for a in accessions]

    def _encoded(self, accession: str, *, closed: bool) -> list[int]:
        if self._residues is None:
            raise InputError(
                f"{accession} is to be written, but the system has no residue tokens; add "
                "residues to the system, or leave design out of tune.directions"
            )
        if accession not in self._sequences:
            raise InputError(f"the table of proteins lacks {accession}; make it again")
        try:
            return self._residues.encode(
                self._sequences[accession], self._max_residues, closed=closed
            )
        except InputError as error:
            raise InputError(f"{accession}: {error}") from None


def open_proteins(
    system: Mapping[str, Any],
    *,
    store: Path | None,
    proteins: Path | None,
    connector: Connector | None,
    residues: Residues | None,
) -> Proteins:
    """Open the proteins that a system reads and writes.

    Parameters
    ----------
    system
        A system's settings; ``residues.max_residues`` counts where it has residue tokens.
    store
        Folder of its embeddings, if it has an encoder.
    proteins
        The proteins table, if it has residue tokens.
    connector, residues
        As for `Proteins`.
    """
    settings = system.get("residues")
    return Proteins(
        store=None if store is None else EmbeddingStore(store),
        connector=connector,
        residues=residues,
        sequences=read_sequences(proteins) if settings and proteins else None,
        max_residues=settings["max_residues"] if settings else None,
    )


def read_sequences(proteins: Path) -> dict[str, str]:
    """Return the sequences of a proteins table by accession."""
    table = read_table(proteins, "proteins", ["accession", "sequence"])
    return dict(zip(*(table[name].to_pylist() for name in ("accession", "sequence")), strict=True))
