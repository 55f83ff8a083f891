"""Which metrics fall for a template: every fact wrong in the right form, or right in free form.

The references are made of one template, as in the instruction sets of the field. One set of
predictions keeps the template and gets every fact wrong, each by that of another protein; the
other states every fact in a sentence of its own. A metric is fit to rank models on such a set
only if the second scores higher.
"""

from pathlib import Path

import pytest

from conftest import HOUSE
from protscribe.evaluation.text_metrics import CORPUS_METRICS, CorpusMetric, score_texts
from protscribe.evaluation.tokens import score_tokens

TEMPLATES = {
    "sentence": (
        "This protein has {activity} activity, takes part in {process} and is located in {place}."
    ),
    "prediction": (
        "Based on the given amino acid sequence, the protein is predicted to show {activity} "
        "activity, to be involved in {process}, and to reside in {place}."
    ),
    "list": "Catalytic activity: {activity}. Biological process: {process}. Location: {place}.",
}

# Activity, process, place, and the same facts in free words. No two proteins share a fact, so
# that whatever is taken from another one is wrong.
FACTS = [
    (
        "serine-type endopeptidase",
        "protein digestion",
        "the extracellular space",
        "A serine-type endopeptidase that the pancreas sends out into the extracellular space "
        "for protein digestion.",
    ),
    (
        "ATP-dependent DNA helicase",
        "homologous recombination",
        "the nucleus",
        "Inside the nucleus it works as an ATP-dependent DNA helicase whenever homologous "
        "recombination calls for single strands.",
    ),
    (
        "protein kinase C",
        "signal transduction",
        "the cytosol",
        "It belongs to the protein kinase C family, and signal transduction depends on it; look "
        "for it in the cytosol.",
    ),
    (
        "cytochrome-c oxidase",
        "aerobic respiration",
        "the mitochondrial inner membrane",
        "Electrons leave aerobic respiration here: a cytochrome-c oxidase sitting across the "
        "mitochondrial inner membrane.",
    ),
    (
        "chlorophyll binding",
        "photosynthesis",
        "the chloroplast thylakoid",
        "Chlorophyll binding by this subunit feeds photosynthesis with light from the "
        "chloroplast thylakoid.",
    ),
    (
        "zinc ion transporter",
        "metal homeostasis",
        "the vacuole",
        "Pumps zinc into the vacuole. As an ion transporter it keeps up metal homeostasis.",
    ),
    (
        "aminoacyl-tRNA ligase",
        "translation",
        "the cytoplasm",
        "Without this aminoacyl-tRNA ligase there is no translation; cells keep it in their "
        "cytoplasm.",
    ),
    (
        "N-acetylglucosaminyltransferase",
        "protein glycosylation",
        "the Golgi apparatus",
        "Sugars are added one by one during protein glycosylation, and in the Golgi apparatus "
        "an N-acetylglucosaminyltransferase adds this one.",
    ),
    (
        "potassium channel",
        "membrane repolarisation",
        "the plasma membrane",
        "Opens after a spike: a potassium channel within the plasma membrane that brings about "
        "membrane repolarisation.",
    ),
    (
        "phospholipase A2",
        "lipid catabolism",
        "the lysosome",
        "Old lipids end up in the lysosome, where phospholipase A2 starts on lipid catabolism.",
    ),
    (
        "acyl-CoA dehydrogenase",
        "fatty acid beta-oxidation",
        "the peroxisome",
        "First enzyme of fatty acid beta-oxidation within the peroxisome, an acyl-CoA "
        "dehydrogenase using FAD.",
    ),
    (
        "disulfide isomerase",
        "protein folding",
        "the endoplasmic reticulum",
        "Shuffles bonds as a disulfide isomerase until protein folding in the endoplasmic "
        "reticulum is done.",
    ),
    (
        "peptidoglycan glycosyltransferase",
        "cell wall biogenesis",
        "the periplasm",
        "Bacteria need it for cell wall biogenesis: the peptidoglycan glycosyltransferase of "
        "their periplasm.",
    ),
    (
        "histone acetyltransferase",
        "chromatin remodelling",
        "the nucleolus",
        "Marks nucleosomes. This histone acetyltransferase of the nucleolus makes chromatin "
        "remodelling possible.",
    ),
]
SHIFTS = [(1, 2, 3), (5, 1, 9), (4, 11, 6)]
"""By how many proteins each kind of fact is moved to make it wrong."""

_WORDS = ("bleu_2", "bleu_4", "rouge_1", "rouge_2", "rouge_l", "token_f1")
FOOLED = {
    "sentence": _WORDS,
    "prediction": (*_WORDS, "chrf"),
    "list": ("bleu_2", "bleu_4", "rouge_l", "chrf"),
}
"""Metrics that rank the wrong facts first, whichever facts they are.

The more words a template has, the more metrics fall for it. With the other ones it depends.
"""

MINILM = HOUSE / "resources" / "models" / "minilm"


def references(template: str) -> list[str]:
    return [template.format(activity=a, process=p, place=where) for a, p, where, _ in FACTS]


def wrong_facts(template: str, shifts: tuple[int, int, int]) -> list[str]:
    """Return the references with every fact replaced by that of another protein."""
    return [
        template.format(
            **{
                name: FACTS[(i + shift) % len(FACTS)][kind]
                for kind, (name, shift) in enumerate(
                    zip(("activity", "process", "place"), shifts, strict=True)
                )
            }
        )
        for i in range(len(FACTS))
    ]


def right_facts() -> list[str]:
    return [free for *_, free in FACTS]


def suite(predictions: list[str], answers: list[str]) -> dict[str, float]:
    """Return every metric over all pairs: corpus scores, and means of the others."""
    columns = score_texts(predictions, answers)
    columns |= score_tokens(predictions, answers, ["describe"] * len(answers))
    means = {name: sum(values) / len(values) for name, values in columns.items()}
    for name in CORPUS_METRICS:
        metric = CorpusMetric(name)
        means[name] = metric.score(metric.statistics(predictions, answers).sum(axis=0))
    return {name: value for name, value in means.items() if not name.startswith("sentence_")}


def ranking(template: str, shifts: tuple[int, int, int]) -> dict[str, tuple[float, float]]:
    """Return each metric of the wrong facts in the template and the right ones in free text."""
    answers = references(template)
    wrong, right = suite(wrong_facts(template, shifts), answers), suite(right_facts(), answers)
    return {name: (wrong[name], right[name]) for name in wrong}


def test_each_wrong_fact_is_wrong_and_each_right_one_stated():
    for column in zip(*FACTS, strict=True):
        assert len(set(column)) == len(FACTS)
    for shifts in SHIFTS:
        assert all(0 < shift < len(FACTS) for shift in shifts)
    for activity, process, place, free in FACTS:
        words = free.lower()
        for fact in (process, place.removeprefix("the ")):
            assert fact.lower() in words
        # The transporter's metal stands apart from it.
        assert all(word in words for word in activity.lower().split())


@pytest.mark.parametrize("template", TEMPLATES)
def test_metrics_of_words_rank_the_wrong_facts_first(template):
    for shifts in SHIFTS:
        found = ranking(TEMPLATES[template], shifts)
        fooled = {name for name, (wrong, right) in found.items() if wrong > right}
        assert fooled >= set(FOOLED[template])


@pytest.mark.parametrize("shifts", SHIFTS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_content_f1_ranks_the_right_facts_first(template, shifts):
    wrong, right = ranking(TEMPLATES[template], shifts)["content_f1"]
    # Not by a hair: with wrong facts next to nothing is left.
    assert wrong < 15 < 40 < right


@pytest.mark.parametrize("template", TEMPLATES)
def test_content_f1_is_right_about_every_single_protein(template):
    answers = references(TEMPLATES[template])
    tasks = ["describe"] * len(answers)
    right = score_tokens(right_facts(), answers, tasks)["content_f1"]
    for shifts in SHIFTS:
        wrong = score_tokens(wrong_facts(TEMPLATES[template], shifts), answers, tasks)["content_f1"]
        assert all(better > worse for better, worse in zip(right, wrong, strict=True))


def test_more_right_facts_in_the_template_score_more():
    """In the same form the number of right facts decides."""
    template = TEMPLATES["sentence"]
    scores = [
        suite(wrong_facts(template, shifts), references(template))["content_f1"]
        for shifts in ((1, 2, 3), (0, 2, 3), (0, 0, 3), (0, 0, 0))
    ]
    assert scores == sorted(scores)
    assert scores[-1] == 100


@pytest.mark.parametrize("shifts", SHIFTS)
def test_a_mixture_of_templates_fools_content_f1_no_more_than_one(shifts):
    """Each protein's reference has one of the templates, and the wrong one has the same."""
    templates = list(TEMPLATES.values())
    choice = [i % len(templates) for i in range(len(FACTS))]
    answers = [references(templates[k])[i] for i, k in enumerate(choice)]
    wrong = [wrong_facts(templates[k], shifts)[i] for i, k in enumerate(choice)]
    found = suite(wrong, answers), suite(right_facts(), answers)
    assert found[0]["token_f1"] > found[1]["token_f1"]
    assert found[0]["content_f1"] < found[1]["content_f1"]


@pytest.mark.slow
@pytest.mark.parametrize("template", TEMPLATES)
def test_bertscore_of_a_sentence_encoder_ranks_the_right_facts_first(template):
    if not (MINILM / "manifest.json").is_file():
        pytest.skip("needs the text encoder of the default (resources/models/minilm)")
    wrong, right = bertscores(MINILM, TEMPLATES[template], SHIFTS[0])
    assert wrong + 5 < right


def bertscores(model: Path, template: str, shifts: tuple[int, int, int]) -> tuple[float, float]:
    """Return the mean BERTScore F1 of the wrong facts and of the right ones."""
    from protscribe.evaluation.bertscore import BertScorer, score_pairs

    scorer, answers = BertScorer(model), references(template)
    found = [
        score_pairs(scorer, predictions, answers)["bertscore_f1"]
        for predictions in (wrong_facts(template, shifts), right_facts())
    ]
    return sum(found[0]) / len(answers), sum(found[1]) / len(answers)
