"""UniProt's JSON for entries of a flat file, so that tests have the same entries in both formats.

Written from the two formats alone: nothing of the library's parsers is used, except that lines
which UniProt broke after a hyphen are joined as the library does, since the JSON has no lines.
"""

import re
from datetime import datetime
from typing import Any

from protscribe.sources.formats.comments import join_broken_words
from protscribe.sources.formats.uniprot_json import FEATURE_TYPES

TYPES = {flat: name for name, flat in FEATURE_TYPES.items()} | {
    "VAR_SEQ": "Alternative sequence",
    "VARIANT": "Natural variant",
    "MUTAGEN": "Mutagenesis",
    "UNSURE": "Sequence uncertainty",
    "CONFLICT": "Sequence conflict",
    "NON_CONS": "Non-adjacent residues",
    "NON_TER": "Non-terminal residue",
    "HELIX": "Helix",
    "TURN": "Turn",
    "STRAND": "Beta strand",
}
GENE_KEYS = {"Synonyms": "synonyms", "OrderedLocusNames": "orderedLocusNames"}
GENE_KEYS |= {"ORFNames": "orfNames"}
NAME_KEYS = {"CD_antigen": "cdAntigenNames", "INN": "innNames"}
DR_KEYS = {"GO": ("GoTerm", "GoEvidenceType"), "InterPro": ("EntryName",)}
DR_KEYS |= {"Pfam": ("EntryName", "MatchStatus")}

Json = dict[str, Any]


def entries_from_flat(text: str) -> list[Json]:
    """Return the JSON of every entry of a flat file in the present style."""
    return [_entry(entry) for entry in re.split(r"^//\n", text, flags=re.MULTILINE) if entry]


def inactive(accession: str, kind: str, *successors: str, why: str = "") -> Json:
    """Return the JSON of an entry that was MERGED, DEMERGED or DELETED."""
    reason: Json = {"inactiveReasonType": kind}
    reason |= {"mergeDemergeTo": list(successors)} if successors else {}
    reason |= {"deletedReason": why} if why else {}
    return {
        "entryType": "Inactive",
        "primaryAccession": accession,
        "uniProtkbId": f"{accession}_TEST",
        "annotationScore": 0.0,
        "inactiveReason": reason,
        "extraAttributes": {"uniParcId": "UPI0000000001"},
    }


def _entry(text: str) -> Json:
    text = join_broken_words(text)
    block: dict[str, list[str]] = {}
    for line in text.splitlines():
        block.setdefault(line[:2], []).append(line[5:].rstrip())

    def joined(code: str) -> str:
        return " ".join(line.strip() for line in block.get(code, []))

    name, status, _ = joined("ID").split(maxsplit=2)
    reviewed = status == "Reviewed;"
    accession, *secondary = joined("AC").rstrip(";").split("; ")
    dates = [datetime.strptime(d[:11], "%d-%b-%Y").date().isoformat() for d in block["DT"]]
    version = [int(v) for v in re.findall(r"version (\d+)", joined("DT"))]
    residues = "".join(block["  "]).replace(" ", "")
    organism = re.fullmatch(r"(.*?)(?: \(([^()]*)\))?\.", joined("OS"))
    assert organism
    entry: Json = {
        "entryType": f"UniProtKB {'' if reviewed else 'un'}reviewed "
        f"({'Swiss-Prot' if reviewed else 'TrEMBL'})",
        "primaryAccession": accession,
        "secondaryAccessions": secondary,
        "uniProtkbId": name,
        "entryAudit": {
            "firstPublicDate": dates[0],
            "lastAnnotationUpdateDate": dates[2],
            "lastSequenceUpdateDate": dates[1],
            "entryVersion": version[1],
            "sequenceVersion": version[0],
        },
        "annotationScore": 5.0,
        "organism": {
            "scientificName": organism[1],
            "commonName": organism[2],
            "taxonId": int(re.findall(r"NCBI_TaxID=(\d+)", joined("OX"))[0]),
            "lineage": joined("OC").rstrip(".").split("; "),
        },
        "proteinDescription": _description(joined("DE")),
        "genes": _genes(joined("GN")),
        "comments": _comments(text),
        "features": _features(block.get("FT", [])),
        "keywords": [_value(word, "name") for word in _split(joined("KW").rstrip("."), "; ")],
        "references": _references(text),
        "uniProtKBCrossReferences": [_cross_reference(line) for line in block.get("DR", [])],
        "sequence": {"value": residues, "length": int(joined("SQ").split()[1])},
    }
    return {key: value for key, value in entry.items() if value not in ([], None)}


def _split(text: str, separator: str) -> list[str]:
    """Split outside of evidence tags."""
    return [part for part in re.split(re.escape(separator) + r"(?![^{]*\})", text) if part]


def _evidences(tags: str | None) -> Json:
    records = []
    for tag in (tags or "").strip().split(", ") if tags else []:
        code, _, source = tag.partition("|")
        database, _, identifier = source.partition(":")
        record = {"evidenceCode": code}
        if source.startswith("Ref."):
            record |= {"source": "Reference", "id": source}
        elif source:
            record |= {"source": database, "id": identifier}
        records.append(record)
    return {"evidences": records} if records else {}


def _value(text: str, key: str = "value") -> Json:
    found = re.fullmatch(r"(.*?)(?: *\{(ECO:[^{}]*)\})?", text.strip())
    assert found
    return {key: found[1], **_evidences(found[2])}


def _description(text: str) -> Json:
    whole: Json = {}
    block, group = whole, whole
    pattern = r"(Includes|Contains|Flags):|(RecName|AltName|SubName): |(\w+)=(.*?);(?= |$)"
    for part, label, kind, value in re.findall(pattern, text):
        if part == "Flags":
            flags = re.findall(r"Flags: (.*)", text)[0].rstrip(";").split("; ")
            whole["flag"] = ",".join(sorted(flags))
            break
        if part:
            block = {}
            whole.setdefault(part.lower(), []).append(block)
        elif label:
            group = {}
            if label == "RecName":
                block["recommendedName"] = group
            else:
                key = "alternativeNames" if label == "AltName" else "submissionNames"
                pending = block, key
        elif kind in ("Allergen", "Biotech"):
            block[f"{kind.lower()}Name"] = _value(value)
        elif kind in NAME_KEYS:
            block.setdefault(NAME_KEYS[kind], []).append(_value(value))
        else:
            if not group and block.get("recommendedName") is not group:
                pending[0].setdefault(pending[1], []).append(group)
            if kind == "Full":
                group["fullName"] = _value(value)
            else:
                key = "shortNames" if kind == "Short" else "ecNumbers"
                group.setdefault(key, []).append(_value(value))
    return whole


def _genes(text: str) -> list[Json]:
    genes = []
    for part in re.split(r"(?:^|(?<=;) )and ", text) if text else []:
        gene: Json = {}
        for kind, value in re.findall(r"(\w+)=((?:[^;{]|\{[^{}]*\})*);", part):
            if kind == "Name":
                gene["geneName"] = _value(value)
            else:
                gene[GENE_KEYS[kind]] = [_value(name) for name in _split(value, ", ")]
        genes.append(gene)
    return genes


def _references(text: str) -> list[Json]:
    references = []
    for number, part in enumerate(re.split(r"^RN   .*\n", text, flags=re.MULTILINE)[1:], start=1):
        scope = " ".join(re.findall(r"^RP   (.*)", part, re.MULTILINE)).rstrip(".")
        head, _, last = scope.rpartition(", AND ")
        sources = " ".join(re.findall(r"^RX   (.*)", part, re.MULTILINE))
        found = re.findall(r"(\w+)=([^;]+);", sources)
        citation = {"citationCrossReferences": [{"database": d, "id": i} for d, i in found]}
        references.append(
            {
                "referenceNumber": number,
                "citation": citation if found else {},
                "referencePositions": [*head.split(", "), last] if head else [scope],
            }
        )
    return references


def _comments(text: str) -> list[Json]:
    lines = re.findall(r"^CC   (.*)", text.partition("\nCC   ----")[0], re.MULTILINE)
    found: list[Json] = []
    for part in " ".join(line.strip() for line in lines).split("-!- ")[1:]:
        topic, _, body = part.strip().partition(":")
        scope = re.match(r"\s*\[([^\]]+)\]:", body)
        body = body[scope.end() :].strip() if scope else body.strip()
        comment: Json = {"commentType": topic, "molecule": scope[1]} if scope else {}
        comment |= {"commentType": topic, **_body(topic, body)}
        if topic == "CATALYTIC ACTIVITY":
            for match in re.finditer(r"Reaction=(.*?); (?:.*?)(?:Evidence=\{(.*?)\};|$)", body):
                reaction = {"name": match[1], **_evidences(match[2])}
                found.append({**comment, "reaction": reaction})
        else:
            found.append(comment)
    return found


def _body(topic: str, body: str) -> Json:
    if topic == "COFACTOR":
        names = re.finditer(r"Name=(.*?); (?:Xref=.*?;)?(?: ?Evidence=\{(.*?)\};)?", body)
        cofactors = [{"name": match[1], **_evidences(match[2])} for match in names]
        return {"cofactors": cofactors} if cofactors else {"note": {"texts": [_value(body)]}}
    if topic == "SUBCELLULAR LOCATION":
        return {"subcellularLocations": [_place(p) for p in _places(body.partition("Note=")[0])]}
    if topic in ("FUNCTION", "PATHWAY", "SIMILARITY"):
        tagged = re.findall(r"(.*?)\.(?: \{(ECO:[^{}]*)\}\.(?= |$)|$)", body)
        texts = [{"value": value.strip(), **_evidences(tags)} for value, tags in tagged]
        return {"texts": [text for text in texts if text["value"]]}
    return {}


def _places(text: str) -> list[str]:
    return [place for place in re.split(r"\.(?: |$)(?![^{]*\})", text) if place.strip()]


def _place(text: str) -> Json:
    parts = [_value(part) for part in _split(text.strip(), "; ")]
    return dict(zip(("location", "topology", "orientation"), parts, strict=False))


def _cross_reference(line: str) -> Json:
    database, identifier, *facts = re.sub(r"\.(?: \[.*\])?$", "", line).split("; ")
    keys = DR_KEYS.get(database, [f"Fact{i}" for i in range(len(facts))])
    properties = [{"key": k, "value": v} for k, v in zip(keys, facts, strict=True)]
    return {"database": database, "id": identifier, "properties": properties}


def _features(lines: list[str]) -> list[Json]:
    features: list[Json] = []
    for part in re.split(r"\n(?=\S)", "\n".join(lines)) if lines else []:
        kind, place = part.split(maxsplit=2)[:2]
        sequence, _, place = place.rpartition(":")
        start, _, end = place.partition("..")
        rest = re.sub(r"(?<=[^ ]-)\n\s+(?!(?:and|or)\b)", "", part.partition("\n")[2].strip())
        rest = re.sub(r"\n\s+", " ", rest)
        facts = dict(re.findall(r'/(\w+)="((?:[^"]|"")*)"', rest))
        feature: Json = {
            "type": TYPES[kind],
            "location": {"start": _position(start), "end": _position(end or start)},
            "description": facts.get("note", "").replace('""', '"'),
            **_evidences(facts.get("evidence")),
        }
        if sequence:
            feature["location"]["sequence"] = sequence
        if "ligand" in facts:
            feature["ligand"] = {"name": facts["ligand"]}
        features.append(feature)
    return features


def _position(text: str) -> Json:
    modifiers = {"<": "OUTSIDE", ">": "OUTSIDE", "?": "UNSURE"}
    number = text.lstrip("<>?")
    if not number:
        return {"value": None, "modifier": "UNKNOWN"}
    return {"value": int(number), "modifier": modifiers.get(text[0], "EXACT")}
