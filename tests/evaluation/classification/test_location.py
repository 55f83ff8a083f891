"""Compartments and membranes as entries state them."""

import pytest

from protscribe.evaluation.classification.location import binding_of, locations_of
from protscribe.evaluation.classification.tasks import LOCATIONS, MEMBRANE, SOLUBLE


@pytest.mark.parametrize(
    ("statements", "places"),
    [
        (["Cell membrane; Multi-pass membrane protein"], ["plasma membrane"]),
        (["Apical cell membrane; Single-pass type II membrane protein"], ["plasma membrane"]),
        (["Cytoplasm, cytoskeleton", "Nucleus, nucleolus"], ["cytoplasm", "nucleus"]),
        (["Endoplasmic reticulum membrane; Single-pass membrane protein"], [LOCATIONS[2]]),
        (["Golgi apparatus, trans-Golgi network membrane"], ["golgi"]),
        (["Lysosome membrane; Multi-pass membrane protein", "Vacuole lumen"], ["vacuole"]),
        (["Mitochondrion inner membrane"], ["mitochondrion"]),
        (["Nucleus envelope"], ["nucleus"]),
        (["Peroxisome matrix."], ["peroxisome"]),
        (["Plastid, chloroplast thylakoid membrane"], ["chloroplast"]),
        (["Secreted, extracellular space"], ["extracellular"]),
        # Places of their own, or of none of the ten.
        (["Endoplasmic reticulum-Golgi intermediate compartment"], []),
        (["Cytoplasmic vesicle", "Membrane; Multi-pass membrane protein", "Endosome"], []),
        (["Plastid, cyanelle stroma"], []),
        (["Host nucleus"], []),
        # Other forms of the protein may be elsewhere.
        (["Isoform 2: Secreted", "Cytoplasm"], ["cytoplasm"]),
        (["Processed angiotensin-converting enzyme 2: Secreted"], []),
        ([], []),
    ],
)
def test_compartments(statements, places):
    assert [LOCATIONS[place] for place in locations_of(statements)] == places


@pytest.mark.parametrize(
    ("statements", "features", "keywords", "bound"),
    [
        (["Membrane; Multi-pass membrane protein"], [], [], MEMBRANE),
        (["Nucleus"], ["TRANSMEM"], [], MEMBRANE),
        (["Cell membrane; Lipid-anchor, GPI-anchor"], [], [], MEMBRANE),
        (["Cytoplasm", "Nucleus"], ["DOMAIN"], [], SOLUBLE),
        (["Secreted"], ["SIGNAL"], ["Signal"], SOLUBLE),
        (["Cell membrane; Peripheral membrane protein"], [], [], None),
        (["Cell membrane"], [], [], None),
        (["Cytoplasm"], ["LIPID"], [], None),
        (["Cytoplasm"], [], ["Membrane"], None),
        (["Cytoplasm", "Isoform 2: Membrane; Lipid-anchor"], [], [], None),
        (["Membrane; Multi-pass membrane protein", "Isoform 2: Secreted"], ["TRANSMEM"], [], None),
        ([], [], [], None),
    ],
)
def test_membranes(statements, features, keywords, bound):
    protein = {
        "subcellular_location": statements,
        "features": [{"type": one} for one in features],
        "keywords": keywords,
    }
    assert binding_of(protein) == bound
