import pytest

from protscribe.corpora.knowledge.annotations import Refusal
from protscribe.corpora.knowledge.entry_texts import (
    read_cofactor,
    read_family,
    read_feature,
    read_location,
)


def said(reading):
    return [(mention.kind, mention.name) for mention in reading.mentions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flavodoxin family", [("family", "flavodoxin family")]),
        (
            "G-protein coupled receptor 1 family. Opsin subfamily",
            [
                ("family", "G-protein coupled receptor 1 family"),
                ("family", "Opsin subfamily of the G-protein coupled receptor 1 family"),
            ],
        ),
        (
            "ABC transporter superfamily. ABCB family. Importer (TC 3.A.1.210) subfamily.",
            [
                ("superfamily", "ABC transporter superfamily"),
                ("family", "ABCB family"),
                ("family", "Importer subfamily of the ABCB family"),
            ],
        ),
    ],
)
def test_levels_of_a_family(text, expected):
    reading = read_family(text)
    assert said(reading) == expected
    steps = [(child.name, relation, parent.name) for child, relation, parent in reading.edges]
    names = [name for _, name in expected]
    assert steps == [(names[i + 1], "is_a", names[i]) for i in range(len(names) - 1)]


def test_text_without_family():
    assert read_family("same group as the other one").reason == "unclear_text"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("FMN", ["FMN"]),
        ("Zn(2+)", ["zinc"]),
        ("Binds 1 iron ion per subunit", ["iron"]),
        ("Binds 1 zinc ion per subunit (for dihydroorotase activity)", ["zinc"]),
        ("Binds 1 Fe(2+) ion per subunit", ["iron"]),
        ("Binds 2 [4Fe-4S] clusters per subunit", ["[4Fe-4S] cluster"]),
        ("Contains 1 topaquinone per subunit", ["topaquinone"]),
        ("Binds 1 heme b (iron(II)-protoporphyrin IX) group per subunit", ["heme b"]),
        ("Binds 2 heme c groups covalently per subunit", ["heme c"]),
        ("Binds 2 divalent ions per subunit", ["divalent ions"]),
        ("Binds 1 FAD molecule per subunit", ["FAD"]),
        ("Magnesium or manganese", ["magnesium", "manganese"]),
        ("a divalent metal cation", ["divalent metal cation"]),
        ("pyridoxal 5'-phosphate", ["pyridoxal 5'-phosphate"]),
    ],
)
def test_cofactors_get_clean_names(text, names):
    assert said(read_cofactor(text, {})) == [("cofactor", name) for name in names]


@pytest.mark.parametrize(
    "text",
    ["Requires a metal for full activity", "Can also be activated", "2", "Metals. Prefers zinc"],
)
def test_cofactor_that_is_prose(text):
    assert read_cofactor(text, {}) == Refusal("unclear_text", "names no cofactor")


@pytest.mark.parametrize(
    ("text", "place", "wider"),
    [
        ("Cell membrane; Multi-pass membrane protein", "cell membrane", []),
        ("Cytoplasm, cytosol", "cytosol", ["cytoplasm"]),
        (
            "Golgi apparatus, trans-Golgi network membrane; Single-pass type I membrane protein",
            "trans-Golgi network membrane",
            ["Golgi apparatus"],
        ),
        ("Secreted, extracellular space, matrix", "matrix", ["extracellular space", "secreted"]),
    ],
)
def test_place_without_topology(text, place, wider):
    reading = read_location(text, {})
    assert said(reading) == [("location", place)]
    path = [place, *wider]
    steps = [(child.name, relation, parent.name) for child, relation, parent in reading.edges]
    expected = [(path[i], "part_of", path[i + 1]) for i in range(len(wider))]
    assert sorted(steps) == sorted(expected)


def test_places_of_the_vocabulary():
    places = {"cytosol": "Cytosol", "cytoplasm": "Cytoplasm"}
    reading = read_location("Cytoplasm, Cytosol", places)
    assert said(reading) == [("location", "cytosol")]
    assert reading.edges == ()
    assert read_location("Attached to a wall", places).reason == "unknown_location"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Isoform 2: Nucleus", "scoped_location"),
        ("Peripheral membrane protein", "topology"),
        ("Single-pass type II membrane protein", "topology"),
        ("Lipid-anchor", "topology"),
        ("Cytoplasmic side", "topology"),
        ("Moves to the nucleus when stress is high", "unclear_text"),
    ],
)
def test_locations_that_are_none(text, reason):
    assert read_location(text, {}).reason == reason


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("ACT_SITE Proton acceptor", ("active_site", "proton acceptor active site")),
        ("ACT_SITE Nucleophile; for ATPase", ("active_site", "nucleophile active site")),
        ("BINDING ATP 1", ("binding_site", "ATP binding site")),
        ("BINDING Zn(2+); catalytic", ("binding_site", "zinc binding site")),
        ("METAL Zinc; catalytic", ("binding_site", "zinc binding site")),
        ("NP_BIND GTP", ("binding_site", "GTP binding site")),
        ("CA_BIND", ("binding_site", "calcium binding site")),
        ("SITE Substrate binding", ("binding_site", "substrate binding site")),
        ("SITE Interaction with DNA", ("binding_site", "DNA binding site")),
        ("ZN_FING RING-type", ("domain", "RING-type zinc finger domain")),
        ("DNA_BIND Homeobox", ("domain", "homeobox DNA-binding domain")),
        ("DOMAIN Ig-like C1-type 2", ("domain", "Ig-like C1-type domain")),
        ("REPEAT WD 7", ("repeat", "WD repeat")),
    ],
)
def test_features(feature, expected):
    assert said(read_feature(feature, {})) == [expected]


@pytest.mark.parametrize(
    ("feature", "reason"),
    [
        ("ACT_SITE", "unnamed"),
        ("ACT_SITE For GATase activity", "unclear_text"),
        ("REPEAT 6; approximate", "unnamed"),
        ("REPEAT Approximate", "unnamed"),
        ("METAL", "unnamed"),
        ("SITE Cleavage; by caspase-6", "unclear_text"),
        ("SITE Important for binding to LRP1", "unclear_text"),
    ],
)
def test_features_without_a_name(feature, reason):
    assert read_feature(feature, {}).reason == reason


def test_names_of_one_chemical_are_one():
    chemicals = {"fmn": "CHEBI:1", "flavin mononucleotide": "CHEBI:1"}
    names = ("FMN", "Flavin mononucleotide")
    keys = {read_cofactor(name, chemicals).mentions[0].key for name in names}
    assert keys == {("cofactor", "CHEBI:1")}
    assert len({read_cofactor(name, {}).mentions[0].key for name in names}) == 2
    sites = {read_feature(f"BINDING {name}", chemicals).mentions[0].key for name in names}
    assert sites == {("binding_site", "CHEBI:1")}
