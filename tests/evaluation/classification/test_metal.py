"""Metal ion binding as entries state it."""

import pytest

from protscribe.evaluation.classification.metal import binds_metal
from protscribe.evaluation.classification.tasks import METAL_TERM, NO, YES


@pytest.mark.parametrize(
    ("changes", "functions", "answer"),
    [
        ({}, {"GO:0003824", METAL_TERM}, YES),
        ({"keywords": ["Metal-binding"]}, set(), YES),
        ({"features": [{"type": "METAL", "note": "Iron"}]}, {"GO:0003824"}, YES),
        ({"keywords": ["Transferase"], "cofactors": ["FMN"]}, {"GO:0003824"}, NO),
        ({"cofactors": ["pyridoxal 5'-phosphate"]}, {"GO:0003824"}, NO),
        # Silence of an entry without functions says nothing.
        ({"keywords": ["Transferase"]}, set(), None),
        # So does an entry that speaks of a metal without saying that it is bound.
        ({"keywords": ["Iron-sulfur"]}, {"GO:0003824"}, None),
        ({"keywords": ["4Fe-4S"]}, {"GO:0003824"}, None),
        ({"keywords": ["Heme"]}, {"GO:0003824"}, None),
        ({"cofactors": ["Mg(2+)"]}, {"GO:0003824"}, None),
        ({"cofactors": ["Binds 1 zinc ion per subunit"]}, {"GO:0003824"}, None),
        ({"features": [{"type": "ZN_FING", "note": None}]}, {"GO:0003824"}, None),
        ({"features": [{"type": "BINDING", "note": "Calcium"}]}, {"GO:0003824"}, None),
        ({"features": [{"type": "BINDING", "note": "Substrate"}]}, {"GO:0003824"}, NO),
    ],
)
def test_answers(changes, functions, answer):
    protein = {"keywords": None, "features": None, "cofactors": None} | changes
    assert binds_metal(protein, functions) == answer
