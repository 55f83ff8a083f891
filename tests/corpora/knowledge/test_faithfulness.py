"""What a text may say of a fact, and which fault each other text has."""

import random
import time

import pytest

from protscribe.corpora.knowledge import faithfulness as f
from protscribe.corpora.knowledge.faithfulness import Fact, fault_of
from protscribe.corpora.knowledge.name_index import NameIndex, words_of
from protscribe.prompts import PROTEIN_MARKER

NAMES = [
    *("zinc ion binding", "ion binding", "metal ion binding", "DNA-binding", "nucleus", "FMN"),
    *("FAD", "membrane", "plasma membrane", "DNA repair", "flavodoxin family", "Mg(2+)", "NAD(+)"),
    *("electron transport chain", "electron transfer activity", "flavodoxin domain", "eye"),
    *("EC 1.14.11.9", "biological process", "kinase", "regulation of DNA repair"),
]
MARK = f"\n{PROTEIN_MARKER}"
ZINC = Fact("annotate", "molecular_function", ("zinc ion binding",))
CHAIN = Fact(
    "explain",
    "biological_process",
    ("flavodoxin domain", "electron transfer activity", "electron transport chain"),
)
ASKED = "Which biological process does this protein take part in? Explain step by step."
DESIGN = Fact("design", "family", ("flavodoxin family",))
FAMILY = "Design a protein that belongs to the flavodoxin family."
YES = Fact("verify", "cellular_component", ("nucleus",))
NO = Fact("verify", "cellular_component", ("nucleus",), positive=False)
WHAT = "What is one molecular function of this protein?"


@pytest.fixture(scope="module")
def index():
    return NameIndex(NAMES)


@pytest.mark.parametrize(
    ("fact", "question", "answer"),
    [
        (ZINC, WHAT, "This protein has the molecular function zinc ion binding."),
        (ZINC, WHAT, "Zinc-ion binding is what this protein is known for."),
        (DESIGN, FAMILY, f"Here is a new member of the flavodoxin family:{MARK}"),
        (DESIGN, FAMILY, f"Here you are:{MARK}"),
        (YES, "Is this protein found in the nucleus?", "Yes, it is located in the nucleus."),
        (YES, "Yes or no: is this protein in the nucleus?", "Yes, it is in the nucleus."),
        (NO, "Is this protein found in the nucleus?", "No, it is not known to be in the nucleus."),
        (
            CHAIN,
            ASKED,
            "Step 1: it has the flavodoxin domain. Step 2: this brings electron transfer activity. "
            "Step 3: that is part of the electron transport chain.",
        ),
        (
            Fact("annotate", "ec", ("EC 1.14.11.9",)),
            "Which enzyme activity does this protein have?",
            "It is classified as EC 1.14.11.9.",
        ),
        (
            Fact("annotate", "cofactor", ("NAD(+)",)),
            "Which cofactor does this protein use?",
            "It uses NAD(+) as a cofactor.",
        ),
    ],
)
def test_faithful_texts(index, fact, question, answer):
    assert fault_of(fact, question, answer, index) is None


@pytest.mark.parametrize(
    ("fact", "question", "answer", "reason", "detail"),
    [
        (ZINC, "", "It binds zinc.", f.EMPTY, ""),
        (DESIGN, FAMILY, MARK, f.EMPTY, ""),
        (ZINC, WHAT, "This protein has metal ion binding.", f.INVENTED, "metal ion binding"),
        (ZINC, WHAT, "This protein has the molecular function.", f.MISSING, "zinc ion binding"),
        (ZINC, WHAT, "It has ion binding.", f.INVENTED, "ion binding"),
        (ZINC, WHAT, "It has zinc ion binding in the nucleus.", f.INVENTED, "nucleus"),
        (ZINC, WHAT, "It has zinc ion binding and needs FAD.", f.INVENTED, "fad"),
        (ZINC, WHAT, "It has zinc ion binding at site 42.", f.INVENTED, "42"),
        (ZINC, WHAT, "MKVLAAGICK has zinc ion binding.", f.INVENTED, "MKVLAAGICK"),
        (ZINC, WHAT, "It has zinc ion binding in humans.", f.MORE, "humans"),
        (ZINC, WHAT, "It does not have zinc ion binding.", f.POLARITY, "'not'"),
        (ZINC, WHAT, "Has it zinc ion binding?", f.FORM, "Has it"),
        (ZINC, "This protein has a function.", "It has zinc ion binding.", f.FORM, "This"),
        (ZINC, f"{PROTEIN_MARKER} {WHAT}", "Zinc ion binding.", f.MARKER, "1 in the question"),
        (ZINC, "Is its function zinc ion binding?", "Zinc ion binding.", f.LEAK, "zinc"),
        (ZINC, "Which family is this protein in?", "It has zinc ion binding.", f.MISMATCH, "mol"),
        (DESIGN, FAMILY, "Here it is:", f.MARKER, "0 in the answer"),
        (DESIGN, FAMILY, f"Here:{MARK}{MARK}", f.MARKER, "2 in the answer"),
        (DESIGN, "Design a protein.", f"Here:{MARK}", f.MISSING, "flavodoxin family"),
        (DESIGN, "Design one with FMN.", f"Here:{MARK}", f.INVENTED, "fmn"),
        (DESIGN, "What is the flavodoxin family?", f"Here:{MARK}", f.FORM, "What"),
        (DESIGN, "Is this protein of the flavodoxin family?", f"Yes:{MARK}", f.FORM, "Is this"),
        (DESIGN, "Please make no flavodoxin family.", f"Here:{MARK}", f.POLARITY, "'no'"),
        (YES, "Is it in the nucleus?", "No, it is not in the nucleus.", f.POLARITY, "is yes"),
        (YES, "Is it in the nucleus?", "It is in the nucleus.", f.POLARITY, "is yes"),
        (YES, "Is it in the nucleus?", "Yes, it is not in the nucleus.", f.POLARITY, "'not'"),
        (YES, "Is it not in the nucleus?", "Yes, it is in the nucleus.", f.POLARITY, "'not'"),
        (NO, "Is it in the nucleus?", "Yes, it is in the nucleus.", f.POLARITY, "is no"),
        (NO, "Is it in the nucleus?", "No, it is in the nucleus.", f.POLARITY, "denies nothing"),
        (NO, "Is it in the nucleus?", "No and yes, it is not in it.", f.POLARITY, "is no"),
        (YES, "Is it in this place?", "Yes, it is in the nucleus.", f.MISSING, "nucleus"),
        (YES, "Has it the nucleus?", "Yes, it contains the nucleus.", f.MISMATCH, "contains"),
        (
            CHAIN,
            ASKED,
            "It has electron transfer activity, by the flavodoxin domain, so the electron "
            "transport chain.",
            f.ORDER,
            "electron transfer activity",
        ),
        (
            CHAIN,
            ASKED,
            "It has the flavodoxin domain and is in the electron transport chain.",
            f.MISSING,
            "electron transfer activity",
        ),
        (
            CHAIN,
            "Is it in a process? Explain the electron transport chain.",
            "No.",
            f.LEAK,
            "electron transport chain",
        ),
    ],
)
def test_unfaithful_texts(index, fact, question, answer, reason, detail):
    fault = fault_of(fact, question, answer, index)
    assert fault is not None and fault[0] == reason and detail in fault[1], fault


def test_every_reason_has_a_case():
    cases = next(
        mark for mark in test_unfaithful_texts.pytestmark if mark.name == "parametrize"
    ).args[1]
    assert {case[3] for case in cases} == set(f.REASONS)


def test_a_name_within_another_is_not_said_by_it(index):
    fact = Fact(
        "explain", "molecular_function", ("zinc ion binding", "metal ion binding", "ion binding")
    )
    question = "What is one molecular function of this protein, step by step?"
    short = "It has zinc ion binding, which is metal ion binding."
    assert fault_of(fact, question, short, index) == (f.MISSING, "ion binding")
    whole = f"{short} This is a kind of ion binding."
    assert fault_of(fact, question, whole, index) is None


def test_what_the_index_finds(index):
    found = {" ".join(words) for _, words in index.find("DNA binding by Mg(2+) and FMN, not fmn")}
    assert found == {"dna binding", "mg 2 +", "fmn"}
    assert len(index.find("fmn and fad")) == 0
    # A short word without capitals is no name to look for.
    assert not index.find("the eye sees")
    longer = index.find("regulation of DNA repair")
    assert [" ".join(words) for _, words in longer] == ["regulation of dna repair", "dna repair"]
    assert index.others("regulation of DNA repair", [longer[0][0]]) == []
    assert index.others("the kinase of a biological process", []) == ["kinase"]
    assert words_of("NAD(+) of α-β_γ") == ["nad", "+", "of", "α", "β", "γ"]


def test_the_index_finds_what_a_plain_search_finds():
    rng = random.Random(0)
    words = ["ion", "binding", "DNA", "of", "repair", "zinc", "site", "X", "kinase", "factor"]
    names = {" ".join(rng.choices(words, k=rng.randint(1, 4))) for _ in range(300)}
    names = {name for name in names if sum(map(str.isalnum, name)) > 3}
    index = NameIndex(names)
    for _ in range(100):
        text = [rng.choice(words).lower() for _ in range(30)]
        expected = {
            (start, end)
            for start in range(30)
            for end in range(start + 1, min(start + 5, 31))
            if " ".join(text[start:end]) in {name.lower() for name in names}
        }
        assert {span for span, _ in index.find(" ".join(text))} == expected


def test_fifty_thousand_names_cost_no_more_than_fifty():
    rng = random.Random(0)
    text = "It takes part in the regulation of a process of name4 name5 name6 in the nucleus. " * 3

    def seconds(count):
        names = [
            " ".join(f"name{rng.randrange(2000)}" for _ in range(rng.randint(2, 6)))
            for _ in range(count)
        ]
        index = NameIndex(names)
        started = time.perf_counter()
        for _ in range(300):
            index.find(text)
        return time.perf_counter() - started

    few, many = min(seconds(50) for _ in range(3)), min(seconds(50_000) for _ in range(3))
    assert many < 8 * few
