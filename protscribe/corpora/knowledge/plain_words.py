"""Words that are told apart where a text of a language model is compared with a fact."""

REQUESTS = frozenset(
    {
        *("can", "could", "create", "describe", "design", "explain", "generate", "give", "i"),
        *("invent", "kindly", "list", "make", "name", "please", "produce", "propose", "provide"),
        *("say", "show", "state", "suggest", "tell", "would", "write", "identify"),
        *("judging", "given", "let", "which", "need", "find", "think"),
    }
)
"""First words of what asks for something without a question mark."""

_PLACE = frozenset(
    {"where", "place", "component", "components", "compartment", "location", "located", "found"}
)
_SITE = frozenset({"site", "sites"})
IN_A_PLACE = frozenset(
    {"in", "at", "on", "to", "within", "inside", "located", "location", "localises", "localizes"}
)
"""Words of which a statement on a place has at least one."""
PLACES = frozenset({"cellular_component", "location"})
QUESTION_WORDS = frozenset({"which", "judging", "given"})
"""Those of `REQUESTS` that ask about a protein and not for one."""
SUBJECTS = {
    "molecular_function": frozenset(
        {"function", "functions", "activity", "activities", "do", "does"}
    ),
    "biological_process": frozenset(
        {"process", "processes", "part", "involved", "contribute", "contributes", "pathway"}
    ),
    "cellular_component": _PLACE,
    "family": frozenset({"family", "families"}),
    "superfamily": frozenset({"superfamily", "superfamilies"}),
    "domain": frozenset({"domain", "domains"}),
    "repeat": frozenset({"repeat", "repeats"}),
    "conserved_site": _SITE,
    "active_site": _SITE,
    "binding_site": _SITE | {"bind", "binds"},
    "ec": frozenset({"ec", "enzyme", "enzymes", "reaction", "catalyse", "catalyze", "activity"}),
    "cofactor": frozenset({"cofactor", "cofactors"}),
    "location": _PLACE,
    "keyword": frozenset({"keyword", "keywords"}),
}
"""Words of which a question for each kind of annotation has at least one."""

_PLAIN = """
    according actually among announce answer appear appreciate argue ask assign assume based
    become began begin begun behave believe belong bring brought call came carry case certain
    certainly characterise characteristic characterize check chosen claim classify clear come
    compartment conclude conclusion confirm connect consequence consequently consider consist
    constitute contain correct correspond count course create deduce derive describe design desire
    detail determine directly drawn end ensure evidence exactly example exhibit explain
    explanation fall fallen feature felt final finally find first fit follow found gave generate
    give given go gone good grateful group happy held help hence identify imply indicate infer
    inform invent just kept kindly know known label lain last lead led let lie link list live
    localise localize locate look made make mark match mean meant meet member mention moreover
    namely necessary new next note occur offer order ought pass place plausible please point
    possess precise presence present proceed produce proposal propose protein provide put reach
    read reason reasoning refer regard relate remain request reside right route said sat satisfy
    saw say second see seem seen sequence serve set show shown sit sort sought specify start state
    statement step stood subject such suggest suit support sure tag take taken task tell term
    thank therefore think third thought told true turn understand understood want way went whole
    wish work write written yield
"""
TELLING = ("human", "gene", "organism")
"""Words that fit every protein in other places, and would be said of one in particular here."""

PLAIN = tuple(_PLAIN.split())
"""Words beside those of the templates in which a fact may be told; none of them is a fact."""
