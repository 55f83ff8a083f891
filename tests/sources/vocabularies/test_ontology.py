import gzip
import json
import sqlite3

import networkx
import pytest

from protscribe.errors import InputError
from protscribe.sources.vocabularies.go_sqlite import get_packaged_ontology
from protscribe.sources.vocabularies.ontology import get_ontology, parse_ontology
from protscribe.sources.vocabularies.ontology_graph import Edge, closure, map_ids
from protscribe.sources.vocabularies.static_files import describe_files
from protscribe.tables import read_metadata, read_table
from servers import ontologies
from servers.loopback import Fault
from servers.ontologies import GO_RELEASE, GO_VERSION, TERMS, full_terms, obo

TABLES = ("ontology_terms", "ontology_ids", "ontology_edges", "ontology_closure", "rejects")


def parse(folder, basic, full=None, manifest=None):
    """Parse files and return the rows of each table."""
    if manifest is None:
        manifest = folder / "manifest.json"
        paths = [path for path in (basic, full) if path]
        describe_files(paths, manifest, source="files", release="mine", licence="CC BY 4.0")
    tables = {name: folder / "tables" / f"{name}.parquet" for name in TABLES}
    parse_ontology(basic, full, manifest, tables)
    return {name: read_table(path, name).to_pylist() for name, path in tables.items()}


def written(folder, text, name="go-basic.obo"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def networkx_closure(edges):
    """Shortest distances over is_a and part_of, by another way."""
    graph = networkx.DiGraph()
    graph.add_edges_from((c, p) for c, relation, p in edges if relation in ("is_a", "part_of"))
    return {
        (term, ancestor, distance)
        for term, found in networkx.all_pairs_shortest_path_length(graph)
        for ancestor, distance in found.items()
        if distance
    }


def as_set(rows):
    return {(row["descendant"], row["ancestor"], row["distance"]) for row in rows}


def test_terms(tmp_path):
    tables = parse(tmp_path, written(tmp_path, obo()))
    terms = {row["id"]: row for row in tables["ontology_terms"]}
    assert len(terms) == TERMS.count("[Term]")
    assert terms["GO:0003677"] == {
        "id": "GO:0003677",
        "name": "DNA binding",
        "aspect": "F",
        "definition": 'Any molecular function by which a "gene product" interacts ! with DNA '
        "{sic}.",
        "synonyms": [
            {"text": "microtubule/chromatin interaction", "scope": "RELATED"},
            {"text": "plasmid binding", "scope": "NARROW"},
        ],
        "obsolete": False,
        "replaced_by": [],
        "consider": [],
        "alternative_ids": ["GO:0043566"],
    }
    assert terms["GO:0000102"]["replaced_by"] == ["GO:0003677", "GO:0003700"]
    assert terms["GO:0000103"]["obsolete"] and terms["GO:0000103"]["consider"] == ["GO:0003677"]
    assert {row["aspect"] for row in terms.values()} == {"F", "P", "C"}
    assert tables["rejects"] == []  # Cross-references are not read, so a bad one costs nothing.


def test_where_ids_lead(tmp_path):
    tables = parse(tmp_path, written(tmp_path, obo()))
    ids = {row["id"]: (row["term"], row["kind"]) for row in tables["ontology_ids"]}
    assert ids["GO:0003677"] == ("GO:0003677", "current")
    assert ids["GO:0043566"] == ("GO:0003677", "alternative")
    assert ids["GO:0000101"] == ("GO:0003677", "replaced")
    assert ids["GO:0000100"] == ("GO:0003677", "replaced")  # Over a chain of two.
    assert ids["GO:0000102"] == (None, "obsolete")
    assert ids["GO:0000103"] == (None, "obsolete")
    assert ids["GO:0000104"] == ids["GO:0000105"] == (None, "obsolete")


def test_current_ids_win_over_alternatives():
    fixed = {"obsolete": False, "replaced_by": [], "alternative_ids": []}
    terms = [
        {**fixed, "id": "GO:1", "alternative_ids": ["GO:2", "GO:3"]},
        {**fixed, "id": "GO:2"},
        {**fixed, "id": "GO:4", "alternative_ids": ["GO:3"]},
        {**fixed, "id": "GO:5", "obsolete": True, "replaced_by": ["GO:1", "GO:1"]},
    ]
    found = {row["id"]: (row["term"], row["kind"]) for row in map_ids(terms)}
    assert found["GO:2"] == ("GO:2", "current")
    assert found["GO:3"] == (None, "alternative")  # Two terms claim it.
    assert found["GO:5"] == ("GO:1", "replaced")


def test_edges_of_both_files(tmp_path):
    basic = written(tmp_path, obo())
    full = written(tmp_path, gzip.compress(obo(full_terms()).encode()), "go.obo.gz")
    tables = parse(tmp_path, basic, full)
    edges = {(e["child"], e["relation"], e["parent"]): e["basic"] for e in tables["ontology_edges"]}
    assert edges["GO:0003700", "is_a", "GO:0003677"]
    assert edges["GO:0005654", "part_of", "GO:0005634"]
    assert edges["GO:0006355", "regulates", "GO:0006351"]
    assert not edges["GO:0003700", "part_of", "GO:0006355"]
    assert not edges["GO:0003700", "occurs_in", "GO:0005634"]
    assert [(row["reason"], row["detail"]) for row in tables["rejects"]] == [
        ("edge to an unknown term", "CL:0000000")
    ]
    alone = parse(tmp_path, basic)
    assert all(edge["basic"] for edge in alone["ontology_edges"])
    assert len(alone["ontology_edges"]) == len(edges) - 2
    # Only go-basic says along which edges annotations may be carried up.
    assert alone["ontology_closure"] == tables["ontology_closure"]


def test_closure(tmp_path):
    tables = parse(tmp_path, written(tmp_path, obo()))
    found = as_set(tables["ontology_closure"])
    assert ("GO:0016604", "GO:0005575", 2) in found  # Over nucleoplasm, not over nucleus.
    assert ("GO:0016604", "GO:0005634", 2) in found
    assert ("GO:0003700", "GO:0003674", 2) in found
    assert not any(ancestor == "GO:0006351" for _, ancestor, _ in found)
    edges = [(e["child"], e["relation"], e["parent"]) for e in tables["ontology_edges"]]
    assert found == networkx_closure(edges)


def test_closure_of_random_graphs():
    for seed in range(20):
        graph = networkx.gn_graph(60, seed=seed)
        more = networkx.gnp_random_graph(60, 0.1, seed=seed, directed=True)
        pairs = {*graph.edges, *((a, b) for a, b in more.edges if a > b)}
        relations = ("is_a", "part_of", "regulates")
        edges = [Edge(f"{a}", relations[(a + b) % 3], f"{b}") for a, b in sorted(pairs)]
        assert as_set(closure(edges, "x").to_pylist()) == networkx_closure(edges)


def test_same_bytes(tmp_path):
    full = written(tmp_path, obo(full_terms()), "go.obo")
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        parse(tmp_path / name, written(tmp_path, obo()), full)
        paths.append(tmp_path / name / "tables")
    for name in TABLES:
        first, second = (path / f"{name}.parquet" for path in paths)
        assert first.read_bytes() == second.read_bytes()


def test_a_bad_line_costs_that_line(tmp_path):
    text = obo().replace(
        "is_obsolete: true\nconsider", "consider: GO 1\nis_obsolete: true\nconsider"
    )
    text = text.replace('synonym: "plasmid binding" NARROW []', 'synonym: "plasmid binding" NARROW')
    tables = parse(tmp_path, written(tmp_path, text))
    assert [row["reason"] for row in tables["rejects"]] == ["line not in OBO format"] * 2
    lines = text.splitlines()
    for row in tables["rejects"]:
        name, number = row["key"].split(":")
        assert name == "go-basic.obo" and lines[int(number) - 1] in row["detail"]
    terms = {row["id"]: row for row in tables["ontology_terms"]}
    assert len(terms["GO:0003677"]["synonyms"]) == 1
    assert terms["GO:0000103"]["consider"] == ["GO:0003677"]


def test_a_stanza_without_id_or_name_or_in_latin_1(tmp_path):
    text = obo() + "\n[Term]\nname: nothing\n\n[Term]\nid: GO:0000200\nname: without aspect\n"
    raw = text.encode().replace(b"plasmid binding", b"plasm\xefde")
    tables = parse(tmp_path, written(tmp_path, raw))
    found = {(row["reason"], row["key"].partition(":")[0]) for row in tables["rejects"]}
    assert found == {
        ("line not in OBO format", "go-basic.obo"),
        ("term without name or aspect", "go-basic.obo GO"),
    }
    assert len(tables["rejects"]) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"<!DOCTYPE html>\n<html></html>\n", "HTML or XML page"),
        (b"ID   Keyword.\n", "not an OBO file"),
        (gzip.compress(obo().encode())[:-20], "truncated"),
        (gzip.compress(obo().encode())[:50] + b"\x00" * 50, "damaged|truncated"),
        (obo().encode()[:-3], "last line has no end"),
        (obo(typedefs="").encode(), "relation part_of, regulates is used but not defined"),
        (obo(terms="").encode(), "has no terms"),
        (obo(TERMS + TERMS).encode(), "stands twice"),
        (b"SQLite format 3\x00" + b"\x00" * 100, "not the GO.sqlite"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as error:
        parse(tmp_path, written(tmp_path, content))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "tables").exists()


def test_missing_files(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="no such file"):
        parse(tmp_path, tmp_path / "none.obo", manifest=tmp_path / "manifest.json")


def test_cycles_are_refused(tmp_path):
    text = obo().replace(
        "name: nucleus\nnamespace: cellular_component\n",
        "name: nucleus\nnamespace: cellular_component\nrelationship: part_of GO:0016604\n",
    )
    with pytest.raises(InputError, match="form a cycle") as error:
        parse(tmp_path, written(tmp_path, text))
    for term in ("GO:0005634", "GO:0005654", "GO:0016604"):
        assert term in str(error.value)


@pytest.mark.parametrize("parent", ["GO:7777777", "GO:0000103", "GO:0043566"])
def test_unknown_obsolete_and_alternative_parents_are_refused(tmp_path, parent):
    text = obo().replace("is_a: GO:0008150\nrelationship", f"is_a: {parent}\nrelationship")
    with pytest.raises(InputError, match=f"{parent} is not a current term"):
        parse(tmp_path, written(tmp_path, text))


def test_files_of_two_versions(tmp_path):
    full = written(tmp_path, obo(version="2025-01-01"), "go.obo")
    with pytest.raises(InputError, match=f"2025-01-01, that of go-basic.obo is {GO_VERSION}"):
        parse(tmp_path, written(tmp_path, obo()), full)


def test_release(file_client, tmp_path):
    get_ontology(tmp_path, tmp_path / "manifest.json", release=GO_RELEASE, client=file_client)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["release"] == GO_RELEASE and manifest["licence"] == "CC BY 4.0"
    found = [(file["name"], file["version"]) for file in manifest["files"]]
    assert found == [("go-basic.obo", GO_VERSION), ("go.obo", GO_VERSION)]
    paths = tmp_path / "go-basic.obo", tmp_path / "go.obo"
    tables = parse(tmp_path, *paths, manifest=tmp_path / "manifest.json")
    assert tables["ontology_terms"]
    facts = read_metadata(tmp_path / "tables/ontology_closure.parquet")
    assert (facts["release"], facts["version"]) == (GO_RELEASE, GO_VERSION)
    assert facts["sha256"].startswith(f"go-basic.obo={manifest['files'][0]['sha256']}")


def test_release_without_the_full_file(file_client, file_server, tmp_path):
    options = {"release": GO_RELEASE, "client": file_client, "full": False}
    get_ontology(tmp_path, tmp_path / "manifest.json", **options)
    assert [request.path for request in file_server.requests] == [
        f"/go/{GO_RELEASE}/ontology/go-basic.obo"
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (obo(version="2026-09-01").encode(), "2026-09-01, which cannot be the one of release"),
        (obo().replace("data-version: releases/2026-07-26\n", "").encode(), "is missing"),
        (b"<html>Not here</html>", "HTML"),
    ],
)
def test_a_release_that_is_another(file_client, provider_files, tmp_path, body, message):
    provider_files[f"/go/{GO_RELEASE}/ontology/go-basic.obo"] = body
    with pytest.raises(InputError, match=message):
        get_ontology(tmp_path, tmp_path / "m.json", release=GO_RELEASE, client=file_client)
    assert not (tmp_path / "go-basic.obo").exists() and not (tmp_path / "m.json").exists()


def test_a_busy_server(file_client, file_server, tmp_path):
    file_server.faults += [Fault("/go", status=429), Fault("/go", status=503)]
    get_ontology(tmp_path, tmp_path / "m.json", release=GO_RELEASE, client=file_client)
    assert [r.status for r in file_server.requests] == [429, 503, 200, 200]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    """The database of the real Debian package."""
    folder = tmp_path_factory.mktemp("go")
    get_packaged_ontology(folder / "GO.sqlite", folder / "m.json", work=folder / "work")
    return folder


@pytest.mark.network
@pytest.mark.slow
def test_the_real_package(packaged, tmp_path):
    manifest = json.loads((packaged / "m.json").read_text())
    assert (manifest["source"], manifest["release"]) == ("packaged", "2022-07-01")
    database = packaged / "GO.sqlite"
    tables = parse(tmp_path, database, manifest=packaged / "m.json")
    terms = tables["ontology_terms"]
    assert sum(not term["obsolete"] for term in terms) == 43_558  # Without the root "all".
    assert sum(term["obsolete"] for term in terms) == 3_910
    assert len(tables["ontology_edges"]) == 85_713 and tables["rejects"] == []
    ids = {row["id"]: (row["term"], row["kind"]) for row in tables["ontology_ids"]}
    assert ids["GO:0019952"] == ("GO:0000003", "alternative")
    assert ids["GO:0000005"] == (None, "obsolete")
    edges = {(e["child"], e["relation"], e["parent"]) for e in tables["ontology_edges"]}
    assert {relation for _, relation, _ in edges} == {
        *("is_a", "part_of", "regulates", "positively_regulates", "negatively_regulates")
    }
    found = {(a, b) for a, b, _ in as_set(tables["ontology_closure"])}
    # Its own closure goes over the regulating relations too.
    with sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True) as connection:
        pairs = set()
        for aspect in ("bp", "mf", "cc"):
            query = f"""SELECT child.go_id, parent.go_id FROM go_{aspect}_offspring AS o
                JOIN go_term AS parent ON parent._id = o._id
                JOIN go_term AS child ON child._id = o._offspring_id
                WHERE parent.go_id != 'all'"""
            pairs |= set(connection.execute(query))
    assert found < pairs
    as_if_closed = {Edge(child, "is_a", parent) for child, _, parent in edges}
    everything = closure(as_if_closed, "all relations").to_pylist()
    assert {(a, b) for a, b, _ in as_set(everything)} == pairs


@pytest.mark.network
@pytest.mark.slow
def test_another_version_of_the_package(packaged, tmp_path, monkeypatch):
    monkeypatch.setattr("protscribe.sources.vocabularies.go_sqlite.SHA256", "0" * 64)
    with pytest.raises(InputError, match=r"r-bioc-go.db \S+: .* has the SHA-256 \w+ instead of 0"):
        get_packaged_ontology(tmp_path / "GO.sqlite", tmp_path / "m", work=packaged / "work")
    assert not (tmp_path / "GO.sqlite").exists()


def test_no_apt(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="not available here .there is no apt-get"):
        get_packaged_ontology(tmp_path / "GO.sqlite", tmp_path / "m", work=tmp_path / "work")


def test_an_ontology_that_is_not_required_is_empty_where_it_cannot_be_had(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("PATH", str(tmp_path))
    file, manifest = tmp_path / "GO.sqlite", tmp_path / "m.json"
    get_packaged_ontology(file, manifest, work=tmp_path / "work", required=False)
    assert "not available here" in capsys.readouterr().err
    assert "not available here" in json.loads(manifest.read_text())["warnings"][0]
    tables = parse(tmp_path, file, manifest=manifest)
    assert not any(tables.values())
    # An empty file of another kind is still an error.
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"release": "2022-07-01"}))
    with pytest.raises(InputError):
        parse(tmp_path, file, manifest=manifest)


@pytest.mark.slow
def test_a_real_release(shared_data, tmp_path):
    tables = parse(tmp_path, shared_data / "protein_text" / "go-basic.obo.gz")
    assert len(tables["ontology_terms"]) == 47_261
    kinds = [row["kind"] for row in tables["ontology_ids"]]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "alternative": 3_368,
        "current": 43_789,
        "obsolete": 2_947,
        "replaced": 525,
    }
    assert tables["rejects"] == []
    edges = [(e["child"], e["relation"], e["parent"]) for e in tables["ontology_edges"]]
    assert as_set(tables["ontology_closure"]) == networkx_closure(edges)
    facts = read_metadata(tmp_path / "tables/ontology_terms.parquet")
    assert facts["version"] == "2021-12-15"


def test_the_slim_of_the_user(shared_data, tmp_path):
    tables = parse(tmp_path, shared_data / "protein_text" / "goslim_generic.obo")
    assert len(tables["ontology_terms"]) == 149
    assert ontologies.GO_VERSION not in str(tables["rejects"])
