import pytest

from protscribe.sources.formats import comments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Binds zinc. {ECO:0000269|PubMed:123, ECO:0000305}.", "Binds zinc."),
        ("Binds zinc {ECO:0000255|HAMAP-Rule:MF_1}.", "Binds zinc."),
        ("Binds zinc (PubMed:12, PubMed:345). Moves.", "Binds zinc. Moves."),
        ("Binds zinc (By similarity). Moves (Probable).", "Binds zinc. Moves."),
        ("Binds zinc (in vitro; PubMed:12).", "Binds zinc (in vitro)."),
        ("Binds zinc (By similarity; PubMed:12).", "Binds zinc."),
        ("Binds zinc (Ref.3) strongly.", "Binds zinc strongly."),
        ("Binds Fe(3+) (iron) and O(2) and more.", "Binds Fe(3+) (iron) and O(2) and more."),
        ("Binds 5'-TGA[CG]TCA-3'.", "Binds 5'-TGA[CG]TCA-3'."),
        ("Splits salts and water (salts and water).", "Splits salts and water (salts and water)."),
    ],
)
def test_clean(text, expected):
    assert comments.clean(text) == expected


def test_words_broken_at_the_end_of_a_line():
    entry = (
        "CC   -!- FUNCTION: Plays a role in DNA damage-\n"
        "CC       induced arrest of medium-\n"
        "CC       and long-chain acids, at -\n"
        "CC       pole.\n"
        "CC   -!- FUNCTION: Ends with a hyphen-\n"
        "CC   -!- SUBUNIT: Monomer.\n"
        "DE   METALLOPROTEINASE-LIKE, CYSTEINE-\n"
        "DE   RICH PROTEIN.\n"
        "RP   CATALYTIC ACTIVITY, AND CO-\n"
        "RP   FACTOR.\n"
    )
    joined = comments.join_broken_words(entry)
    assert "DNA damage-induced arrest of medium-\nCC       and long-chain acids, at -\n" in joined
    assert "hyphen-\nCC   -!- SUBUNIT" in joined
    assert "DE   METALLOPROTEINASE-LIKE, CYSTEINE-RICH PROTEIN." in joined
    assert "RP   CATALYTIC ACTIVITY, AND CO-FACTOR." in joined


def test_evidence_goes_to_the_sentence_that_cites_it():
    statement = comments.function_statement(
        "[Isoform 2]: Binds zinc (PubMed:11, PubMed:22). Moves. "
        "{ECO:0000269|PubMed:11, ECO:0000305|PubMed:22, ECO:0000250|UniProtKB:P1, "
        "ECO:0000269|PubMed:33}."
    )
    assert statement.text == "Isoform 2: Binds zinc. Moves."
    records = [(e["statement"], e["eco"], e["pubmed_id"]) for e in statement.evidence]
    assert records == [
        ("Isoform 2: Binds zinc.", "ECO:0000269", "11"),
        ("Isoform 2: Binds zinc.", "ECO:0000305", "22"),
        (statement.text, "ECO:0000250", None),
        (statement.text, "ECO:0000269", "33"),
    ]


def test_old_qualifiers_become_codes():
    statement = comments.function_statement("Binds zinc (By similarity). Moves (Probable). Is.")
    assert statement.text == "Binds zinc. Moves. Is."
    records = [(e["statement"], e["eco"]) for e in statement.evidence]
    assert records == [("Binds zinc.", "ECO:0000250"), ("Moves.", "ECO:0000305")]


def test_structured_comments():
    reaction = (
        "Reaction=ATP + H2O = ADP + phosphate; Xref=Rhea:RHEA:1, ChEBI:CHEBI:2; EC=3.6.1.3; "
        "Evidence={ECO:0000269|PubMed:1}; PhysiologicalDirection=left-to-right; Xref=Rhea:RHEA:2;"
    )
    assert comments.named_values(reaction, "Reaction") == ["ATP + H2O = ADP + phosphate"]
    broken = "Reaction=Hydrolysis of peptides.;   EC=3.4.21.35;"
    assert comments.named_values(broken, "Reaction") == ["Hydrolysis of peptides."]
    cofactors = "Name=Zn(2+); Xref=ChEBI:1; Evidence={ECO:0000250}; Name=Mg(2+); Xref=ChEBI:2;"
    assert comments.named_values(cofactors, "Name") == ["Zn(2+)", "Mg(2+)"]
    places = (
        "[Isoform 1]: Cell membrane {ECO:0000269|PubMed:1}; Multi-pass membrane protein. "
        "Nucleus (By similarity). Note=Moves. Under stress."
    )
    assert comments.locations(places) == ["Cell membrane; Multi-pass membrane protein", "Nucleus"]


@pytest.mark.parametrize(
    ("description", "name", "others", "ec", "fragment"),
    [
        (
            "RecName: Full=Cut {ECO:0000305};          Short=C;          EC=3.4.21.68 {ECO:1}; "
            "AltName: INN=Alteplase; Contains: RecName: Full=A; Flags: Precursor; Fragment;",
            "Cut",
            ["C", "Alteplase"],
            ["3.4.21.68"],
            True,
        ),
        ("SubName: Full=Putative thing;", "Putative thing", [], [], False),
        (
            "Alcohol dehydrogenase (EC 1.1.1.1) (ADH) (NAD(+) enzyme) (Fragment).",
            "Alcohol dehydrogenase",
            ["ADH", "NAD(+) enzyme"],
            ["1.1.1.1"],
            True,
        ),
        ("2-oxo-3(R)-hydroxy enzyme [Contains: A; B].", "2-oxo-3(R)-hydroxy enzyme", [], [], False),
        ("UBIQUITIN.", "UBIQUITIN", [], [], False),
        ("", None, [], [], False),
    ],
)
def test_names(description, name, others, ec, fragment):
    assert comments.names(description) == {
        "protein_name": name,
        "alternative_names": others,
        "ec": ec,
        "fragment": fragment,
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("GN   ADH1.\n", "GN   Name=ADH1;\n"),
        (
            "GN   14-3-3-ZETA OR LEO\nGN   OR CG17870.\n",
            "GN   Name=14-3-3-ZETA; Synonyms=LEO, CG17870;\n",
        ),
        (
            "GN   (HBA1 OR ALPHA) AND HBA2.\n",
            "GN   Name=HBA1; Synonyms=ALPHA;\nGN   and\nGN   Name=HBA2;\n",
        ),
        ("GN   Name=A; Synonyms=B OR C;\n", "GN   Name=A; Synonyms=B OR C;\n"),
        ("", ""),
    ],
)
def test_gene_names_before_2004(old, new):
    entry = "ID   X\n{}OS   Yeast.\n"
    assert comments.present_gene_lines(entry.format(old)) == entry.format(new)
