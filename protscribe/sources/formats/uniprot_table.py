"""Rows of text tables into rows of the proteins table.

Read are the exports of UniProt's site (``Function [CC]``), the same columns under the names of its
programmatic return fields (``cc_function``) and in older spellings (``Function_CC``), and plain
tables of accession, sequence and text. Values keep their UniProt form: evidence tags, topics such
as ``FUNCTION:`` in front, several values after one another.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from protscribe.sources.formats import comments, features
from protscribe.sources.formats.record import Reject, function_columns

NEEDED = frozenset({"accession", "sequence", "function"})

NAMES: Mapping[str, tuple[str, ...]] = {
    "accession": ("entry", "primary_accession", "uniprot", "uniprot_id", "uniprot_accession"),
    "entry_name": ("uniprotkb_id",),
    "reviewed": ("status",),
    "protein_name": ("protein_names", "protein"),
    "gene_names": ("gene_name", "genes", "gene"),
    "gene_primary": ("gene_names_primary", "gene_names_prim"),
    "gene_synonym": ("gene_names_synonym", "gene_synonyms", "gene_syn"),
    "gene_oln": ("gene_names_ordered_locus", "gene_names_ol"),
    "gene_orf": ("gene_names_orf", "gene_name_orf"),
    "organism": ("organism_name", "species"),
    "taxon_id": ("organism_id", "taxonomy_id", "taxid", "ncbi_taxid"),
    "lineage": ("taxonomic_lineage", "taxonomic_lineage_all"),
    "sequence": ("seq", "amino_seq", "protein_sequence"),
    "length": (),
    "fragment": (),
    "function": ("function_cc", "cc_function", "text", "function_text"),
    "catalytic_activity": ("cc_catalytic_activity", "catalytic_activity_cc"),
    "subcellular_location": ("subcellular_location_cc", "cc_subcellular_location"),
    "cofactors": ("cofactor", "cc_cofactor", "cofactor_cc"),
    "pathway": ("cc_pathway", "pathway_cc"),
    "family": ("protein_families", "protein_family"),
    "interpro": ("xref_interpro", "cross_reference_interpro"),
    "pfam": ("xref_pfam", "cross_reference_pfam"),
    "keywords": ("keyword",),
    "ec": ("ec_number", "ec_numbers"),
    "go_id": ("gene_ontology_ids", "go_ids"),
    "go": ("gene_ontology_go",),
    "go_f": ("gene_ontology_molecular_function", "go_mf"),
    "go_p": ("gene_ontology_biological_process", "go_bp"),
    "go_c": ("gene_ontology_cellular_component", "go_cc"),
    "pubmed": ("pubmed_id", "pubmed_ids", "lit_pubmed_id", "pmid", "pmids"),
    "entry_created": ("date_of_creation", "date_created"),
    "sequence_version": ("seqversion", "version_sequence"),
    "text_kind": (),
}
"""Names of each column beside its own, lower-case, with ``_`` for what is no letter or digit."""

UNLESS_TAKEN = {"id": ("accession", "entry_name"), "description": ("function", "protein_name")}
"""Names that mean the first thing, or the second one where another column is the first."""

_KNOWN = {name: column for column, names in NAMES.items() for name in (column, *names)}
_EMPTY = frozenset({"", "nan", "NaN", "NULL", "null", "None", "N/A"})
_PARTS = re.compile(r"\s*\[(?:Cleaved into|Contains|Includes): .*$")
_RANK = re.compile(r"\s\([a-z ]+\)$")
_TAGS = re.compile(r"\s*\{[^{}]*\}")
_GO = re.compile(r"GO:\d{7}")


def columns_of(header: Sequence[str]) -> tuple[str, ...]:
    """Return what each column holds: a key of `NAMES`, or nothing if it is not known."""
    plain = [re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in header]
    columns = [_KNOWN.get(name, "") for name in plain]
    for at, name in enumerate(plain):
        free = [column for column in UNLESS_TAKEN.get(name, ()) if column not in columns]
        columns[at] = free[0] if free else columns[at]
    return tuple(columns)


def row(
    columns: Sequence[str], fields: Sequence[str], *, evidence: Collection[str] = ()
) -> dict[str, Any]:
    """Read one row.

    Parameters
    ----------
    columns
        What each field holds, from `columns_of`.
    fields
        The row's fields.
    evidence
        Wanted ECO codes, see `protscribe.sources.formats.record.function_columns`.

    Returns
    -------
    dict
        The columns of the proteins table that the row says something about.

    Raises
    ------
    Reject
        If fields are missing, a number is none, the length does not fit the sequence or the text
        is not about function (column ``text_kind``).
    """
    if len(fields) != len(columns):
        raise Reject("not parsable", f"{len(fields)} fields, but the header has {len(columns)}")
    values = {c: v.strip() for c, v in zip(columns, fields, strict=True) if c}
    values = {c: v for c, v in values.items() if v not in _EMPTY}
    kind = values.get("text_kind")
    if kind and "function" not in kind.lower():
        raise Reject("not a function text", f"its kind is {kind}")
    sequence = values.get("sequence", "")
    try:
        length = _number(values.get("length"))
        if length is not None and sequence and length != len(sequence):
            detail = f"{len(sequence)} residues, but the row says {length}"
            raise Reject("wrong sequence length", detail)
        numbers = {c: _number(values.get(c)) for c in ("taxon_id", "sequence_version")}
        created = values.get("entry_created")
        entry_created = date.fromisoformat(created) if created else None
    except ValueError as error:
        raise Reject("not parsable", str(error)) from None
    others = (v.strip() for c, v in zip(columns, fields, strict=True) if not c)
    return {
        "accession": values.get("accession"),
        "entry_name": values.get("entry_name"),
        "reviewed": _reviewed(values.get("reviewed")),
        **_names(values, "fragment" in columns),
        "gene_names": _gene_names(values),
        "organism": comments.clean(values.get("organism", "")).rstrip(".") or None,
        "lineage": [_RANK.sub("", name) for name in _list(values.get("lineage"), ",")],
        "sequence": sequence,
        **numbers,
        "entry_created": entry_created,
        **function_columns(_topic(values.get("function"), "FUNCTION"), evidence),
        "catalytic_activity": comments.values(
            _topic(values.get("catalytic_activity"), "CATALYTIC ACTIVITY"), "Reaction"
        ),
        "subcellular_location": comments.unique(
            place
            for text in _topic(values.get("subcellular_location"), "SUBCELLULAR LOCATION")
            for place in comments.locations(text)
        ),
        "cofactors": comments.values(_topic(values.get("cofactors"), "COFACTOR"), "Name"),
        "pathway": comments.values(_topic(values.get("pathway"), "PATHWAY")),
        "family": values.get("family"),
        "domains": [
            {"db": db, "id": identifier, "name": None}
            for db in ("InterPro", "Pfam")
            for identifier in _list(values.get(db.lower()), ";")
        ],
        "features": [feature for text in others for feature in features.read_field(text)],
        "keywords": comments.unique(_TAGS.sub("", k) for k in _list(values.get("keywords"), ";")),
        "go": _go(values),
        "references": [
            {"pubmed_id": identifier, "scope": None}
            for identifier in comments.unique(re.findall(r"\d+", values.get("pubmed", "")))
        ],
    }


def _number(text: str | None) -> int | None:
    return int(text.replace(",", "")) if text else None


def _list(text: str | None, separator: str) -> list[str]:
    return [part.strip() for part in (text or "").split(separator) if part.strip()]


def _topic(text: str | None, topic: str) -> list[str]:
    """Return the comments of a field, which may have their topic before each of them or not."""
    parts = re.split(rf"(?:^|;\s+|(?<=[.}}])\s+){topic}:\s*", text or "")
    return [part for part in parts if part]


def _reviewed(text: str | None) -> bool | None:
    known = {"reviewed": True, "unreviewed": False, "swiss-prot": True, "trembl": False}
    return known.get((text or "").lower())


def _names(values: Mapping[str, str], says_fragment: bool) -> dict[str, Any]:
    text = values.get("protein_name", "")
    names = comments.names(_PARTS.sub("", text))
    listed = [*re.findall(r"\(EC ([\d.n-]+)\)", text), *_list(values.get("ec"), ";")]
    names["ec"] = comments.unique([*names["ec"], *listed])
    if says_fragment or names["fragment"]:
        names["fragment"] = names["fragment"] or "fragment" in values
    else:
        names["fragment"] = None
    return names


def _gene_names(values: Mapping[str, str]) -> list[str]:
    kinds = ("gene_primary", "gene_synonym", "gene_names", "gene_oln", "gene_orf")
    return comments.unique(
        name for kind in kinds for name in re.split(r"[;\s]+", values.get(kind, ""))
    )


def _go(values: Mapping[str, str]) -> list[dict[str, str | None]]:
    aspects = {
        term: aspect
        for column, aspect in (("go_f", "F"), ("go_p", "P"), ("go_c", "C"))
        for term in _GO.findall(values.get(column, ""))
    }
    named = [term for c in ("go_id", "go") for term in _GO.findall(values.get(c, ""))]
    terms = comments.unique([*named, *aspects])
    return [{"id": term, "aspect": aspects.get(term), "evidence": None} for term in terms]
