"""Whether an entry says that a protein binds a metal ion."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from protscribe.evaluation.classification.tasks import METAL_TERM, NO, YES

_KEYWORD = "Metal-binding"
_FEATURES = {"METAL", "CA_BIND"}
_HINT = re.compile(
    r"metal|zinc|iron|calcium|copper|magnesium|manganese|cobalt|cobalamin|nickel|potassium|sodium|"
    r"molybd|cadmium|vanad|tungst|lithium|mercur|h[ae]+me\b|chlorophyll|[0-9]fe-[0-9]s|"
    r"\b[a-z]{1,2}\([0-9]?\+\)",
    re.IGNORECASE,
)
"""Names and ions of metals, and what holds one."""

Row = Mapping[str, Any]


def binds_metal(protein: Row, functions: Collection[str]) -> int | None:
    """Return the answer to the question for metal ion binding.

    Parameters
    ----------
    protein
        Columns ``keywords``, ``features`` and ``cofactors``.
    functions
        Ids of the entry's molecular functions, with all their ancestors.

    Returns
    -------
    int or None
        `YES` where a function, the keyword or a site says so. `NO` where functions are annotated
        and nothing in the entry speaks of a metal. None where the entry does not decide it: an
        entry that knows no function of a protein says nothing by its silence.
    """
    keywords = protein["keywords"] or []
    features = protein["features"] or []
    if METAL_TERM in functions or _KEYWORD in keywords:
        return YES
    if any(feature["type"] in _FEATURES for feature in features):
        return YES
    notes = (f["note"] or "" for f in features if f["type"] in ("BINDING", "ZN_FING"))
    texts = [*keywords, *(protein["cofactors"] or []), *notes]
    zinc_finger = any(feature["type"] == "ZN_FING" for feature in features)
    if not functions or zinc_finger or any(_HINT.search(text) for text in texts):
        return None
    return NO
