"""The ontology and the smaller sources, from providers and from files, in a run without models."""

import copy as copying
from itertools import chain

import pytest

from protscribe.atomic import read_json
from protscribe.tables import read_table
from servers import ontologies
from servers.loopback import LoopbackServer
from tiny_runs import run, write_settings

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

ONTOLOGY = [f"ontology_{name}" for name in ("terms", "ids", "edges", "closure")]
SMALLER = {
    "uniprot": ["keywords", "locations"],
    "interpro": ["interpro_entries", "interpro2go"],
    "uniref": ["uniref_clusters"],
    "enzyme": ["enzymes"],
    "chebi": ["chemicals"],
}
TABLES = [*ONTOLOGY, *chain(*SMALLER.values())]


@pytest.fixture(scope="module")
def settings(inputs):
    with LoopbackServer(ontologies.app(ontologies.files())) as server:
        yield {
            "name": "vocabularies",
            "source": inputs[1]["source"],
            "split": inputs[1]["split"],
            "ontology": {"source": "release", "release": ontologies.GO_RELEASE},
            "vocabularies": {
                **{name: {"source": "release"} for name in SMALLER},
                "uniref": {"source": "release", "members": True},
                "chebi": {"source": "release", "only_used": False},
            },
            "network": {"urls": ontologies.urls(server.url), "backoff_seconds": 0.05},
        }


@pytest.fixture(scope="module")
def fetched(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fetched")
    answer = run(folder, write_settings(folder / "c.yaml", settings))
    assert answer.returncode == 0, answer.stdout
    return folder


def rows(folder, name):
    return read_table(folder / "results" / "tables" / f"{name}.parquet", name).to_pylist()


def test_every_source_becomes_a_table(fetched):
    for name in TABLES:
        assert rows(fetched, name), name
    present = {row["id"] for row in rows(fetched, "ontology_terms")}
    assert {row["go_id"] for row in rows(fetched, "interpro2go")} <= present
    assert {row["basic"] for row in rows(fetched, "ontology_edges")} == {True, False}


def test_a_run_without_systems_ends_with_tables_split_and_provenance(fetched):
    assert not (fetched / "results" / "metrics.tsv").exists()
    tables = read_json(fetched / "results" / "provenance.json")["tables"]
    facts = tables["ontology_terms.parquet"]["facts"]
    assert (
        facts["release"] and facts["licence"] == "CC BY 4.0" and "go-basic.obo=" in facts["sha256"]
    )
    assert tables["keywords.parquet"]["facts"]["release"] == ontologies.UNIPROT_RELEASE
    assert read_json(fetched / "results" / "split" / "audit.json")["violations"] == []


def test_files_that_a_user_has_give_the_same_tables(fetched, settings, tmp_path):
    found = {path.name: str(path) for path in (fetched / "resources").rglob("*") if path.is_file()}
    settings = copying.deepcopy(settings)
    del settings["network"]
    paths = {
        "uniprot": ["keywlist.txt", "subcell.txt"],
        "interpro": ["entry.list", "interpro2go", "short_names.dat"],
        "uniref": ["uniref50.fasta.gz"],
        "enzyme": ["enzyme.dat"],
        "chebi": ["chebi_core.obo.gz"],
    }
    own = {
        "source": "files",
        "paths": [found[name] for name in ("go-basic.obo", "go.obo")],
    }
    settings["ontology"] = own
    settings["vocabularies"] = {
        name: {"source": "files", "paths": [found[path] for path in paths[name]]} for name in paths
    }
    settings["vocabularies"]["chebi"]["only_used"] = False
    answer = run(tmp_path, write_settings(tmp_path / "c.yaml", settings), "data")
    assert answer.returncode == 0, answer.stdout
    for name in TABLES:
        assert rows(tmp_path, name) == rows(fetched, name), name
