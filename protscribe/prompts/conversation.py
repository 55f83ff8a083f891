"""What a conversation about a protein looks like."""

from collections.abc import Mapping, Sequence

from protscribe.errors import InputError

PROTEIN_MARKER = "<protein_sequence>"
"""Stands for the protein in a turn, as in the LLaVA-style files of the field."""

PLACEHOLDER_ID = -200
"""Stands for one protein embedding among token ids; negative, so no vocabulary has it."""

IGNORED_LABEL = -100
"""Label of a position that the loss leaves out (the convention of PyTorch's cross-entropy)."""


def check_turns(turns: Sequence[Mapping[str, str]], last: str, *, designs: bool = False) -> None:
    """Check that a conversation is one about one protein.

    Parameters
    ----------
    turns
        ``{"role", "content"}`` records: an optional system turn, then user and assistant in
        turn; the protein marker stands exactly once, in a user turn.
    last
        Whose turn must be the last: ``user`` where an answer is wanted, ``assistant`` where
        answers are learned.
    designs
        Whether a protein may be asked for too: the marker then stands in an assistant turn, and
        in a prompt, whose answer is to come, nowhere.

    Raises
    ------
    InputError
        What is wrong.
    """
    roles = [turn["role"] for turn in turns]
    system = roles[:1] == ["system"]
    for number, role in enumerate(roles[system:]):
        due = ("user", "assistant")[number % 2]
        if role != due:
            raise InputError(
                f"turn {number + 1 + system} is the {role}'s where the {due}'s is due; after an "
                "optional system turn, user and assistant take turns"
            )
    if roles[-1:] != [last]:
        what = {"user": "prompt must end with a", "assistant": "conversation must end with an"}
        raise InputError(
            f"a {what[last]} {last} turn; the turns of this one are {', '.join(roles) or 'none'}"
        )
    found = sum(turn["content"].count(PROTEIN_MARKER) for turn in turns)
    if designs and is_design(turns) and found == (last == "assistant"):
        return
    if found != 1:
        raise InputError(
            f"a conversation must hold {PROTEIN_MARKER} exactly once, this one holds it "
            f"{found} times: {' / '.join(turn['content'] for turn in turns)[:200]!r}"
        )
    (holder,) = (turn["role"] for turn in turns if PROTEIN_MARKER in turn["content"])
    if holder != "user":
        raise InputError(f"{PROTEIN_MARKER} must stand in a user turn, not in the {holder}'s")


def is_design(turns: Sequence[Mapping[str, str]]) -> bool:
    """Return whether a conversation asks for a protein instead of showing one."""
    return not any(
        turn["role"] != "assistant" and PROTEIN_MARKER in turn["content"] for turn in turns
    )
