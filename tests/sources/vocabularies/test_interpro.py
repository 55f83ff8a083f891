import json

import pytest

from protscribe.errors import InputError
from protscribe.sources.vocabularies.interpro import get_interpro, parse_interpro
from protscribe.sources.vocabularies.ontology import parse_ontology
from protscribe.sources.vocabularies.static_files import describe_files
from protscribe.tables import read_metadata, read_table
from servers.ontologies import ENTRY_LIST, INTERPRO2GO, INTERPRO_RELEASE, SHORT_NAMES, obo

NAMES = ("interpro_entries", "interpro2go", "rejects")
GO = ("ontology_terms", "ontology_ids", "ontology_edges", "ontology_closure")


@pytest.fixture
def ontology(tmp_path):
    basic, manifest = tmp_path / "go-basic.obo", tmp_path / "go.json"
    basic.write_text(obo())
    describe_files([basic], manifest, source="files", release="mine", licence="CC BY 4.0")
    tables = {name: tmp_path / f"{name}.parquet" for name in GO}
    parse_ontology(basic, None, manifest, tables | {"rejects": tmp_path / "go_rejects.parquet"})
    return {name: tables[name] for name in ("ontology_terms", "ontology_ids")}


def parse(folder, ontology, *, with_short_names=True):
    tables = {name: folder / f"{name}.parquet" for name in NAMES}
    parse_interpro(
        folder / "entry.list",
        folder / "short_names.dat" if with_short_names else None,
        folder / "interpro2go",
        folder / "manifest.json",
        **ontology,
        tables=tables,
    )
    return {name: read_table(path, name).to_pylist() for name, path in tables.items()}


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, text in (
        ("entry.list", ENTRY_LIST),
        ("short_names.dat", SHORT_NAMES),
        ("interpro2go", INTERPRO2GO),
    ):
        (folder / name).write_text(text)
    paths = sorted(folder.iterdir())
    describe_files(
        paths, folder / "manifest.json", source="files", release="109.0", licence="CC0 1.0"
    )
    return folder


def test_release(file_client, ontology, tmp_path):
    folder = tmp_path / "raw"
    get_interpro(folder, folder / "manifest.json", release=INTERPRO_RELEASE, client=file_client)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["release"], manifest["licence"]) == (INTERPRO_RELEASE, "CC0 1.0")
    assert [f["name"] for f in manifest["files"]] == [
        *("entry.list", "short_names.dat", "interpro2go")
    ]
    tables = parse(folder, ontology)
    assert tables["interpro_entries"][0] == {
        "id": "IPR000001",
        "type": "Domain",
        "name": "Kringle",
        "short_name": "Kringle",
    }
    assert len(tables["interpro_entries"]) == 4
    assert read_metadata(folder / "interpro2go.parquet")["release"] == INTERPRO_RELEASE


def test_go_ids_lead_to_present_terms(raw, ontology):
    tables = parse(raw, ontology)
    pairs = {(r["interpro_id"], r["go_id"]): r["go_name"] for r in tables["interpro2go"]}
    assert pairs == {
        ("IPR000003", "GO:0003677"): "DNA binding",
        ("IPR000003", "GO:0005634"): "nucleus",
        ("IPR000001", "GO:0003677"): "DNA binding",  # Over two replaced ids and an alternative.
        ("IPR000276", "GO:0005634"): "nucleus",
    }
    rejects = {(row["reason"], row["detail"]) for row in tables["rejects"]}
    assert rejects == {
        ("line not in the file's format", "malformed line"),
        ("pair stands twice", "IPR000003 GO:0003677"),
        ("GO id is obsolete", "IPR000001 GO:0000103"),
        ("GO id is unknown", "IPR000001 GO:9999999"),
        ("InterPro entry is not in the list", "IPR999999"),
    }
    data = [line for line in INTERPRO2GO.splitlines() if not line.startswith("!")]
    assert len(data) == len(pairs) + len(rejects)


def test_without_short_names(raw, ontology):
    tables = parse(raw, ontology, with_short_names=False)
    assert {row["short_name"] for row in tables["interpro_entries"]} == {None}


def test_an_entry_that_stands_twice(raw, ontology):
    (raw / "entry.list").write_text(ENTRY_LIST + "IPR000001\tDomain\tKringle again\nIPR1\tx\ty\n")
    tables = parse(raw, ontology)
    assert len(tables["interpro_entries"]) == 4
    found = {row["key"]: row["reason"] for row in tables["rejects"] if "entry.list" in row["key"]}
    assert found == {
        "entry.list:6": "entry stands twice",
        "entry.list:7": "line not in the file's format",
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("entry.list", "", "is empty"),
        ("entry.list", "<html>\n", "starts with '<html>' instead of 'ENTRY_AC"),
        ("entry.list", "Active_site\nIPR000126 Serine\n", "a release before 61.0"),
        ("entry.list", "ENTRY_AC\tENTRY_TYPE\tENTRY_NAME\n", "has no entries"),
        ("interpro2go", "<html>\n", "not InterPro's file"),
        ("interpro2go", "!date\nnothing\n", "has no entries"),
        ("short_names.dat", "<html>\n", "not InterPro's file"),
    ],
)
def test_damaged_files(raw, ontology, name, content, message):
    (raw / name).write_text(content)
    with pytest.raises(InputError, match=message):
        parse(raw, ontology)
    assert not (raw / "interpro_entries.parquet").exists()


def test_an_error_page_is_not_kept(file_client, provider_files, tmp_path):
    provider_files[f"/interpro/releases/{INTERPRO_RELEASE}/interpro2go"] = b"<html></html>"
    with pytest.raises(InputError, match="not InterPro's file"):
        get_interpro(tmp_path, tmp_path / "m.json", release=INTERPRO_RELEASE, client=file_client)
    assert not (tmp_path / "interpro2go").exists() and not (tmp_path / "m.json").exists()
