"""Residues as tokens of a language model, beside its words."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from protscribe.errors import InputError

ALPHABET = "ACDEFGHIKLMNPQRSTVWYUOBZXJ"
"""The twenty residues, selenocysteine and pyrrolysine, and the four ambiguous ones of IUPAC."""

OPEN, CLOSE = "<protein>", "</protein>"
"""What stands around a protein, here and in texts that show one."""


@dataclass(frozen=True)
class Residues:
    """Ids of residue tokens, which follow those of the language model's own vocabulary.

    InstructProtein adds two ids around the protein and one for each of the twenty residues;
    here every letter of a UniProt sequence has one, and no text ever becomes one of them.

    Parameters
    ----------
    first_id
        The first free id: the number of rows of the language model's embeddings.
    """

    first_id: int

    @property
    def size(self) -> int:
        """Number of new ids."""
        return 2 + len(ALPHABET)

    @property
    def open_id(self) -> int:
        """The id before a protein."""
        return self.first_id

    @property
    def close_id(self) -> int:
        """The id after a protein."""
        return self.first_id + 1

    @property
    def residue_ids(self) -> range:
        """Ids of the residues, in the order of `ALPHABET`."""
        return range(self.first_id + 2, self.first_id + self.size)

    def encode(
        self, sequence: str, max_residues: int | None = None, *, closed: bool = True
    ) -> list[int]:
        """Return the ids of a protein.

        Parameters
        ----------
        sequence
            One-letter residues.
        max_residues
            Longer proteins are cut here, at the C-terminal end.
        closed
            Whether a cut protein gets the closing id too. One that is to be read does; one
            that is to be written does not, since the protein does not end there.

        Raises
        ------
        InputError
            If the sequence is empty or holds a letter that is no residue.
        """
        kept = sequence[:max_residues]
        if not kept:
            raise InputError("an empty sequence is no protein")
        try:
            ids = [self._id_of[letter] for letter in kept]
        except KeyError as error:
            raise InputError(
                f"{error.args[0]!r} is no residue; a sequence holds only {ALPHABET}"
            ) from None
        whole = len(kept) == len(sequence)
        return [self.open_id, *ids, *([self.close_id] if whole or closed else [])]

    def decode(self, ids: Sequence[int]) -> str:
        """Return ids of residue tokens as text; those around a protein become `OPEN`, `CLOSE`."""
        tokens = [OPEN, CLOSE, *ALPHABET]
        return "".join(tokens[i - self.first_id] for i in ids)

    def holds(self, token_id: int) -> bool:
        """Return whether an id is one of these."""
        return token_id >= self.first_id

    @cached_property
    def _id_of(self) -> dict[str, int]:
        return dict(zip(ALPHABET, self.residue_ids, strict=True))
