import json

import pytest

from protscribe.errors import InputError
from protscribe.sources.vocabularies.keywords import get_vocabularies, parse_vocabularies
from protscribe.sources.vocabularies.line_codes import joined
from protscribe.sources.vocabularies.static_files import describe_files
from protscribe.tables import read_metadata, read_table
from servers.ontologies import KEYWORDS, LOCATIONS, UNIPROT_RELEASE

NAMES = ("keywords", "locations", "rejects")


def parse(folder, keywords, locations):
    describe_files(
        [keywords, locations],
        folder / "manifest.json",
        source="files",
        release="mine",
        licence="CC BY 4.0",
    )
    tables = {name: folder / f"{name}.parquet" for name in NAMES}
    parse_vocabularies(keywords, locations, folder / "manifest.json", tables)
    return {name: read_table(path, name).to_pylist() for name, path in tables.items()}


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "keywlist.txt").write_text(KEYWORDS)
    (tmp_path / "subcell.txt").write_text(LOCATIONS)
    return tmp_path


def test_keywords(raw):
    keywords = parse(raw, raw / "keywlist.txt", raw / "subcell.txt")["keywords"]
    assert keywords[0] == {
        "id": "KW-0001",
        "name": "2Fe-2S",
        "category": "Ligand",
        "definition": "Protein which contains at least one 2Fe-2S iron-sulfur cluster: 2 iron "
        "atoms complexed to 2 inorganic sulfides and 4 sulfur atoms of RNA-editing cysteines.",
        "synonyms": [
            *("[2Fe-2S] cluster", "[Fe2S2] cluster", "2 iron, 2 sulfur cluster binding"),
            "Di-mu-sulfido-diiron",
        ],
        "go": ["GO:0051537"],
        "parents": ["KW-0411", "KW-0479"],
    }
    category = keywords[-1]
    assert (category["id"], category["name"], category["category"]) == ("KW-9993", "Ligand", None)
    assert keywords[1]["parents"] == []  # Iron is not in this file.


def test_locations_and_parents_that_are_missing(raw):
    tables = parse(raw, raw / "keywlist.txt", raw / "subcell.txt")
    locations = {row["id"]: row for row in tables["locations"]}
    assert {row["kind"] for row in locations.values()} == {"location", "topology", "orientation"}
    assert locations["SL-0162"]["keyword"] == "KW-0472"
    assert locations["SL-0003"]["is_a"] == ["SL-0162"]
    assert locations["SL-0003"]["part_of"] == []
    assert locations["SL-9905"]["name"] == "Single-pass type I membrane protein"
    assert {(row["key"], row["reason"]) for row in tables["rejects"]} == {
        ("SL-0003 HP Acidocalcisome", "parent is not in the file"),
        ("KW-0411 HI Iron", "parent is not in the file"),
    }


def test_release(file_client, tmp_path):
    get_vocabularies(tmp_path, tmp_path / "m.json", release="current", client=file_client)
    assert json.loads((tmp_path / "m.json").read_text())["release"] == UNIPROT_RELEASE
    parse(tmp_path, tmp_path / "keywlist.txt", tmp_path / "subcell.txt")
    assert read_metadata(tmp_path / "keywords.parquet")["version"] == UNIPROT_RELEASE


def test_an_entry_without_accession(raw):
    (raw / "keywlist.txt").write_text(KEYWORDS.replace("AC   KW-0479\n", ""))
    tables = parse(raw, raw / "keywlist.txt", raw / "subcell.txt")
    assert "KW-0479" not in {row["id"] for row in tables["keywords"]}
    assert "entry without accession" in {row["reason"] for row in tables["rejects"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "has no entries"),
        (lambda text: "<html></html>", "has no entries"),
        (lambda text: text[: text.index("AC   KW-0479")], "truncated: it ends with 'ID   Metal"),
        # Cut between two entries.
        (lambda text: text[: text.index("IC   Ligand")], "truncated: it ends with '//'"),
        (lambda text: text.replace("AC   KW-0479", "xx"), r"line \d+ .'xx'. has no line code"),
        (lambda text: text.replace("Release:", "Rel:"), "names no release"),
    ],
)
def test_damaged_files(raw, change, message):
    (raw / "keywlist.txt").write_text(change(KEYWORDS))
    with pytest.raises(InputError, match=message):
        parse(raw, raw / "keywlist.txt", raw / "subcell.txt")


def test_joining():
    assert joined(["a cell-", "cell junction -", "of two", "kinds"]) == (
        "a cell-cell junction - of two kinds"
    )
    assert joined([]) == ""


def test_real_files(shared_data, tmp_path):
    folder = shared_data / "protein_text"
    tables = parse(tmp_path, folder / "keywlist.txt", folder / "subcell.txt")
    assert tables["rejects"] == []
    text = (folder / "keywlist.txt").read_text()
    assert len(tables["keywords"]) == text.count("\nID   ") + text.count("\nIC   ")
    assert sum(row["category"] is None for row in tables["keywords"]) == 10
    zinc = next(row for row in tables["keywords"] if row["id"] == "KW-0864")
    by_id = {row["id"]: row["name"] for row in tables["keywords"]}
    assert [by_id[parent] for parent in zinc["parents"]] == ["Ion transport", "Zinc"]
    kinds = [row["kind"] for row in tables["locations"]]
    assert [kinds.count(kind) for kind in ("location", "topology", "orientation")] == [499, 11, 10]
    assert read_metadata(tmp_path / "locations.parquet")["version"] == "2019_02"
