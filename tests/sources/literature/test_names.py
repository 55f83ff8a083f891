"""The mention test: pairs of a text and names, with the place where one is found."""

import pytest

from protscribe.sources.literature.names import Text, find_name, protein_names

HUMAN = "Homo sapiens (Human)"


def find(text, *, name=None, others=(), genes=(), organism=HUMAN, lineage=()):
    """Return the name that is found and the words at its place."""
    protein = {
        "protein_name": name,
        "alternative_names": list(others),
        "gene_names": list(genes),
        "organism": organism,
        "lineage": list(lineage),
    }
    found = find_name(Text(text), protein_names(protein))
    return found and (found.name, text[found.start : found.end])


@pytest.mark.parametrize(
    "text", ["IL-2", "IL2", "IL 2", "IL‑2", "IL–2", "the IL-2-induced", "IL2s"]
)
def test_hyphens_and_spaces(text):
    for symbol in ("IL2", "IL-2"):
        name, words = find(text, genes=[symbol])
        assert name == symbol
        assert words in text


@pytest.mark.parametrize(
    "text", ["IL-20", "IL-2R", "IL-12", "xIL2", "IL_2", "IL2a", "IL-2-1", "IL: x 2"]
)
def test_other_members_and_parts_of_words(text):
    assert find(text, genes=["IL2"]) is None


GREEK = [
    ("TNF-alpha", "TNFα"),
    ("TNF-alpha", "TNF-α"),
    ("TNF-alpha", "TNFalpha"),
    ("TNF-alpha", "TNF alpha"),
    ("TNF-α", "TNF-alpha"),
    ("Beta-catenin", "β-Catenin"),
    ("Beta-catenin", "beta-catenin"),
    ("NF-kappa-B", "NF-κB"),
    ("NF-kappa-B", "NFkappaB"),
    ("IkappaB-alpha", "IκBα"),
    ("Protein kinase C delta type", "protein kinase Cδ type"),
]


@pytest.mark.parametrize(("name", "text"), GREEK)
def test_greek_letters(name, text):
    assert find(f"We see that {text} binds.", name=name) == (name, text)


def test_greek_letters_are_not_interchangeable():
    assert find("TNFβ", name="TNF-alpha") is None
    assert find("alphabet", genes=["ALPHA1"]) is None


CASES = [
    # symbol, text, found
    ("recA", "RecA", True),
    ("recA", "recA", True),
    ("recA", "RECA", True),
    ("recA", "reca", False),
    ("RECA", "recA", False),
    ("dpp", "Dpp", True),
    ("PEX14", "Pex14", True),
    ("PEX14", "pex14", False),
    ("CAT", "the cat", False),
    ("CAT", "Cat", False),
    ("CAT", "CAT", True),
    ("cat", "the cat", False),
    ("cat", "CAT assays", True),
    ("rest", "the rest of it", False),
    ("REST", "the rest of it", False),
    ("was", "It was so", False),
    ("Was", "Was it so", False),
    ("Met", "Met to Val", False),
    ("Val", "Met to Val", False),
    ("IN1", "In 1 case", False),
    ("AT12", "At 12 h", False),
    ("P53", "p53", True),
    ("TP53", "p53", False),
    ("AR", "AR", False),  # Too short.
    ("mec-4", "MEC-4", True),
    ("T13D8.9", "T13D8.9", True),
    ("H2A", "H-2 A", False),
]


@pytest.mark.parametrize(("symbol", "text", "expected"), CASES)
def test_cases_of_symbols(symbol, text, expected):
    assert (find(text, genes=[symbol]) is not None) is expected


NAMES = [
    ("Heat shock protein 70", "HEAT SHOCK PROTEIN 70", True),
    ("Heat shock protein 70", "heat-shock protein-70", True),
    ("Heat shock protein 70", "heat shock protein 701", False),
    ("Heat shock protein 70", "heat shock. Protein 70", False),
    ("Caspase", "two caspases", True),
    ("Caspase", "caspase-3", False),
    ("Insulin", "proinsulin", False),
    ("5'-nucleotidase", "5′-nucleotidase", True),
    ("5'-nucleotidase", "ecto-5'-nucleotidase", True),
    ("Aldehyde dehydrogenase, mitochondrial", "aldehyde dehydrogenase", True),
    ("Protein kinase A regulator", "protein kinase a regulator", False),
    ("Photosystem II protein D1", "photosystem 2 protein D1", False),
    (
        "3-oxoacyl-[acyl-carrier-protein] synthase",
        "3-oxoacyl-(acyl carrier protein) synthase",
        True,
    ),
    ("Protein", "the protein", False),
    ("Uncharacterized protein", "an uncharacterized protein", False),
    ("Actin", "actin", True),
    ("Myc", "myc-tagged", False),
]


@pytest.mark.parametrize(("name", "text", "expected"), NAMES)
def test_long_names(name, text, expected):
    assert (find(text, name=name) is not None) is expected


TRAILING = [
    ("Ras-related protein Rab-5A", "Rab5A", True),
    ("Protein RecA", "RecA", True),
    ("Zinc finger protein A20", "A20", True),
    ("RNA polymerase sigma factor RpoD", "RpoD", True),
    ("Small monomeric GTPase", "a GTPase", False),
    ("DNA topoisomerase II", "grade II", False),
    ("Catenin beta-1", "beta-1", False),
    ("Collagen alpha-1(IV) chain", "chain", False),
    ("Protein of 28 kDa", "28 kDa", False),
]


@pytest.mark.parametrize(("name", "text", "expected"), TRAILING)
def test_symbols_at_the_end_of_names(name, text, expected):
    found = find(text, name=name)
    assert (found is not None) is expected
    assert found is None or found[0] == name


def test_marks_of_species():
    yeast = {"organism": "Saccharomyces cerevisiae", "lineage": ["Eukaryota", "Fungi"]}
    assert find("HsPex14", genes=["PEX14"]) == ("PEX14", "HsPex14")
    assert find("hTERT", genes=["TERT"]) == ("TERT", "hTERT")
    assert find("ScPex14", genes=["PEX14"], **yeast) == ("PEX14", "ScPex14")
    assert find("Pex14p", genes=["PEX14"], **yeast) == ("PEX14", "Pex14p")
    assert find("Pex14p", genes=["PEX14"]) is None
    assert find("ScPex14", genes=["PEX14"]) is None


def test_the_longest_name_wins_then_the_first_place():
    text = "Insulin and IGF1R: insulin-like growth factor 1 receptor (IGF1R)."
    found = find(text, name="Insulin-like growth factor 1 receptor", genes=["IGF1R"])
    assert found == ("Insulin-like growth factor 1 receptor", text[19:56])
    assert find("IGF1R, IGF1R", genes=["IGF1R"])[1] == "IGF1R"
    protein = dict.fromkeys(("protein_name", "alternative_names", "organism", "lineage"))
    assert (
        find_name(Text("β IGF1R, IGF1R"), protein_names(protein | {"gene_names": ["IGF1R"]})).start
        == 2
    )


def test_a_protein_without_usable_names():
    nothing = dict.fromkeys(
        ("protein_name", "alternative_names", "gene_names", "organism", "lineage")
    )
    assert protein_names(nothing) == []
    assert find("alpha 1 2", name="12", genes=["1"]) is None
    assert find_name(Text(""), []) is None


def test_texts_with_anything_in_them():
    for text in ("ßΣ\x00\ud800", "((((", "α" * 50, "-" * 1000, "p53" * 400):
        assert find(text, name="Catalase", genes=["CAT"]) is None
