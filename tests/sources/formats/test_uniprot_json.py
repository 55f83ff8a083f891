import gzip
import json

import pytest

from json_entries import entries_from_flat, inactive
from protscribe.schemas import TABLES
from protscribe.sources.formats import swissprot, uniprot_json
from protscribe.sources.formats.record import Reject, complete

FLAT = """\
ID   KLKA_HUMAN              Reviewed;          50 AA.
AC   P12345; Q99999;
DT   13-APR-2004, integrated into UniProtKB/Swiss-Prot.
DT   23-JAN-2007, sequence version 3.
DT   09-JUL-2014, entry version 166.
DE   RecName: Full=Kallikrein {ECO:0000305};
DE            Short=KLK;
DE            EC=3.4.21.35 {ECO:0000269|PubMed:111};
DE   AltName: Full=Tissue kallikrein;
DE            Short=TK;
DE   AltName: Allergen=Hom s 9;
DE   AltName: Biotech=Ancrod;
DE   AltName: CD_antigen=CD9;
DE   AltName: INN=Kallikrein alfa;
DE   Includes:
DE     RecName: Full=Part one;
DE              EC=1.1.1.1;
DE   Contains:
DE     RecName: Full=Part two;
DE              EC=2.2.2.2;
DE   Flags: Precursor; Fragment;
GN   Name=KLKA {ECO:0000303|PubMed:1}; Synonyms=KA, KB;
GN   OrderedLocusNames=b0001; ORFNames=ECK0001;
GN   and
GN   Name=KLKB;
OS   Homo sapiens (Human).
OC   Eukaryota; Metazoa; Chordata; Mammalia; Primates; Hominidae;
OC   Homo.
OX   NCBI_TaxID=9606 {ECO:0000305};
RN   [1] {ECO:0000305}
RP   NUCLEOTIDE SEQUENCE [MRNA], FUNCTION, AND CATALYTIC
RP   ACTIVITY.
RX   PubMed=111; DOI=10.1/1;
RA   Author A.;
RL   J. Biol. 1:1-2(2004).
RN   [2]
RP   STRUCTURE BY NMR OF 1-9; 11-20 AND 30-40.
RX   PubMed=222;
RA   Author B.;
RL   J. Biol. 2:1-2(2005).
RN   [3]
RP   FUNCTION, AND SUBUNIT.
RA   Author C.;
RL   Submitted (JAN-2004) to UniProtKB.
CC   -!- FUNCTION: Cleaves Met-Lys and Arg-Ser bonds in kininogen
CC       (PubMed:111). Releases Lys-bradykinin (By similarity).
CC       {ECO:0000250|UniProtKB:P00001, ECO:0000269|PubMed:111}.
CC   -!- FUNCTION: [Isoform 2]: Inactive (Ref.3). {ECO:0000305,
CC       ECO:0000303|Ref.3}.
CC   -!- CATALYTIC ACTIVITY:
CC       Reaction=Hydrolysis of peptides.; EC=3.4.21.35;
CC         Evidence={ECO:0000269|PubMed:111};
CC   -!- COFACTOR:
CC       Name=Zn(2+); Xref=ChEBI:CHEBI:29105; Evidence={ECO:0000250};
CC       Note=Binds 1 zinc ion per subunit. {ECO:0000250};
CC   -!- PATHWAY: Peptide metabolism; kinin release. {ECO:0000305}.
CC   -!- SUBCELLULAR LOCATION: Cell membrane {ECO:0000305}; Single-pass type II
CC       membrane protein {ECO:0000255}; Extracellular side. Nucleus. Note=Both.
CC   -!- SUBCELLULAR LOCATION: [Isoform 2]: Secreted {ECO:0000305}.
CC   -!- SUBUNIT: Monomer.
CC   -!- SIMILARITY: Belongs to the peptidase S1 family. Kallikrein
CC       subfamily. {ECO:0000255|PROSITE-ProRule:PRU00274}.
DR   InterPro; IPR001254; Trypsin_dom.
DR   Pfam; PF00089; Trypsin; 1.
DR   GO; GO:0004252; F:serine-type endopeptidase activity; IDA:UniProtKB.
DR   PDB; 1ABC; X-ray; 2.00 A; A=1-50.
PE   1: Evidence at protein level;
KW   Hydrolase {ECO:0000305}; Protease.
FT   SIGNAL          1..18
FT                   /evidence="ECO:0000255"
FT   CHAIN           ?..>48
FT                   /note="Kallikrein"
FT                   /id="PRO_0000000001"
FT   BINDING         30
FT                   /ligand="Zn(2+)"
FT                   /ligand_id="ChEBI:CHEBI:29105"
FT                   /evidence="ECO:0000250"
FT   ACT_SITE        ?31
FT                   /note="Nucleophile"
FT   VARIANT         31
FT                   /note="A -> V"
SQ   SEQUENCE   50 AA;  5500 MW;  0123456789ABCDEF CRC64;
     MKTAYIAKQR QISFVKSHFS RQLEERLGLI EVQAPILSRV GDGTQDNLSG
//
"""


def value(text, *evidences):
    return {"value": text, **({"evidences": list(evidences)} if evidences else {})}


def eco(code, source=None, identifier=None):
    record = {"evidenceCode": f"ECO:{code}"}
    return record | ({"source": source, "id": identifier} if source else {})


def place(first, last=None, **modifiers):
    both = {"start": first, "end": first if last is None else last}
    return {k: {"value": v, "modifier": modifiers.get(k, "EXACT")} for k, v in both.items()}


def cross_reference(database, identifier, **properties):
    listed = [{"key": k, "value": v} for k, v in properties.items()]
    return {"database": database, "id": identifier, "properties": listed}


def reference(number, positions, *pubmed_ids):
    citation = {"id": "1", "citationType": "journal article", "authors": ["Author A."]}
    found = [{"database": "PubMed", "id": i} for i in pubmed_ids]
    citation |= {"citationCrossReferences": [*found, {"database": "DOI", "id": "10.1/1"}]}
    return {
        "referenceNumber": number,
        "citation": citation if found else {"citationType": "submission"},
        "referencePositions": positions,
    }


# The entry above as UniProt's REST service writes it.
JSON = {
    "entryType": "UniProtKB reviewed (Swiss-Prot)",
    "primaryAccession": "P12345",
    "secondaryAccessions": ["Q99999"],
    "uniProtkbId": "KLKA_HUMAN",
    "entryAudit": {
        "firstPublicDate": "2004-04-13",
        "lastAnnotationUpdateDate": "2014-07-09",
        "lastSequenceUpdateDate": "2007-01-23",
        "entryVersion": 166,
        "sequenceVersion": 3,
    },
    "annotationScore": 5.0,
    "organism": {
        "scientificName": "Homo sapiens",
        "commonName": "Human",
        "taxonId": 9606,
        "lineage": [
            *("Eukaryota", "Metazoa", "Chordata", "Mammalia", "Primates", "Hominidae", "Homo")
        ],
    },
    "proteinExistence": "1: Evidence at protein level",
    "proteinDescription": {
        "recommendedName": {
            "fullName": value("Kallikrein", eco("0000305")),
            "shortNames": [value("KLK")],
            "ecNumbers": [value("3.4.21.35", eco("0000269", "PubMed", "111"))],
        },
        "alternativeNames": [{"fullName": value("Tissue kallikrein"), "shortNames": [value("TK")]}],
        "allergenName": value("Hom s 9"),
        "biotechName": value("Ancrod"),
        "cdAntigenNames": [value("CD9")],
        "innNames": [value("Kallikrein alfa")],
        "includes": [
            {"recommendedName": {"fullName": value("Part one"), "ecNumbers": [value("1.1.1.1")]}}
        ],
        "contains": [
            {"recommendedName": {"fullName": value("Part two"), "ecNumbers": [value("2.2.2.2")]}}
        ],
        "flag": "Fragment,Precursor",
    },
    "genes": [
        {
            "geneName": value("KLKA", eco("0000303", "PubMed", "1")),
            "synonyms": [value("KA"), value("KB")],
            "orderedLocusNames": [value("b0001")],
            "orfNames": [value("ECK0001")],
        },
        {"geneName": value("KLKB")},
    ],
    "comments": [
        {
            "commentType": "FUNCTION",
            "texts": [
                value(
                    "Cleaves Met-Lys and Arg-Ser bonds in kininogen (PubMed:111). "
                    "Releases Lys-bradykinin (By similarity)",
                    eco("0000250", "UniProtKB", "P00001"),
                    eco("0000269", "PubMed", "111"),
                )
            ],
        },
        {
            "commentType": "FUNCTION",
            "molecule": "Isoform 2",
            "texts": [
                value("Inactive (Ref.3)", eco("0000305"), eco("0000303", "Reference", "Ref.3"))
            ],
        },
        {
            "commentType": "CATALYTIC ACTIVITY",
            "reaction": {
                "name": "Hydrolysis of peptides.",
                "ecNumber": "3.4.21.35",
                "evidences": [eco("0000269", "PubMed", "111")],
            },
        },
        {
            "commentType": "COFACTOR",
            "cofactors": [
                {
                    "name": "Zn(2+)",
                    "evidences": [eco("0000250")],
                    "cofactorCrossReference": {"database": "ChEBI", "id": "CHEBI:29105"},
                }
            ],
            "note": {"texts": [value("Binds 1 zinc ion per subunit", eco("0000250"))]},
        },
        {
            "commentType": "PATHWAY",
            "texts": [value("Peptide metabolism; kinin release", eco("0000305"))],
        },
        {
            "commentType": "SUBCELLULAR LOCATION",
            "subcellularLocations": [
                {
                    "location": value("Cell membrane", eco("0000305")) | {"id": "SL-0039"},
                    "topology": value("Single-pass type II membrane protein", eco("0000255")),
                    "orientation": value("Extracellular side"),
                },
                {"location": value("Nucleus")},
            ],
            "note": {"texts": [value("Both")]},
        },
        {
            "commentType": "SUBCELLULAR LOCATION",
            "molecule": "Isoform 2",
            "subcellularLocations": [{"location": value("Secreted", eco("0000305"))}],
        },
        {"commentType": "SUBUNIT", "texts": [value("Monomer")]},
        {
            "commentType": "SIMILARITY",
            "texts": [
                value(
                    "Belongs to the peptidase S1 family. Kallikrein subfamily",
                    eco("0000255", "PROSITE-ProRule", "PRU00274"),
                )
            ],
        },
    ],
    "features": [
        {"type": "Signal", "location": place(1, 18), "description": "", "evidences": []},
        {
            "type": "Chain",
            "location": place(None, 48, start="UNKNOWN", end="OUTSIDE"),
            "description": "Kallikrein",
            "featureId": "PRO_0000000001",
        },
        {
            "type": "Binding site",
            "location": place(30),
            "description": "",
            "evidences": [eco("0000250")],
            "ligand": {"name": "Zn(2+)", "id": "ChEBI:CHEBI:29105"},
        },
        {
            "type": "Active site",
            "location": place(31, start="UNSURE", end="UNSURE"),
            "description": "Nucleophile",
        },
        {"type": "Natural variant", "location": place(31), "description": ""},
    ],
    "keywords": [
        {"id": "KW-0378", "name": "Hydrolase", "evidences": [eco("0000305")]},
        {"id": "KW-0645", "name": "Protease"},
    ],
    "references": [
        reference(1, ["NUCLEOTIDE SEQUENCE [MRNA]", "FUNCTION", "CATALYTIC ACTIVITY"], "111"),
        reference(2, ["STRUCTURE BY NMR OF 1-9; 11-20 AND 30-40"], "222"),
        reference(3, ["FUNCTION", "SUBUNIT"]),
    ],
    "uniProtKBCrossReferences": [
        cross_reference("InterPro", "IPR001254", EntryName="Trypsin_dom"),
        cross_reference("Pfam", "PF00089", EntryName="Trypsin", MatchStatus="1"),
        cross_reference(
            "GO",
            "GO:0004252",
            GoTerm="F:serine-type endopeptidase activity",
            GoEvidenceType="IDA:UniProtKB",
        ),
        cross_reference("PDB", "1ABC", Method="X-ray", Resolution="2.00 A", Chains="A=1-50"),
    ],
    "sequence": {"value": "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSG", "length": 50},
}


def test_an_entry_gives_the_row_of_its_flat_file():
    row = complete(uniprot_json.row(JSON))
    assert row == complete(swissprot.row(FLAT))
    # Every column is exercised, or the equality above says little.
    assert [name for name in TABLES["proteins"].schema.names if row[name] in (None, [], "")] == []
    assert row["function"].endswith("Isoform 2: Inactive.")
    assert row["alternative_names"][-2:] == ["CD9", "Kallikrein alfa"]
    assert row["ec"] == ["3.4.21.35", "1.1.1.1", "2.2.2.2"]
    assert row["references"] == [
        {
            "pubmed_id": "111",
            "scope": "NUCLEOTIDE SEQUENCE [MRNA], FUNCTION, AND CATALYTIC ACTIVITY",
        },
        {"pubmed_id": "222", "scope": "STRUCTURE BY NMR OF 1-9; 11-20 AND 30-40"},
    ]
    assert row["features"][1:] == [
        {"type": "CHAIN", "start": None, "end": 48, "note": "Kallikrein"},
        {"type": "BINDING", "start": 30, "end": 30, "note": "Zn(2+)"},
        {"type": "ACT_SITE", "start": 31, "end": 31, "note": "Nucleophile"},
    ]
    assert row["subcellular_location"] == [
        "Cell membrane; Single-pass type II membrane protein; Extracellular side",
        "Nucleus",
        "Secreted",
    ]


def test_the_converter_of_the_tests_makes_the_same_entry():
    assert complete(uniprot_json.row(entries_from_flat(FLAT)[0])) == complete(
        uniprot_json.row(JSON)
    )


@pytest.mark.parametrize("wanted", [["ECO:0000269"], ["ECO:0000303"], ["ECO:0000256"], []])
def test_evidence_selects_the_same_comments(wanted):
    row = uniprot_json.row(JSON, evidence=wanted)
    assert row["function"] == swissprot.row(FLAT, evidence=wanted)["function"]
    assert row["function_evidence"] == swissprot.row(FLAT, evidence=wanted)["function_evidence"]
    if wanted == ["ECO:0000303"]:
        assert row["function"] == "Isoform 2: Inactive."


def test_reactions_and_cofactors_of_a_part():
    scoped = FLAT.replace("ACTIVITY:\nCC       Rea", "ACTIVITY: [Part two]:\nCC       Rea")
    scoped = scoped.replace("COFACTOR:\nCC       Nam", "COFACTOR: [Part two]:\nCC       Nam")
    assert scoped.count("[Part two]") == 2
    row = uniprot_json.row(entries_from_flat(scoped)[0])
    assert row["catalytic_activity"] == ["Hydrolysis of peptides"]
    assert row["cofactors"] == ["Zn(2+)"]
    assert row == swissprot.row(scoped)


def test_positions_on_another_isoform_are_left_out():
    elsewhere = {"start": {"value": 3}, "end": {"value": 9}, "sequence": "P12345-2"}
    entry = JSON | {"features": [{"type": "Disulfide bond", "location": elsewhere}]}
    assert uniprot_json.row(entry)["features"] == []


@pytest.mark.parametrize(
    ("entry", "detail"),
    [
        (inactive("P00001", "DEMERGED", "P99999", "P99998"), "demerged into P99999, P99998"),
        (inactive("P00001", "MERGED", "P99999"), "merged into P99999"),
        (inactive("P00001", "DELETED", why="Not in a proteome"), "deleted: Not in a proteome"),
        (inactive("P00001", "DELETED"), "deleted"),
    ],
)
def test_inactive_entries_are_rejected(entry, detail):
    with pytest.raises(Reject) as reject:
        uniprot_json.row(entry)
    assert (reject.value.reason, reject.value.detail) == ("inactive entry", detail)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        [],
        None,
        "P12345",
        {"entryType": None},
        JSON | {"organism": None},
        JSON | {"comments": [{"commentType": "FUNCTION"}]},
        JSON | {"comments": 5},
        JSON | {"features": [{"type": "Signal", "location": {"start": {"value": 1}}}]},
        JSON | {"entryAudit": {"firstPublicDate": "13-APR-2004"}},
        {k: v for k, v in JSON.items() if k != "primaryAccession"},
    ],
)
def test_what_does_not_have_the_structure_is_rejected(entry):
    with pytest.raises(Reject) as reject:
        uniprot_json.row(entry)
    assert reject.value.reason == "not parsable"
    assert reject.value.detail


def test_a_cut_sequence_is_rejected():
    with pytest.raises(Reject) as reject:
        uniprot_json.row(JSON | {"sequence": {"value": "MKT", "length": 50}})
    assert reject.value.reason == "wrong sequence length"


def test_real_pages(shared_data):
    folder = shared_data / "uniprot_fixtures"
    entries = []
    for name in ("entries_test.json.gz", "small.json.gz"):
        with gzip.open(folder / name, "rt") as file:
            entries += json.load(file)["results"]
    assert len(entries) == 96
    for entry in entries:
        row = complete(uniprot_json.row(entry))
        assert row["length"] == entry["sequence"]["length"]
        assert row["reviewed"] == ("Swiss-Prot" in entry["entryType"])
        assert row["protein_name"] and row["entry_name"] and row["lineage"]
        for tag in ("PubMed:", "{ECO", "By similarity", " .", ".."):
            assert tag not in (row["function"] or "")
        functions = [c for c in entry.get("comments", []) if c["commentType"] == "FUNCTION"]
        assert bool(row["function"]) == bool(functions)


def flat_file(shared_data):
    with gzip.open(shared_data / "protein_text" / "uniprot_flat_dev.dat.gz", "rt") as file:
        return file.read()


def test_a_real_entry_in_both_formats(shared_data):
    # One version apart; one annotation to the Gene Ontology was taken back between them.
    flat = flat_file(shared_data)
    text = next(e for e in flat.split("//\n") if e.startswith("ID   THIO_HUMAN")) + "//\n"
    with gzip.open(shared_data / "uniprot_fixtures" / "entries_test.json.gz", "rt") as file:
        entry = next(e for e in json.load(file)["results"] if e["primaryAccession"] == "P10599")
    row, other = swissprot.row(text), uniprot_json.row(entry)
    taken_back = {"id": "GO:2000170", "aspect": "P", "evidence": "IMP"}
    row["go"] = [term for term in row["go"] if term != taken_back]
    assert other == row
    assert len(other["references"]) > 20 and len(other["features"]) > 10


def test_real_entries_converted_to_json_give_the_same_rows(shared_data):
    flat = flat_file(shared_data)
    compared = 0
    for text in flat.split("//\n"):
        if text.isascii() and text:
            row = uniprot_json.row(entries_from_flat(text + "//\n")[0])
            assert row == swissprot.row(text + "//\n")
            compared += 1
    assert compared == 923
