"""Every format and every fault of PubMed's records, on records made up and real."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from protscribe.atomic import sha256_file
from protscribe.errors import InputError
from protscribe.sources.literature.pubmed import parse_publications
from protscribe.sources.literature.pubmed_xml import read_xml
from protscribe.tables import read_metadata, read_table
from pubmed_records import article_set, make_article, make_book, split_records

BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE PubmedArticleSet [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>
<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><Abstract><AbstractText>
&d;</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>"""


@pytest.fixture
def parse(tmp_path):
    """Write files, parse them, return publications by id and rejects as {key: reason}."""

    def run(*contents, names=(), raw=None, **settings):
        paths = []
        for number, content in enumerate(contents):
            paths.append(tmp_path / (names[number] if names else f"file{number}"))
            paths[-1].write_bytes(content)
        out = tmp_path / "publications.parquet", tmp_path / "rejects.parquet"
        parse_publications(raw or paths, *out, metadata={"release": "test"}, **settings)
        rows = {row["pubmed_id"]: row for row in read_table(out[0], "publications").to_pylist()}
        return rows, {r["key"]: r["reason"] for r in read_table(out[1], "rejects").to_pylist()}

    return run


def test_a_record_becomes_a_row(parse, tmp_path):
    record = make_article(
        7, "On TP53.", "It works.", journal="J Tests", year=2001, doi="10.1/x", pmcid="PMC9",
        mesh=["Humans", "Mice, Knockout"], references=["5", "6"],
    )  # fmt: skip
    rows, rejects = parse(article_set([record]))
    assert rejects == {}
    assert rows["7"] == {
        "pubmed_id": "7",
        "pmcid": "PMC9",
        "doi": "10.1/x",
        "title": "On TP53.",
        "abstract": "It works.",
        "journal": "J Tests",
        "year": 2001,
        "licence": None,
        "retracted": False,
        "source": "file",
        "mesh_terms": ["Humans", "Mice, Knockout"],
    }
    assert read_metadata(tmp_path / "publications.parquet") == {"release": "test"}


def test_ids_of_cited_articles_are_never_the_record_s_own(parse):
    rows, _ = parse(article_set([make_article(7, references=["5", "6"])]))
    assert (rows["7"]["doi"], rows["7"]["pmcid"]) == (None, None)


def test_abstracts_with_sections_markup_and_other_languages(parse):
    record = make_article(1, "T", [("BACKGROUND", "Why."), ("UNLABELLED", "Loose."), ("X", "")])
    record = record.replace(
        "Why.", 'Why <i>E. <b>coli</b></i> makes\n  H<sub>2</sub>O<mml:math xmlns:mml="m">'
        "<mml:mi>x</mml:mi></mml:math> &lt; 5.",
    )  # fmt: skip
    other = '<OtherAbstract Language="spa"><AbstractText>Hola</AbstractText></OtherAbstract>'
    record = record.replace(
        "</Abstract>", "<CopyrightInformation>(c) Me</CopyrightInformation></Abstract>" + other
    )
    rows, _ = parse(article_set([record]))
    assert rows["1"]["abstract"] == "BACKGROUND: Why E. coli makes H2Ox < 5. Loose."


def test_other_languages_alone_are_no_abstract(parse):
    record = make_article(1, "[Ein Titel.]", None).replace(
        "</Article>",
        "<VernacularTitle>Titel</VernacularTitle></Article>"
        '<OtherAbstract Language="ger"><AbstractText>Gut</AbstractText></OtherAbstract>',
    )
    assert parse(article_set([record])) == ({}, {"1": "no abstract"})


@pytest.mark.parametrize("abstract", [None, "", "  \n ", [("RESULTS", " ")]])
def test_a_title_is_not_an_abstract(parse, abstract):
    assert parse(article_set([make_article(3, "A title", abstract)])) == ({}, {"3": "no abstract"})


def test_years_journals_and_missing_titles(parse):
    record = make_article(1, "[Not Available].", year=2000)
    season = record.replace(
        "<PubDate><Year>2000</Year></PubDate>",
        "<PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate>",
    ).replace("</Title>", "</Title><ISOAbbreviation>J. Tests</ISOAbbreviation>")
    online = record.replace(">1</PMID>", ">2</PMID>").replace(
        "<PubDate><Year>2000</Year></PubDate>", "<PubDate></PubDate>"
    )
    online = online.replace("</Article>", "<ArticleDate><Year>2003</Year></ArticleDate></Article>")
    rows, _ = parse(article_set([season, online]))
    assert (rows["1"]["year"], rows["1"]["journal"], rows["1"]["title"]) == (1998, "J. Tests", None)
    assert (rows["2"]["year"], rows["2"]["journal"]) == (2003, "Journal of tests")


def test_books(parse):
    rows, rejects = parse(
        article_set([make_book(20301295, "A gene", "About."), make_book(2, "B", None)])
    )
    assert rejects == {"2": "no abstract"}
    row = rows["20301295"]
    assert (row["title"], row["abstract"], row["journal"]) == ("A gene", "About.", "A book")
    assert (row["year"], row["mesh_terms"]) == (2020, [])


RETRACTED = (
    lambda r: r.replace("Journal Article", "Retracted Publication"),
    lambda r: r.replace("<PublicationType>", '<PublicationType UI="D016441">'),
    lambda r: r.replace(
        "</MedlineCitation>",
        '<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"><PMID>9</PMID>'
        "</CommentsCorrections></CommentsCorrectionsList></MedlineCitation>",
    ),
)


@pytest.mark.parametrize("retract", RETRACTED)
def test_retracted_articles(parse, retract):
    document = article_set([retract(make_article(1)), make_article(2)])
    rows, rejects = parse(document)
    assert (set(rows), rejects) == ({"2"}, {"1": "retracted"})
    rows, rejects = parse(document, drop_retracted=False)
    assert {key: row["retracted"] for key, row in rows.items()} == {"1": True, "2": False}
    assert rejects == {}


def test_the_notice_of_a_retraction_is_not_retracted(parse):
    record = make_article(1, publication_types=["Retraction of Publication"]).replace(
        "</MedlineCitation>",
        '<CommentsCorrectionsList><CommentsCorrections RefType="RetractionOf"><PMID>9</PMID>'
        "</CommentsCorrections></CommentsCorrectionsList></MedlineCitation>",
    )
    assert set(parse(article_set([record]))[0]) == {"1"}


def test_the_last_and_the_highest_version_counts(parse):
    def version(number, text):
        return make_article(1, abstract=text).replace('Version="1"', f'Version="{number}"')

    rows, rejects = parse(
        article_set([version(1, "old"), version(2, "two")]),
        article_set([version(2, "two again")]),
        article_set([version(1, "old again")]),
    )
    assert rows["1"]["abstract"] == "two again"
    assert len(rejects) == 3
    assert set(rejects.values()) == {"superseded"}


def test_deletions_take_back_what_came_before(parse):
    def delete(*ids):
        numbers = "".join(f'<PMID Version="1">{i}</PMID>' for i in ids)
        return f"<DeleteCitation>{numbers}</DeleteCitation>"

    rows, rejects = parse(
        article_set([make_article(1), make_article(2), make_article(3)]),
        article_set([delete(1, 2, 77)]),
        article_set([make_article(2, abstract="Back.")]),
        wanted={"1", "2", "3", "77", "99"},
    )
    assert set(rows) == {"2", "3"}
    assert rows["2"]["abstract"] == "Back."
    # 1 both as a citation that went and as a wanted id that none has.
    assert sorted(rejects.values()) == ["deleted", "deleted", "deleted", "deleted", "not found"]
    assert {rejects["1"], rejects["77"]} == {"deleted"}


def test_wanted_ids(parse, capsys):
    document = article_set(make_article(n) for n in range(1, 11))
    rows, rejects = parse(document, wanted=["2", "3", "50"])
    assert (set(rows), rejects) == ({"2", "3"}, {"50": "not found"})
    assert "2 publications; rejected: 1 not found; not wanted: 8" in capsys.readouterr().err


def test_old_sets_of_citations(parse):
    citation = split_records(make_article(4, "Old.", "Older."))["4"]
    citation = citation[citation.index("<MedlineCitation") : citation.index("<PubmedData>")]
    rows, _ = parse(
        b"<MedlineCitationSet>"
        + citation.replace(' Version="1"', "").encode()
        + b"</MedlineCitationSet>"
    )
    assert rows["4"]["abstract"] == "Older."


def test_an_empty_answer_gives_empty_tables(parse):
    assert parse(article_set([])) == ({}, {})


def manifest_of(folder, *documents, ids=None, **facts):
    files = []
    for number, document in enumerate(documents):
        path = folder / "raw" / f"{hashlib.sha256(document).hexdigest()}.xml.gz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(document, mtime=0))
        files.append({"name": f"raw/{path.name}", "sha256": sha256_file(path)})
        if ids:
            files[-1]["pubmed_ids"] = ids[number]
    path = folder / "fetched.json"
    path.write_text(json.dumps({"source": "entrez", "files": files, **facts}))
    return path


def test_a_manifest_tells_which_citation_of_which_answer_counts(parse, tmp_path):
    first = article_set([make_article(1, abstract="first"), make_article(2)])
    second = article_set([make_article(1, abstract="second"), make_article(3)])
    ids = [["1", "2"], ["3"]]
    raw = manifest_of(tmp_path, first, second, ids=ids, wanted=["1", "2", "3", "4"])
    rows, rejects = parse(raw=raw)
    assert {key: row["abstract"] for key, row in rows.items()}["1"] == "first"
    assert {row["source"] for row in rows.values()} == {"entrez"}
    assert rejects == {"4": "not found"}
    rows, rejects = parse(raw=raw, wanted={"2"})
    assert (set(rows), rejects) == ({"2"}, {})


def test_raw_answers_that_changed_or_went(parse, tmp_path):
    raw = manifest_of(tmp_path, article_set([make_article(1)]))
    (answer,) = (tmp_path / "raw").iterdir()
    answer.write_bytes(answer.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"not the file that fetched.json lists"):
        parse(raw=raw)
    answer.unlink()
    with pytest.raises(InputError, match=r"fetch again"):
        parse(raw=raw)
    raw.write_text('["a"]')
    with pytest.raises(InputError, match="not a manifest"):
        parse(raw=raw)


DOCUMENT = article_set(make_article(n) for n in range(1, 200))


def damaged(content):
    """Return it with a byte in the middle turned over."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


BROKEN = {
    "truncated": (DOCUMENT[:-5000], "truncated or not PubMed XML"),
    "truncated between records": (DOCUMENT[: DOCUMENT.rindex(b"<PubmedArticle>")], "truncated"),
    "cut gzip": (gzip.compress(DOCUMENT)[:-300], "gzip file is truncated"),
    "damaged gzip": (damaged(gzip.compress(DOCUMENT)), "gzip file is damaged|truncated or not"),
    "HTML": (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "HTML page"),
    "two documents": (DOCUMENT + DOCUMENT, "not PubMed XML"),
    "other XML": (b"<a><b/></a>", "the root is a instead"),
    "an error": (b"<eFetchResult><ERROR>Cannot retrieve</ERROR></eFetchResult>", "Cannot retrieve"),
    "other XML with the same records": (
        DOCUMENT.replace(b"PubmedArticleSet>", b"Evil>"), "the root is Evil",
    ),
    "entity bomb": (BOMB, "declares entities"),
    "gzipped entity bomb": (gzip.compress(BOMB), "declares entities"),
    "parameter entity": (
        b'<!DOCTYPE PubmedArticleSet [<!ENTITY % a SYSTEM "file:///etc/passwd">]><PubmedArticleSet/>',
        "declares entities",
    ),
    "empty": (b"", "the file is empty"),
    "something else": (b"pmid,title\n1,a\n", "starts with"),
    "entities without end": (
        b'<!DOCTYPE PubmedArticleSet [<!ENTITY a "&a;">]><PubmedArticleSet a="&a;"/>', "PubMed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_files_are_named(parse, tmp_path, fault):
    content, message = BROKEN[fault]
    with pytest.raises(InputError, match=message) as error:
        parse(article_set([make_article(1)]), content, names=["good.xml", "bad.xml"])
    assert "bad.xml" in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "publications.parquet").exists()


def test_a_file_from_outside_is_never_read(parse, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("<AbstractText>hidden</AbstractText>")
    document = f"""<!DOCTYPE PubmedArticleSet SYSTEM "{secret}">
    <PubmedArticleSet>{make_article(1)}</PubmedArticleSet>"""
    rows, _ = parse(document.encode())
    assert rows["1"]["abstract"] == "An abstract."


def test_missing_files_and_none(parse, tmp_path):
    with pytest.raises(InputError, match="nowhere.xml: no such file"):
        parse(raw=[tmp_path / "nowhere.xml"])
    with pytest.raises(InputError, match="no file is given"):
        parse()


def test_a_checksum_beside_a_baseline_file(parse, tmp_path):
    content = gzip.compress(article_set([make_article(1)]))
    md5 = hashlib.md5(content).hexdigest()
    beside = tmp_path / "pubmed26n0001.xml.gz.md5"
    beside.write_text(f"MD5(pubmed26n0001.xml.gz)= {md5}\n")
    assert set(parse(content, names=["pubmed26n0001.xml.gz"])[0]) == {"1"}
    beside.write_text(f"MD5(pubmed26n0001.xml.gz)= {md5[::-1]}\n")
    with pytest.raises(InputError, match=r"its MD5 is .* but pubmed26n0001.xml.gz.md5 says"):
        parse(content, names=["pubmed26n0001.xml.gz"])


MEDLINE = b"""
PMID- 11
TI  - Wrapped over
      two lines.
DP  - 2002 Sep
TA  - Brief Tests
AB  - BACKGROUND: One
      and two.
AID - S1 [pii]
AID - 10.1/y [doi]
PMC - PMC55
MH  - *Animals/blood
MH  - Mice

PMID- 12
TI  - No text.

PMID- 13
TI  - Gone.
AB  - Wrong.
PT  - Retracted Publication

TI  - No id.
AB  - Who?
"""


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_text_format(parse, pack):
    rows, rejects = parse(pack(MEDLINE))
    assert rows["11"] | {"source": ""} == {
        "pubmed_id": "11",
        "pmcid": "PMC55",
        "doi": "10.1/y",
        "title": "Wrapped over two lines.",
        "abstract": "BACKGROUND: One and two.",
        "journal": "Brief Tests",
        "year": 2002,
        "licence": None,
        "retracted": False,
        "source": "",
        "mesh_terms": ["Animals", "Mice"],
    }
    assert rejects == {"12": "no abstract", "13": "retracted", "file0, record 4": "no PubMed id"}


def test_json_lines(parse):
    lines = [
        {"pmid": "1", "title": "T", "abstract": " A \n b ", "year": 1999, "extra": 5},
        {"pubmed_id": 2, "abstract": "C", "pmcid": "PMC1", "mesh_terms": ["Mice"]},
        {"pmid": "3", "abstract": None},
        {"pmid": "PMC3", "abstract": "not an id"},
        {"pmid": "4", "abstract": ["not text"]},
        {"pmid": "5", "abstract": "half \ud800 character"},
    ]
    text = "\n".join(map(json.dumps, lines)) + '\n\n{"pmid": "6", "abst\n[1]\n'
    rows, rejects = parse(text.encode() + b'{"pmid": "7", "abstract": "caf\xe9"}')
    assert {key: row["abstract"] for key, row in rows.items()} == {
        "1": "A b", "2": "C", "5": "half ? character", "7": "caf?",
    }  # fmt: skip
    assert (rows["1"]["year"], rows["2"]["pmcid"], rows["2"]["mesh_terms"]) == (
        1999,
        "PMC1",
        ["Mice"],
    )
    assert rejects == {"3": "no abstract"} | {
        f"file0, record {n}": "no PubMed id" for n in (4, 5, 7, 8)
    }


def test_xml_and_text_of_one_record_give_the_same_row(parse):
    record = make_article(1, "T.", [("AIMS", "One."), ("RESULTS", "Two.")], year=2005, doi="10.1/z",
                          journal="J Tests", mesh=["Mice"])  # fmt: skip
    text = b"""PMID- 1
TI  - T.
AB  - AIMS: One. RESULTS: Two.
DP  - 2005 Jan 3
TA  - J Tests
AID - 10.1/z [doi]
MH  - Mice
"""
    assert parse(article_set([record])) == parse(text)


def test_processes_give_the_same_bytes(parse, tmp_path):
    documents = [article_set(make_article(n) for n in range(k, k + 40)) for k in (1, 30, 60)]
    parse(*documents)
    names = "publications.parquet", "rejects.parquet"
    alone = [(tmp_path / name).read_bytes() for name in names]
    parse(*documents, processes=2)
    assert [(tmp_path / name).read_bytes() for name in names] == alone


def test_memory_holds_one_citation_at_a_time(tmp_path):
    """Reading thirty times as many citations takes no more memory."""
    record = make_article(1, abstract="word " * 2000, references=map(str, range(100)))
    for count in (100, 3000):
        (tmp_path / f"{count}.xml").write_bytes(article_set([record] * count))
    code = """if True:
        import resource, sys
        from protscribe.sources.literature.pubmed_xml import read_xml
        print(sum(1 for _ in read_xml(open(sys.argv[1], "rb"), "x")))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"""
    peaks = []
    for count in (100, 3000):
        command = [sys.executable, "-c", code, tmp_path / f"{count}.xml"]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert int(out[0]) == count
        peaks.append(int(out[1]) / 1024)
    size = (tmp_path / "3000.xml").stat().st_size / 2**20
    assert size > 60
    assert peaks[1] - peaks[0] < size / 4


def test_importing_the_parsers_leaves_the_home_alone(tmp_path):
    code = (
        "import protscribe.sources.literature.pubmed, sys; assert 'Bio.Entrez' not in sys.modules"
    )
    home = {**os.environ, "HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", code], check=True, env=home)
    assert not (tmp_path / "home").exists()


def test_real_files(shared_data, parse):
    folder = shared_data / "pubmed_fixtures"
    baseline = sorted(folder.glob("pubmed21n*.xml.gz"))
    rows, rejects = parse(raw=[*baseline, folder / "medsamp2010.xml.gz"])
    assert (len(rows), len(rejects)) == (272, 95)
    assert list(rejects.values()).count("retracted") == 3
    evolution = rows["31418820"]
    assert (evolution["doi"], evolution["year"]) == ("10.1111/evo.13820", 2019)
    assert "Drosophila melanogaster" in evolution["mesh_terms"]
    assert not any(char in row["abstract"] for row in rows.values() for char in "\n\t")


def test_real_answers_one_by_one(shared_data):
    for path in sorted((shared_data / "pubmed_fixtures/metapub").rglob("*.xml")):
        with path.open("rb") as stream:
            found = [citation.pubmed_id for citation in read_xml(stream, path)]
        # PubMed took one of them back.
        assert found == ([] if path.stem == "37909814" else [path.stem])


def test_the_user_s_json_lines(shared_data, parse):
    rows, rejects = parse(raw=[Path(shared_data / "protein_text/pubmed_abstracts_dev.jsonl.gz")])
    assert (len(rows), set(rejects.values())) == (11143, {"no abstract"})
