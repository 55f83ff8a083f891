import pytest

from protscribe.corpora.qa.words import content_words, is_negated, numbers, overlap, stem


def test_stems_join_forms_and_spellings():
    assert stem("catalyzes") == stem("catalyses") == stem("catalysed") == stem("catalysis")
    assert stem("binding") == stem("binds") == stem("bind")
    assert stem("localizes") == stem("localises")
    assert stem("DNA") == "dna"


def test_content_words():
    assert content_words("It is the α-amylase of the 3′ end") == {
        stem(word) for word in ("alpha", "amylase", "3", "end")
    }
    assert content_words("") == content_words("it was not") == set()


def test_overlap():
    evidence = "BRCA1 catalyses the ubiquitination of histone H2A."
    assert overlap("This protein catalyzes histone ubiquitination.", evidence) == 1.0
    assert overlap("It binds zinc and histone.", evidence) == pytest.approx(1 / 3)
    assert overlap("It is the.", evidence) == 0.0
    # Words that fit every protein count only where there are no others.
    assert overlap("an important cellular role", evidence) == 0.0


def test_numbers_inside_names_are_none():
    assert numbers("It has 12 helices, H2A, CO(2), p53 and 3.5 turns; K-12") == {"12", "3.5"}
    assert numbers("9q34.2-9q34.3 and Ins(1,3,4,5)P(5), 1,2-diolein.") == set()


@pytest.mark.parametrize(
    "text, expected",
    [
        ("It does not bind.", True),
        ("It doesn't bind.", True),
        ("It is made without zinc.", True),
        ("It binds nothing but knots.", False),
        ("Notch binds.", False),
    ],
)
def test_negation(text, expected):
    assert is_negated(text) is expected
