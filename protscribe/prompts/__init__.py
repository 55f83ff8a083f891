"""Prompts: what people write around a protein, and the token ids that become of it."""

from protscribe.prompts.builder import Example, PromptBuilder
from protscribe.prompts.conversation import (
    IGNORED_LABEL,
    PLACEHOLDER_ID,
    PROTEIN_MARKER,
    check_turns,
    is_design,
)
from protscribe.prompts.residues import Residues
from protscribe.prompts.style import PromptStyle

__all__ = [
    "IGNORED_LABEL",
    "PLACEHOLDER_ID",
    "PROTEIN_MARKER",
    "Example",
    "PromptBuilder",
    "PromptStyle",
    "Residues",
    "check_turns",
    "is_design",
]
