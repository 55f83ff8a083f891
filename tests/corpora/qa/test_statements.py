import pytest

from helpers_data import protein_row, write_proteins, write_split
from protscribe.corpora.qa.phrases import field_text, listing
from protscribe.corpora.qa.statements import FIELDS, pairs_of, phrase_statements
from protscribe.corpora.qa.templates import CATEGORY, QUESTIONS, revision
from protscribe.errors import InputError
from protscribe.sources.literature.contexts import make_contexts
from protscribe.tables import read_table, write_table


def pairs(**facts):
    protein = protein_row("P1", "MKV", **{"function": ""} | facts)
    rows = list(pairs_of(protein, licence="CC BY 4.0", writer_revision="r"))
    for row in rows:
        field = row["context_id"].split(":")[1]
        assert (
            field_text(protein, field)[row["span_start"] : row["span_end"]]
            == (row["evidence_span"])
        )
        assert "this protein" in row["question"] and row["question"].endswith("?")
    return rows


def answers(**facts):
    return [row["answer"] for row in pairs(**facts)]


FUNCTION = (
    "Adapter protein implicated in the regulation of signaling pathways. Binds to a large number "
    "of partners. Negatively regulates the kinase activity of PDPK1. Function as a hormone is "
    "unknown."
)


def test_a_function_statement_and_its_sentences():
    rows = pairs(function=FUNCTION)
    general, *others = rows
    assert general["question"] in QUESTIONS["function"]
    assert general["answer"] == (
        "Adapter protein implicated in the regulation of signaling pathways. It binds to a large "
        "number of partners. It negatively regulates the kinase activity of PDPK1."
    )
    assert general["evidence_span"] == FUNCTION[: FUNCTION.index(" Function as")]
    assert [(row["question"], row["answer"], row["category"]) for row in others] == [
        ("What does this protein bind to?", "This protein binds to a large number of partners.",
         "interaction"),
        ("What does this protein regulate?",
         "This protein negatively regulates the kinase activity of PDPK1.", "regulation"),
    ]  # fmt: skip
    assert [row["id"] for row in rows] == [f"P1:function:template:{i}" for i in (1, 2, 3)]
    assert {row["context_id"] for row in rows} == {"P1:function"}
    assert {row["context"] for row in rows} == {"function_statement"}
    assert {(row["writer"], row["writer_revision"], row["seed"]) for row in rows} == {
        ("template", "r", None)
    }


def test_one_sentence_gives_one_pair():
    assert answers(function="Required for uptake of DNA") == [
        "This protein is required for uptake of DNA."
    ]
    assert answers(function="Unknown.") == []
    # Nothing is asked where the opening is not understood.
    assert len(answers(function="Binds DNA. Play a role in repair.")) == 2
    assert answers(function="") == []


def test_statements_of_isoforms_and_products_are_left_out():
    text = "Binds DNA. Isoform 2: Inhibits isoform 1. Activates RNA synthesis."
    assert answers(function=text) == ["This protein binds DNA."]
    assert answers(function="Ubiquitin: Exists either bound or free.") == []


def test_a_long_statement_is_cut_at_a_sentence():
    text = " ".join(
        f"Regulates gene number {i} of the cell and all its products." for i in range(30)
    )
    general, asked = pairs(function=text)
    assert 300 < len(general["evidence_span"]) <= 400 and general["evidence_span"].endswith(".")
    assert asked["question"] == "What does this protein regulate?"
    long = "Binds " + ", ".join(f"ligand {i}" for i in range(80)) + "."
    assert answers(function=long) == ["This protein b" + long[1:]]


def test_evidence_of_the_sentence():
    evidence = [
        {"statement": "Binds zinc.", "eco": "ECO:0000303", "pubmed_id": "1"},
        {"statement": "Binds zinc.", "eco": "ECO:0000269", "pubmed_id": "2"},
        {"statement": "Cleaves RNA.", "eco": "ECO:0000250", "pubmed_id": None},
    ]
    rows = pairs(function="Cleaves RNA. Binds zinc.", function_evidence=evidence)
    assert [row["pubmed_id"] for row in rows] == ["2", None, "2"]
    whole = [{"statement": "Cleaves RNA. Binds zinc.", "eco": None, "pubmed_id": "3"}]
    rows = pairs(function="Cleaves RNA. Binds zinc.", function_evidence=whole)
    assert [row["pubmed_id"] for row in rows] == ["3", "3", "3"]


def test_reactions():
    one = "ATP + H2O = ADP + phosphate + H(+)"
    assert answers(catalytic_activity=[one]) == [
        f"This protein catalyses the following reaction: {one}."
    ]
    assert answers(catalytic_activity=[one, "Hydrolysis of DNA, releasing 5'-nucleotides."]) == [
        f"This protein catalyses the following reactions: (1) {one}; (2) hydrolysis of DNA, "
        "releasing 5'-nucleotides."
    ]
    (row,) = pairs(catalytic_activity=[f"A{i} = B{i}" for i in range(9)])
    assert row["evidence_span"].endswith("A4 = B4") and "(5) A4" in row["answer"]


def test_cofactors():
    assert answers(cofactors=["Zinc"]) == ["The cofactor of this protein is zinc."]
    assert answers(cofactors=["Mg(2+)", "FMN", "[4Fe-4S] cluster"]) == [
        "The cofactors of this protein are Mg(2+), FMN and [4Fe-4S] cluster."
    ]
    text = "Binds 2 magnesium ions per monomer. Can also use manganese"
    assert answers(cofactors=[text]) == [
        "This protein binds 2 magnesium ions per monomer. It can also use manganese."
    ]
    assert answers(cofactors=["Contains sometimes. Nobody knows whether zinc is bound"]) == []


def test_locations():
    assert answers(subcellular_location=["Cytoplasm", "Melanosome"]) == [
        "This protein is located in the cytoplasm and the melanosome."
    ]
    assert answers(subcellular_location=["Secreted"]) == ["This protein is secreted."]
    assert answers(subcellular_location=["Nucleus, PML body", "Secreted"]) == [
        "This protein is located in the nucleus (PML body) and is also secreted."
    ]
    values = ["Cell membrane; Single-pass type I membrane protein", "Golgi apparatus membrane"]
    place, topology = pairs(subcellular_location=values)
    assert place["answer"] == (
        "This protein is located in the cell membrane and the Golgi apparatus membrane."
    )
    assert topology["answer"] == "This protein is a single-pass type I membrane protein."
    assert topology["evidence_span"] == "Single-pass type I membrane protein"
    assert answers(subcellular_location=["Cytoplasm", "Cytoplasm, cytoskeleton"]) == [
        "This protein is located in the cytoplasm (cytoskeleton)."
    ]
    assert answers(subcellular_location=["Nuclear"]) == ["This protein is located in the nucleus."]
    for text in ("Attached to the membrane by a lipid anchor", "Isoform 1: Cytoplasm", ""):
        assert answers(subcellular_location=[text]) == []


def test_two_kinds_of_membrane_protein_are_not_mixed():
    values = ["Membrane; Multi-pass membrane protein", "Cell membrane; Peripheral membrane protein"]
    assert len(answers(subcellular_location=values)) == 1


def test_pathways():
    value = "Lipid metabolism; malonyl-CoA biosynthesis; malonyl-CoA from acetyl-CoA: step 1/1"
    assert answers(pathway=[value]) == [
        "This protein takes part in lipid metabolism, more precisely in malonyl-CoA biosynthesis "
        "(malonyl-CoA from acetyl-CoA: step 1/1)."
    ]
    assert answers(pathway=["Glycolysis", "First step in urea cycle."]) == [
        "This protein takes part in these pathways: glycolysis; the first step in urea cycle."
    ]


def test_families():
    assert answers(family="14-3-3 family") == ["This protein belongs to the 14-3-3 family."]
    assert answers(family="peptidase M10A family. ADAM subfamily.") == [
        "This protein belongs to the peptidase M10A family, ADAM subfamily."
    ]
    assert answers(family="FGAMS") == []


def test_enzyme_numbers():
    number, class_ = pairs(ec=["3.1.-.-", "3.2.1.1", "3.2.1.n4"])
    assert number["answer"] == "The EC numbers of this protein are 3.2.1.1 and 3.2.1.n4."
    assert number["evidence_span"] == "3.2.1.1; 3.2.1.n4"
    assert (class_["answer"], class_["evidence_span"]) == (
        "This protein is a hydrolase.",
        "3.1.-.-",
    )
    assert answers(ec=["1.1.1.1", "3.2.1.1"]) == [
        "The EC numbers of this protein are 1.1.1.1 and 3.2.1.1."
    ]
    assert answers(ec=["9.9.9.9"]) == []


def test_domains():
    notes = ["SH3 1", "SH3 2", "Ig-like C2-type", None, "EGF-like 1; calcium-binding"]
    features = [{"type": "DOMAIN", "start": 1, "end": 2, "note": note} for note in notes]
    features.append({"type": "CHAIN", "start": 1, "end": 9, "note": "Something"})
    assert answers(features=features) == [
        "This protein contains two SH3 domains, an Ig-like C2-type domain and an EGF-like domain."
    ]


def test_keywords():
    rows = pairs(keywords=["3D-structure", "ATP-binding", "Cell cycle", "Zinc", "Glycoprotein"])
    assert [row["answer"] for row in rows] == [
        "This protein binds ATP and zinc.",
        "This protein takes part in the cell cycle.",
        "This protein carries these modifications: glycosylation.",
    ]
    assert rows[0]["evidence_span"] == "ATP-binding; Cell cycle; Zinc"
    assert answers(keywords=["Complete proteome", "Polymorphism"]) == []


def test_listing():
    assert [listing(list(names)) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


def test_wording_depends_on_the_accession_alone():
    seen = set()
    for i in range(40):
        protein = protein_row(f"P{i}", "MKV", function="Binds DNA.")
        (row,) = pairs_of(protein, licence="", writer_revision="r")
        assert (
            row["question"] == next(pairs_of(protein, licence="", writer_revision="r"))["question"]
        )
        seen.add(row["question"])
    assert seen == set(QUESTIONS["function"])


def test_templates_are_complete():
    assert QUESTIONS.keys() == CATEGORY.keys()
    assert len(revision()) == 64 and revision() == revision()


@pytest.fixture
def tables(tmp_path):
    facts = {"P1": {"function": "Binds DNA. Cleaves RNA."}, "P2": {"family": "14-3-3 family"},
             "P3": {"function": "Binds zinc."}}  # fmt: skip
    proteins = write_proteins(tmp_path / "p.parquet", dict.fromkeys(facts, "MKV"), **facts)
    split = write_split(tmp_path / "s.parquet", {"P1": "train", "P2": "validation", "P3": None})
    return proteins, split, tmp_path / "pairs.parquet"


def test_phrase_statements(tables, capfd):
    phrase_statements(*tables, licence="CC BY 4.0")
    rows = read_table(tables[2], "qa_pairs").to_pylist()
    assert {row["accession"] for row in rows} == {"P1", "P2"}
    assert {row["licence"] for row in rows} == {"CC BY 4.0"}
    assert {row["writer_revision"] for row in rows} == {revision()}
    assert "pairs on 2 proteins" in capfd.readouterr().err
    first = tables[2].read_bytes()
    phrase_statements(*tables, licence="CC BY 4.0")
    assert tables[2].read_bytes() == first


def test_the_function_context_is_that_of_other_writers(tables, tmp_path):
    phrase_statements(*tables, licence="CC BY 4.0")
    contexts = tmp_path / "contexts.parquet"
    make_contexts(tables[0], None, None, contexts, kinds=["function_statement"])
    text_of = {row["id"]: row["text"] for row in read_table(contexts, "contexts").to_pylist()}
    rows = read_table(tables[2], "qa_pairs").to_pylist()
    quoted = [row for row in rows if row["context"] == "function_statement"]
    assert quoted
    for row in quoted:
        text = text_of[row["context_id"]]
        assert text[row["span_start"] : row["span_end"]] == row["evidence_span"]


def test_bad_tables(tables, tmp_path):
    proteins, _, output = tables
    other = write_split(tmp_path / "o.parquet", {"P1": "train"})
    with pytest.raises(InputError, match="holds other proteins"):
        phrase_statements(proteins, other, output, licence="")
    dropped = write_split(tmp_path / "d.parquet", dict.fromkeys(["P1", "P2", "P3"]))
    with pytest.raises(InputError, match="leave template out of qa.writers"):
        phrase_statements(proteins, dropped, output, licence="")
    assert not output.exists()


def test_real_entries(shared_data, tmp_path):
    from protscribe.sources.entries import parse_entries

    folder = shared_data / "protein_text"
    paths = [tmp_path / name for name in ("proteins.parquet", "rejects.parquet")]
    filters = dict.fromkeys(("max_length", "function_evidence"))
    filters |= {"min_length": 1, "fragments": "keep", "reviewed": "any"}
    parse_entries(
        [folder / "uniprot_flat_dev.dat.gz"], *paths,
        filters=filters, metadata={}, processes=1, work=tmp_path / "work",
    )  # fmt: skip
    table = read_table(paths[0], "proteins", ["accession", "function_evidence", *FIELDS])
    rows = [
        row
        for protein in table.to_pylist()
        for row in pairs_of(protein, licence="", writer_revision="r")
    ]
    write_table(tmp_path / "pairs.parquet", "qa_pairs", rows)
    assert len(rows) > 3 * table.num_rows
    assert {row["context"] for row in rows} == {"function_statement", *FIELDS} - {"function"}
    assert sum(row["pubmed_id"] is not None for row in rows) > 100
