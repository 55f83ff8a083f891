"""The words in which facts of the knowledge graph are asked for and answered.

A predicate says that a protein has an annotation: a verb (bare, and in the third person) and
what follows it. Sentences are frames around a predicate, so that a few of each give many
wordings that all read as plain English. No frame has words after a name that could be taken for
a part of it.
"""

VERSION = 1
"""Raised when the code that fills the templates (`wording`) changes its output."""

Predicate = tuple[str, str, str]

_IN_A_PLACE: tuple[Predicate, ...] = (
    ("be", "is", "found in the {name}"),
    ("be", "is", "located in the {name}"),
    ("reside", "resides", "in the {name}"),
    ("occur", "occurs", "in the {name}"),
)
_OF_A_GROUP: tuple[Predicate, ...] = (
    ("belong", "belongs", "to the {name}"),
    ("be", "is", "a member of the {name}"),
    ("fall", "falls", "into the {name}"),
    ("be", "is", "part of the {name}"),
)
_WITH_A_PART: tuple[Predicate, ...] = (
    ("contain", "contains", "the {name}"),
    ("have", "has", "the {name}"),
    ("carry", "carries", "the {name}"),
    ("include", "includes", "the {name}"),
)
PREDICATES: dict[str, tuple[Predicate, ...]] = {
    "molecular_function": (
        ("have", "has", "the molecular function {name}"),
        ("be", "is", "annotated with the molecular function {name}"),
        ("perform", "performs", "the molecular function {name}"),
        ("show", "shows", "the molecular function {name}"),
    ),
    "biological_process": (
        ("take", "takes", "part in {name}"),
        ("be", "is", "involved in {name}"),
        ("contribute", "contributes", "to {name}"),
        ("play", "plays", "a role in {name}"),
    ),
    "cellular_component": _IN_A_PLACE,
    "family": _OF_A_GROUP,
    "superfamily": _OF_A_GROUP,
    "domain": _WITH_A_PART,
    "repeat": _WITH_A_PART,
    "conserved_site": _WITH_A_PART,
    "active_site": _WITH_A_PART,
    "binding_site": _WITH_A_PART,
    "ec": (
        ("have", "has", "the activity of {name}"),
        ("catalyse", "catalyses", "the reaction of {name}"),
        ("be", "is", "classified as {name}"),
        ("act", "acts", "as an enzyme of the class {name}"),
    ),
    "cofactor": (
        ("use", "uses", "{name} as a cofactor"),
        ("need", "needs", "{name} as a cofactor"),
        ("bind", "binds", "the cofactor {name}"),
        ("work", "works", "with the cofactor {name}"),
    ),
    "location": _IN_A_PLACE,
    "keyword": (
        ("carry", "carries", "the keyword {name}"),
        ("be", "is", "annotated with the keyword {name}"),
        ("be", "is", "described by the keyword {name}"),
        ("have", "has", "the keyword {name}"),
    ),
}
"""What is said of a protein, by kind of annotation; the first one is used where one is enough."""

SECRETED: tuple[Predicate, ...] = (
    ("be", "is", "{name}"),
    ("be", "is", "known to be {name}"),
    ("have", "has", "the subcellular location {name}"),
    ("be", "is", "described as {name}"),
)
"""Predicates of the one location that is no place."""

LOCATION_LABEL: tuple[Predicate, ...] = (
    ("have", "has", "the subcellular location {name}"),
    ("be", "is", "listed under the subcellular location {name}"),
    ("be", "is", "assigned to the subcellular location {name}"),
    ("be", "is", "described by the subcellular location {name}"),
)
"""Predicates of locations that a preposition does not suit, such as "secreted, cell wall"."""

DESIGN_REQUESTS = (
    "Design a protein that {claim}.",
    "Please design a protein that {claim}.",
    "Can you design a protein that {claim}?",
    "I need a protein that {claim}.",
    "Generate a protein that {claim}.",
    "Write the sequence of a protein that {claim}.",
    "Give me a protein that {claim}.",
    "Propose a protein that {claim}.",
    "Could you suggest a protein that {claim}?",
    "I am looking for a protein that {claim}.",
)
DESIGN_LEAD_INS = (
    "Here is a protein that {claim}:",
    "Sure, here is a protein that {claim}:",
    "One protein that {claim} is this:",
    "The following protein {claim}:",
    "This is a protein that {claim}:",
)
VERIFY_QUESTIONS = (
    "{question}",
    "Is it true that this protein {claim}?",
    "Can you tell whether this protein {claim}?",
    "Judging by its sequence, {lower_question}",
    "Yes or no: {lower_question}",
    "Would you say that this protein {claim}?",
)
ANNOTATE_QUESTIONS = (
    "{question}",
    "Tell me {asked}.",
    "Can you tell me {asked}?",
    "Please state {asked}.",
    "I would like to know {asked}.",
    "Judging by the sequence, tell me {asked}.",
)
ANNOTATE_ANSWERS = (
    "This protein {claim}.",
    "The protein {claim}.",
    "It {claim}.",
    "According to its record, this protein {claim}.",
    "As far as is known, this protein {claim}.",
)
EXPLAIN_QUESTIONS = (
    "{question} Explain step by step.",
    "{question} Reason step by step.",
    "{question} Give your reasoning step by step.",
    "{question} Show the steps that lead to the answer.",
    "{question} Derive the answer step by step.",
    "{question} Think it through step by step.",
)
EXPLAIN_OPENINGS = ("", "First, ", "To begin with, ")
EXPLAIN_ENDINGS = ("So", "Therefore,", "It follows that", "Hence,")

_PART_QUESTIONS = (
    ("Which {noun} does this protein contain?", "which {noun} this protein contains"),
    ("What is one {noun} of this protein?", "one {noun} of this protein"),
    ("Which {noun} is found in this protein?", "which {noun} is found in this protein"),
    ("What {noun} does this protein have?", "what {noun} this protein has"),
)
_GROUP_QUESTIONS = (
    ("Which {noun} does this protein belong to?", "which {noun} this protein belongs to"),
    ("What {noun} is this protein a member of?", "what {noun} this protein is a member of"),
    ("What is one {noun} of this protein?", "one {noun} of this protein"),
    ("Into which {noun} does this protein fall?", "into which {noun} this protein falls"),
)


def _about(noun: str, questions: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((direct.format(noun=noun), asked.format(noun=noun)) for direct, asked in questions)


QUESTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "molecular_function": (
        ("What is one molecular function of this protein?",
         "one molecular function of this protein"),
        ("Which molecular function does this protein have?",
         "which molecular function this protein has"),
        ("What does this protein do at the molecular level?",
         "what this protein does at the molecular level"),
        ("Which molecular function is known for this protein?",
         "which molecular function is known for this protein"),
    ),
    "biological_process": (
        ("Which biological process does this protein take part in?",
         "which biological process this protein takes part in"),
        ("What is one biological process of this protein?",
         "one biological process of this protein"),
        ("In which biological process is this protein involved?",
         "in which biological process this protein is involved"),
        ("To which biological process does this protein contribute?",
         "to which biological process this protein contributes"),
    ),
    "cellular_component": (
        ("In which cellular component is this protein found?",
         "in which cellular component this protein is found"),
        ("What is one cellular component of this protein?",
         "one cellular component of this protein"),
        ("Which cellular component does this protein occur in?",
         "which cellular component this protein occurs in"),
        ("Which cellular component is known for this protein?",
         "which cellular component is known for this protein"),
    ),
    "family": _about("protein family", _GROUP_QUESTIONS),
    "superfamily": _about("superfamily", _GROUP_QUESTIONS),
    "domain": _about("domain", _PART_QUESTIONS),
    "repeat": _about("sequence repeat", _PART_QUESTIONS),
    "conserved_site": _about("conserved site", _PART_QUESTIONS),
    "active_site": _about("active site", _PART_QUESTIONS),
    "binding_site": _about("binding site", _PART_QUESTIONS),
    "ec": (
        ("What is the EC number or enzyme class of this protein?",
         "the EC number or enzyme class of this protein"),
        ("Which enzyme activity does this protein have?",
         "which enzyme activity this protein has"),
        ("How is this protein classified as an enzyme?",
         "how this protein is classified as an enzyme"),
        ("Which class of enzymes does this protein belong to?",
         "which class of enzymes this protein belongs to"),
    ),
    "cofactor": (
        ("Which cofactor does this protein use?", "which cofactor this protein uses"),
        ("What is one cofactor of this protein?", "one cofactor of this protein"),
        ("Which cofactor does this protein need?", "which cofactor this protein needs"),
        ("Which cofactor is known for this protein?", "which cofactor is known for this protein"),
    ),
    "location": (
        ("Where is this protein found?", "where this protein is found"),
        ("What is one subcellular location of this protein?",
         "one subcellular location of this protein"),
        ("Which subcellular location does this protein have?",
         "which subcellular location this protein has"),
        ("Where is this protein located?", "where this protein is located"),
    ),
    "keyword": (
        ("Which keyword describes this protein?", "which keyword describes this protein"),
        ("What is one keyword of this protein?", "one keyword of this protein"),
        ("Which keyword does this protein carry?", "which keyword this protein carries"),
        ("With which keyword is this protein annotated?",
         "with which keyword this protein is annotated"),
    ),
}  # fmt: skip
"""What is asked for, by kind: as a question, and as what stands after "tell me"."""

LINKS = {
    "is_a": ("This is a kind of {name}.", "That counts as {name}."),
    "part_of": ("This is part of {name}.", "That belongs to {name}."),
    "regulates": ("This regulates {name}.", "That has a part in regulating {name}."),
    "positively_regulates": (
        "This positively regulates {name}.",
        "That has a part in promoting {name}.",
    ),
    "negatively_regulates": (
        "This negatively regulates {name}.",
        "That has a part in restraining {name}.",
    ),
    "occurs_in": ("This occurs in the {name}.", "That takes place in the {name}."),
    "located_in": ("This is located in the {name}.", "That is found in the {name}."),
}
"""Sentences from one step of a chain to the next, by the relation of the edge."""

OTHER_LINKS = ("This points to {noun} {name}.", "Proteins like this are known for {noun} {name}.")
"""The same for mappings between vocabularies, such as interpro2go."""

NOUNS = {
    "molecular_function": "the molecular function",
    "biological_process": "the biological process",
    "cellular_component": "the cellular component",
    "family": "the protein family",
    "superfamily": "the superfamily",
    "domain": "the domain",
    "repeat": "the sequence repeat",
    "conserved_site": "the conserved site",
    "active_site": "the active site",
    "binding_site": "the binding site",
    "ec": "the enzyme class",
    "cofactor": "the cofactor",
    "location": "the subcellular location",
    "keyword": "the keyword",
}
"""What a kind of annotation is called before a name."""
