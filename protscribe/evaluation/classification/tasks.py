"""The tasks, their words, and the questions that are made of them.

The words are those of InstructProtein's published benchmarks (Wang et al., ACL 2024), whose code
writes ``Instruction: {question}\\n\\nOutput: {lead} {option}`` after the protein. What stands
around question and answer belongs to the system that is asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from protscribe.errors import InputError
from protscribe.seeds import unit_hash
from protscribe.tables import read_table

LOCATION_10 = "location_10"
LOCATION_2 = "location_2"
LOCATION_2_WORDS = "location_2_words"
METAL = "metal_ion_binding"
PAIRING = "pairing"
ASPECTS = {
    "go_molecular_function": "molecular_function",
    "go_biological_process": "biological_process",
    "go_cellular_component": "cellular_component",
}
"""Tasks about terms of the Gene Ontology, and the relation of their triples."""
OWN_TASKS = (LOCATION_10, LOCATION_2, METAL, *ASPECTS, PAIRING)
"""Tasks that are made from our own tables."""
PUBLISHED_TASKS = (LOCATION_10, LOCATION_2, LOCATION_2_WORDS, METAL, *ASPECTS, PAIRING)
"""Tasks that published files exist for."""
PUBLISHED_PREFIX = "published_"
PUBLISHED_FOLD = "test_published"
"""The fold of published proteins, which are in no split of ours and are pruned against nothing."""

LOCATIONS = (
    "plasma membrane",
    "cytoplasm",
    "endoplasmic reticulum",
    "golgi",
    "vacuole",
    "mitochondrion",
    "nucleus",
    "peroxisome",
    "chloroplast",
    "extracellular",
)
"""The ten classes of DeepLoc (Almagro Armenteros et al., 2017) in the published words and order."""
MEMBRANE, SOLUBLE = 0, 1
BINDINGS = ("membrane-bound", "soluble")
YES, NO = 0, 1
ANSWERS = ("yes", "no")
METAL_TERM = "GO:0046872"
METAL_NAME = "metal ion binding"
CHOICE = "choice"
YES_NO = "yes_no"

_LOCATION_WORDS = (
    "What cellular components is the protein located in?",
    "The protein is located in",
)
_BINDING_WORDS = ("Is the protein membrane-bound or soluble?", "The protein is")
_TERM_WORDS = ("Does the protein associate with {}?", "Based on the record, the answer is")
_PAIRING_OPTION = "I would like a protein that is in {}."
_PAIRING_LEAD = "One of the protein that meets the demand is"

Row = dict[str, Any]


def base_task(task: str) -> str:
    """Return a task without the prefix of published ones."""
    return task.removeprefix(PUBLISHED_PREFIX)


def is_pairing(task: str) -> bool:
    """Return whether a task's options are instructions, and the protein is what is scored."""
    return base_task(task) == PAIRING


def location_words(sequence: str, truth: Sequence[int]) -> Row:
    """Return the columns of a question about one of ten compartments.

    Parameters
    ----------
    sequence
        The protein.
    truth
        Positions in `LOCATIONS`; several where the protein is in several places.
    """
    question, lead = _LOCATION_WORDS
    return _choice(sequence, question, lead, LOCATIONS, truth)


def binding_words(sequence: str, truth: int) -> Row:
    """Return the columns of a question between membrane-bound (0) and soluble (1)."""
    question, lead = _BINDING_WORDS
    return _choice(sequence, question, lead, BINDINGS, [truth])


def term_words(sequence: str, term: str, name: str, positive: bool) -> Row:
    """Return the columns of a yes/no question about a term."""
    question, lead = _TERM_WORDS
    return {
        "sequence": sequence,
        "question": question.format(name),
        "lead": lead,
        "options": list(ANSWERS),
        "truth": [YES if positive else NO],
        "group": term,
        "kind": YES_NO,
    }


def pairing_words(
    sequence: str, truth: str, others: Sequence[str], names: Mapping[str, str], *, key: str
) -> Row:
    """Return the columns of a question for the instruction that a protein answers.

    The options stand in an order that depends on nothing but the question, so that a scorer that
    takes the first of equals gains nothing.

    Parameters
    ----------
    sequence
        The protein.
    truth, others
        Ids of the right family or fold, and of the others.
    names
        Name of each id.
    key
        The question's id.
    """
    order = sorted([truth, *others], key=lambda one: (unit_hash(0, f"{key}:{one}"), one))
    return {
        "sequence": sequence,
        "question": None,
        "lead": _PAIRING_LEAD,
        "options": [pairing_option(names[one]) for one in order],
        "truth": [order.index(truth)],
        "group": truth,
        "kind": CHOICE,
    }


def pairing_option(name: str) -> str:
    """Return the instruction that asks for a protein of a family or fold."""
    return _PAIRING_OPTION.format(name)


def _choice(
    sequence: str, question: str, lead: str, options: Sequence[str], truth: Sequence[int]
) -> Row:
    return {
        "sequence": sequence,
        "question": question,
        "lead": lead,
        "options": list(options),
        "truth": sorted(truth),
        "group": None,
        "kind": CHOICE,
    }


def check_questions(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Check that questions can be asked and answered.

    Parameters
    ----------
    path
        Where they stand or will stand, for messages.
    rows
        Rows of table ``questions``.

    Raises
    ------
    InputError
        If a question has fewer than two options, one twice, no truth or one that is no option,
        a sequence that is empty, or an unknown kind.
    """
    for row in rows:
        options, truth = row["options"] or [], row["truth"] or []
        where = f"{path}: question {row['id']}"
        if len(options) < 2:
            raise InputError(f"{where} has {len(options)} options; it needs two or more")
        # Spaces make no difference to a reader.
        texts = [" ".join((option or "").split()) for option in options]
        if "" in texts:
            raise InputError(f"{where} has an empty option; remove it")
        if len(set(texts)) < len(texts):
            twice = next(one for one in texts if texts.count(one) > 1)
            raise InputError(f"{where} has the option {twice!r} more than once; remove one")
        if not truth or any(one is None or not 0 <= one < len(options) for one in truth):
            raise InputError(
                f"{where} has the truth {truth}, which must name some of its "
                f"{len(options)} options, from 0"
            )
        if not row["sequence"]:
            raise InputError(f"{where} has no sequence")
        if row["kind"] not in (CHOICE, YES_NO):
            raise InputError(f"{where} has the kind {row['kind']!r}, not {CHOICE} or {YES_NO}")
        if row["kind"] == YES_NO and tuple(options) != ANSWERS:
            raise InputError(f"{where} is yes/no, so its options must be {' and '.join(ANSWERS)}")


def read_questions(paths: Sequence[Path]) -> list[Row]:
    """Read and check tables of questions, sorted by id.

    Raises
    ------
    InputError
        As `check_questions`; also if an id stands in two tables or there is no question.
    """
    found: dict[str, Row] = {}
    for path in paths:
        rows = read_table(path, "questions").to_pylist()
        check_questions(path, rows)
        for row in rows:
            if row["id"] in found:
                raise InputError(f"{path}: question {row['id']} was read already from another file")
            found[row["id"]] = row
    if not found:
        names = ", ".join(str(path) for path in paths) or "no file"
        raise InputError(f"{names}: holds no question; check the tasks of the configuration")
    return [found[name] for name in sorted(found)]
