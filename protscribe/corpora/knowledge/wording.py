"""Questions, requests and answers on one annotation, as sentences.

Every function takes a ``number`` that chooses the wording: numbers that follow each other give
different wordings until all of them are used, and the same number always gives the same one. A
protein's own name never stands in any of them.
"""

from collections.abc import Iterator, Sequence

from protscribe.atomic import sha256_json
from protscribe.corpora.knowledge import templates
from protscribe.corpora.knowledge.templates import Predicate
from protscribe.errors import InputError
from protscribe.prompts import PROTEIN_MARKER

KINDS = tuple(sorted(templates.PREDICATES))
"""Kinds of annotation, which are also the relations of the graph."""

Step = tuple[str, str]
"""Kind and name of one annotation of a chain."""


def design_request(kind: str, name: str, number: int) -> str:
    """Return a request for a protein with an annotation; number 0 is "Design a protein that".

    Parameters
    ----------
    kind
        One of `KINDS`.
    name
        Name of the annotation as it stands in a sentence.
    number
        Which wording.

    Raises
    ------
    InputError
        If the kind is unknown or the name is empty.
    """
    frame, claim = _framed(templates.DESIGN_REQUESTS, kind, name, number)
    return frame.format(claim=claim)


def design_lead_in(kind: str, name: str, number: int) -> str:
    """Return the sentence before a designed protein. Parameters as for `design_request`."""
    frame, claim = _framed(templates.DESIGN_LEAD_INS, kind, name, number)
    return frame.format(claim=claim)


def design_answer(kind: str, name: str, number: int) -> str:
    """Return the answer to a request: lead-in, line break and the marker of the protein."""
    return with_protein(design_lead_in(kind, name, number))


def with_protein(lead_in: str) -> str:
    """Return a lead-in with the marker of the protein on a line after it."""
    return f"{lead_in}\n{PROTEIN_MARKER}"


def annotate_question(kind: str, number: int) -> str:
    """Return a question that asks for an annotation of a kind. Errors as `design_request`."""
    frames = templates.ANNOTATE_QUESTIONS
    question, asked = _question(kind, number // len(frames))
    return frames[number % len(frames)].format(question=question, asked=asked)


def annotate_answer(kind: str, name: str, number: int) -> str:
    """Return a sentence that names the annotation. Parameters as for `design_request`."""
    frame, claim = _framed(templates.ANNOTATE_ANSWERS, kind, name, number)
    return frame.format(claim=claim)


def verify_question(kind: str, name: str, number: int) -> str:
    """Return a question to be answered by yes or no. Parameters as for `design_request`."""
    frames = templates.VERIFY_QUESTIONS
    predicate = _predicate(kind, name, number // len(frames))
    base, _, rest = predicate
    rest = rest.format(name=name)
    question = f"Is this protein {rest}?" if base == "be" else f"Does this protein {base} {rest}?"
    lower = question[0].lower() + question[1:]
    frame = frames[number % len(frames)]
    return frame.format(question=question, lower_question=lower, claim=_claim(predicate, name))


def verify_answer(kind: str, name: str, positive: bool) -> str:
    """Return the answer to `verify_question`, a sentence that begins with Yes or No.

    No means that nothing is known of it: a record never says that a protein lacks an annotation.
    """
    predicate = _predicate(kind, name, 0)
    if positive:
        return f"Yes, this protein {_claim(predicate, name)}."
    base, _, rest = predicate
    return f"No, this protein is not known to {base} {rest.format(name=name)}."


def explain_question(kind: str, number: int) -> str:
    """Return a question that asks for an annotation of a kind and for the steps to it."""
    frames = templates.EXPLAIN_QUESTIONS
    question, _ = _question(kind, number // len(frames))
    return frames[number % len(frames)].format(question=question)


def explain_answer(steps: Sequence[Step], relations: Sequence[str], number: int) -> str:
    """Return a chain as sentences, in order, the last of which states its target.

    Parameters
    ----------
    steps
        Kind and name of each annotation, the first cause first.
    relations
        Names of the edges between them, one fewer than steps.
    number
        Which wording.

    Raises
    ------
    InputError
        If steps and relations do not belong together, or as for `design_request`.
    """
    if len(steps) < 2 or len(relations) != len(steps) - 1:
        raise InputError(
            f"a chain of {len(steps)} steps with {len(relations)} relations; it needs at least two "
            "steps and a relation between each two"
        )
    opening = templates.EXPLAIN_OPENINGS[number % len(templates.EXPLAIN_OPENINGS)]
    number //= len(templates.EXPLAIN_OPENINGS)
    ending = templates.EXPLAIN_ENDINGS[number % len(templates.EXPLAIN_ENDINGS)]
    number //= len(templates.EXPLAIN_ENDINGS)
    kind, name = steps[0]
    first = f"this protein {_claim(_predicate(kind, name, number), name)}."
    sentences = [f"{opening}{first}" if opening else first[0].upper() + first[1:]]
    for place, ((kind, name), relation) in enumerate(zip(steps[1:], relations, strict=True)):
        links = templates.LINKS.get(relation, templates.OTHER_LINKS)
        _predicate(kind, name, 0)
        link = links[(number + place) % len(links)]
        sentences.append(link.format(name=name, noun=templates.NOUNS[kind]))
    kind, name = steps[-1]
    sentences.append(f"{ending} this protein {_claim(_predicate(kind, name, number), name)}.")
    return " ".join(sentences)


def every_wording(name: str = "\0") -> Iterator[str]:
    """Yield every sentence of the templates, with the same name in each of them.

    Parameters
    ----------
    name
        By default one without letters, which leaves what stands around names.
    """
    for kind in KINDS:
        predicates, questions = len(templates.PREDICATES[kind]), len(templates.QUESTIONS[kind])
        for number in range(predicates * len(templates.DESIGN_REQUESTS)):
            yield design_request(kind, name, number)
        for number in range(predicates * len(templates.DESIGN_LEAD_INS)):
            yield design_lead_in(kind, name, number)
        for number in range(questions * len(templates.ANNOTATE_QUESTIONS)):
            yield annotate_question(kind, number)
        for number in range(predicates * len(templates.ANNOTATE_ANSWERS)):
            yield annotate_answer(kind, name, number)
        for number in range(predicates * len(templates.VERIFY_QUESTIONS)):
            yield verify_question(kind, name, number)
        yield from (verify_answer(kind, name, positive) for positive in (True, False))
        for number in range(questions * len(templates.EXPLAIN_QUESTIONS)):
            yield explain_question(kind, number)
        styles = len(templates.EXPLAIN_OPENINGS) * len(templates.EXPLAIN_ENDINGS)
        for relation in (*templates.LINKS, "interpro2go"):
            for number in range(styles * predicates):
                yield explain_answer([(kind, name), (kind, name)], [relation], number)


def published_design_request(name: str) -> str:
    """Return the request of the published instructions and pairing task (InstructProtein)."""
    return f"I would like a protein that is in {name}."


PUBLISHED_DESIGN_LEAD_IN = "One of the protein that meets the demand is"
"""What the published instructions answer, before the protein."""


def published_verify_question(name: str) -> str:
    """Return the question of the published Gene Ontology and metal ion tasks."""
    return f"Does the protein associate with {name}?"


PUBLISHED_VERIFY_LEAD_IN = "Based on the record, the answer is"
"""What comes before yes or no in the published answers."""


def published_verify_answer(positive: bool) -> str:
    """Return the published answer to `published_verify_question`."""
    return f"{PUBLISHED_VERIFY_LEAD_IN} {'yes' if positive else 'no'}"


PUBLISHED_LOCATION_QUESTION = "What cellular components is the protein located in?"
"""The question of the published tasks on subcellular location."""

PUBLISHED_LOCATION_LEAD_IN = "The protein is located in"
"""What comes before the location in the published answers."""


def published_location_answer(name: str) -> str:
    """Return the published answer to `PUBLISHED_LOCATION_QUESTION`."""
    return f"{PUBLISHED_LOCATION_LEAD_IN} {name}"


def revision() -> str:
    """Return the SHA-256 of the templates: the revision of the writer ``template``."""
    names = [name for name in sorted(vars(templates)) if name.isupper() and name[0] != "_"]
    return sha256_json([[name, getattr(templates, name)] for name in names])


def _framed(frames: Sequence[str], kind: str, name: str, number: int) -> tuple[str, str]:
    """Return the frame of a number, and what is said of the protein."""
    predicate = _predicate(kind, name, number // len(frames))
    return frames[number % len(frames)], _claim(predicate, name)


def _predicate(kind: str, name: str, number: int) -> Predicate:
    if not name.strip():
        raise InputError(f"an annotation of kind {kind} has no name, so nothing can be asked of it")
    predicates = templates.PREDICATES[_known(kind)]
    if kind == "location" and name.lower().startswith("secreted"):
        # "in the secreted" is no English.
        alone = name.lower() == "secreted"
        predicates = templates.SECRETED if alone else templates.LOCATION_LABEL
    return predicates[number % len(predicates)]


def _question(kind: str, number: int) -> tuple[str, str]:
    questions = templates.QUESTIONS[_known(kind)]
    return questions[number % len(questions)]


def _known(kind: str) -> str:
    if kind not in templates.PREDICATES:
        raise InputError(f"{kind!r} is no kind of annotation; there are {', '.join(KINDS)}")
    return kind


def _claim(predicate: Predicate, name: str) -> str:
    _, verb, rest = predicate
    return f"{verb} {rest.format(name=name)}"
