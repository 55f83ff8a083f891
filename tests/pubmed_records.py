"""PubMed records: made up for tests, in the layout of efetch, and real ones split from files."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from xml.sax.saxutils import escape, quoteattr

DOCTYPE = (
    '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
    '"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">'
)


def article_set(records: Iterable[str], doctype: str = DOCTYPE) -> bytes:
    """Return records as efetch answers them: one document with a DOCTYPE."""
    body = "".join(records)
    text = f'<?xml version="1.0" ?>\n{doctype}\n<PubmedArticleSet>\n{body}</PubmedArticleSet>'
    return text.encode()


def split_records(document: bytes | str) -> dict[str, str]:
    """Return the records of a document by their PubMed id, as their exact text."""
    text = document.decode() if isinstance(document, bytes) else document
    pattern = r"<(PubmedArticle|PubmedBookArticle|MedlineCitation)(?:\s[^>]*)?>.*?</\1>"
    found = (match.group(0) for match in re.finditer(pattern, text, re.DOTALL))
    return {record_id(record): record for record in found}


def record_id(record: str) -> str:
    """Return the PubMed id of one record's text: its first PMID element."""
    found = re.search(r"<PMID[^>]*>(\d+)</PMID>", record)
    assert found, record[:200]
    return found.group(1)


def make_article(
    pubmed_id: str | int,
    title: str = "A title.",
    abstract: str | Sequence[tuple[str, str]] | None = "An abstract.",
    *,
    journal: str = "Journal of tests",
    year: int = 2020,
    entered: date | None = None,
    doi: str | None = None,
    pmcid: str | None = None,
    mesh: Sequence[str] = (),
    publication_types: Sequence[str] = ("Journal Article",),
    references: Sequence[str] = (),
) -> str:
    """Return one PubmedArticle element.

    Parameters
    ----------
    abstract
        Plain text, labelled sections, or None for a record without one.
    entered
        The day on which the record came into PubMed; 1 January of `year` by default.
    references
        PubMed ids of cited articles, with a DOI each, so that they can be mistaken for the
        record's own.
    """
    entered = entered or date(year, 1, 1)
    day = f"<Year>{entered.year}</Year><Month>{entered.month}</Month><Day>{entered.day}</Day>"
    ids = [("pubmed", str(pubmed_id)), ("doi", doi), ("pmc", pmcid)]
    cited = "".join(
        f"<Reference><Citation>Cited work {number}</Citation>"
        f"{_article_ids([('pubmed', number), ('doi', f'10.9999/cited.{number}')])}</Reference>"
        for number in references
    )
    types = "".join(f"<PublicationType>{escape(t)}</PublicationType>" for t in publication_types)
    headings = "".join(
        f'<MeshHeading><DescriptorName UI="D000000" MajorTopicYN="N">{escape(term)}'
        "</DescriptorName></MeshHeading>"
        for term in mesh
    )
    return (
        '<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM">'
        f'<PMID Version="1">{pubmed_id}</PMID>'
        f'<Article PubModel="Print"><Journal><ISSN IssnType="Print">0000-0000</ISSN>'
        '<JournalIssue CitedMedium="Print"><Volume>1</Volume>'
        f"<PubDate><Year>{year}</Year></PubDate></JournalIssue>"
        f"<Title>{escape(journal)}</Title></Journal>"
        f"<ArticleTitle>{escape(title)}</ArticleTitle>"
        f"{_abstract(abstract)}<Language>eng</Language>"
        f"<PublicationTypeList>{types}</PublicationTypeList></Article>"
        f"<MedlineJournalInfo><MedlineTA>{escape(journal)}</MedlineTA></MedlineJournalInfo>"
        f"{f'<MeshHeadingList>{headings}</MeshHeadingList>' if headings else ''}"
        "</MedlineCitation><PubmedData><History>"
        f'<PubMedPubDate PubStatus="entrez">{day}<Hour>0</Hour><Minute>0</Minute>'
        "</PubMedPubDate></History><PublicationStatus>ppublish</PublicationStatus>"
        f"{_article_ids(ids)}"
        f"{f'<ReferenceList>{cited}</ReferenceList>' if cited else ''}"
        "</PubmedData></PubmedArticle>\n"
    )


def make_book(
    pubmed_id: str | int,
    title: str = "A chapter",
    abstract: str | Sequence[tuple[str, str]] | None = "A summary.",
    *,
    book: str = "A book",
    year: int = 2020,
) -> str:
    """Return one PubmedBookArticle element, such as a chapter of GeneReviews."""
    return (
        f'<PubmedBookArticle><BookDocument><PMID Version="1">{pubmed_id}</PMID>'
        f"{_article_ids([('bookaccession', f'NBK{pubmed_id}')])}"
        "<Book><Publisher><PublisherName>University</PublisherName>"
        "<PublisherLocation>Seattle</PublisherLocation></Publisher>"
        f"<BookTitle>{escape(book)}</BookTitle><PubDate><Year>{year}</Year></PubDate></Book>"
        f"<ArticleTitle>{escape(title)}</ArticleTitle><Language>eng</Language>"
        f"{_abstract(abstract)}</BookDocument><PubmedBookData>"
        "<PublicationStatus>ppublish</PublicationStatus>"
        f"{_article_ids([('pubmed', str(pubmed_id))])}"
        "</PubmedBookData></PubmedBookArticle>\n"
    )


def _abstract(abstract: str | Sequence[tuple[str, str]] | None) -> str:
    if abstract is None:
        return ""
    if isinstance(abstract, str):
        return f"<Abstract><AbstractText>{escape(abstract)}</AbstractText></Abstract>"
    sections = "".join(
        f"<AbstractText Label={quoteattr(label)}>{escape(text)}</AbstractText>"
        for label, text in abstract
    )
    return f"<Abstract>{sections}</Abstract>"


def _article_ids(ids: Iterable[tuple[str, str | None]]) -> str:
    items = (
        f'<ArticleId IdType="{kind}">{escape(value)}</ArticleId>' for kind, value in ids if value
    )
    return f"<ArticleIdList>{''.join(items)}</ArticleIdList>"
