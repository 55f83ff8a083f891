import pytest

from protscribe.sources.literature.names import Text
from protscribe.sources.literature.organisms import Organisms, own_names

MOUSE, HUMAN, COLI = "Mus musculus (Mouse)", "Homo sapiens (Human)", "Escherichia coli (strain K12)"
FLY, YEAST = "Drosophila melanogaster (Fruit fly)", "Saccharomyces cerevisiae (Baker's yeast)"
BAT = "Desmodus rotundus (Vampire bat)"
HIV = "Human immunodeficiency virus type 1 group M subtype B (isolate HXB2) (HIV-1)"
POMBE = "Schizosaccharomyces pombe (strain 972 / ATCC 24843) (Fission yeast)"
CYANO = "Synechocystis sp. (strain PCC 6803)"
ALL = Organisms([MOUSE, HUMAN, COLI, FLY, YEAST, BAT, HIV, POMBE, CYANO, None])


def match(organism, *texts, lineage=()):
    return ALL.match(organism, lineage, ALL.named(map(Text, texts)))


CASES = [
    (MOUSE, ["Mice lacking it"], True),
    (MOUSE, ["In humans", "Mice, Knockout"], True),
    (MOUSE, ["In patients"], False),
    (MOUSE, ["In vitro"], None),
    (MOUSE, ["Humans", "Animals"], False),
    (HUMAN, ["HeLa cells"], True),
    (HUMAN, ["murine cells"], False),
    (HUMAN, ["HUMAN"], True),
    (HUMAN, ["humanised"], None),
    (COLI, ["of Escherichia coli K-12"], True),
    (COLI, ["of E. coli"], True),
    (COLI, ["B. subtilis"], False),
    (COLI, ["Escherichia Coli Proteins"], True),
    (FLY, ["Drosophila Proteins"], True),
    (FLY, ["D. melanogaster"], True),
    (FLY, ["C. elegans"], False),
    (YEAST, ["a yeast protein"], True),
    (POMBE, ["a yeast protein"], True),
    (YEAST, ["fission yeast"], False),
    (POMBE, ["fission yeast"], True),
    (YEAST, ["Baker’s yeast"], True),
    (BAT, ["vampire bats and D. rotundus"], True),
    (BAT, ["Desmodus"], True),
    (CYANO, ["in Synechocystis"], True),
    (HUMAN, ["Pan-cancer, homo-oligomer"], None),
    (HUMAN, ["the rating of ratios"], None),
]


@pytest.mark.parametrize(("organism", "texts", "expected"), CASES)
def test_species(organism, texts, expected):
    assert match(organism, *texts) is expected


def test_organisms_that_are_tools():
    assert match(HUMAN, "expressed in Escherichia coli") is None
    assert match(HUMAN, "a yeast two-hybrid screen") is None
    assert match(HUMAN, "a yeast two-hybrid screen of yeast") is False
    assert match(YEAST, "a yeast two-hybrid screen") is True
    assert match(HUMAN, "Xenopus oocytes") is None


def test_viruses_are_never_another_species():
    assert match(HIV, "HIV-1 Tat", lineage=["Viruses"]) is True
    assert match(HIV, "Tat in human cells", lineage=["Viruses"]) is None
    assert match(HUMAN, "HIV-1 Tat") is False


def test_own_names():
    assert own_names(COLI) == {"escherichia coli", "escherichia"}
    assert own_names("HOMO SAPIENS (HUMAN)") == {"homo sapiens", "homo"}
    assert own_names(CYANO) == {"synechocystis"}
    assert own_names("Influenza A virus (strain A/X)") == {"influenza a virus"}
    assert own_names(None) == frozenset()
    assert match(None, "mice") is False
