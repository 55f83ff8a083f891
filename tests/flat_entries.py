"""Swiss-Prot flat files made up for tests: families of random proteins with texts."""

import random
import textwrap
from pathlib import Path

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
TEXTS = [
    "Catalyzes the hydrolysis of the substrate",
    "Binds to DNA and regulates transcription",
    "Transports zinc across the membrane",
    "Component of the large ribosomal subunit",
    "Receptor for the peptide hormone",
    "Inhibits the activity of protein kinase",
]
KEYWORDS = [
    *("Hydrolase", "DNA-binding", "Zinc transport"),
    *("Ribosomal protein", "Receptor", "Protein kinase inhibitor"),
]
LOCATIONS = ["Cytoplasm", "Nucleus", "Secreted"]
GROUPS = ["alpha hydrolase", "beta binder", "gamma carrier", "delta receptor"]


def random_protein(rng: random.Random, length: int) -> str:
    """Return a random sequence that begins with methionine."""
    return "M" + "".join(rng.choices(RESIDUES, k=length - 1))


def mutate(rng: random.Random, sequence: str, identity: float) -> str:
    """Return a sequence with about that share of positions kept."""
    return "".join(r if rng.random() < identity else rng.choice(RESIDUES) for r in sequence)


def entry(
    accession: str,
    sequence: str,
    function: str,
    name: str = "Test protein",
    pubmed_id: int = 12345678,
    keyword: str = "",
    comments: str = "",
) -> str:
    """Return one entry in the present flat-file style."""
    rows = textwrap.wrap(sequence, 60)
    blocks = "\n".join("     " + " ".join(textwrap.wrap(row, 10)) for row in rows)
    return f"""\
ID   {accession}_TEST            Reviewed;         {len(sequence)} AA.
AC   {accession};
DT   01-JAN-2000, integrated into UniProtKB/Swiss-Prot.
DT   01-JAN-2000, sequence version 1.
DT   01-JAN-2020, entry version 10.
DE   RecName: Full={name};
GN   Name=tst;
OS   Escherichia coli.
OC   Bacteria; Pseudomonadota.
OX   NCBI_TaxID=562;
RN   [1]
RP   FUNCTION.
RX   PubMed={pubmed_id};
CC   -!- FUNCTION: {function}. {{ECO:0000269|PubMed:{pubmed_id}}}.
{comments}PE   1: Evidence at protein level;
KW   Reference proteome{keyword and "; " + keyword}.
SQ   SEQUENCE   {len(sequence)} AA;  10000 MW;  0123456789ABCDEF CRC64;
{blocks}
//
"""


def write_families(path: Path, families: int = 24, seed: int = 0) -> Path:
    """Write families of one to three homologues (60% identity) that share most of a text.

    Each entry has a name and a reference of its own.
    """
    rng = random.Random(seed)
    entries = []
    for family in range(families):
        founder = random_protein(rng, rng.randint(50, 90))
        text = f"{TEXTS[family % len(TEXTS)]} of type {family}"
        comments = (
            f"CC   -!- SUBCELLULAR LOCATION: {LOCATIONS[family % len(LOCATIONS)]}.\n"
            f"CC   -!- SIMILARITY: Belongs to the {GROUPS[family % len(GROUPS)]} family.\n"
        )
        for member in range(1 + family % 3):
            sequence = founder if member == 0 else mutate(rng, founder, 0.6)
            number = f"{family:02d}{member}"
            name, reference = f"Test protein {number}", int(f"10000{number}")
            keyword = KEYWORDS[family % len(KEYWORDS)]
            entries.append(
                entry(f"P{number}99", sequence, text, name, reference, keyword, comments)
            )
    path.write_text("".join(entries))
    return path
