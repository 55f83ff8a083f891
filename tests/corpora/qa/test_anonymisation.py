import pytest

from helpers_data import protein_row
from protscribe.corpora.qa.anonymisation import about_this, anonymise, identity_of

BRCA1 = {
    "protein_name": "Breast cancer type 1 susceptibility protein",
    "alternative_names": ["RING finger protein 53", "RING-type E3 ubiquitin transferase BRCA1"],
    "gene_names": ["BRCA1", "RNF53"],
    "entry_name": "BRCA1_HUMAN",
    "organism": "Homo sapiens (Human)",
    "lineage": ["Eukaryota"],
}
FTSZ = {
    "protein_name": "Cell division protein FtsZ",
    "gene_names": ["ftsZ"],
    "entry_name": "FTSZ_ECOLI",
    "organism": "Escherichia coli (strain K12)",
    "lineage": ["Bacteria"],
}


def identity(**facts):
    return identity_of(protein_row("P38398", "MKV", **facts))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("What is the role of BRCA1 in repair?", "What is the role of this protein in repair?"),
        ("BRCA1 cuts DNA. BRCA1 binds RNA.", "This protein cuts DNA. This protein binds RNA."),
        ("What does the BRCA1 protein do?", "What does this protein do?"),
        ("Where is the protein BRCA1 found?", "Where is this protein found?"),
        ("What is the role of protein BRCA1?", "What is the role of this protein?"),
        ("Does Breast cancer type 1 susceptibility protein (BRCA1) bind DNA?",
         "Does this protein bind DNA?"),
        ("What is BRCA1, also known as RNF53, needed for?", "What is this protein, needed for?"),
        ("What regulates BRCA1 expression?", "What regulates this protein's expression?"),
        ("BRCA1's partner is BARD1.", "This protein's partner is BARD1."),
        ("Which complex has hBRCA1?", "Which complex has this protein?"),
        ("What do BRCA2 and BRCA1 bind?", "What do BRCA2 and this protein bind?"),
        ("What does human BRCA1 bind in human cells?", "What does this protein bind in cells?"),
        ("What does BRCA1 do in humans?", "What does this protein do in this organism?"),
        ("Human BRCA1 binds DNA.", "This protein binds DNA."),
        ("It is lost in human cancer.", "It is lost in cancer."),
        ("BRCA1-dependent repair needs the RING domain.",
         "This protein-dependent repair needs the RING domain."),
    ],
)  # fmt: skip
def test_names_become_this_protein(text, expected):
    assert anonymise(text, identity(**BRCA1)) == (expected, None)


@pytest.mark.parametrize(
    "text, leak",
    [
        ("Which protein has BRCA1-like domains?", "this protein-like"),
        ("Is it a member of the BRCA1 family?", "this protein family"),
        ("What does mutant BRCA1 do?", "mutant this protein"),
        ("What does an anti-BRCA1 antibody bind?", "i-this protein"),
        ("It binds the histone-binding protein BRCA1.", "protein this protein"),
        ("It is cut by the kinase BRCA1.", "kinase this protein"),
        ("BRCA1 are proteins of mammals.", "this protein are"),
        ("What does brca1 bind?", "brca1"),
        ("What does P38398 bind?", "P38398"),
        ("What is BRCA1_HUMAN?", "BRCA1_HUMAN"),
        ("Human is what it comes from.", "Human"),
        ("What does it do in Homo sapiens chromatin?", "Homo sapiens"),
        ("It is a human protein.", "human"),
        ("Interleukin-4-induced-1 (BRCA1) binds.", "1 (this protein)"),
    ],
)
def test_what_cannot_be_taken_out_is_reported(text, leak):
    assert anonymise(text, identity(**BRCA1))[1] == leak


def test_names_of_bacteria():
    own = identity(**FTSZ)
    assert anonymise("What does FtsZ do in Escherichia coli?", own) == (
        "What does this protein do in this organism?", None,
    )  # fmt: skip
    assert anonymise("Does E. coli FtsZ form a ring?", own) == (
        "Does this protein form a ring?", None,
    )  # fmt: skip
    assert anonymise("Escherichia coli cells divide.", own) == ("Cells divide.", None)
    assert anonymise("How does ftsz polymerise?", own)[1] == "ftsz"


@pytest.mark.parametrize(
    "gene, text, expected",
    [
        ("CAT", "What does CAT do in the cat?", "What does this protein do in the cat?"),
        ("was", "What was WAS, and was it cut?", "What was this protein, and was it cut?"),
        ("was", "What was cut?", "What was cut?"),
        ("nuo(A)+*", "What is nuoA?", "What is nuoA?"),
    ],
)
def test_symbols_that_are_words_or_regular_expressions(gene, text, expected):
    own = identity(protein_name="Some [thing] (a.b*c", gene_names=[gene], organism=None)
    assert anonymise(text, own)[0] == expected


def test_names_with_signs_of_regular_expressions():
    own = identity(
        protein_name="5'-(N(7)-methyl)-cap [RNA] ligase+", gene_names=["pqr-1.2"], organism=None
    )
    text = "What does 5'-(N(7)-methyl)-cap [RNA] ligase+ join?"
    assert anonymise(text, own)[0].startswith("What does this protein")


def test_names_of_two_characters_leak_as_they_are_spelled():
    own = identity(protein_name="Complement C3", gene_names=["C3", "in"], organism=None)
    assert anonymise("Where is C3 cleaved?", own)[1] == "C3"
    assert anonymise("Where in the blood is it cleaved?", own)[1] is None


def test_greek_letters_of_names():
    own = identity(protein_name="DNA polymerase beta", gene_names=["POLB"], organism=None)
    assert anonymise("What does DNA polymerase β do?", own)[0] == "What does this protein do?"


def test_nothing_to_take_out():
    own = identity(organism=None)
    text = "What does it do — at the 3′ end, with α-amylase 🧬?"
    assert anonymise(text, own) == (text, None)


def test_taking_out_twice_changes_nothing():
    own = identity(**BRCA1)
    once, _ = anonymise("Does human BRCA1 (RNF53) repair the DNA of human cells?", own)
    assert anonymise(once, own) == (once, None)


@pytest.mark.parametrize(
    "question, expected",
    [
        ("What does the protein bind to?", "What does this protein bind to?"),
        ("The enzyme needs what?", "This protein needs what?"),
        ("What is this enzyme's role?", "What is this protein's role?"),
        ("What does the protein kinase C do?", None),
        ("Is it in the protein folding machinery?", None),
        ("What does the protein BRCA2 bind?", None),
        ("What do the proteins bind?", None),
    ],
)
def test_the_protein_of_a_question(question, expected):
    assert about_this(question) == (expected or question)
