"""PubMed citations a second that are parsed on one core.

Run as

    python -m bench.sources.abstracts [--citations 100000]

Citations are made up, with the parts and sizes of real ones (structured abstract with inline
markup, authors, MeSH headings, a list of references: about 11 kB each), in gzip-compressed files of
5,000. Timed is `parse_publications`, from these files to the written table, in one process, by the
clock and in processor time, which other work on the machine disturbs less. Beside it stands the
naive way, on one of the files: load the document and build a Python object of every element.
"""

import argparse
import gzip
import random
import resource
import tempfile
import time
from pathlib import Path

from lxml import etree

from protscribe.sources.literature.pubmed import parse_publications
from protscribe.tables import read_table

WORDS = ("protein", "binds", "receptor", "membrane", "of", "the", "in", "and", "with", "activity")
WORDS += ("mutant", "complex", "domain", "required", "for", "expression", "regulates", "human")
PER_FILE = 5000


def sentence(rng: random.Random, words: int) -> str:
    """Return so many words with a capital and a full stop."""
    return " ".join(rng.choices(WORDS, k=words)).capitalize() + "."


def citation(rng: random.Random, number: int) -> str:
    """Return one PubmedArticle of the layout of 2025."""
    labels = ("BACKGROUND", "METHODS", "RESULTS", "CONCLUSIONS")
    abstract = "".join(
        f'<AbstractText Label="{label}" NlmCategory="{label}">{sentence(rng, 25)} In <i>E. coli</i>'
        f" Ca<sup>2+</sup> {sentence(rng, 25)}</AbstractText>"
        for label in labels
    )
    authors = "".join(
        f'<Author ValidYN="Y"><LastName>Name{n}</LastName><ForeName>First{n}</ForeName><Initials>F'
        f"</Initials><AffiliationInfo><Affiliation>{sentence(rng, 12)}</Affiliation>"
        "</AffiliationInfo></Author>"
        for n in range(6)
    )
    mesh = "".join(
        f'<MeshHeading><DescriptorName UI="D00000{n}" MajorTopicYN="N">Heading {n}</DescriptorName>'
        '<QualifierName UI="Q000235" MajorTopicYN="Y">genetics</QualifierName></MeshHeading>'
        for n in range(12)
    )
    references = "".join(
        f"<Reference><Citation>Author {n}. {sentence(rng, 6)} J Tests. 2019;1:1-9.</Citation>"
        f'<ArticleIdList><ArticleId IdType="pubmed">{n}</ArticleId>'
        f'<ArticleId IdType="doi">10.9999/cited.{n}</ArticleId></ArticleIdList></Reference>'
        for n in range(20)
    )
    date = "<Year>2020</Year><Month>Jan</Month><Day>1</Day>"
    return (
        '<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM" IndexingMethod="Automated">'
        f'<PMID Version="1">{number}</PMID><DateRevised>{date}</DateRevised>'
        '<Article PubModel="Print"><Journal><ISSN IssnType="Print">0000-0000</ISSN><JournalIssue '
        f'CitedMedium="Print"><Volume>1</Volume><PubDate>{date}</PubDate></JournalIssue>'
        "<Title>Journal of tests</Title><ISOAbbreviation>J Tests</ISOAbbreviation></Journal>"
        f"<ArticleTitle>{sentence(rng, 12)}</ArticleTitle><Abstract>{abstract}</Abstract>"
        f'<AuthorList CompleteYN="Y">{authors}</AuthorList><Language>eng</Language>'
        '<PublicationTypeList><PublicationType UI="D016428">Journal Article</PublicationType>'
        f"</PublicationTypeList></Article><MeshHeadingList>{mesh}</MeshHeadingList>"
        "</MedlineCitation><PubmedData><PublicationStatus>ppublish</PublicationStatus>"
        f'<ArticleIdList><ArticleId IdType="pubmed">{number}</ArticleId>'
        f'<ArticleId IdType="doi">10.1000/{number}</ArticleId></ArticleIdList>'
        f"<ReferenceList>{references}</ReferenceList></PubmedData></PubmedArticle>\n"
    )


def write_files(folder: Path, citations: int) -> list[Path]:
    """Write that many citations in files of `PER_FILE`."""
    rng = random.Random(0)
    # Words do not change the cost of parsing, so a hundred texts under fresh ids are enough.
    made = [citation(rng, 10**8 + n).replace(str(10**8 + n), "NUMBER") for n in range(100)]
    paths = []
    for start in range(1, citations + 1, PER_FILE):
        numbers = range(start, min(start + PER_FILE, citations + 1))
        body = "".join(made[n % 100].replace("NUMBER", str(n)) for n in numbers)
        path = folder / f"pubmed20n{len(paths) + 1:04}.xml.gz"
        text = f'<?xml version="1.0"?>\n<PubmedArticleSet>\n{body}</PubmedArticleSet>'
        path.write_bytes(gzip.compress(text.encode(), 1, mtime=0))
        paths.append(path)
    return paths


def naive_rate(path: Path) -> float:
    """Return citations a processor second, with an object made of each element of a document."""

    def convert(element: etree._Element) -> object:
        return {"text": element.text, **dict(element.attrib), "": [convert(e) for e in element]}

    start = time.process_time()
    with gzip.open(path) as file:
        records = [convert(record) for record in etree.parse(file).getroot()]
    return len(records) / (time.process_time() - start)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--citations", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_files(folder, options.citations)
        megabytes = sum(path.stat().st_size for path in paths) / 1e6
        start, used = time.perf_counter(), time.process_time()
        parse_publications(paths, folder / "publications.parquet", folder / "r", metadata={})
        seconds, used = time.perf_counter() - start, time.process_time() - used
        rows = read_table(folder / "publications.parquet", "publications").num_rows
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        naive = naive_rate(paths[0])
    print("| citations | gzip MB | s | a second | a processor second | naive | peak MB |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {rows:,} | {megabytes:.0f} | {seconds:.1f} | {rows / seconds:,.0f} "
        f"| {rows / used:,.0f} | {naive:,.0f} | {peak:.0f} |"
    )


if __name__ == "__main__":
    main()
