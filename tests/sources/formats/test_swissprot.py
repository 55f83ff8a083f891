import datetime
import gzip
import random

import pytest

from flat_entries import entry, random_protein
from helpers_data import natural_protein
from protscribe.atomic import sha256_text
from protscribe.errors import InputError
from protscribe.sources.entries import parse_entries
from protscribe.sources.formats.record import Reject
from protscribe.sources.formats.swissprot import row as read_row
from protscribe.tables import read_metadata, read_table

FILTERS = {
    "min_length": 30,
    "max_length": None,
    "fragments": "keep",
    "reviewed": "any",
    "function_evidence": [],
}

NEW = """\
ID   KLKA_HUMAN              Reviewed;          50 AA.
AC   P12345; Q99999;
DT   13-APR-2004, integrated into UniProtKB/Swiss-Prot.
DT   23-JAN-2007, sequence version 3.
DT   09-JUL-2014, entry version 166.
DE   RecName: Full=Kallikrein {ECO:0000305};
DE            EC=3.4.21.35;
DE   AltName: Full=Tissue kallikrein;
DE   Flags: Precursor; Fragment;
GN   Name=KLKA {ECO:0000303|PubMed:1}; Synonyms=KA, KB; OrderedLocusNames=b0001;
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
RP   STRUCTURE.
RA   Author B.;
RL   Submitted (JAN-2004) to UniProtKB.
CC   -!- FUNCTION: Cleaves Met-Lys and Arg-Ser bonds in DNA-
CC       bound kininogen (PubMed:111). Releases Lys-bradykinin (By similarity).
CC       {ECO:0000250|UniProtKB:P00001, ECO:0000269|PubMed:111}.
CC   -!- FUNCTION: [Isoform 2]: Inactive. {ECO:0000305}.
CC   -!- CATALYTIC ACTIVITY:
CC       Reaction=Hydrolysis of peptides.; EC=3.4.21.35;
CC         Evidence={ECO:0000269|PubMed:111};
CC   -!- COFACTOR:
CC       Name=Zn(2+); Xref=ChEBI:CHEBI:29105; Evidence={ECO:0000250};
CC       Note=Binds 1 zinc ion per subunit.;
CC   -!- PATHWAY: Peptide metabolism; kinin release. {ECO:0000305}.
CC   -!- SUBCELLULAR LOCATION: Secreted {ECO:0000305}. Nucleus. Note=Both.
CC   -!- SIMILARITY: Belongs to the peptidase S1 family. Kallikrein
CC       subfamily. {ECO:0000255|PROSITE-ProRule:PRU00274}.
CC   ---------------------------------------------------------------------------
CC   Copyrighted by the UniProt Consortium, see https://www.uniprot.org/terms
CC   ---------------------------------------------------------------------------
DR   InterPro; IPR001254; Trypsin_dom.
DR   Pfam; PF00089; Trypsin; 1.
DR   GO; GO:0004252; F:serine-type endopeptidase activity; IDA:UniProtKB.
DR   PDB; 1ABC; X-ray; 2.00 A; A=1-50.
PE   1: Evidence at protein level;
KW   Hydrolase {ECO:0000305}; Protease.
FT   SIGNAL          1..18
FT                   /evidence="ECO:0000255"
FT   DOMAIN          25..>48
FT                   /note="Peptidase S1"
FT   BINDING         30
FT                   /note="substrate"
FT                   /evidence="ECO:0000250"
FT   VARIANT         31
FT                   /note="A -> V"
SQ   SEQUENCE   50 AA;  5500 MW;  0123456789ABCDEF CRC64;
     MKTAYIAKQR QISFVKSHFS RQLEERLGLI EVQAPILSRV GDGTQDNLSG
//
"""

OLD = """\
ID   ADH1_YEAST     STANDARD;      PRT;    42 AA.
AC   P00330;
DT   21-JUL-1986 (Rel. 01, Created)
DT   01-FEB-1994 (Rel. 28, Last sequence update)
DT   01-NOV-1997 (Rel. 35, Last annotation update)
DE   ALCOHOL DEHYDROGENASE I (EC 1.1.1.1) (YADH-1).
GN   ADH1 OR ADC1.
OS   SACCHAROMYCES CEREVISIAE (BAKER'S YEAST).
OC   EUKARYOTA; FUNGI; ASCOMYCOTA.
RN   [1]
RP   SEQUENCE FROM N.A.
RX   MEDLINE; 82265824.
RA   AUTHOR A.;
RL   J. BIOL. CHEM. 257:3018-3025(1982).
CC   -!- FUNCTION: CONVERTS ALCOHOLS (POTENTIAL).
CC   -!- CATALYTIC ACTIVITY: AN ALCOHOL + NAD(+) = AN ALDEHYDE + NADH.
CC   -!- COFACTOR: ZINC (BY SIMILARITY).
CC   -!- SUBCELLULAR LOCATION: CYTOPLASMIC.
CC   -!- SIMILARITY: BELONGS TO THE ZINC-CONTAINING ALCOHOL DEHYDROGENASE
CC       FAMILY.
DR   EMBL; V01292; G171025; -.
KW   OXIDOREDUCTASE; ZINC; NAD.
FT   INIT_MET      0      0
FT   METAL        43     43       ZINC (CATALYTIC) (BY SIMILARITY).
FT   TRANSMEM     10     20       POTENTIAL.
SQ   SEQUENCE   42 AA;  36692 MW;  9D7E8F21 CRC32;
     SIPETQKGVI FYESHGKLEY KDIPVPKPKA NELLINVKYS GV
//
"""


def parse(tmp_path, text, **filters):
    flat = tmp_path / "entries.dat"
    flat.write_bytes(text if isinstance(text, bytes) else text.encode())
    out = tmp_path / "proteins.parquet", tmp_path / "rejects.parquet"
    parse_entries(
        [flat],
        *out,
        filters=FILTERS | filters,
        metadata={"release": "test"},
        processes=1,
        work=tmp_path,
    )
    proteins = {row["accession"]: row for row in read_table(out[0], "proteins").to_pylist()}
    return proteins, read_table(out[1], "rejects").to_pylist()


def test_the_present_style(tmp_path):
    proteins, rejects = parse(tmp_path, NEW)
    assert rejects == []
    assert read_metadata(tmp_path / "proteins.parquet") == {"release": "test"}
    row = proteins["P12345"]
    function = (
        "Cleaves Met-Lys and Arg-Ser bonds in DNA-bound kininogen. Releases Lys-bradykinin. "
        "Isoform 2: Inactive."
    )
    first = function.partition(" Isoform")[0]
    sequence = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSG"
    assert row == {
        "accession": "P12345",
        "entry_name": "KLKA_HUMAN",
        "reviewed": True,
        "protein_name": "Kallikrein",
        "alternative_names": ["Tissue kallikrein"],
        "gene_names": ["KLKA", "KA", "KB", "b0001"],
        "organism": "Homo sapiens (Human)",
        "taxon_id": 9606,
        "lineage": [
            *("Eukaryota", "Metazoa", "Chordata", "Mammalia", "Primates", "Hominidae", "Homo")
        ],
        "sequence": sequence,
        "length": 50,
        "fragment": True,
        "function": function,
        "function_class": "experiment",
        "function_evidence": [
            {
                "statement": "Cleaves Met-Lys and Arg-Ser bonds in DNA-bound kininogen.",
                "eco": "ECO:0000269",
                "pubmed_id": "111",
            },
            {"statement": first, "eco": "ECO:0000250", "pubmed_id": None},
            {"statement": "Isoform 2: Inactive.", "eco": "ECO:0000305", "pubmed_id": None},
        ],
        "catalytic_activity": ["Hydrolysis of peptides"],
        "subcellular_location": ["Secreted", "Nucleus"],
        "cofactors": ["Zn(2+)"],
        "pathway": ["Peptide metabolism; kinin release"],
        "family": "peptidase S1 family. Kallikrein subfamily",
        "domains": [
            {"db": "InterPro", "id": "IPR001254", "name": "Trypsin_dom"},
            {"db": "Pfam", "id": "PF00089", "name": "Trypsin"},
        ],
        "features": [
            {"type": "SIGNAL", "start": 1, "end": 18, "note": None},
            {"type": "DOMAIN", "start": 25, "end": 48, "note": "Peptidase S1"},
            {"type": "BINDING", "start": 30, "end": 30, "note": "substrate"},
        ],
        "keywords": ["Hydrolase", "Protease"],
        "ec": ["3.4.21.35"],
        "go": [{"id": "GO:0004252", "aspect": "F", "evidence": "IDA"}],
        "references": [
            {
                "pubmed_id": "111",
                "scope": "NUCLEOTIDE SEQUENCE [MRNA], FUNCTION, AND CATALYTIC ACTIVITY",
            }
        ],
        "entry_created": datetime.date(2004, 4, 13),
        "sequence_version": 3,
        "text_hash": sha256_text(function),
        "sequence_hash": sha256_text(sequence),
    }


def test_the_old_style(tmp_path):
    proteins, rejects = parse(tmp_path, OLD)
    assert rejects == []
    row = proteins["P00330"]
    assert row["protein_name"] == "ALCOHOL DEHYDROGENASE I"
    assert row["reviewed"] is True
    assert row["function_class"] == "model"
    assert (row["alternative_names"], row["ec"]) == (["YADH-1"], ["1.1.1.1"])
    assert row["gene_names"] == ["ADH1", "ADC1"]
    assert row["function"] == "CONVERTS ALCOHOLS."
    assert [(e["eco"], e["pubmed_id"]) for e in row["function_evidence"]] == [("ECO:0000255", None)]
    assert row["catalytic_activity"] == ["AN ALCOHOL + NAD(+) = AN ALDEHYDE + NADH"]
    assert row["cofactors"] == ["ZINC"]
    assert row["family"] == "ZINC-CONTAINING ALCOHOL DEHYDROGENASE FAMILY"
    assert row["entry_created"] == datetime.date(1986, 7, 21)
    assert row["sequence_version"] is None  # the old style has the release there
    assert row["references"] == []
    assert row["features"][1:] == [
        {"type": "METAL", "start": 43, "end": 43, "note": "ZINC (CATALYTIC)"},
        {"type": "TRANSMEM", "start": 10, "end": 20, "note": None},
    ]


def test_rare_letters_survive(tmp_path):
    sequence = "ACDEFGHIKLMNPQRSTVWYUOBZXJ" * 2
    proteins, _ = parse(tmp_path, entry("P11111", sequence, "Binds zinc"))
    assert proteins["P11111"]["sequence"] == sequence


def test_what_is_rejected_and_why(tmp_path):
    rng = random.Random(0)
    good = random_protein(rng, 60)
    entries = {
        "fine": entry("P00001", good, "Binds zinc"),
        "duplicate accession": entry("P00001", good, "Binds iron"),
        "illegal sequence": entry("P00003", good[:-1] + "*", "Binds zinc"),
        "lower case": entry("P00013", good[:-1] + "a", "Binds zinc"),
        "too short": entry("P00004", "MKV", "Binds zinc"),
        "no FUNCTION comment": entry("P00005", good, "Binds zinc").replace("FUNCTION:", "SUBUNIT:"),
        "only a tag": entry("P00015", good, "{ECO:0000305}").replace(
            "{ECO:0000269|PubMed:12345678}.", ""
        ),
        "no sequence": entry("P00006", good, "Binds zinc").partition("SQ   ")[0] + "//\n",
        "wrong sequence length": entry("P00007", good, "Binds").replace(" 60 AA;", " 61 AA;"),
        "not parsable": entry("P00008", good, "Binds zinc").replace("RN   [1]", "RN   one"),
        "garbage": "garbage\n//\n",
    }
    proteins, rejects = parse(tmp_path, "".join(entries.values()))
    assert list(proteins) == ["P00001"]
    assert proteins["P00001"]["function"] == "Binds zinc."
    assert len(proteins) + len(rejects) == len(entries)
    assert {r["stage"] for r in rejects} == {"parse_entries"}
    assert {r["key"]: r["reason"] for r in rejects} == {
        "P00001": "duplicate accession",
        "P00003": "illegal sequence",
        "P00013": "illegal sequence",
        "P00004": "too short",
        "P00005": "no FUNCTION comment",
        "P00015": "no FUNCTION comment",
        "P00006": "no sequence",
        "P00007": "wrong sequence length",
        "P00008": "not parsable",
        "'garbage'": "not parsable",
    }


def test_an_accession_thrice_is_two_rejects(tmp_path):
    one = entry("P00001", natural_protein(random.Random(1), 50), "Binds zinc")
    proteins, rejects = parse(tmp_path, one * 3)
    assert len(proteins) == 1
    assert [r["key"] for r in rejects] == ["P00001", "P00001 (entry 3)"]


def test_an_earlier_reject_does_not_block_a_good_entry(tmp_path):
    good = entry("P00001", natural_protein(random.Random(1), 50), "Binds zinc")
    proteins, rejects = parse(tmp_path, good.replace("FUNCTION:", "SUBUNIT:") + good)
    assert (list(proteins), len(rejects)) == (["P00001"], 1)


def test_letters_outside_ascii_cost_one_entry(tmp_path):
    bad = entry("P00002", "M" * 40, "Binds zi?nc").encode().replace(b"?", b"\xef")
    proteins, rejects = parse(tmp_path, NEW.encode() + bad)
    assert list(proteins) == ["P12345"]
    assert rejects[0]["reason"] == "not parsable"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("Reviewed", True), ("Unreviewed", False), ("PRELIMINARY", False), ("IPI", None)],
)
def test_whether_it_is_reviewed(kind, expected):
    assert read_row(NEW.replace("Reviewed", kind))["reviewed"] is expected


def test_evidence_selects_function_text(tmp_path):
    proteins, _ = parse(tmp_path, NEW, function_evidence=["ECO:0000305"])
    assert proteins["P12345"]["function"] == "Isoform 2: Inactive."
    assert proteins["P12345"]["function_class"] == "curator"
    with pytest.raises(InputError, match="1 no FUNCTION comment with the wanted evidence"):
        parse(tmp_path, NEW, function_evidence=["ECO:0000303"])


def test_lines_that_are_not_used_may_be_broken():
    broken = NEW.replace("PE   1:", "PE   one:").replace("RA   Author A.;", "RA")
    broken = broken.replace('FT                   /note="A -> V"', "FT                   /note=A")
    assert read_row(broken) == read_row(NEW)
    with pytest.raises(Reject):
        read_row(NEW.replace("DOMAIN          25", "DOMAIN          x5"))


def test_names_and_keywords_whose_tags_go_on():
    tag = "{ECO:0000305,\n%s   ECO:0000250|X:1}"
    broken = NEW.replace("Hydrolase {ECO:0000305}", f"Hydrolase {tag % 'KW'}")
    broken = broken.replace("KA, KB;", f"KA {tag % 'GN'}, KB;")
    assert read_row(broken) == read_row(NEW)


def test_several_genes():
    genes = NEW.replace(
        "OS   Homo", "GN   and\nGN   Name=KLKB=1; Synonyms=KC,\nGN   KD;\nOS   Homo"
    )
    assert read_row(genes)["gene_names"] == ["KLKA", "KA", "KB", "b0001", "KLKB=1", "KC", "KD"]


def test_structured_comments_of_a_part():
    part = NEW.replace("CC       Name=Zn(2+)", "CC       [Part two]: Name=Zn(2+)")
    assert read_row(part)["cofactors"] == ["Zn(2+)"]


def test_positions_in_another_isoform_are_left_out():
    other = NEW.replace(
        "FT   BINDING         30\n",
        'FT   MOD_RES         P12345-2:7\nFT                   /note="Phosphoserine"\n'
        "FT   BINDING         30\n",
    )
    assert read_row(other) == read_row(NEW)


def test_notes_over_several_lines():
    long = NEW.replace(
        'FT                   /note="Peptidase S1"\n',
        'FT                   /note="Peptidase of the S1-\nFT                   like kind and\n'
        'FT                   more (By similarity)"\nFT                   /evidence="ECO:0000255|\n'
        'FT                   PROSITE"\n',
    )
    notes = [feature["note"] for feature in read_row(long)["features"]]
    assert notes == [None, "Peptidase of the S1-like kind and more", "substrate"]


def test_nothing_left_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no protein is left of 1 entries.*min_length \(60\)"):
        parse(tmp_path, NEW, min_length=60)
    assert not (tmp_path / "proteins.parquet").exists()
    assert not (tmp_path / "rejects.parquet").exists()


@pytest.mark.parametrize("text", ["<html></html>", NEW[:-4], NEW + OLD[:200]])
def test_broken_files_leave_nothing(tmp_path, text):
    with pytest.raises(InputError):
        parse(tmp_path, text)
    assert not (tmp_path / "proteins.parquet").exists()


def test_same_input_same_bytes(tmp_path):
    outputs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        parse(tmp_path / name, NEW + OLD)
        files = ("proteins.parquet", "rejects.parquet")
        outputs.append([(tmp_path / name / file).read_bytes() for file in files])
    assert outputs[0] == outputs[1]


def test_real_entries_of_today(shared_data, tmp_path):
    flat = shared_data / "protein_text" / "uniprot_flat_dev.dat.gz"
    if not flat.exists():
        pytest.skip("needs the real flat file beside the project")
    with gzip.open(flat, "rt") as file:
        entries = sum(line == "//\n" for line in file)
    out = tmp_path / "proteins.parquet", tmp_path / "rejects.parquet"
    parse_entries([flat], *out, filters=FILTERS, metadata={}, processes=1, work=tmp_path)
    proteins = read_table(out[0], "proteins")
    rejects = read_table(out[1], "rejects")
    assert proteins.num_rows + rejects.num_rows == entries
    assert set(rejects["reason"].to_pylist()) <= {"no FUNCTION comment", "too short"}
    for text in proteins["function"].to_pylist():
        for tag in ("PubMed:", "{ECO", "By similarity", " .", ".."):
            assert tag not in text
