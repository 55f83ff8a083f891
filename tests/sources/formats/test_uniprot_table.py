import datetime

import pytest

from flat_entries import entry
from protscribe.sources.formats import swissprot
from protscribe.sources.formats.record import Reject, complete
from protscribe.sources.formats.uniprot_table import columns_of, row

SITE = {
    "Entry": "P12345",
    "Entry Name": "KLKA_HUMAN",
    "Reviewed": "reviewed",
    "Protein names": "Kallikrein (EC 3.4.21.35) (Tissue kallikrein) [Cleaved into: A (B); C]",
    "Gene Names": "KLKA KA b0001",
    "Gene Names (primary)": "KLKA",
    "Organism": "Homo sapiens (Human)",
    "Organism (ID)": "9606",
    "Length": "5",
    "Sequence": "MKTAY",
    "Function [CC]": "FUNCTION: Cleaves bonds (PubMed:111). {ECO:0000269|PubMed:111}.; FUNCTION: "
    "[Isoform 2]: Inactive. {ECO:0000305}.",
    "Catalytic activity": "CATALYTIC ACTIVITY: Reaction=A + B = C; Xref=Rhea:RHEA:1; EC=3.4.21.35; "
    "Evidence={ECO:0000269|PubMed:111}; CATALYTIC ACTIVITY: Reaction=D = E; Xref=Rhea:RHEA:2;",
    "Cofactor": "COFACTOR: Name=Zn(2+); Xref=ChEBI:CHEBI:29105; Note=Binds 1 zinc ion.;",
    "EC number": "3.4.21.35; 3.4.21.-",
    "Pathway": "PATHWAY: Peptide metabolism; kinin release. {ECO:0000305}.",
    "Subcellular location [CC]": "SUBCELLULAR LOCATION: Secreted {ECO:0000305}. Nucleus. Note=X.",
    "Gene Ontology IDs": "GO:0004252; GO:0005576",
    "Gene Ontology (molecular function)": "serine-type activity [GO:0004252]",
    "Gene Ontology (cellular component)": "extracellular region [GO:0005576]",
    "Keywords": "Hydrolase;Protease {ECO:0000305}",
    "InterPro": "IPR001254;IPR009003;",
    "Pfam": "PF00089;",
    "Protein families": "Peptidase S1 family, Kallikrein subfamily",
    "PubMed ID": "111; 222",
    "Fragment": "fragment",
    "Taxonomic lineage": "cellular organisms (no rank), Eukaryota (domain), Homo (genus)",
    "Date of creation": "2004-04-13",
    "Sequence version": "3",
    "Signal peptide": 'SIGNAL 1..2; /evidence="ECO:0000255"',
    "Domain [FT]": 'DOMAIN 2..>4; /note="Peptidase; S1"; /evidence="x"; DOMAIN 5; /note="B"',
    "Mass": "5,500",
}


def read(columns, **options):
    return row(columns_of(list(columns)), list(columns.values()), **options)


def test_an_export_of_the_site():
    got = read(SITE)
    evidence = got.pop("function_evidence")
    assert [(e["eco"], e["pubmed_id"]) for e in evidence] == [
        ("ECO:0000269", "111"),
        ("ECO:0000305", None),
    ]
    assert got == {
        "accession": "P12345",
        "entry_name": "KLKA_HUMAN",
        "reviewed": True,
        "protein_name": "Kallikrein",
        "alternative_names": ["Tissue kallikrein"],
        "gene_names": ["KLKA", "KA", "b0001"],
        "organism": "Homo sapiens (Human)",
        "taxon_id": 9606,
        "lineage": ["cellular organisms", "Eukaryota", "Homo"],
        "sequence": "MKTAY",
        "fragment": True,
        "function": "Cleaves bonds. Isoform 2: Inactive.",
        "catalytic_activity": ["A + B = C", "D = E"],
        "subcellular_location": ["Secreted", "Nucleus"],
        "cofactors": ["Zn(2+)"],
        "pathway": ["Peptide metabolism; kinin release"],
        "family": "Peptidase S1 family, Kallikrein subfamily",
        "domains": [
            {"db": "InterPro", "id": "IPR001254", "name": None},
            {"db": "InterPro", "id": "IPR009003", "name": None},
            {"db": "Pfam", "id": "PF00089", "name": None},
        ],
        "features": [
            {"type": "SIGNAL", "start": 1, "end": 2, "note": None},
            {"type": "DOMAIN", "start": 2, "end": 4, "note": "Peptidase; S1"},
            {"type": "DOMAIN", "start": 5, "end": 5, "note": "B"},
        ],
        "keywords": ["Hydrolase", "Protease"],
        "ec": ["3.4.21.35", "3.4.21.-"],
        "go": [
            {"id": "GO:0004252", "aspect": "F", "evidence": None},
            {"id": "GO:0005576", "aspect": "C", "evidence": None},
        ],
        "references": [
            {"pubmed_id": "111", "scope": None},
            {"pubmed_id": "222", "scope": None},
        ],
        "entry_created": datetime.date(2004, 4, 13),
        "sequence_version": 3,
    }
    assert complete(got)["length"] == 5


@pytest.mark.parametrize("prefix", ["", "FUNCTION: "])
def test_the_text_is_that_of_the_flat_entry(prefix):
    text = "Cleaves bonds (PubMed:111). Moves (By similarity). {ECO:0000269|PubMed:111}."
    flat = entry("P1", "MKTAY", "x").replace("x. {ECO:0000269|PubMed:12345678}.", text)
    columns = ("function", "function_evidence")
    got = read({"Entry": "P1", "Sequence": "MKTAY", "Function [CC]": prefix + text})
    assert {c: got[c] for c in columns} == {c: swissprot.row(flat)[c] for c in columns}


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (["accession", "id", "cc_function"], ["accession", "entry_name", "function"]),
        (["id", "seq", "description"], ["accession", "sequence", "function"]),
        (["Entry", "text", "description"], ["accession", "function", "protein_name"]),
        (["Entry_Name", "Function_CC", "GO_IDs"], ["entry_name", "function", "go_id"]),
        (["GO", "GO_MF", "SeqVersion"], ["go", "go_f", "sequence_version"]),
        (["Domain [FT]", "Mass", "cluster40"], ["", "", ""]),
    ],
)
def test_names_of_columns(header, columns):
    assert list(columns_of(header)) == columns


def test_old_spellings_of_values():
    got = read(
        {
            "Entry": "P1",
            "Sequence": "MKTAY",
            "Function_CC": "Binds zinc.",
            "Fragment": "",
            "Length": "5",
            "GO": "GO:0000001; GO:0000002",
            "Domain_FT": "DOMAIN 1 3 ABC 1. {ECO:0000255}.; DOMAIN 4 5 Potential.",
            "PTM Summary": "DISULFID:4; CARBOHYD:4",
            "Organism": "nan",
        }
    )
    assert got["features"] == [
        {"type": "DOMAIN", "start": 1, "end": 3, "note": "ABC 1"},
        {"type": "DOMAIN", "start": 4, "end": 5, "note": None},
    ]
    assert [term["id"] for term in got["go"]] == ["GO:0000001", "GO:0000002"]
    assert (got["fragment"], got["organism"], got["reviewed"]) == (False, None, None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Length": "6"}, "wrong sequence length"),
        ({"Length": "six"}, "not parsable"),
        ({"Date of creation": "13.4.2004"}, "not parsable"),
        ({"text_kind": "sgd_description"}, "not a function text"),
    ],
)
def test_bad_values(change, reason):
    with pytest.raises(Reject) as reject:
        read(SITE | change)
    assert reject.value.reason == reason


def test_too_few_fields():
    with pytest.raises(Reject, match="2 fields, but the header has 3"):
        row(("accession", "sequence", "function"), ["P1", "MKV"])


def test_evidence_selects_comments():
    assert read(SITE, evidence=["ECO:0000305"])["function"] == "Isoform 2: Inactive."
    assert read(SITE, evidence=["ECO:0000250"])["function"] == ""
