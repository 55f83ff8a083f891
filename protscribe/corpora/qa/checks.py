"""The checks that a single pair has to pass, in their order."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from protscribe.corpora.qa.anonymisation import THIS_PROTEIN, Identity
from protscribe.corpora.qa.wording import (
    broken_answer,
    broken_question,
    instruction,
    study_mention,
)
from protscribe.corpora.qa.words import (
    content_words,
    generic_words,
    is_negated,
    numbers,
    overlap,
)
from protscribe.sources.literature.contexts import ABSTRACT
from protscribe.sources.literature.names import ABBREVIATIONS, Text, find_name
from protscribe.sources.literature.organisms import Organisms, own_names

TEMPLATE = "template"
IMPORTED = "imported"

BROKEN = "empty or broken"
NO_EVIDENCE = "evidence is not in the text"
INSTRUCTION = "the text gives instructions to a model"
STUDY = "mentions the study"
NAMED = "names the protein or its organism"
OTHER_PROTEIN = "not about this protein"
OTHER_SPECIES = "another species"
UNINFORMATIVE = "says nothing"
UNSUPPORTED = "not supported by the evidence"

_SUBJECT = re.compile(rf"\b{THIS_PROTEIN}\b", re.IGNORECASE)
_UNKNOWN = re.compile(
    r"\b(?:is|are|was|were|remains?|remained|has been|have been) (?:\w+ly |still |yet )*"
    r"(?:unknown|unclear|uncertain|elusive|obscure|(?:not|poorly|incompletely) (?:\w+ )?"
    r"(?:clear|known|understood)|to be (?:determined|elucidated|established))\b"
    r"|\b(?:little|nothing|not much) is (?:\w+ )?known\b",
    re.IGNORECASE,
)
_NO_ANSWER = re.compile(
    r"\b(?:unknown|not (?:yet )?(?:been )?(?:known|clear|specified|mentioned|stated|provided|given"
    r"|described|determined|available|fully understood|established|understood|reported)|unclear"
    r"|no (?:information|answer|evidence is|data)|cannot be (?:determined|answered)|none|n/a"
    r"|not applicable|remains? to be|does not (?:say|mention|specify|state|provide)"
    r"|poorly understood|to be determined)\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(r"(?:yes|no|true|false|maybe|possibly|correct)\b[\s,.!]*", re.IGNORECASE)
_ANAPHORA = re.compile(
    r"\b(?:it|its|itself|(?:this|the|these|its|which|encoded|novel|new|our) "
    r"(?:\w+ )?(?:protein|proteins|enzyme|enzymes|receptor|gene|product|polypeptide|peptide|kinase"
    r"|toxin|channel|transporter|factor|subunit|molecule|inhibitor|complex|structure|mutants?"
    r"|family|isoforms?))\b",
    re.IGNORECASE,
)
# A symbol as those of genes and proteins: two capitals, or a capital and a digit.
_SYMBOL = re.compile(r"(?<![\w-])(?=\w*[A-Z]\w*[A-Z0-9])[A-Za-z][A-Za-z0-9]{2,}(?![\w+(])")
_NO_GENES = ABBREVIATIONS | {
    *("dtt", "edta", "egta", "ec", "er", "gpi", "hplc", "ki", "km", "kcat", "mhc", "nmr", "pcr"),
    *("ph", "ptm", "ros", "sds", "ssdna", "dsdna", "ssrna", "dsrna", "utr", "uv", "mirna", "pip2"),
    *("pip3", "ph7", "co2", "h2o", "o2", "h2o2", "nh3", "ca2", "mg2", "zn2", "fe2", "fe3", "cu2"),
    *("hiv", "hcv", "hbv", "ebv", "dntp", "ntp", "gpcr", "igg", "ige", "cdna", "nadp", "cns"),
}
_FEW_WORDS = 20
_SELF = re.compile(rf"\b(?:it|its|{THIS_PROTEIN})\b", re.IGNORECASE)


@dataclass
class Case:
    """One pair and what is known of it.

    Parameters
    ----------
    pair
        Row of table qa_pairs as it was written.
    question, answer
        The same without names.
    leak
        What still gives the protein or its organism away.
    text
        The whole text that the pair was written from; None if that is not known.
    text_instruction
        What `wording.instruction` finds in that text.
    protein
        Row of table proteins with organism and lineage.
    identity
        Names of the protein.
    organisms
        All organisms that a text may name.
    min_overlap
        Least share of the answer's words that must stand in the evidence.
    """

    pair: Mapping[str, Any]
    question: str
    answer: str
    leak: str | None
    text: str | None
    text_instruction: str | None
    protein: Mapping[str, Any]
    identity: Identity
    organisms: Organisms
    min_overlap: float

    @property
    def evidence(self) -> str | None:
        """The evidence; None for a pair that was imported without."""
        return self.pair["evidence_span"]


def is_broken(case: Case) -> str | None:
    """Find what is broken in question or answer, as they were written."""
    question, answer = case.pair["question"] or "", case.pair["answer"] or ""
    # A curated statement may be as long as it is.
    is_template = case.pair["writer"] == TEMPLATE
    return broken_question(question) or broken_answer(answer, None if is_template else case.text)


def lacks_evidence(case: Case) -> str | None:
    """Find out whether the evidence is not the slice of the text that it is said to be.

    A pair that was imported has none: what a file says of a text that is not at hand is no
    evidence.
    """
    if case.pair["writer"] == IMPORTED and case.evidence is None:
        return None
    start, end = case.pair["span_start"], case.pair["span_end"]
    if case.text is None:
        return "its text is not at hand"
    if start is None or end is None or not case.evidence:
        return case.evidence or "no evidence"
    is_slice = 0 <= start < end and case.text[start:end] == case.evidence
    return None if is_slice else case.evidence


def holds_instruction(case: Case) -> str | None:
    """Find an order to a language model in the pair or anywhere in its text.

    What is told to the writer may show in any of its pairs, and the sentence with the order need
    not be the one that is quoted; so nothing that was written from such a text is used.
    """
    found = instruction(case.pair["question"]) or instruction(case.pair["answer"])
    return found or case.text_instruction


def mentions_study(case: Case) -> str | None:
    """Find words about the study in question or answer."""
    return study_mention(case.pair["question"]) or study_mention(case.pair["answer"])


def is_named(case: Case) -> str | None:
    """Find a name of the protein or its organism that could not be taken out."""
    return case.leak


def is_about_another(case: Case) -> str | None:
    """Find out whether the pair is about another protein.

    The question must ask about "this protein", and no other symbol may stand before it. An answer
    may not begin with another symbol and never come back to this protein. Evidence from an
    abstract that names the protein elsewhere must name it too, or refer back to it.
    """
    subject = _SUBJECT.search(case.question)
    if not subject:
        return f"asks about something else: {case.question}"
    if other := _symbol(case.question[: subject.start()]):
        return other
    first = " ".join(case.answer.split()[:2])
    if not _SELF.search(case.answer) and (other := _symbol(first)):
        return other
    if case.pair["context"] == ABSTRACT and case.evidence and case.text:
        names = case.identity.names
        refers = _ANAPHORA.search(case.evidence) or find_name(Text(case.evidence), names)
        if not refers and find_name(Text(case.text), names):
            return f"the evidence does not name it: {case.evidence}"
    return None


def is_other_species(case: Case) -> str | None:
    """Find an organism that is not the protein's own.

    Question and answer may name no other organism, unless curators did: a curated statement is
    about its own protein, whatever host or prey it names. Evidence from an abstract may, beside
    the own one. Of proteins of viruses nothing is known this way, since texts name the host.
    """
    if "Viruses" in (case.protein["lineage"] or ()):
        return None
    own = own_names(case.protein["organism"])
    said = [Text(case.question), Text(case.answer)]
    others = _others(case.organisms, said, own)
    if case.pair["context"] not in (ABSTRACT, IMPORTED, None) and case.evidence:
        others -= _others(case.organisms, [Text(case.evidence)], own)
    if others:
        return ", ".join(sorted(others))
    if case.pair["context"] == ABSTRACT and case.evidence:
        named = case.organisms.named([Text(case.evidence)])
        if case.organisms.match(case.protein["organism"], case.protein["lineage"], named) is False:
            return ", ".join(sorted(name for name, is_tool in named.items() if not is_tool))
    return None


def is_uninformative(case: Case) -> str | None:
    """Find out whether the answer adds nothing to the question or says that it knows nothing."""
    rest = _YES_NO.sub("", case.answer, count=1) if _YES_NO.match(case.answer) else case.answer
    if not rest.strip(" .,!"):
        return "yes or no alone"
    if unknown := _UNKNOWN.search(case.answer):
        return unknown.group()
    # Longer answers may say so of something beside the point.
    if (nothing := _NO_ANSWER.search(case.answer)) and len(case.answer.split()) < _FEW_WORDS:
        return nothing.group()
    added = content_words(rest) - content_words(case.question) - generic_words()
    return None if added else f"adds nothing to the question: {case.answer}"


def is_unsupported(case: Case) -> str | None:
    """Find out whether the words of the answer are not those of its evidence.

    Numbers must stand in the evidence, and an answer that denies needs evidence that denies; where
    the evidence is one sentence, that holds the other way round too. A template states its
    evidence by itself, and a pair that was imported has none.
    """
    if case.evidence is None or case.pair["writer"] == TEMPLATE:
        return None
    share = overlap(case.answer, case.evidence)
    if share < case.min_overlap:
        return f"{share:.2f} of the words"
    if invented := numbers(case.answer) - set(re.findall(r"\d+(?:[.,]\d+)*", case.evidence)):
        return f"the number {min(invented)}"
    denies, denied = is_negated(case.answer), is_negated(case.evidence)
    if denies != denied and (denies or not re.search(r"[.;]\s", case.evidence)):
        return "one denies what the other says"
    return None


CHECKS: dict[str, Callable[[Case], str | None]] = {
    BROKEN: is_broken,
    NO_EVIDENCE: lacks_evidence,
    INSTRUCTION: holds_instruction,
    STUDY: mentions_study,
    NAMED: is_named,
    OTHER_PROTEIN: is_about_another,
    OTHER_SPECIES: is_other_species,
    UNINFORMATIVE: is_uninformative,
    UNSUPPORTED: is_unsupported,
}
"""Reason of a reject and the check behind it, in their order: the first that fails counts."""


def first_failure(case: Case) -> tuple[str, str] | None:
    """Return reason and detail of the first check that a pair fails, or None."""
    for reason, check in CHECKS.items():
        if (detail := check(case)) is not None:
            return reason, detail
    return None


def _others(organisms: Organisms, texts: list[Text], own: frozenset[str]) -> set[str]:
    named = organisms.named(texts)
    return {name for name, is_tool in named.items() if not is_tool} - own


def _symbol(text: str) -> str | None:
    for match in _SYMBOL.finditer(text):
        word = match.group()
        is_short = len(word) <= (6 if word.isupper() else 5)
        if (is_short or any(map(str.isdigit, word))) and word.lower() not in _NO_GENES:
            return word
    return None
