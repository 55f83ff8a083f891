import gzip
import hashlib
import json
import random

import pytest

from protscribe.errors import InputError
from protscribe.sources.formats.record import complete
from protscribe.sources.vocabularies import sorted_rows
from protscribe.sources.vocabularies.static_files import describe_files
from protscribe.sources.vocabularies.uniref import (
    get_uniref,
    get_uniref_mapping,
    parse_uniref,
    parse_uniref_members,
)
from protscribe.tables import read_metadata, read_table, write_table
from servers.ontologies import MAPPING, UNIPROT_RELEASE, UNIREF50, mapping_row


def parse(folder, path, **options):
    tables = {name: folder / f"{name}.parquet" for name in ("uniref_clusters", "rejects")}
    parse_uniref(path, folder / "manifest.json", tables, **options)
    return [read_table(tables[name], name).to_pylist() for name in tables]


def described(folder, path):
    options = {"source": "files", "release": "mine", "licence": "CC BY 4.0"}
    describe_files([path], folder / "manifest.json", **options)
    return path


@pytest.fixture
def many(tmp_path):
    """A file of 500 clusters in no order."""
    choose = random.Random(1)
    names = [f"UniRef50_{number:05}" for number in choose.sample(range(100_000), 500)]
    text = "".join(
        f">{name} A protein n={choose.randint(1, 9)} Tax=Homo sapiens TaxID=9606 RepID=X_HUMAN\n"
        f"{''.join(choose.choices('ACDEFGHIKLMNPQRSTVWY', k=70))}\nMK\n"
        for name in names
    )
    path = tmp_path / "uniref50.fasta.gz"
    path.write_bytes(gzip.compress(text.encode()))
    return described(tmp_path, path)


def test_clusters(file_client, tmp_path):
    options = {"identity": 50, "release": UNIPROT_RELEASE, "client": file_client}
    get_uniref(tmp_path, tmp_path / "manifest.json", **options)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["files"][0]["name"] == "uniref50.fasta.gz"
    clusters, rejects = parse(tmp_path, tmp_path / "uniref50.fasta.gz")
    assert [row["cluster"] for row in clusters] == [
        *("UniRef50_A0A009", "UniRef50_P99999", "UniRef50_Q6GZX4")
    ]
    assert clusters[0] == {
        "cluster": "UniRef50_A0A009",
        "identity": 50,
        "representative": "A0A009_9VIRU",
        "name": "Uncharacterized protein",
        "members": 1,
        "taxon_id": None,
        "sequence": "MKTAYIAKQR",
        "length": 10,
    }
    assert (clusters[2]["taxon_id"], clusters[2]["length"], clusters[2]["members"]) == (1, 120, 47)
    assert {(row["key"], row["reason"]) for row in rejects} == {
        ("uniref50.fasta.gz record 4", "no sequence"),
        ("uniref50.fasta.gz record 5", "illegal sequence"),
        ("uniref50.fasta.gz record 6", "header not in UniRef's format"),
    }
    assert len(clusters) + len(rejects) == UNIREF50.count(">")
    assert read_metadata(tmp_path / "uniref_clusters.parquet")["release"] == UNIPROT_RELEASE


def test_sorting_in_parts_changes_nothing(many, tmp_path, monkeypatch):
    whole, _ = parse(tmp_path, many)
    assert [row["cluster"] for row in whole] == sorted(row["cluster"] for row in whole)
    assert len(whole) == 500
    monkeypatch.setattr(sorted_rows, "AT_ONCE", 7)
    assert parse(tmp_path, many)[0] == whole
    monkeypatch.setattr(sorted_rows, "MERGED_AT_ONCE", 3)
    assert parse(tmp_path, many)[0] == whole
    assert not list(tmp_path.glob(".partial-*"))


def test_samples(many, tmp_path):
    samples = [
        {row["cluster"] for row in parse(tmp_path, many, sample=size, seed=seed)[0]}
        for size, seed in ((50, 1), (50, 1), (100, 1), (50, 2), (1000, 1))
    ]
    assert [len(sample) for sample in samples] == [50, 50, 100, 50, 500]
    assert samples[0] == samples[1] < samples[2]
    assert samples[0] != samples[3]
    # By another way: the smallest hashes.
    ordered = sorted(samples[4], key=lambda name: hashlib.sha256(f"1 {name}".encode()).digest())
    assert set(ordered[:50]) == samples[0]
    assert read_metadata(tmp_path / "uniref_clusters.parquet")["sample"] == "1000"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<html></html>\n", "starts with '<html></html>' instead of '>'"),
        (gzip.compress(UNIREF50.encode())[:-9], "truncated"),
        (b">sp|P1|X_X Some protein\nMK\n", "has no UniRef clusters"),
        ((UNIREF50 + UNIREF50).encode(), "more than once"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "uniref50.fasta"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        parse(tmp_path, described(tmp_path, path))
    assert not list(tmp_path.glob("*.parquet")) and not list(tmp_path.glob(".partial-*"))


@pytest.fixture
def proteins(tmp_path):
    rows = [complete({"accession": a, "sequence": "MK"}) for a in ("P99999", "Q6GZX4", "A0A000")]
    write_table(tmp_path / "proteins.parquet", "proteins", rows)
    return tmp_path / "proteins.parquet"


def members(folder, path, proteins):
    tables = {name: folder / f"{name}.parquet" for name in ("uniref_members", "rejects")}
    parse_uniref_members(path, proteins, folder / "manifest.json", tables)
    return [read_table(tables[name], name).to_pylist() for name in tables]


def test_members(file_client, proteins, tmp_path):
    options = {"release": "current", "client": file_client}
    get_uniref_mapping(tmp_path, tmp_path / "manifest.json", **options)
    assert json.loads((tmp_path / "manifest.json").read_text())["release"] == UNIPROT_RELEASE
    rows, rejects = members(tmp_path, tmp_path / "idmapping_selected.tab.gz", proteins)
    assert rows == [
        {
            "accession": "P99999",
            "uniref100": "UniRef100_P99999",
            "uniref90": "UniRef90_P99998",
            "uniref50": None,
        },
        {
            "accession": "Q6GZX4",
            "uniref100": "UniRef100_Q6GZX4",
            "uniref90": "UniRef90_Q6GZX4",
            "uniref50": "UniRef50_Q6GZX4",
        },
    ]
    assert [(row["key"], row["reason"]) for row in rejects] == [
        ("A0A000", "accession is not in the mapping")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("<html></html>\n", "has 1 columns instead of 22"),
        (MAPPING + mapping_row("A0A000")[:-5] + "\n", r"line 4 has \d+ columns"),
    ],
)
def test_damaged_mappings(tmp_path, proteins, text, message):
    path = tmp_path / "idmapping_selected.tab"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        members(tmp_path, described(tmp_path, path), proteins)
