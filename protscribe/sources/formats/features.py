"""Features of a chain as flat files and UniProt's site print them."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from protscribe.sources.formats import comments
from protscribe.sources.formats.uniprot_json import FEATURE_TYPES

OBSERVATIONS = frozenset(
    {
        *("CONFLICT", "MUTAGEN", "UNSURE", "VARIANT", "VARSPLIC", "VAR_SEQ"),
        *("HELIX", "STRAND", "TURN", "NON_CONS", "NON_TER"),
    }
)
"""Feature types that are left out: about experiments and variants, not about what the chain has."""

TYPES = frozenset(FEATURE_TYPES.values())
"""Today's other types; older files have some more, which are kept too."""

_TYPE = slice(5, 13)
_GAP = " " * 8
_OLD_GAP = " " * 29
_QUALIFIER = re.compile(r'/([a-z_]+)="?')
_PRINTED = re.compile(
    r"(?:^|; |\. )([A-Z_]{4,8}) ([A-Z]\w+-\d+:)?"
    r"([<>?]?\d*)(?:(?:\.\.| )([<>?]?\d+|\?))?(?=[; ]|$)"
)
_PRINTED_TEXT = re.compile(r'/(ligand|note)="((?:[^"]|"")*)"')


def is_wanted(line: str) -> bool:
    """Tell from the first line of a feature whether it is kept.

    Positions such as ``Q0E9H9-2:641`` are those of another sequence than the entry's own.
    """
    return line[_TYPE].rstrip() not in OBSERVATIONS and (line[13:21] != _GAP or ":" not in line)


def read_lines(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Read the FT lines of a flat file, old style (columns) or new (``1..18`` and qualifiers).

    Raises
    ------
    ValueError, IndexError
        If the lines are not as the format has them.
    """
    places: list[tuple[str, str, str]] = []
    texts: list[dict[str, str]] = []
    part = "note"
    for line in lines:
        if line[5:6] != " ":
            if line[13:21] == _GAP:
                start, _, end = line[21:80].partition("..")
                note = ""
            else:
                start, end, note = line[14:20], line[21:27], line[34:75]
            places.append((line[_TYPE].rstrip(), start.strip(), end.strip() or start.strip()))
            texts.append({"note": note.rstrip()})
            part = "note"
        elif line.startswith(_OLD_GAP, 5):
            more = line[34:75].rstrip()
            if not more.startswith("/FTId="):
                texts[-1]["note"] = _joined(texts[-1]["note"], more)
        elif qualifier := _QUALIFIER.match(line, 21):
            part = qualifier.group(1)
            texts[-1][part] = line[qualifier.end() :].rstrip().removesuffix('"')
        else:
            texts[-1][part] = _joined(texts[-1][part], line[21:].rstrip().rstrip('"'))
    return [
        _feature(*place, text["note"], text.get("ligand", ""))
        for place, text in zip(places, texts, strict=True)
    ]


def read_field(text: str) -> Iterator[dict[str, Any]]:
    """Read a field of an export, which shows by its start whether it holds features.

    Now ``TYPE start..end; /note="..."; /evidence="..."; TYPE ...``, once
    ``TYPE start end note {evidence}.; TYPE ...``.
    """
    if text.partition(" ")[0] not in TYPES:
        return
    found = [match for match in _PRINTED.finditer(text) if match.group(1) in TYPES]
    ends = [*(match.start() for match in found[1:]), len(text)]
    for match, end in zip(found, ends, strict=False):
        rest = text[match.end() : end]
        quoted = {name: text.replace('""', '"') for name, text in _PRINTED_TEXT.findall(rest)}
        note = quoted.get("note", "") if quoted or "/" in rest[:4] else rest
        kind, isoform, first, last = match.groups()
        if not isoform:
            yield _feature(kind, first, last or first, note.strip("; "), quoted.get("ligand", ""))


def _joined(note: str, more: str) -> str:
    return note + more if note.endswith("-") else f"{note} {more}"


def _feature(kind: str, start: str, end: str, note: str, ligand: str) -> dict[str, Any]:
    said = comments.feature_note(note, ligand)
    return {"type": kind, "start": _position(start), "end": _position(end), "note": said}


def _position(text: str) -> int | None:
    # Uncertain positions (<1, >9, ?5) count as what they say.
    return None if text == "?" else int(text.lstrip("<>?"))
