"""What may not stand in a question, an answer or the text that they were written from.

Every function returns the piece of the text that is wrong, or None.
"""

import re
import unicodedata
from collections import Counter

from protscribe.corpora.qa.instructions import MAX_CHARACTERS

MIN_QUESTION_WORDS = 3
REPEATS = 3
"""How often four words may stand in a text, each time in the same order, before it babbles."""

_ASKS = re.compile(r"[?？]['\"’”)]*$")
_ORDERS = re.compile(
    r"(?:describe|explain|name|list|state|give|summari[sz]e|tell|identify|outline|discuss)\b",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[^\W\d_]")
_JSON = re.compile(
    r"[{\[]\s*\"|\"\s*[}\]]|\"\s*:\s*[\"{\[]|\"(?:question|answer|evidence|pairs)\""
    r"|\b(?:question|answer|evidence)\"?\s*:|</?[a-z][a-z_]*>|\*\*|```|^#+ "
    r"|^\s*[QA]\s*\d*\s*[:)]|\bQ\d+:.*\bA\d+:",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:^|[\s,;:])(?:\d{1,2}|[a-hA-H]|[ivx]{1,4})\)$")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_CUT = re.compile(
    r"(?:[,;:(\[{/&–—\\]|[a-km-z]-|\.\.\.|…|\b(?:a|an|and|as|at|between|both|by|can|does|for|from"
    r"|in|including|into|is|its|may|of|on|or|such|than|that|the|their|through|to|was|were|which"
    r"|with|whose))[\"'’]?$"
)
_GOES_ON = re.compile(r"[^\W_]+|['’′](?=[\w-])[\w'’′-]*|(?<=\d)['’′]")
_END = re.compile(r"[.!?)\]\"'’”]$")

_STUDY = re.compile(
    r"""
    \b(?:the|this|that|an?|our|their|these)\ abstracts?\b | \babstracts?\ (?:does|do|says?|states?
        |mentions?|describes?|reports?|provides?|suggests?|indicates?|shows?|only)\b
    | \babstract's\b | \bmanuscripts?\b | \bpapers?\b(?!\ wasps?) | \bpublications?\b
    | \b(?:the|this|our|their|recent|review|research|original|an?)\ articles?\b
    | \bauthors?\b | \bresearchers?\b | \bscientists?\b | \binvestigat(?:e|es|ed|ing|ions?|ors?)\b
    | \bstud(?:y|ies|ied|ying)\b | \bexperiments?\b | \bexperimentally\b | \bsurvey(?:s|ed)?\b
    | \b(?:the|these|this|our|their|recent|new|key|main)\ (?:findings?|results?|data|observations?
        |evidence\ span)\b
    | \b(?:findings?|results?|data|observations?)\ (?:show|suggest|indicate|demonstrate|reveal
        |support|imply|presented|obtained|reported|of\ this)\w*
    | \bfigures?\b | \bfigs?\.?\ ?S?\d
    | \b(?:suppl(?:ementary|emental)?\.?\ )tables?\b | \btables?\ (?:S?\d|[IVX]+\b)
    | \bin\ (?:the|this)\ table\b
    | \b(?:we|our|ours)\b | \bet\ al\b | \bthis\ (?:work|report|review)\b | \breportedly\b
    | \b(?:been|was|were|is|are|previously|recently|first)\ (?:previously\ |recently\ |first\ )?
        reported\b
    | \breports?\ (?:that|of|on|here)\b
    | \bmentioned\b | \b(?:is|are|was|were|as|not|been)\ (?:\w+ly\ )?(?:discussed|cited)\b
    | \b(?:the|this|given|provided|above|following|source|input)\ (?:text|passage|paragraph|excerpt
        |sentence|snippet|context|document|information)\b(?!\ of\b)
    | \bhypothesi[sz]e[ds]?\b | \bthe\ hypothesis\b | \bPubMed\b | \bPMIDs?\b | \bPMC\d | \bdoi:
    | https?:// | \ \[\d+(?:\s?[-–,]\s?\d+)*\] | \((?:19|20)\d\d[a-z]?\)
    | ^(?:background|objectives?|aims?|purpose|methods?|results?|conclusions?|significance)\s?:
    | \bthe\ (?:goal|aim|objective|purpose)\ of\ (?:the|this)\ (?:work|project|research
        |analysis|investigation)\b
    | \b(?:this|the|our|recent|current|previous|future|further)\ research\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

_INSTRUCTION = re.compile(
    r"""
    \b(?:ignore|disregard|forget|override|bypass|do\ not\ follow)\b[^.!?]{0,40}?
        \b(?:instructions?|prompts?|rules|directions|guidelines|commands?|text\ above
        |(?:previous|prior|preceding|earlier)\ (?:text|messages?|context|content))\b
    | \b(?:system|user|developer|hidden|initial|previous|above|following)
        \ (?:prompt|instruction)s?\b
    | \b(?:this|the|your|my)\ prompt\b(?!\ [a-z]) | \bprompt\ injection\b
    | \b(?:these|my|your)\ instructions\b
    | \b(?:follow|obey)\ (?:the|these|my|this)?\ ?(?:following\ )?instructions?\b
    | \byou\ (?:are|must|should|will|shall|have\ to|may\ not)\ (?:now\ )?(?:\w+)\b
    | \b(?:as|are|am)\ an?\ (?:AI|artificial\ intelligence|assistant)\b
    | (?<!protein\ )\blanguage\ models?\b | \bchat\ ?bots?\b | \bChatGPT\b | \bLLMs?\b
    | \b(?:AI|helpful|virtual)\ (?:assistants?|models?)\b
    | (?:^|[.!?:;\n]\s*|["'“‘(]\s*)(?:now\ |then\ |please\ |instead,?\ |and\ )*
        (?:ignore|disregard|forget|pretend|respond|reply|print|output|repeat\ after
        |act\ as\ (?:a|an|if)|write\ (?:a|an|the|that|only|about|in|your|exactly|no|one|two)
        |answer\ (?:with|only|that|every|all|each|the|in)|say\ (?:that|only|exactly)
        |tell\ (?:the|me|us)|generate\ (?:a|an|only|the|no|pairs|questions|questions?)
        |ask\ (?:only|about|no|the)|return\ (?:only|the|an?|exactly)|translate\ (?:the|this)
        |do\ not\ (?:answer|mention|use|write|ask|follow|return|tell))\b
    | \bin\ your\ (?:answers?|response|output|reply|questions?)\b
    | \byour\ (?:answers?|response|output|reply|task|questions?|role|instructions)\b
    | <\|[^|>]{1,40}\|> | \[/?INST\] | <</?SYS>> | \#\#\#\s*(?:Instruction|Response|System|Human)
    | </?(?:system|user|assistant|text\d*|protein_sequence|instructions?)>
    | (?:^|\n|\.\s)(?:system|user|assistant|human)\s*:\s
    """,
    re.IGNORECASE | re.VERBOSE,
)


def study_mention(text: str) -> str | None:
    """Find words about a study, its authors, its figures or the text itself.

    Someone who asks about a protein knows of no study. Words that have another meaning in biology
    count only where that is excluded: an enzyme abstracts a proton, ions have a passage.
    """
    return _found(_STUDY, text)


def instruction(text: str) -> str | None:
    """Find words that tell a language model what to do.

    Abstracts tell nobody to do anything, so that an order, a prompt or the marks of a chat in one
    were put there for a model to read.
    """
    return _found(_INSTRUCTION, text)


def broken_question(question: str) -> str | None:
    """Find what is broken in a question: it must ask, or begin with an order such as Describe."""
    if not _ASKS.search(question) and not _ORDERS.match(question):
        return "does not ask"
    if len(question.split()) < MIN_QUESTION_WORDS:
        return "too short"
    return _broken(question) or _too_long(question, "question")


def broken_answer(answer: str, text: str | None) -> str | None:
    """Find what is broken in an answer.

    Parameters
    ----------
    answer
        The answer.
    text
        What it was written from, where that is known. An answer that stands in it and ends where
        a word of it goes on was cut, at an apostrophe for instance.
    """
    if not _LETTERS.search(answer):
        return "no words"
    if cut := _CUT.search(answer):
        return f"ends with {cut.group()}"
    if text and (more := _continues(answer, text)):
        return f"goes on with {more}"
    return _broken(answer) or _too_long(answer, "answer")


def _broken(text: str) -> str | None:
    for character in text:
        if (
            unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")
            or character == "\ufffd"
        ):
            return f"character U+{ord(character):04X}"
    if "\\" in text:
        return "backslash"
    if json := _JSON.search(text):
        return f"left over: {json.group().strip()}"
    return _unbalanced(text) or _babble(text)


def _unbalanced(text: str) -> str | None:
    open_: list[str] = []
    for place, character in enumerate(text):
        if character in _PAIRS.values():
            open_.append(character)
        elif character in _PAIRS:
            closes = bool(open_) and open_.pop() == _PAIRS[character]
            # The numbers of a list may stand as 1) or b).
            if not closes and not _NUMBERED.search(text, 0, place + 1):
                return f"{character} without {_PAIRS[character]}"
    if open_:
        return f"{open_[-1]} is not closed"
    # A double prime stands after a digit or a prime and closes nothing.
    quotes, primes = text.count('"'), len(re.findall(r"(?<=[\d'])\"", text))
    if (quotes % 2 and (quotes - primes) % 2) or text.count("“") != text.count("”"):
        return "quotation marks do not match"
    return None


def _babble(text: str) -> str | None:
    words = text.lower().split()
    counts = Counter(zip(words, words[1:], words[2:], words[3:], strict=False))
    for four, count in counts.items():
        if count >= REPEATS:
            return f"repeats {' '.join(four)}"
    return None


def _too_long(text: str, kind: str) -> str | None:
    """Find a text that was stopped by the longest string that a writer may write."""
    if len(text) >= MAX_CHARACTERS[kind] - 1 and not _END.search(text):
        return "cut at its greatest length"
    return None


def _continues(answer: str, text: str) -> str | None:
    stem = answer.rstrip(". ")
    if len(stem.split()) < 2:
        return None
    pattern = r"\s+".join(map(re.escape, stem.split()))
    more = [_GOES_ON.match(text, found.end()) for found in re.finditer(pattern, text)]
    if not more or answer.endswith("."):
        return None
    return more[0].group() if more[0] and all(more) else None


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match.group().strip() if match else None
