"""ChEBI: names, synonyms and formulas of chemicals such as cofactors and ligands.

They stand in chebi_core.obo; chebi_lite.obo has neither synonyms nor formulas, and chebi.obo
adds cross-references that nothing here needs.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from protscribe.errors import InputError
from protscribe.sources.client import Client
from protscribe.sources.vocabularies.obo import read_header, read_stanzas
from protscribe.sources.vocabularies.static_files import get_files, table_facts
from protscribe.tables import read_table, write_table

LICENCE = "CC BY 4.0"
FILE = "chebi_core.obo.gz"
FIRST_NEW_RELEASE = 245
"""From this release on the archive is laid out anew; older ones moved to a folder of their own."""
FORMULAS = (
    "chemrof:generalized_empirical_formula",
    "https://w3id.org/chemrof/generalized_empirical_formula",
    "http://purl.obolibrary.org/obo/chebi/formula",
)
"""The property that holds the formula: since release 245, the same in full, and before."""
TAGS = ("name", "synonym", "property_value", "is_obsolete", "alt_id")


def get_chemicals(folder: Path, manifest: Path, *, release: int, client: Client) -> None:
    """Download chebi_core.obo.gz of a release.

    Parameters
    ----------
    folder
        Where the file (some 20 MB) goes.
    manifest
        JSON file: source, release, licence, checksums. Written last.
    release
        Number of the release, for instance 247.
    client
        Who fetches.

    Raises
    ------
    InputError
        If the file cannot be had, is not an OBO file, or names another release.
    """

    def check(path: Path) -> str:
        version = read_header(path).get("data-version", "")
        numbers = [int(number) for number in re.findall(r"\b\d{2,3}\b", version)]
        if numbers and release not in numbers:
            raise InputError(f"{FILE}: its data-version is {version}, not release {release}")
        return version

    archive = "archive" if release >= FIRST_NEW_RELEASE else "archive/chebi_legacy/archive"
    get_files(
        client,
        "chebi",
        [f"{archive}/rel{release}/ontology/{FILE}"],
        folder,
        manifest,
        release=str(release),
        licence=LICENCE,
        check=check,
    )


def parse_chemicals(
    chemicals: Path, proteins: Path | None, manifest: Path, tables: Mapping[str, Path]
) -> None:
    """Make the table of chemicals.

    Parameters
    ----------
    chemicals
        ChEBI in OBO format, plain or gzip-compressed.
    proteins
        A proteins table: only chemicals whose name or a synonym is one of its cofactors, or
        the note of one of its binding sites, are kept. None keeps all.
    manifest
        What `get_chemicals` or `describe_files` wrote.
    tables
        Parquet files to write: ``chemicals`` and ``rejects``. Names of the proteins table
        that no chemical has are listed in the latter.

    Raises
    ------
    InputError
        If the file is damaged, truncated or not in OBO format.
    """
    rejects: list[dict[str, str]] = []

    def refuse(place: str, detail: str) -> None:
        rejects.append(_reject(place, "line not in OBO format", detail))

    wanted = None if proteins is None else ligand_names(proteins)
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    stanzas = read_stanzas(chemicals, TAGS, refuse, wanted=lambda i: i.startswith("CHEBI:"))
    for stanza in tqdm(stanzas, desc="read ChEBI", unit=" chemicals", mininterval=5):
        row, obsolete = _row(stanza)
        names = {row["name"], *row["synonyms"]}
        if obsolete or (wanted is not None and not names & wanted):
            continue
        if row["name"] is None:
            rejects.append(_reject(row["id"], "chemical without name", ""))
            continue
        seen |= names
        rows.append(row)
    for name in sorted((wanted or set()) - seen):
        rejects.append(_reject(name, "name is not in ChEBI", ""))
    facts = table_facts(manifest)
    write_table(tables["chemicals"], "chemicals", rows, facts)
    write_table(tables["rejects"], "rejects", rejects, facts)


def ligand_names(proteins: Path) -> set[str]:
    """Return the cofactors of a proteins table and the ligands of its binding sites."""
    table = read_table(proteins, "proteins", ["cofactors", "features"])
    names = {name for cofactors in table["cofactors"].to_pylist() for name in cofactors or ()}
    for features in table["features"].to_pylist():
        notes = [x["note"] for x in features or () if x["type"] == "BINDING" and x["note"]]
        # A ligand stands before the note of its site; in older files it is the whole note.
        names |= {*notes, *(note.partition("; ")[0] for note in notes)}
    return names


def _row(stanza: Any) -> tuple[dict[str, Any], bool]:
    synonyms: dict[str, None] = {}
    name = formula = None
    obsolete = False
    for clause in stanza:
        match clause.raw_tag():
            case "name":
                name = clause.name
            case "synonym":
                synonyms[clause.synonym.desc] = None
            case "is_obsolete":
                obsolete = clause.obsolete
            case "property_value":
                value = clause.property_value
                if str(value.relation) in FORMULAS:
                    formula = str(value.value)
    synonyms.pop(name or "", None)
    row = {"id": str(stanza.id), "name": name, "synonyms": list(synonyms), "formula": formula}
    return row, obsolete


def _reject(key: str, reason: str, detail: str) -> dict[str, str]:
    return {"stage": "parse_chemicals", "key": key, "reason": reason, "detail": detail}
