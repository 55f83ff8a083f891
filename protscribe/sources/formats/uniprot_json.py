"""UniProtKB entries in the JSON of UniProt's REST service, read into rows of the proteins table.

The JSON holds what a flat file holds, only taken apart: statements without their full stop, tags
as records, names and scopes as lists. Putting the prose together again as the flat file prints it
lets the functions that read flat files read it too, so that an entry gives the same row whichever
format it came in. The structure is that of ``/uniprotkb/search?format=json`` since release 2022_02.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from protscribe.sources.formats import comments
from protscribe.sources.formats.record import Reject, function_columns

FEATURE_TYPES = {
    "Initiator methionine": "INIT_MET",
    "Signal": "SIGNAL",
    "Propeptide": "PROPEP",
    "Transit peptide": "TRANSIT",
    "Chain": "CHAIN",
    "Peptide": "PEPTIDE",
    "Topological domain": "TOPO_DOM",
    "Transmembrane": "TRANSMEM",
    "Intramembrane": "INTRAMEM",
    "Domain": "DOMAIN",
    "Repeat": "REPEAT",
    "Calcium binding": "CA_BIND",
    "Zinc finger": "ZN_FING",
    "DNA binding": "DNA_BIND",
    "Nucleotide binding": "NP_BIND",
    "Region": "REGION",
    "Coiled coil": "COILED",
    "Motif": "MOTIF",
    "Compositional bias": "COMPBIAS",
    "Active site": "ACT_SITE",
    "Metal binding": "METAL",
    "Binding site": "BINDING",
    "Site": "SITE",
    "Non-standard residue": "NON_STD",
    "Modified residue": "MOD_RES",
    "Lipidation": "LIPID",
    "Glycosylation": "CARBOHYD",
    "Disulfide bond": "DISULFID",
    "Cross-link": "CROSSLNK",
}
"""Flat-file name of each feature type; those of observations and variants are left out."""


def row(entry: Mapping[str, Any], *, evidence: Collection[str] = ()) -> dict[str, Any]:
    """Read one entry.

    Parameters
    ----------
    entry
        The entry's JSON object.
    evidence
        ECO codes of which a FUNCTION comment must have one to be kept; all are kept without any.

    Returns
    -------
    dict
        The columns that the entry itself says something about.

    Raises
    ------
    Reject
        If the entry is no longer active or does not have the structure.
    """
    try:
        if entry["entryType"] == "Inactive":
            raise Reject("inactive entry", inactive_detail(entry))
        return _row(entry, evidence)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise Reject("not parsable", f"not an entry of UniProt's JSON: {what}") from None


def inactive_detail(entry: Mapping[str, Any]) -> str:
    """Say what became of an inactive entry: merged, demerged (into which) or deleted (why)."""
    reason = entry.get("inactiveReason") or {}
    kind = str(reason.get("inactiveReasonType", "no reason given")).lower()
    if successors := reason.get("mergeDemergeTo"):
        return f"{kind} into {', '.join(successors)}"
    return f"{kind}: {reason['deletedReason']}" if reason.get("deletedReason") else kind


def _row(entry: Mapping[str, Any], evidence: Collection[str]) -> dict[str, Any]:
    topics: dict[str, list[Mapping[str, Any]]] = {}
    for comment in entry.get("comments", []):
        topics.setdefault(comment["commentType"], []).append(comment)
    organism = entry["organism"]
    common = [organism.get("commonName"), *organism.get("synonyms", [])]
    names = [organism["scientificName"], *(f"({name})" for name in common if name)]
    sequence = entry.get("sequence", {})
    residues = sequence.get("value", "")
    if residues and sequence.get("length", len(residues)) != len(residues):
        detail = f"{len(residues)} residues, but the entry says {sequence['length']}"
        raise Reject("wrong sequence length", detail)
    audit = entry.get("entryAudit", {})
    return {
        "accession": entry["primaryAccession"],
        "entry_name": entry["uniProtkbId"],
        "reviewed": entry["entryType"].startswith("UniProtKB reviewed"),
        **comments.names(_description(entry.get("proteinDescription", {}))),
        "gene_names": _gene_names(entry.get("genes", [])),
        "organism": comments.clean(" ".join(names)).rstrip(".") or None,
        "taxon_id": int(organism["taxonId"]),
        "lineage": list(organism.get("lineage", [])),
        "sequence": residues,
        **function_columns(map(_prose, topics.get("FUNCTION", [])), evidence),
        "catalytic_activity": _values(c["reaction"] for c in topics.get("CATALYTIC ACTIVITY", [])),
        "cofactors": _values(x for c in topics.get("COFACTOR", []) for x in c.get("cofactors", [])),
        "subcellular_location": comments.unique(
            place for c in topics.get("SUBCELLULAR LOCATION", []) for place in _locations(c)
        ),
        "pathway": comments.values(map(_prose, topics.get("PATHWAY", []))),
        "family": comments.family(map(_prose, topics.get("SIMILARITY", []))),
        "domains": [
            {"db": x["database"], "id": x["id"], "name": _domain_name(x)}
            for x in _cross_references(entry, "InterPro", "Pfam")
        ],
        # Positions on another isoform mean nothing on this sequence.
        "features": [
            _feature(f)
            for f in entry.get("features", [])
            if f["type"] in FEATURE_TYPES and not f["location"].get("sequence")
        ],
        "keywords": comments.unique(k["name"] for k in entry.get("keywords", [])),
        "go": [_go(x) for x in _cross_references(entry, "GO")],
        "references": [
            {"pubmed_id": x["id"], "scope": _scope(reference.get("referencePositions", []))}
            for reference in entry.get("references", [])
            for x in reference["citation"].get("citationCrossReferences", [])
            if x["database"] == "PubMed"
        ],
        "entry_created": _date(audit.get("firstPublicDate")),
        "sequence_version": audit.get("sequenceVersion"),
    }


def _description(description: Mapping[str, Any]) -> str:
    """Return the names as the joined DE lines of a flat file."""
    parts = [_names(description)]
    parts += [f"Includes: {_names(part)}" for part in description.get("includes", [])]
    parts += [f"Contains: {_names(part)}" for part in description.get("contains", [])]
    if flag := description.get("flag"):
        parts.append("Flags: " + "; ".join(flag.split(",")) + ";")
    return " ".join(parts)


def _names(block: Mapping[str, Any]) -> str:
    lines = [f"RecName: {_name(block[key])}" for key in ("recommendedName",) if key in block]
    lines += [f"AltName: {_name(name)}" for name in block.get("alternativeNames", [])]
    for kind, key in (("Allergen", "allergenName"), ("Biotech", "biotechName")):
        lines += [f"AltName: {kind}={block[key]['value']};"] if key in block else []
    for kind, key in (("CD_antigen", "cdAntigenNames"), ("INN", "innNames")):
        lines += [f"AltName: {kind}={name['value']};" for name in block.get(key, [])]
    lines += [f"SubName: {_name(name)}" for name in block.get("submissionNames", [])]
    return " ".join(lines)


def _name(name: Mapping[str, Any]) -> str:
    kinds = [("Full", [name["fullName"]] if "fullName" in name else [])]
    kinds += [("Short", name.get("shortNames", [])), ("EC", name.get("ecNumbers", []))]
    return " ".join(f"{kind}={value['value']};" for kind, values in kinds for value in values)


def _gene_names(genes: Iterable[Mapping[str, Any]]) -> list[str]:
    names: list[str] = []
    for gene in genes:
        for kind in ("geneName", "synonyms", "orderedLocusNames", "orfNames"):
            values = gene.get(kind, [])
            names += [v["value"] for v in ([values] if isinstance(values, Mapping) else values)]
    return comments.unique(names)


def _prose(comment: Mapping[str, Any]) -> str:
    """Return a free-text comment as a flat file prints it, scope and evidence tags included."""
    scope = f"[{comment['molecule']}]: " if comment.get("molecule") else ""
    sentences = []
    for text in comment["texts"]:
        sentences.append(text["value"] if text["value"].endswith(".") else text["value"] + ".")
        if tags := [_tag(record) for record in text.get("evidences", [])]:
            sentences.append("{" + ", ".join(tags) + "}.")
    return scope + " ".join(sentences)


def _tag(record: Mapping[str, Any]) -> str:
    code, source, identifier = (record.get(key) for key in ("evidenceCode", "source", "id"))
    if source == "Reference":
        return f"{code}|{identifier}"
    return f"{code}|{source}:{identifier}" if source else str(code)


def _values(items: Iterable[Mapping[str, Any]]) -> list[str]:
    return comments.unique(comments.clean(item["name"]).rstrip(";").rstrip(".") for item in items)


def _locations(comment: Mapping[str, Any]) -> list[str]:
    return [
        comments.clean(
            "; ".join(
                place[part]["value"]
                for part in ("location", "topology", "orientation")
                if part in place
            )
        )
        for place in comment.get("subcellularLocations", [])
    ]


def _cross_references(entry: Mapping[str, Any], *databases: str) -> list[Mapping[str, Any]]:
    return [x for x in entry.get("uniProtKBCrossReferences", []) if x["database"] in databases]


def _properties(cross_reference: Mapping[str, Any]) -> dict[str, str]:
    return {p["key"]: p["value"] for p in cross_reference.get("properties", [])}


def _domain_name(cross_reference: Mapping[str, Any]) -> str | None:
    name = _properties(cross_reference).get("EntryName")
    return name if name and name != "-" else None


def _go(cross_reference: Mapping[str, Any]) -> dict[str, str]:
    facts = _properties(cross_reference)
    evidence = facts["GoEvidenceType"].partition(":")[0]
    return {"id": cross_reference["id"], "aspect": facts["GoTerm"][:1], "evidence": evidence}


def _feature(feature: Mapping[str, Any]) -> dict[str, Any]:
    def known(position: Mapping[str, Any]) -> int | None:
        return None if position.get("modifier") == "UNKNOWN" else position.get("value")

    place = feature["location"]
    return {
        "type": FEATURE_TYPES[feature["type"]],
        "start": known(place["start"]),
        "end": known(place["end"]),
        "note": comments.feature_note(
            feature.get("description") or "", feature.get("ligand", {}).get("name", "")
        ),
    }


def _scope(positions: list[str]) -> str:
    """Return the scopes as the RP lines print them: ``A``, ``A, AND B``, ``A, B, AND C``."""
    if len(positions) < 2:
        return "".join(positions)
    return f"{', '.join(positions[:-1])}, AND {positions[-1]}"


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
