"""Swiss-Prot prose: comments and names without their evidence tags, and the tags as records.

The tags are UniProt's: ``{ECO:0000269|PubMed:12345, ...}`` after a statement, ``(PubMed:12345)``
inside the text, and in files before 2014 ``(By similarity)``, ``(Probable)``, ``(Potential)``,
which UniProt later turned into the ECO codes in `QUALIFIERS`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

QUALIFIERS = {
    "by similarity": "ECO:0000250",
    "potential": "ECO:0000255",
    "probable": "ECO:0000305",
    "curated": "ECO:0000305",
}
"""ECO code of each old qualifier."""

# Patterns start with a fixed letter where they can: searching for others takes ten times as long.
_ECO_LIST = re.compile(r"\{(ECO:[^{}]*)\}(\.?)")
_ECO = re.compile(r"(ECO:\d{7})(?:\|PubMed:(\d+))?")
_PUBMED = re.compile(r"PubMed:(\d+)")
_PARENTHESES = re.compile(r"\(([^()]*)\)")
_CITATION = re.compile(r"PubMed:\d+|Ref\.\s?\d+|^\d+$", re.IGNORECASE)
_SCOPED = re.compile(r"^\[([^\]]+)\]:\s*")
_SENTENCE = re.compile(r"\s(?<=[.;]\s)\s*(?=[A-Z(\[])")
_DANGLING = re.compile(r"^(?:CC   .{4}|(?:RP|DE)   ).*[^ -]-$")
_TAG_WORD = re.compile(r"PubMed:|Ref\.|similarity|potential|probable|curated", re.IGNORECASE)
_STOPS = re.compile(r"\.\.+(?=\s|$)")
_WORD = re.compile(r"\w")
_NOTE = re.compile(r"^(?:\[[^\]]+\]:\s*)?Note=")
_FAMILY = re.compile(r"belongs to the (.+)", re.IGNORECASE)
_KEPT_HYPHEN = re.compile(r"^(and|or|to|nor|but|rather|as)\b", re.IGNORECASE)


@dataclass
class Statement:
    """One FUNCTION comment: clean text and what supports it.

    Parameters
    ----------
    text
        The prose without tags.
    evidence
        ``{"statement", "eco", "pubmed_id"}`` records: the sentence where the file says which one,
        else the whole text.
    """

    text: str
    evidence: list[dict[str, str | None]] = field(default_factory=list)


def join_broken_words(entry: str) -> str:
    """Undo the line breaks after hyphens in comments, scopes and old names.

    UniProt breaks lines after a hyphen without adding a space, so ``DNA damage-`` and
    ``induced`` belong together, unlike ``medium-`` and ``and long-chain``. Joining the lines
    here, where the break can still be seen, leaves hyphens inside a line alone.
    """
    lines: list[str] = []
    broken = False
    for line in entry.split("\n"):
        more = line[5:].strip() if broken and lines[-1][:5] == line[:5] else ""
        if more and not more.startswith("-!-") and not _KEPT_HYPHEN.match(more):
            lines[-1] += more
        else:
            lines.append(line)
        broken = line.endswith("-") and _DANGLING.match(lines[-1]) is not None
    return "\n".join(lines)


def present_gene_lines(entry: str) -> str:
    """Turn gene names of the style before 2004 into the present one.

    ``GN   (HBA1 OR ALPHA) AND HBA2.`` becomes ``Name=HBA1; Synonyms=ALPHA;``, ``and``,
    ``Name=HBA2;``, because Biopython reads no other style.
    """
    start = entry.find("\nGN   ") + 1
    if not start or "=" in entry[start : entry.find("\n", start)]:
        return entry
    lines = re.findall(r"^GN   (.*)$", entry, re.MULTILINE)
    new = []
    for gene in re.split(r"\bAND\b", " ".join(lines).rstrip(". ")):
        name, *synonyms = (part.strip(" ()") for part in re.split(r"\bOR\b", gene))
        new.append(f"Name={name};" + (f" Synonyms={', '.join(synonyms)};" if synonyms else ""))
    block = "GN   and\n".join(f"GN   {line}\n" for line in new)
    return re.sub(r"(?:^GN   .*\n)+", lambda _: block, entry, count=1, flags=re.MULTILINE)


def clean(text: str) -> str:
    """Return prose without evidence tags, citations and old qualifiers."""
    if "{" in text:
        text = _without_tags(text)
    if "(" in text:
        text = _without_citations(text)
    text = " ".join(text.split())
    for mark in ".,;:":
        text = text.replace(f" {mark}", mark)
    return _STOPS.sub(".", text) if ".." in text else text


def function_statement(comment: str) -> Statement:
    """Read one FUNCTION comment.

    A prefix such as ``[Isoform 2]:`` becomes ``Isoform 2:``, because the statement would be false
    without it.

    Parameters
    ----------
    comment
        The comment's text after ``FUNCTION:``.
    """
    prose = _SCOPED.sub(r"\1: ", comment.strip())
    listed = [pair for tags, _ in _ECO_LIST.findall(prose) for pair in _ECO.findall(tags)]
    prose = _without_tags(prose)
    codes: dict[str, dict[str, None]] = {}
    for eco, pubmed_id in listed:
        codes.setdefault(pubmed_id, {})[eco] = None
    text = clean(prose)
    # A comment of tags alone says nothing.
    statement = Statement(text if _WORD.search(text) else "")
    cited: set[str] = set()
    for sentence in _SENTENCE.split(prose):
        if "(" not in sentence and "PubMed:" not in sentence:
            continue
        text = clean(sentence)
        for pubmed_id in dict.fromkeys(_PUBMED.findall(sentence)):
            for eco in codes.get(pubmed_id) or [None]:
                statement.evidence.append(_record(text, eco, pubmed_id))
            cited.add(pubmed_id)
        for inner in _PARENTHESES.findall(sentence):
            for word in re.split(r"[,;]", inner):
                # Newer files repeat the qualifier's code in the list, with its source.
                if (eco := QUALIFIERS.get(word.strip().lower())) and not listed:
                    statement.evidence.append(_record(text, eco, None))
    for eco, pubmed_id in dict.fromkeys(listed):
        if pubmed_id not in cited:
            statement.evidence.append(_record(statement.text, eco, pubmed_id or None))
    return statement


def named_values(comment: str, key: str) -> list[str]:
    """Return the values of ``key=...;`` in a structured comment, cleaned.

    Used for ``Reaction=`` of CATALYTIC ACTIVITY and ``Name=`` of COFACTOR. A value ends at the
    next ``; Word=``, so that a semicolon inside it stays.
    """
    # Continued lines are indented.
    comment = _SCOPED.sub("", " ".join(comment.split()))
    values = re.findall(rf"(?:^|; ?){key}=(.*?)(?=; ?[A-Z][A-Za-z]*=|;?$)", comment)
    return [clean(value).rstrip(";") for value in values]


def values(texts: Iterable[str], key: str | None = None) -> list[str]:
    """Return the values of comments of one topic.

    Parameters
    ----------
    texts
        Each comment without its topic.
    key
        What values follow, as in `named_values`; without one, and in a comment that is not
        structured, the whole text is the value.
    """
    found: list[str] = []
    for text in texts:
        structured = named_values(text, key) if key else []
        is_note = bool(key) and _NOTE.match(text)
        found += structured or ([] if is_note else [clean(text)])
    return unique(value.rstrip(".") for value in found)


def family(texts: Iterable[str]) -> str | None:
    """Return the family that the first SIMILARITY comment with one names."""
    found = (_FAMILY.search(text) for text in texts)
    return next((clean(match.group(1)).rstrip(".") for match in found if match), None)


def locations(comment: str) -> list[str]:
    """Return the locations of a SUBCELLULAR LOCATION comment, without its note."""
    # A location's tag may itself hold a full stop, so tags go before the cut.
    text = clean(re.split(r"\bNote=", comment)[0])
    parts = (_SCOPED.sub("", part.strip()).rstrip(".;") for part in re.split(r"\.(?=\s|$)", text))
    return [part for part in parts if part]


def names(description: str) -> dict[str, Any]:
    """Read names, EC numbers and the fragment flag from the joined DE lines."""
    flags = re.search(r"Flags: ([^;]*(?:; *[^;:=]*)*)", description)
    if not re.search(r"\b(?:RecName|SubName|AltName): ", description):
        # Old style: NAME (EC 1.2.3.4) (OTHER NAME) [CONTAINS: ...] (FRAGMENT).
        text = re.sub(r"\[(?:contains|includes):.*?\]", "", description, flags=re.IGNORECASE)
        inside = re.findall(r"\(((?:[^()]|\([^()]*\))*)\)(?=[\s.]|$)", text)
        main = re.sub(r"\s\((?:[^()]|\([^()]*\))*\)(?=[\s.]|$)", "", text).rstrip(". ")
        other = [n for n in inside if not re.match(r"(?:EC [\d.-]+|fragments?)$", n, re.IGNORECASE)]
        ec = re.findall(r"\(EC ([\d.n-]+)\)", description)
        fragment = any(re.match(r"fragments?$", name, re.IGNORECASE) for name in inside)
    else:
        # Names of parts come after their own heading; the entry's own names come first.
        own = re.split(r"\b(?:Contains|Includes):", description)[0]
        own = re.sub(r"\s*\{[^{}]*\}", "", own)
        found = re.findall(r"(?:Full|Short|INN|Biotech|Allergen|CD_antigen)=(.*?);", own + ";")
        main, other = (found[0], found[1:]) if found else ("", [])
        ec = re.findall(r"\bEC=([\d.n-]+)", description)
        fragment = bool(flags and "Fragment" in flags.group(1))
    return {
        "protein_name": main or None,
        "alternative_names": unique(other),
        "ec": unique(ec),
        "fragment": fragment,
    }


def feature_note(note: str, ligand: str = "") -> str | None:
    """Return what a feature says, without tags: its ligand, where it has one, before its note."""
    note = clean(note).rstrip(".") if note else ""
    if note.lower() in QUALIFIERS:
        note = ""
    return "; ".join(filter(None, (ligand, note))) or None


def unique(values: Iterable[str | None]) -> list[str]:
    """Return the values that are not empty, each once, in their order."""
    return list(dict.fromkeys(value for value in values if value))


def _record(statement: str, eco: str | None, pubmed_id: str | None) -> dict[str, str | None]:
    return {"statement": statement, "eco": eco, "pubmed_id": pubmed_id}


def _without_tags(text: str) -> str:
    """Return text without ``{ECO:...}``; the full stop before or after one stays."""
    parts, at = [], 0
    for tag in _ECO_LIST.finditer(text):
        before = text[at : tag.start()].rstrip()
        stop = "." if tag.group(2) or before.endswith(".") else ""
        parts.append(before.removesuffix(".") + stop)
        at = tag.end()
    return "".join([*parts, text[at:]])


def _without_citations(text: str) -> str:
    parts, at = [], 0
    for parentheses in _PARENTHESES.finditer(text):
        kept = _not_citations(parentheses.group(1))
        if kept is not None:
            parts.append(text[at : parentheses.start()].rstrip())
            parts.append(f" ({', '.join(kept)})" if kept else "")
            at = parentheses.end()
    return "".join([*parts, text[at:]])


def _not_citations(inside: str) -> list[str] | None:
    """Return the words that are no citation or qualifier, or None if all are to stay."""
    if not _TAG_WORD.search(inside):
        return None
    words = [word.strip() for word in re.split(r"[,;]| and ", inside)]
    kept = [w for w in words if not _CITATION.search(w) and w.lower() not in QUALIFIERS]
    cited = any(re.search(r"PubMed:|Ref\.", word) for word in words)
    if len(kept) == len(words) or not (cited or any(w.lower() in QUALIFIERS for w in words)):
        return None
    return kept
