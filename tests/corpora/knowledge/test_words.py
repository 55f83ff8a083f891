import pytest

from protscribe.corpora.knowledge import words


@pytest.mark.parametrize(
    ("name", "inside_a_sentence"),
    [
        ("Flavodoxin/nitric oxide synthase", "flavodoxin/nitric oxide synthase"),
        ("Zinc finger, C2H2-type", "zinc finger, C2H2-type"),
        ("SH3 domain", "SH3 domain"),
        ("DNA-binding", "DNA-binding"),
        ("G protein-coupled receptor", "G protein-coupled receptor"),
        ("Golgi apparatus", "Golgi apparatus"),
        ("Ser/Thr kinase", "Ser/Thr kinase"),
        ("Serine protease", "serine protease"),
        ("cis-Golgi network", "cis-Golgi network"),
        ("GTPase activation", "GTPase activation"),
    ],
)
def test_names_inside_a_sentence(name, inside_a_sentence):
    assert words.plain(name) == inside_a_sentence


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("homeobox", "domain", "homeobox domain"),
        ("homeobox domain", "domain", "homeobox domain"),
        ("flavodoxin, conserved site", "conserved_site", "flavodoxin, conserved site"),
        ("WD40", "repeat", "WD40 repeat"),
        ("P-loop", "superfamily", "P-loop superfamily"),
    ],
)
def test_noun_of_the_kind_closes_a_name(name, kind, expected):
    assert words.with_noun(name, kind) == expected


@pytest.mark.parametrize(
    ("short_name", "kind", "name"),
    [
        ("Flavodoxin/NO_synth", "domain", "flavodoxin/NO synth domain"),
        ("Ig-like_dom", "domain", "Ig-like domain"),
        ("Flavodoxin_CS", "conserved_site", "flavodoxin conserved site"),
        ("Ser/Thr_kinase_AS", "active_site", "Ser/Thr kinase active site"),
        ("Protein_kinase_ATP_BS", "binding_site", "protein kinase ATP binding site"),
        ("WD40_rpt", "repeat", "WD40 repeat"),
        ("Ig-like_dom_sf", "superfamily", "Ig-like domain superfamily"),
        ("MHC_I_a_C", "domain", "MHC I a C-terminal domain"),
        ("Zn-bd_dom", "domain", "Zn-binding domain"),
        ("HD", "domain", "HD domain"),
    ],
)
def test_short_names_of_interpro(short_name, kind, name):
    assert words.read_short_name(short_name) == (kind, name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Zn(2+)", "zinc"),
        ("zinc ion", "zinc"),
        ("Iron", "iron"),
        ("Fe cation", "iron"),
        ("Cl(-)", "chloride"),
        ("CO", None),
        ("heme b", None),
    ],
)
def test_elements(text, name):
    assert words.element(text) == name


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("ATP 1", ["ATP"]),
        ("NADP; via amide nitrogen", ["NADP"]),
        ("a peptide antigen", ["peptide antigen"]),
        ("Iron (heme distal ligand)", ["iron"]),
        ("Iron-sulfur (2Fe-2S); via pros nitrogen", ["[2Fe-2S] cluster"]),
        ("Copper or zinc 2", ["copper", "zinc"]),
        ("Retinal chromophore (covalent)", ["retinal chromophore"]),
        ("1", []),
        ("is required for activity", []),
    ],
)
def test_ligands(note, expected):
    assert words.ligands(note) == expected
