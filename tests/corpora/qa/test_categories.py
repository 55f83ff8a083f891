import pytest

from protscribe.corpora.qa.categories import CATEGORIES, category_of
from protscribe.corpora.qa.templates import CATEGORY


@pytest.mark.parametrize(
    "question, category",
    [
        ("What is the function of this protein?", "function"),
        ("What does this protein do?", "function"),
        ("Which reaction does this protein catalyse?", "catalysis"),
        ("What does this protein hydrolyse?", "catalysis"),
        ("Where is this protein found?", "location"),
        ("Which proteins does this protein interact with?", "interaction"),
        ("What does this protein bind to?", "interaction"),
        ("Which biological processes is this protein involved in?", "process"),
        ("Which domains does this protein contain?", "structure"),
        ("What does this protein inhibit?", "regulation"),
        ("Which diseases are caused by mutations in this protein?", "disease"),
        ("In which tissues is this protein expressed?", "expression"),
        ("Which cofactor does this protein have?", "cofactor"),
        ("Which protein family does this protein belong to?", "family"),
        ("Is this protein glowing?", "other"),
    ],
)
def test_category_of(question, category):
    assert category_of(question) == category


def test_templates_use_known_categories():
    assert set(CATEGORY.values()) < set(CATEGORIES)
