"""Conversations in a system's own prompt."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protscribe.errors import InputError
from protscribe.prompts import PROTEIN_MARKER, PromptStyle, check_turns, is_design
from protscribe.tables import read_table, write_table


def make_prompts(
    corpora: Sequence[Path], proteins: Path, conversations: Path, *, style: PromptStyle
) -> None:
    """Write the conversations of some corpora in a system's prompt.

    Corpora hold the bare protein and what is asked about it; a system puts its own words
    around them. Ids, folds and answers stay as they are.

    Parameters
    ----------
    corpora
        Tables of conversations.
    proteins
        The proteins table, for names and organisms.
    conversations
        The table to write.
    style
        The system's prompt.

    Raises
    ------
    InputError
        If a conversation is none about one protein (see `protscribe.prompts.check_turns`), or
        its protein is unknown.
    """
    columns = ["accession", "protein_name", "organism"]
    facts = {row["accession"]: row for row in read_table(proteins, "proteins", columns).to_pylist()}
    rows = [row for corpus in corpora for row in read_table(corpus, "conversations").to_pylist()]
    for row in rows:
        if row["accession"] not in facts:
            raise InputError(f"{proteins}: lacks {row['accession']}, which {row['id']} is about")
        try:
            check_turns(row["turns"], last="assistant", designs=True)
            row["turns"] = apply_style(style, row["turns"], facts[row["accession"]])
        except InputError as error:
            raise InputError(f"conversation {row['id']}: {error}") from None
        row["prompt_hash"] = style.hash
    write_table(conversations, "conversations", rows, {"prompt_hash": style.hash})


def apply_style(
    style: PromptStyle, turns: Sequence[Mapping[str, str]], protein: Mapping[str, Any]
) -> list[dict[str, str]]:
    """Return a conversation's turns with the system turn before and the template around them.

    Parameters
    ----------
    style
        The system's prompt. Its question follows a protein that comes without one.
    turns
        ``{"role", "content"}`` records; the first is the user's. Where it does not hold the
        protein marker, a protein is asked for, and the template stays away.
    protein
        The row of the proteins table; the first word of the organism stands for the taxon.

    Raises
    ------
    InputError
        If the first turn is not the user's or the protein is shown in a later one.
    """
    opens = bool(turns) and turns[0]["role"] == "user"
    asks = opens and (turns[-1]["role"] == "user" or PROTEIN_MARKER in turns[-1]["content"])
    if asks and is_design(turns):
        return _system_turn(style) + [dict(turn) for turn in turns]
    if not opens or PROTEIN_MARKER not in turns[0]["content"]:
        raise InputError(f"a conversation must open with a user turn that holds {PROTEIN_MARKER}")
    content = turns[0]["content"]
    if style.question and content.strip() == PROTEIN_MARKER:
        content = f"{PROTEIN_MARKER}\n{style.question}"
    taxon = (protein["organism"] or "").split(" ")[0]
    around = style.user_turn(name=protein["protein_name"], taxon=taxon)
    user = {"role": "user", "content": around.replace(PROTEIN_MARKER, content)}
    return [*_system_turn(style), user, *(dict(turn) for turn in turns[1:])]


def _system_turn(style: PromptStyle) -> list[dict[str, str]]:
    return [{"role": "system", "content": style.system_message}] if style.system_message else []
