import json

import pytest

from protscribe.errors import InputError
from protscribe.sources.vocabularies.enzyme import get_enzymes, parse_enzymes
from protscribe.sources.vocabularies.static_files import describe_files
from protscribe.tables import read_metadata, read_table
from servers.ontologies import ENZYME_RELEASE, ENZYMES


def parse(folder, text=ENZYMES):
    path, manifest = folder / "enzyme.dat", folder / "manifest.json"
    path.write_text(text)
    describe_files([path], manifest, source="files", release="mine", licence="CC BY 4.0")
    tables = {name: folder / f"{name}.parquet" for name in ("enzymes", "rejects")}
    parse_enzymes(path, manifest, tables)
    assert read_metadata(tables["enzymes"])["version"] == ENZYME_RELEASE
    return [read_table(tables[name], name).to_pylist() for name in tables]


def test_enzymes(tmp_path):
    rows, rejects = parse(tmp_path)
    enzymes = {row["ec"]: row for row in rows}
    assert enzymes["1.1.1.1"] == {
        "ec": "1.1.1.1",
        "name": "alcohol dehydrogenase",
        "alternative_names": [
            "aldehyde reductase",
            "an alternative name of more than one line, with an alpha-D-sugar in it",
        ],
        "reactions": [
            "a primary alcohol + NAD(+) = an aldehyde + NADH + H(+)",
            "a secondary alcohol + NAD(+) = a ketone + NADH + H(+)",
        ],
        "cofactors": ["Zn(2+)", "Fe cation"],
        "transferred_to": [],
        "deleted": False,
    }
    moved, deleted = enzymes["1.1.1.5"], enzymes["1.1.1.74"]
    assert (moved["name"], moved["deleted"]) == (None, False)
    assert moved["transferred_to"] == ["1.1.1.303", "1.1.1.304"]
    assert (deleted["name"], deleted["deleted"], deleted["transferred_to"]) == (None, True, [])
    assert enzymes["1.1.1.n4"]["name"] == "preliminary one"
    assert enzymes["4.1.1.14"]["cofactors"] == ["pyridoxal 5'-phosphate"]
    assert len(rows) == 5 and rejects == []


def test_bad_entries_are_listed(tmp_path):
    text = ENZYMES + "ID   1.1.1.1\nDE   again.\n//\nID   1.1.x\nDE   odd.\n//\n"
    rows, rejects = parse(tmp_path, text)
    assert len(rows) == 5
    assert [(row["key"], row["reason"]) for row in rejects] == [
        ("1.1.1.1 (entry 6)", "entry stands twice"),
        ("1.1.x (entry 7)", "not an EC number"),
    ]


@pytest.mark.parametrize("release", [ENZYME_RELEASE, "current"])
def test_release(file_client, tmp_path, release):
    get_enzymes(tmp_path, tmp_path / "m.json", release=release, client=file_client)
    manifest = json.loads((tmp_path / "m.json").read_text())
    assert (manifest["release"], manifest["licence"]) == (ENZYME_RELEASE, "CC BY 4.0")


def test_a_release_that_is_gone(file_client, tmp_path):
    message = f"the release of {ENZYME_RELEASE}, not 28-Jan-2026, and no older ones"
    with pytest.raises(InputError, match=message):
        get_enzymes(tmp_path, tmp_path / "m.json", release="28-Jan-2026", client=file_client)
    assert not (tmp_path / "enzyme.dat").exists() and not (tmp_path / "m.json").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no entries; ENZYME's enzyme.dat is needed"),
        ("<html></html>\n", "has no entries"),
        (ENZYMES[: ENZYMES.index("CA   L-valine")], "truncated"),
        (ENZYMES.replace("Release of", "Of"), "names no release"),
    ],
)
def test_damaged_files(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        parse(tmp_path, text)
