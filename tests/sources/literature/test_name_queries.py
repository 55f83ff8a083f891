import pytest

from protscribe.errors import InputError
from protscribe.sources.literature.name_queries import (
    build_query,
    check_template,
    organism_names,
    searchable,
)
from pubmed_records import make_article
from servers.eutils import Eutils, Search

RECORDS = {
    str(number): make_article(number, title)
    for number, title in enumerate(
        [
            "Structure of 3-oxoacyl-[acyl-carrier-protein] synthase 2",
            "The alpha(2,6) sialyltransferase and lactose",
            "ACCUMULATION AND REPLICATION OF CHLOROPLASTS 5 divides plastids",
            "α-synuclein aggregates",
            "Something else altogether",
            "The NOT1 scaffold",
        ],
        start=1,
    )
}


def protein(name=None, alternative=(), genes=(), organism=None):
    return {
        "protein_name": name,
        "alternative_names": list(alternative),
        "gene_names": list(genes),
        "organism": organism,
    }


def find(query):
    return Search(Eutils(RECORDS), query.render()).found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "3-oxoacyl-[acyl-carrier-protein] synthase 2",
            "3-oxoacyl acyl-carrier-protein synthase 2",
        ),
        ("ATP synthase F(0) complex subunit C1", "ATP synthase F 0 complex subunit C1"),
        ("NAD(P)(+)--arginine ADP-ribosyltransferase 1", "NAD P arginine ADP-ribosyltransferase 1"),
        ("5'-nucleotidase", "5'-nucleotidase"),
        ('Protein "quoted"', "Protein quoted"),
        ("Kinase*", "Kinase"),
        ("gene:product", "gene product"),
        ("this AND that OR NOT those", "this and that or not those"),
        ("α-synuclein", "α-synuclein"),
        ("Transporter ABCB7, mitochondrial", "Transporter ABCB7"),
        ("Ferredoxin-1, chloroplastic/mitochondrial", "Ferredoxin-1"),
        ("#1~0 \\ [tiab]", "1 0 tiab"),
        ("  ", ""),
    ],
)
def test_a_name_becomes_words_that_mean_nothing_to_pubmed(name, words):
    assert searchable(name) == words


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("3-oxoacyl-[acyl-carrier-protein] synthase 2", {"1"}),
        ("Alpha(2,6) sialyltransferase", {"2"}),
        ("ACCUMULATION AND REPLICATION OF CHLOROPLASTS 5", {"3"}),
        ("α-synuclein", {"4"}),
        ('lactose"[tiab] OR "something', set()),
        ("lact*", set()),
        ("NOT something", set()),
        ("1:5[uid]", set()),
        ("structure) OR (else", set()),
        ("NOT1", {"6"}),
    ],
)
def test_a_name_finds_its_texts_and_cannot_break_out_of_its_quotes(name, found):
    query = build_query(protein(name, ["Zinc finger"]), "({names}) AND {names}")
    assert find(query) == found


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("EC 3.1.3.5", "enzyme number"),
        ("2.3.1.n6", "enzyme number"),
        ("1.1.1.-", "enzyme number"),
        ("p2", "too short"),
        ("1234", "too short"),
        ("*[]*", "too short"),
        ("Kinase", "too generic"),
        ("Genome polyprotein", "too generic"),
        ("Uncharacterized protein YjdB", "too generic"),
        ("Putative 28 kDa protein", "too generic"),
    ],
)
def test_names_that_say_too_little_are_left_out_with_the_reason(name, reason):
    query = build_query(protein("Alpha-amylase", [name]), "{names}")
    assert query.left_out == {name: reason}
    assert query.render() == '("Alpha-amylase"[tiab])'


def test_symbols_that_are_english_words_are_left_out_as_genes_only():
    query = build_query(protein("Cat protein X", ["SET"], ["CAT", "AND", "cdc2"]), "{names}")
    assert query.left_out == {"CAT": "an English word", "AND": "an English word"}
    assert query.render() == '("Cat protein X"[tiab] OR "SET"[tiab] OR "cdc2"[tiab])'


def test_names_that_differ_in_case_or_punctuation_are_searched_once():
    query = build_query(protein("Lysozyme (C)", ["lysozyme C"], ["lysozyme C", "LYZ"]), "{names}")
    assert [term.text for term in query.names] == ["Lysozyme C", "LYZ"]


def test_a_protein_without_usable_names_has_an_empty_query():
    assert build_query(protein("Enzyme", ["1.2.3.4"]), "{names}").names == ()
    assert build_query(protein(), "{names}").left_out == {}


@pytest.mark.parametrize(
    ("organism", "names"),
    [
        ("Mus musculus (Mouse)", ["Mus musculus", "M musculus", "Mus", "Mouse"]),
        ("Escherichia coli (strain K12)", ["Escherichia coli", "E coli", "Escherichia"]),
        (
            "Human immunodeficiency virus type 1 (isolate HXB2) (HIV-1)",
            ["Human immunodeficiency virus type 1", "HIV-1"],
        ),
        ("Bacillus sp. (strain 170)", ["Bacillus sp"]),
        ("Oryza sativa subsp. japonica (Rice)", ["Oryza sativa", "O sativa", "Oryza", "Rice"]),
        (None, []),
    ],
)
def test_an_organism_is_called_by_the_names_that_texts_use(organism, names):
    assert organism_names(organism) == names


def test_the_template_places_names_and_organism():
    given = protein("Alpha-amylase 2", genes=["amyA"], organism="Mus musculus (Mouse)")
    query = build_query(given, "{names} AND {organism} NOT review[pt]", "ti")
    assert query.render({"Mus musculus", "Alpha-amylase 2", "amyA"}) == (
        '("Alpha-amylase 2"[tiab:~0] OR "amyA"[ti]) AND ("Mus musculus"[tiab:~0] '
        'OR "M musculus"[tw] OR "Mus"[tw] OR "Mouse"[tw]) NOT review[pt]'
    )
    assert query.phrases() == {"Mus musculus", "M musculus", "Alpha-amylase 2"}
    assert query.phrases("names") == {"Alpha-amylase 2"}


@pytest.mark.parametrize("template", ["{organism}", "names", "{names} {species}", "{names", "{}"])
def test_a_wrong_template_is_refused(template):
    with pytest.raises(InputError, match="query_template"):
        check_template(template, "tiab")


def test_a_wrong_field_is_refused():
    with pytest.raises(InputError, match="field tag"):
        check_template("{names}", 'tiab] OR "x"[')
