"""PubMed records out of Biopython's source distribution."""

import gzip
import io
import tarfile

import pytest

from protscribe.errors import InputError
from protscribe.sources.literature.packaged_publications import (
    NAMES,
    PUBMED_FILES,
    collect_publications,
)
from protscribe.sources.literature.pubmed import parse_publications
from protscribe.tables import read_table

SDIST = f"{PUBMED_FILES.name}-{PUBMED_FILES.version}.tar.gz"


def write_sdist(folder, contents):
    folder.mkdir()
    with tarfile.open(folder / SDIST, "w:gz") as archive:
        for path, content in contents.items():
            member = tarfile.TarInfo(f"biopython-1.88/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.network
@pytest.mark.slow
def test_the_real_package(tmp_path):
    manifest = tmp_path / "publications" / "fetched.json"
    collect_publications(manifest, work=tmp_path / "work")
    assert str(tmp_path) not in manifest.read_text()
    out = tmp_path / "publications.parquet", tmp_path / "rejects.parquet"
    parse_publications(manifest, *out, metadata={})
    rows = read_table(out[0], "publications").to_pylist()
    assert len(rows) == 13
    assert {row["source"] for row in rows} == {"packaged"}
    assert {row["licence"] for row in rows} == {None}
    (reject,) = read_table(out[1], "rejects").to_pylist()
    assert (reject["key"], reject["reason"]) == ("12091962", "no abstract")
    assert sum(file.entries for file in PUBMED_FILES.files) == 14
    before = manifest.read_bytes()
    collect_publications(manifest, work=tmp_path / "work")
    assert manifest.read_bytes() == before


def test_a_file_that_is_not_the_pinned_one(tmp_path):
    contents = {file.path: b"<PubmedArticleSet/>" for file in PUBMED_FILES.files}
    write_sdist(tmp_path / "work", contents)
    with pytest.raises(InputError, match=r"Tests/Entrez/pubmed1.xml has the SHA-256"):
        collect_publications(tmp_path / "fetched.json", work=tmp_path / "work")
    assert not (tmp_path / "fetched.json").exists()


def test_a_missing_file_and_a_damaged_package(tmp_path):
    write_sdist(tmp_path / "work", {"README": b""})
    with pytest.raises(InputError, match="holds no file Tests/Entrez/pubmed1.xml"):
        collect_publications(tmp_path / "fetched.json", work=tmp_path / "work")
    (tmp_path / "work" / SDIST).write_bytes(gzip.compress(b"x" * 5000)[:-20])
    with pytest.raises(InputError, match="damaged"):
        collect_publications(tmp_path / "fetched.json", work=tmp_path / "work")
    assert not (tmp_path / "work" / SDIST).exists()


def test_pip_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    with pytest.raises(InputError, match="pip could not download biopython 1.88"):
        collect_publications(tmp_path / "fetched.json", work=tmp_path / "work")


def test_names_are_unlike():
    assert len(set(NAMES)) == len(NAMES) == 9
