import pytest

from protscribe.corpora.qa.sentences import (
    article,
    decapitalised,
    infinitive,
    is_scoped,
    question_for,
    says_unknown,
    sentences_of,
    with_subject,
)


def test_sentences_and_their_places():
    text = "Binds DNA. Found in E. coli K12. Cleaves (p)ppGpp, e.g. The 5'-end. (See RNA.)  "
    found = list(sentences_of(text))
    assert [s.text for s in found] == [
        "Binds DNA.", "Found in E. coli K12.", "Cleaves (p)ppGpp, e.g. The 5'-end.", "(See RNA.)",
    ]  # fmt: skip
    assert all(text[s.start : s.end] == s.text for s in found)
    assert list(sentences_of("")) == []
    assert len(list(sentences_of("Activates p53. p53-regulated inhibitor."))) == 2


@pytest.mark.parametrize(
    "sentence, expected",
    [
        ("Catalyzes the hydrolysis of ATP.", "This protein catalyzes the hydrolysis of ATP."),
        ("Is a kinase.", "This protein is a kinase."),
        ("May play a role in growth.", "This protein may play a role in growth."),
        ("Specifically binds RNA.", "This protein specifically binds RNA."),
        ("Does not bind DNA.", "This protein does not bind DNA."),
        ("Involved in growth.", "This protein is involved in growth."),
        ("Probably involved in growth.", "This protein is probably involved in growth."),
        ("Part of the ring.", "This protein is part of the ring."),
        ("One of two subunits.", "This protein is one of two subunits."),
        ("Component of the ribosome.", "This protein is a component of the ribosome."),
        ("Inhibitor of trypsin.", "This protein is an inhibitor of trypsin."),
        ("E3 ligase component of SCF.", "This protein is an E3 ligase component of SCF."),
        ("Key regulator of growth.", "This protein is a key regulator of growth."),
        # What is missing is not clear, or nothing is.
        ("Adapter protein implicated in signalling.", None),
        ("Neurotoxin.", None),
        ("The PR65 subunit of PP2A serves as a scaffold.", None),
        ("This protein binds.", None),
        ("Actins are highly conserved.", None),
        ("Binds", "This protein binds"),
        ("", None),
    ],
)
def test_with_subject(sentence, expected):
    assert with_subject(sentence, "This protein") == (expected or sentence)


@pytest.mark.parametrize(
    "sentence, question",
    [
        ("Catalyzes the hydrolysis of ATP.", "What does this protein catalyse?"),
        ("Binds to the 23S rRNA.", "What does this protein bind to?"),
        ("Binds with high affinity to ATP.", "What does this protein bind?"),
        ("Also binds zinc ions.", "What does this protein bind?"),
        ("Acts as a scaffold.", "What does this protein act as?"),
        ("Plays an important role in growth.", "In what does this protein play a role?"),
        ("May play a role in growth.", "In what may this protein play a role?"),
        ("May be involved in growth.", "What may this protein be involved in?"),
        ("May act as a scaffold.", "What may this protein act as?"),
        ("Could inhibit the enzyme.", "What could this protein inhibit?"),
        ("Involved in growth.", "What is this protein involved in?"),
        ("Essential for virulence.", "What is this protein essential for?"),
        ("Component of the ribosome.", "What is this protein a component of?"),
        ("Potent inhibitor of trypsin.", "What is this protein an inhibitor of?"),
        ("Receptor for insulin.", "What is this protein a receptor for?"),
        ("Has weak GTPase activity.", "Which activity does this protein have?"),
        ("Acts in the nucleus.", None),
        ("Cleaves at low pH.", None),
        ("Has two domains.", None),
        ("Neurotoxin.", None),
        ("May be a desaturase.", None),
        ("Adapter protein implicated in signalling.", None),
        ("The receptor for insulin binds it.", None),
        ("Binds.", None),
        ("", None),
    ],
)
def test_question_for(sentence, question):
    assert question_for(sentence) == question


@pytest.mark.parametrize(
    "verb, base",
    [
        ("modifies", "modify"), ("possesses", "possess"), ("catalyzes", "catalyze"),
        ("releases", "release"), ("processes", "process"), ("binds", "bind"),
    ],
)  # fmt: skip
def test_infinitive(verb, base):
    assert infinitive(verb) == base


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Cell membrane", "cell membrane"),
        ("Golgi apparatus", "Golgi apparatus"),
        ("DNA repair", "DNA repair"),
        ("Mg(2+)", "Mg(2+)"),
        ("Fe cation", "Fe cation"),
        ("Ig-like C1-type", "Ig-like C1-type"),
        ("L-histidine biosynthesis", "L-histidine biosynthesis"),
        ("Is a kinase", "is a kinase"),
        ("Iron-sulfur", "iron-sulfur"),
        ("", ""),
    ],
)
def test_decapitalised(text, expected):
    assert decapitalised(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("SH3 domain", "an"), ("Ig-like domain", "an"), ("protein kinase", "a"), ("ATPase", "an"),
        ("ubiquitin", "a"), ("inhibitor", "an"), ("GTPase", "a"), ("Ring", "a"), ("unit", "a"),
        ("eukaryotic domain", "a"), ("upstream domain", "an"),
    ],
)  # fmt: skip
def test_article(text, expected):
    assert article(text) == expected


def test_scopes():
    for text in ("Isoform 2: Binds DNA.", "(Microbial infection) Binds.", "Ubiquitin: Exists."):
        assert is_scoped(text)
    assert is_scoped("Allele A*01:01: Presents peptides.")
    assert not is_scoped("Catalyzes: two reactions")
    assert not is_scoped("Binds DNA and RNA.")


def test_says_unknown():
    assert says_unknown("The function of this protein is unknown.")
    assert not says_unknown("Controls differentiation through the activation of many unknown genes "
                            "of the host cell.")  # fmt: skip
    assert not says_unknown("Binds DNA.")
