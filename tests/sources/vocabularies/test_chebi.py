import gzip
import json

import pytest

from protscribe.errors import InputError
from protscribe.sources.formats.record import complete
from protscribe.sources.vocabularies.chebi import get_chemicals, parse_chemicals
from protscribe.tables import read_metadata, read_table, write_table
from servers.ontologies import CHEBI_LEGACY_RELEASE, CHEBI_RELEASE, chemicals


def parse(folder, path, proteins=None):
    manifest = folder / "m.json"
    tables = {name: folder / f"{name}.parquet" for name in ("chemicals", "rejects")}
    parse_chemicals(path, proteins, manifest, tables)
    return [read_table(tables[name], name).to_pylist() for name in tables]


@pytest.mark.parametrize("release", [CHEBI_RELEASE, CHEBI_LEGACY_RELEASE])
def test_releases_before_and_after_the_new_layout(file_client, tmp_path, release):
    get_chemicals(tmp_path, tmp_path / "m.json", release=release, client=file_client)
    assert json.loads((tmp_path / "m.json").read_text())["release"] == str(release)
    rows, rejects = parse(tmp_path, tmp_path / "chebi_core.obo.gz")
    assert rows == [
        {
            "id": "CHEBI:16238",
            "name": "FAD",
            "synonyms": ["Flavin adenine dinucleotide"],
            "formula": "C27H33N9O15P2",
        },
        {
            "id": "CHEBI:18420",
            "name": "magnesium(2+)",
            "synonyms": ["Mg(2+)"],
            "formula": "Mg",
        },
        {"id": "CHEBI:39127", "name": "magnesium cation", "synonyms": [], "formula": None},
    ]
    assert rejects == []
    assert read_metadata(tmp_path / "chemicals.parquet")["licence"] == "CC BY 4.0"


def test_chemicals_of_our_proteins(file_client, tmp_path):
    get_chemicals(tmp_path, tmp_path / "m.json", release=CHEBI_RELEASE, client=file_client)
    binding = {"type": "BINDING", "start": 1, "end": 1, "note": "FAD"}
    site = {"type": "SITE", "start": 1, "end": 1, "note": "magnesium cation"}
    protein = complete({"accession": "P1", "sequence": "MK"})
    protein |= {"cofactors": ["Mg(2+)", "unheard of"], "features": [binding, site]}
    write_table(tmp_path / "proteins.parquet", "proteins", [protein])
    rows, rejects = parse(tmp_path, tmp_path / "chebi_core.obo.gz", tmp_path / "proteins.parquet")
    assert [row["id"] for row in rows] == ["CHEBI:16238", "CHEBI:18420"]
    assert [(r["key"], r["reason"]) for r in rejects] == [("unheard of", "name is not in ChEBI")]


def test_another_release_in_its_place(file_client, provider_files, tmp_path):
    path = f"/chebi/archive/rel{CHEBI_RELEASE}/ontology/chebi_core.obo.gz"
    provider_files[path] = gzip.compress(chemicals(248).encode())
    with pytest.raises(InputError, match="its data-version is 248, not release 247"):
        get_chemicals(tmp_path, tmp_path / "m.json", release=CHEBI_RELEASE, client=file_client)
    assert not (tmp_path / "chebi_core.obo.gz").exists()


def test_bad_lines_and_damaged_files(tmp_path):
    (tmp_path / "m.json").write_text(
        '{"source": "files", "release": "247", "licence": "CC BY 4.0", "files": []}'
    )
    path = tmp_path / "chebi.obo"
    path.write_text(chemicals(247).replace("RELATED [UniProt]", "RELATED UniProt"))
    rows, rejects = parse(tmp_path, path)
    assert rows[1]["synonyms"] == [] and len(rows) == 3
    assert [row["reason"] for row in rejects] == ["line not in OBO format"]
    path.write_text(chemicals(247)[:-30])
    with pytest.raises(InputError, match="truncated"):
        parse(tmp_path, path)
