"""Citations in PubMed XML: answers of efetch, files of PubMed's baseline, and older sets.

The layout is NLM's PubmedArticleSet (DTDs 2015 to 2025), with PubmedArticle, PubmedBookArticle
and DeleteCitation below it, and the MedlineCitationSet of the years before. No DTD is loaded, no
entity expanded, nothing fetched; memory holds one citation at a time.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from lxml import etree

from protscribe.errors import InputError

ROOTS = ("PubmedArticleSet", "PubmedBookArticleSet", "MedlineCitationSet")
_RECORDS = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation", "DeleteCitation")
_RETRACTED = {"D016441", "Retracted Publication"}
"""Publication type of a retracted article: its identifier and its name, alone in old records."""
_NO_TITLE = "[Not Available]."
_YEAR = re.compile(r"\b(1[5-9]|20)\d\d\b")
_PMCID = re.compile(r"PMC\d+")


class Citation(NamedTuple):
    """One citation as a file has it."""

    pubmed_id: str
    """Empty if the file gives none."""
    version: int
    row: dict[str, Any] | None
    """The columns of table publications that the citation tells of; None if it was deleted."""


def read_xml(stream: IO[bytes], name: str | Path) -> Iterator[Citation]:
    """Read the citations of one XML document.

    Texts are those of all inline markup (italics, sub- and superscripts, MathML) with white space
    made single. Sections of a structured abstract are joined by a space, each after its label and
    a colon, as PubMed's own text format does. Abstracts in other languages (OtherAbstract) and
    copyright lines are left out. DOI and PMCID come from the record's own ArticleIdList, the year
    from PubDate, else ArticleDate, the journal is its ISO abbreviation, else its title.

    Parameters
    ----------
    stream
        The document's bytes, decompressed.
    name
        What to call the file in an error.

    Yields
    ------
    Citation
        In the order of the file, deletions as they come.

    Raises
    ------
    InputError
        If the document is truncated, not XML, has another root or declares entities.
    """
    events = etree.iterparse(
        stream,
        events=("end",),
        tag=_RECORDS,
        load_dtd=False,
        no_network=True,
        resolve_entities=False,
        remove_comments=True,
        remove_pis=True,
    )
    checked = False
    try:
        for _, element in events:
            if not checked:
                _check_document(element.getroottree(), name)
                checked = True
            if element.tag == "DeleteCitation":
                for number in element.findall("PMID"):
                    yield Citation(_text(number) or "", _version(number), None)
            elif element.tag == "PubmedBookArticle":
                yield _book(element)
            elif element.tag == "PubmedArticle":
                yield _article(element.find("MedlineCitation"), element.find("PubmedData"))
            elif element.getparent().tag == "MedlineCitationSet":
                yield _article(element, None)
            else:
                continue  # Part of a PubmedArticle, which is yet to end.
            element.clear()
            while (before := element.getprevious()) is not None:
                before.getparent().remove(before)
    except etree.XMLSyntaxError as error:
        raise InputError(
            f"{name}: truncated or not PubMed XML ({error.msg}); download it again"
        ) from None
    if not checked:
        _check_document(events.root.getroottree(), name)


def normal_pmcid(text: str | None) -> str | None:
    """Return an article's id in PubMed Central as ``PMC`` and digits, or None."""
    found = _PMCID.search(text or "")
    return found.group() if found else None


def normal_year(text: str | None) -> int | None:
    """Return the first year in a date such as ``1998 Dec-1999 Jan``, or None."""
    found = _YEAR.search(text or "")
    return int(found.group()) if found else None


def _check_document(tree: Any, name: str | Path) -> None:
    root = tree.getroot().tag
    if root not in ROOTS:
        message = tree.getroot().findtext(".//ERROR")
        told = f", which says {message.strip()[:200]!r}" if message else ""
        raise InputError(
            f"{name}: not PubMed XML: the root is {root}{told} instead of {ROOTS[0]}; "
            "look at what the address returned"
        )
    dtd = tree.docinfo.internalDTD
    if dtd is not None and (list(dtd.iterentities()) or list(dtd.iterelements())):
        raise InputError(
            f"{name}: declares entities or elements of its own, which no file of PubMed does; "
            "it is not read, because such declarations can fill the memory or read other files"
        )


def _parts(element: Any) -> dict[str, Any]:
    """Return the first child of each name; one pass is faster than looking for each."""
    if element is None:
        return {}
    return {child.tag: child for child in element.iterchildren("*", reversed=True)}


def _article(element: Any, data: Any) -> Citation:
    citation = _parts(element)
    article = _parts(citation.get("Article"))
    journal = _parts(article.get("Journal"))
    issue = _parts(journal.get("JournalIssue"))
    row = {
        **_ids(_parts(data).get("ArticleIdList")),
        "title": _title(article.get("ArticleTitle")),
        "abstract": _abstract(article.get("Abstract")),
        "journal": _text(journal.get("ISOAbbreviation")) or _text(journal.get("Title")),
        "year": _year(issue.get("PubDate")) or _year(article.get("ArticleDate")),
        "retracted": _is_retracted(citation, article.get("PublicationTypeList")),
        "mesh_terms": _mesh_terms(citation.get("MeshHeadingList")),
    }
    return _citation(citation.get("PMID"), row)


def _book(element: Any) -> Citation:
    parts = _parts(element)
    document = _parts(parts.get("BookDocument"))
    book = _parts(document.get("Book"))
    title = _text(book.get("BookTitle"))
    row: dict[str, Any] = {
        **_ids(_parts(parts.get("PubmedBookData")).get("ArticleIdList")),
        "title": _title(document.get("ArticleTitle")) or title,
        "abstract": _abstract(document.get("Abstract")),
        "journal": title,
        "year": _year(book.get("PubDate")) or _year(document.get("ContributionDate")),
        "retracted": _is_retracted(document, parts.get("BookDocument")),
        "mesh_terms": [],
    }
    return _citation(document.get("PMID"), row)


def _citation(number: Any, row: dict[str, Any]) -> Citation:
    if number is None:
        return Citation("", 1, row)
    return Citation(_text(number) or "", _version(number), row)


def _version(number: Any) -> int:
    version = number.get("Version", "")
    return int(version) if version.isdecimal() else 1


def _text(element: Any) -> str | None:
    if element is None:
        return None
    text = "".join(element.itertext()) if len(element) else element.text or ""
    return " ".join(text.split()) or None


def _title(element: Any) -> str | None:
    text = _text(element)
    return None if text == _NO_TITLE else text


def _abstract(element: Any) -> str | None:
    sections = []
    for section in () if element is None else element.iterchildren("AbstractText"):
        if text := _text(section):
            label = (section.get("Label") or "").strip()
            named = label and label.upper() != "UNLABELLED"
            sections.append(f"{label}: {text}" if named else text)
    return " ".join(sections) or None


def _mesh_terms(headings: Any) -> list[str]:
    if headings is None:
        return []
    return [text for descriptor in headings.iter("DescriptorName") if (text := _text(descriptor))]


def _year(date: Any) -> int | None:
    if date is None:
        return None
    return normal_year(date.findtext("Year") or date.findtext("MedlineDate"))


def _ids(ids: Any) -> dict[str, str | None]:
    found = {} if ids is None else {i.get("IdType"): _text(i) for i in reversed(ids)}
    return {"doi": found.get("doi"), "pmcid": normal_pmcid(found.get("pmc"))}


def _is_retracted(citation: dict[str, Any], types: Any) -> bool:
    kinds = () if types is None else types.iterchildren("PublicationType")
    if any(not _RETRACTED.isdisjoint((kind.get("UI"), kind.text)) for kind in kinds):
        return True
    corrections = citation.get("CommentsCorrectionsList", ())
    return any(correction.get("RefType") == "RetractionIn" for correction in corrections)
