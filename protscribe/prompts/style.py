"""What a system puts around the protein."""

from dataclasses import dataclass

from protscribe.atomic import sha256_json
from protscribe.errors import InputError
from protscribe.prompts.conversation import PROTEIN_MARKER


@dataclass(frozen=True)
class PromptStyle:
    """What surrounds the protein.

    Parameters
    ----------
    system_message
        Text of the system turn; empty for none.
    user_template
        Text of the user turn; must hold the marker ``<protein_sequence>`` once and may hold
        ``{name}`` and ``{taxon}``.
    question
        What is asked where a conversation brings the protein and no question of its own;
        empty for nothing.
    format
        ``chat`` for the language model's own chat template; other names stand for the prompts
        of imported published models.
    """

    system_message: str
    user_template: str = PROTEIN_MARKER
    question: str = ""
    format: str = "chat"

    def __post_init__(self) -> None:
        if self.user_template.count(PROTEIN_MARKER) != 1:
            raise InputError(
                f"prompt.user_template must hold {PROTEIN_MARKER} exactly once: "
                f"{self.user_template!r}"
            )
        if PROTEIN_MARKER in self.question:
            raise InputError(f"prompt.question must not hold {PROTEIN_MARKER}; it is put before it")

    @property
    def hash(self) -> str:
        """SHA-256 of the style, recorded with every conversation made from it."""
        return sha256_json([self.system_message, self.user_template, self.question, self.format])

    def user_turn(self, name: str | None = None, taxon: str | None = None) -> str:
        """Fill the user template; a missing name or taxon becomes the word ``unknown``.

        Raises
        ------
        InputError
            If the template names a field that does not exist.
        """
        try:
            return self.user_template.format(name=name or "unknown", taxon=taxon or "unknown")
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(
                f"prompt.user_template may only hold {{name}} and {{taxon}}, not {error}"
            ) from None
