"""Gene Ontology, InterPro, ENZYME and ChEBI as file servers, and UniProt's smaller files.

Every address is laid out as the provider's; what lies there is small. Texts are in the
providers' formats: made up where none of theirs is at hand.
"""

import gzip
import hashlib
from collections.abc import Callable, Mapping

from servers.loopback import Answer, Request
from servers.uniprot import metalink

GO_RELEASE, GO_VERSION = "2026-08-05", "2026-07-26"
INTERPRO_RELEASE = "109.0"
ENZYME_RELEASE = "02-Sep-2026"
CHEBI_RELEASE, CHEBI_LEGACY_RELEASE = 247, 230
UNIPROT_RELEASE = "2026_03"

TYPEDEFS = """
[Typedef]
id: part_of
name: part of
namespace: external
xref: BFO:0000050
is_transitive: true

[Typedef]
id: regulates
name: regulates
namespace: external
is_transitive: true

[Typedef]
id: occurs_in
name: occurs in
namespace: external
"""

TERMS = r"""
[Term]
id: GO:0003674
name: molecular_function
namespace: molecular_function
def: "A molecular process." [GOC:pdt]

[Term]
id: GO:0008150
name: biological_process
namespace: biological_process
alt_id: GO:0000004
alt_id: GO:0007582

[Term]
id: GO:0005575
name: cellular_component
namespace: cellular_component

[Term]
id: GO:0003677
name: DNA binding
namespace: molecular_function
alt_id: GO:0043566
def: "Any molecular function by which a \"gene product\" interacts ! with DNA {sic}." [PMID:1]
synonym: "microtubule/chromatin interaction" RELATED []
synonym: "plasmid binding" NARROW []
xref: EC 2.7.1.190
is_a: GO:0003674 ! molecular_function

[Term]
id: GO:0003700
name: DNA-binding transcription factor activity
namespace: molecular_function
is_a: GO:0003677 {source="x"} ! DNA binding

[Term]
id: GO:0006355
name: regulation of DNA-templated transcription
namespace: biological_process
is_a: GO:0008150
relationship: regulates GO:0006351 ! DNA-templated transcription

[Term]
id: GO:0006351
name: DNA-templated transcription
namespace: biological_process
is_a: GO:0008150

[Term]
id: GO:0005634
name: nucleus
namespace: cellular_component
is_a: GO:0005575

[Term]
id: GO:0005654
name: nucleoplasm
namespace: cellular_component
is_a: GO:0005575
relationship: part_of GO:0005634 ! nucleus

[Term]
id: GO:0016604
name: nuclear body
namespace: cellular_component
relationship: part_of GO:0005654

[Term]
id: GO:0000100
name: obsolete one that leads on
namespace: molecular_function
is_obsolete: true
replaced_by: GO:0000101

[Term]
id: GO:0000101
name: obsolete one that leads to an alternative id
namespace: molecular_function
is_obsolete: true
replaced_by: GO:0043566

[Term]
id: GO:0000102
name: obsolete one that was split
namespace: molecular_function
is_obsolete: true
replaced_by: GO:0003677
replaced_by: GO:0003700

[Term]
id: GO:0000103
name: obsolete one without a successor
namespace: molecular_function
is_obsolete: true
consider: GO:0003677

[Term]
id: GO:0000104
name: obsolete one that leads to itself
namespace: molecular_function
is_obsolete: true
replaced_by: GO:0000105

[Term]
id: GO:0000105
name: the other one of the circle
namespace: molecular_function
is_obsolete: true
replaced_by: GO:0000104
"""


def obo(terms: str = TERMS, *, version: str = GO_VERSION, typedefs: str = TYPEDEFS) -> str:
    """Return a GO file as it is released."""
    head = f"format-version: 1.2\ndata-version: releases/{version}\n"
    head += 'subsetdef: goslim_generic "Generic GO slim"\nontology: go\n'
    return head + terms + typedefs


def full_terms() -> str:
    """Return the terms with the edges that only go.obo has."""
    across = 'is_a: GO:0003677 {source="x"} ! DNA binding\n'
    terms = TERMS.replace(
        across, f"{across}relationship: part_of GO:0006355\nrelationship: occurs_in GO:0005634\n"
    )
    return terms.replace(
        "is_a: GO:0008150\n\n[Term]\nid: GO:0005634",
        "is_a: GO:0008150\nrelationship: occurs_in CL:0000000\n\n[Term]\nid: GO:0005634",
    )


ENTRY_LIST = """ENTRY_AC\tENTRY_TYPE\tENTRY_NAME
IPR000126\tActive_site\tSerine proteases, V8 family, serine active site
IPR000003\tFamily\tRetinoid X receptor/HNF4
IPR000001\tDomain\tKringle
IPR000276\tFamily\tOdd > GO:name ; GO:0000000
"""
SHORT_NAMES = "IPR000001\tKringle\nIPR000003\tRetinoid-X_rcpt/HNF4\nIPR000126\tV8_Ser_AS\n"
INTERPRO2GO = """!date: 2026/05/24 10:10:21
!Mapping of InterPro entries to GO
!external resource: http://www.ebi.ac.uk/interpro
InterPro:IPR000003 Retinoid X receptor/HNF4 > GO:DNA binding ; GO:0003677
InterPro:IPR000003 Retinoid X receptor/HNF4 > GO:nucleus ; GO:0005634
InterPro:IPR000003 Retinoid X receptor/HNF4 > GO:DNA binding, old ; GO:0043566
InterPro:IPR000001 Kringle > GO:led on ; GO:0000100
InterPro:IPR000001 Kringle > GO:gone ; GO:0000103
InterPro:IPR000001 Kringle > GO:never was ; GO:9999999
InterPro:IPR999999 Not listed > GO:nucleus ; GO:0005634
InterPro:IPR000276 Odd > GO:name ; GO:0000000 > GO:nucleus ; GO:0005634
malformed line
"""

ENZYMES = f"""CC   -----------------------------------------------------------------------
CC
CC   ENZYME nomenclature database
CC
CC   -----------------------------------------------------------------------
CC   Release of {ENZYME_RELEASE}
CC   -----------------------------------------------------------------------
CC   Copyrighted by the SIB Swiss Institute of Bioinformatics and
CC   distributed under the Creative Commons Attribution (CC BY 4.0) License
CC   -----------------------------------------------------------------------
//
ID   1.1.1.1
DE   alcohol dehydrogenase.
AN   aldehyde reductase.
AN   an alternative name of more than one line, with an alpha-
AN   D-sugar in it.
CA   (1) a primary alcohol + NAD(+) = an aldehyde + NADH + H(+).
CA   (2) a secondary alcohol + NAD(+) = a ketone + NADH +
CA   H(+).
CF   Zn(2+) or Fe cation.
CC   -!- Acts on primary or secondary alcohols.
PR   PROSITE; PDOC00058;
DR   P07327, ADH1A_HUMAN;  P28469, ADH1A_MACMU;  Q5RBP7, ADH1A_PONAB;
//
ID   1.1.1.5
DE   Transferred entry: 1.1.1.303 and 1.1.1.304.
//
ID   1.1.1.74
DE   Deleted entry.
//
ID   4.1.1.14
DE   valine decarboxylase.
CA   L-valine + H(+) = 2-methylpropan-1-amine + CO2.
CF   pyridoxal 5'-phosphate.
//
ID   1.1.1.n4
DE   preliminary one.
//
"""

CHEMICALS = r"""format-version: 1.2
data-version: {release}
ontology: chebi
subsetdef: 3:STAR "Manually annotated by the ChEBI Team"

[Term]
id: CHEBI:18420
name: magnesium(2+)
subset: 3:STAR
synonym: "Mg(2+)" RELATED [UniProt]
synonym: "magnesium(2+)" EXACT IUPAC:NAME [IUPAC]
property_value: {formula} "Mg" xsd:string
property_value: {charge} "2" xsd:integer
is_a: CHEBI:39127

[Term]
id: CHEBI:16238
name: FAD
subset: 3:STAR
alt_id: CHEBI:13315
def: "A flavin adenine dinucleotide ..." []
synonym: "Flavin adenine dinucleotide" RELATED [KEGG_COMPOUND]
property_value: {formula} "C27H33N9O15P2" xsd:string

[Term]
id: CHEBI:39127
name: magnesium cation
subset: 3:STAR

[Term]
id: CHEBI:1
name: obsolete one
is_obsolete: true

[Typedef]
id: has_role
name: has role
"""

UNIREF50 = """>UniRef50_Q6GZX4 Transcription factor 001R n=47 Tax=root TaxID=1 RepID=001R_FRG3G
MAFSAEDVLKEYDRRRRMEALLLSLYYPNDRKLLDYKEWSPPRVQVECPKAPVEWNNPPS
EKGLIVGHFSGIKYKGEKAQASEVDVNKMCCWVSKFKDAMRRYQGIQTCKIPGKVLSDLD
>UniRef50_A0A009 Uncharacterized protein n=1 Tax=Some sp. n=2 strain RepID=A0A009_9VIRU
MKTAYIAKQR
>UniRef50_P99999 Cytochrome c n=129 Tax=Bilateria TaxID=33213 RepID=CYC_HUMAN
MGDVEKGKKIFIMKCSQCHTVEKGGKHKTGPNLHGLFGRKTGQAPGYSYTAANKNKGIIW
>UniRef50_EMPTY Nothing here n=1 Tax=root TaxID=1 RepID=X1_X
>UniRef50_BAD Wrong letters n=1 Tax=root TaxID=1 RepID=X2_X
MK*1
>UPI0001 not a cluster
MKT
"""


def mapping_row(accession: str, *clusters: str) -> str:
    """Return a line of idmapping_selected.tab."""
    columns = [accession, "NAME_X", "1", "", "", "", "GO:0005634", *clusters, *[""] * 12]
    return "\t".join(columns) + "\n"


MAPPING = (
    mapping_row("Q6GZX4", "UniRef100_Q6GZX4", "UniRef90_Q6GZX4", "UniRef50_Q6GZX4")
    + mapping_row("P00000", "UniRef100_P00000", "UniRef90_P00000", "UniRef50_P99999")
    + mapping_row("P99999", "UniRef100_P99999", "UniRef90_P99998", "")
)

KEYWORDS = f"""---------------------------------------------------------------------------
Description: Controlled vocabulary of keywords
Name:        keywlist.txt
Release:     {UNIPROT_RELEASE} of 02-Sep-2026

  ---------  ---------------------------     ------------------------------
  Line code  Content                         Occurrence in an entry
  ---------  ---------------------------     ------------------------------
  ID         Identifier (keyword)            Once; starts a keyword entry
  //         Terminator                      Once; ends an entry
___________________________________________________________________________
ID   2Fe-2S.
AC   KW-0001
DE   Protein which contains at least one 2Fe-2S iron-sulfur cluster: 2 iron
DE   atoms complexed to 2 inorganic sulfides and 4 sulfur atoms of RNA-
DE   editing cysteines.
SY   [2Fe-2S] cluster; [Fe2S2] cluster; 2 iron, 2 sulfur cluster binding;
SY   Di-mu-sulfido-diiron.
GO   GO:0051537; 2 iron, 2 sulfur cluster binding
HI   Ligand: Iron; Iron-sulfur; 2Fe-2S.
HI   Ligand: Metal-binding; Iron-sulfur; 2Fe-2S.
HI   Ligand: Metal-binding; 2Fe-2S.
CA   Ligand.
//
ID   Iron-sulfur.
AC   KW-0411
DE   Protein which contains at least one iron-sulfur cluster.
HI   Ligand: Iron; Iron-sulfur.
CA   Ligand.
//
ID   Metal-binding.
AC   KW-0479
DE   Protein which binds at least one metal atom.
HI   Ligand: Metal-binding.
CA   Ligand.
//
IC   Ligand.
AC   KW-9993
DE   Keywords assigned to proteins because they bind a substance.
//
---------------------------------------------------------------------------
Copyrighted by the UniProt Consortium, see https://www.uniprot.org/terms
Distributed under the Creative Commons Attribution (CC BY 4.0) License
---------------------------------------------------------------------------
"""

LOCATIONS = f"""---------------------------------------------------------------------------
Name:        subcell.txt
Release:     {UNIPROT_RELEASE} of 02-Sep-2026

AN   Next free AC: SL-0510
___________________________________________________________________________
ID   Membrane.
AC   SL-0162
DE   A membrane.
SL   Membrane.
KW   KW-0472
GO   GO:0016020; membrane
//
ID   Acidocalcisome membrane.
AC   SL-0003
DE   The membrane of an acidocalcisome.
SY   Acidocalcisomal membrane.
SL   Acidocalcisome membrane.
HI   Membrane.
HP   Acidocalcisome.
GO   GO:0033102; acidocalcisome membrane
//
IT   Single-pass type I membrane protein.
AC   SL-9905
DE   Protein spanning the membrane once.
//
IO   Extracellular side.
AC   SL-9910
DE   Orientation.
//
---------------------------------------------------------------------------
Copyrighted by the UniProt Consortium, see https://www.uniprot.org/terms
Distributed under the Creative Commons Attribution (CC BY 4.0) License
---------------------------------------------------------------------------
"""


def chemicals(release: int) -> str:
    """Return a ChEBI file; properties were renamed with release 245."""
    new = release >= 245
    formula = "chemrof:generalized_empirical_formula" if new else CHEBI_OLD + "formula"
    charge = "chemrof:charge" if new else CHEBI_OLD + "charge"
    text = CHEMICALS.replace("{formula}", formula).replace("{charge}", charge)
    return text.replace("{release}", str(release))


CHEBI_OLD = "http://purl.obolibrary.org/obo/chebi/"


def files() -> dict[str, bytes]:
    """Return what each provider serves, by path; the first part of it is the provider."""
    texts = {
        f"/go/{GO_RELEASE}/ontology/go-basic.obo": obo(),
        f"/go/{GO_RELEASE}/ontology/go.obo": obo(full_terms()),
        f"/interpro/releases/{INTERPRO_RELEASE}/entry.list": ENTRY_LIST,
        f"/interpro/releases/{INTERPRO_RELEASE}/short_names.dat": SHORT_NAMES,
        f"/interpro/releases/{INTERPRO_RELEASE}/interpro2go": INTERPRO2GO,
        "/enzyme/enzyme.dat": ENZYMES,
    }
    served = {path: text.encode() for path, text in texts.items()}
    for folder, release in (
        ("archive", CHEBI_RELEASE),
        ("archive/chebi_legacy/archive", CHEBI_LEGACY_RELEASE),
    ):
        path = f"/chebi/{folder}/rel{release}/ontology/chebi_core.obo.gz"
        served[path] = gzip.compress(chemicals(release).encode(), mtime=0)
    return served | _uniprot_files()


def _uniprot_files() -> dict[str, bytes]:
    current = "/uniprot_files/current_release"
    folders = {
        f"{current}/knowledgebase/complete/docs": {
            "keywlist.txt": KEYWORDS.encode(),
            "subcell.txt": LOCATIONS.encode(),
        },
        f"{current}/knowledgebase/idmapping": {
            "idmapping_selected.tab.gz": gzip.compress(MAPPING.encode(), mtime=0)
        },
        f"{current}/uniref/uniref50": {
            "uniref50.fasta.gz": gzip.compress(UNIREF50.encode(), mtime=0)
        },
    }
    served = {}
    for folder, contents in folders.items():
        served |= {f"{folder}/{name}": body for name, body in contents.items()}
        served[f"{folder}/RELEASE.metalink"] = metalink(folder, UNIPROT_RELEASE, contents)
    return served


def app(served: Mapping[str, bytes]) -> Callable[[Request], Answer]:
    """Return an app for `servers.loopback.LoopbackServer` that serves files by path."""

    def answer(request: Request) -> Answer:
        if request.path not in served:
            return Answer(404, {"content-type": "text/html"}, b"<h1>Not Found</h1>")
        body = served[request.path]
        tag = hashlib.sha256(body).hexdigest()[:16]
        return Answer(200, {"accept-ranges": "bytes", "etag": f'"{tag}"'}, body)

    return answer


def urls(base: str) -> dict[str, str]:
    """Return the address of each provider on a server that runs `app`."""
    return {
        name: f"{base}/{name}" for name in ("go", "interpro", "enzyme", "chebi", "uniprot_files")
    }
