"""What a question asks about, by rules that can be read."""

import re

OTHER = "other"

_RULES = {
    "cofactor": r"cofactors?|co-factors?|prosthetic|metal ions?|coenzymes?",
    "catalysis": r"cataly[sz]\w*|enzym\w+|substrates?|hydroly[sz]\w*|EC number|reactions?"
    r"|phosphorylate|cleave|convert|transfer|synthesise|oxidise|reduce|active site|turnover"
    r"|products? of",
    "location": r"where|locat\w+|locali[sz]\w*|compartments?|subcellular|membrane protein"
    r"|secreted|organelles?|found in the cell",
    "family": r"famil(?:y|ies)|superfamily|homolog\w*|evolutionar\w*|conserved",
    "expression": r"express\w*|tissues?|transcribed|induced|abundan\w+|cell types?",
    "disease": r"diseases?|disorders?|syndromes?|cancers?|tumou?rs?|mutations?|patholog\w+"
    r"|deficien\w+|virulence|infections?|therap\w+|drugs?|toxic\w*|symptoms?|phenotypes?",
    "structure": r"structur\w*|domains?|motifs?|subunits?|fold(?:s|ed)?|residues?|helix|helices"
    r"|dimers?|oligomer\w*|multimers?|composed|component|modifications?|modified|disulfide"
    r"|part of|member of|conformation\w*|terminus|terminal|peptides?",
    "interaction": r"interact\w*|bind(?:s|ing)?|bound|partners?|associate\w*|ligands?"
    r"|receptors? (?:for|of|does)|receptor for|recogni[sz]e\w*|complex(?:es)?|recruits?",
    "regulation": r"regulat\w*|activat\w*|inhibit\w*|repress\w*|control\w*|modulat\w*|stimulat\w*"
    r"|suppress\w*|block\w*|induce|promote|prevent|antagonis\w*|enhance",
    "process": r"process(?:es)?|pathways?|involved|participat\w*|required|essential|necessary"
    r"|biosynthesis|signal(?:l)?ing|transport\w*|repair|replication|development|growth|mediate"
    r"|contribut\w*|important for|responsible",
    "function": r"function\w*|roles?|do|does|activity|activities|act|serve|purpose|effects?"
    r"|capable|able",
}

CATEGORIES = (*_RULES, OTHER)
"""In the order in which they are tried; a question has the first whose words it has."""

_PATTERNS = {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in _RULES.items()}


def category_of(question: str) -> str:
    """Return the first of `CATEGORIES` whose words stand in a question."""
    return next((name for name, words in _PATTERNS.items() if words.search(question)), OTHER)
