"""Conversations about proteins, as LLaVA's training code and its successors for proteins read them.

A record has ``id``, ``amino_seq`` and ``conversations``, a list of ``{"from", "value"}`` turns. The
text of a protein is what the model side (``gpt``) says, its turns joined; the questions are not
kept. A protein with several records keeps its first one, because an answer means little beside
answers to other questions; the others become rejects like every second record of an accession.
"""

from collections.abc import Collection, Mapping
from typing import Any

from protscribe.sources.formats.record import Reject, function_columns

ANSWERERS = ("gpt", "assistant")


def row(record: Mapping[str, Any], *, evidence: Collection[str] = ()) -> dict[str, Any]:
    """Read one record.

    Parameters
    ----------
    record
        The JSON object.
    evidence
        Wanted ECO codes, see `protscribe.sources.formats.record.function_columns`; conversations
        rarely carry any.

    Returns
    -------
    dict
        Accession, name, sequence and function.

    Raises
    ------
    Reject
        If the record does not have the structure.
    """
    try:
        answers = [turn["value"] for turn in record["conversations"] if turn["from"] in ANSWERERS]
        return {
            "accession": str(record["id"]),
            "protein_name": record.get("protein"),
            "sequence": "".join(record.get("amino_seq") or record.get("sequence") or ""),
            **function_columns([" ".join(" ".join(answers).split())], evidence),
        }
    except (KeyError, TypeError) as error:
        raise Reject("not parsable", f"not a record of a conversation: {error!r}") from None
