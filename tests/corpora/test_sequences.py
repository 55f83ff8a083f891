import random

import pytest

from helpers_data import natural_protein, plant_homologue, write_proteins, write_split
from protscribe.corpora.sequences import HOMOLOGOUS, make_sequences, named_after
from protscribe.errors import InputError
from protscribe.tables import read_table, write_table

CRITERION = {"min_identity": 0.3, "min_coverage": 0.5, "max_evalue": 1e-3}
SETTINGS = {"external": "uniref", "min_length": 1, "max_length": None, "max_sequences": None}
FOLDS = {
    **{f"P{i}": "train" for i in range(6)},
    "V0": "validation",
    "V1": "validation",
    "T0": "test_low_homology",
    "T1": "test_in_distribution",
    "T2": "test_temporal",
    "G0": None,
}


class House:
    """Unrelated proteins of all folds and external clusters, to change; and how to make rows."""

    def __init__(self, folder):
        self.rng = random.Random(0)
        self.folder = folder
        self.sequences = {accession: natural_protein(self.rng, 180) for accession in FOLDS}
        self.folds = dict(FOLDS)
        self.facts = {}
        self.clusters = {f"UniRef50_X{i}": natural_protein(self.rng, 180) for i in range(6)}
        self.representatives = {}

    def make(self, *, seed=0, criterion=CRITERION, without=False, **settings):
        proteins = write_proteins(self.folder / "p.parquet", self.sequences, **self.facts)
        split = write_split(self.folder / "s.parquet", self.folds)
        external = self.folder / "uniref.parquet"
        rows = [
            {
                "cluster": cluster,
                "identity": 50,
                "representative": self.representatives.get(cluster, f"{cluster}_MOUSE"),
                "name": None,
                "members": 1,
                "taxon_id": None,
                "sequence": sequence,
                "length": len(sequence),
            }
            for cluster, sequence in self.clusters.items()
        ]
        write_table(external, "uniref_clusters", rows, {"licence": "CC BY 4.0"})
        self.output, rejects = self.folder / "sequences.parquet", self.folder / "r.parquet"
        make_sequences(
            proteins,
            split,
            self.output,
            rejects,
            external=None if without else external,
            settings=SETTINGS | settings,
            criterion=criterion,
            seed=seed,
            threads=1,
            licence="ours",
        )
        self.rows = {
            row["id"].removeprefix("sequence:"): row
            for row in read_table(self.output, "pretraining").to_pylist()
        }
        self.rejects = {row["key"]: row for row in read_table(rejects, "rejects").to_pylist()}
        used = 0 if settings.get("external") == "none" else len(self.clusters)
        placed = sum(fold in ("train", "validation") for fold in self.folds.values())
        assert len(self.rows) + len(self.rejects) == used + placed
        return {key: row["reason"] for key, row in self.rejects.items()}


@pytest.fixture()
def house(tmp_path):
    return House(tmp_path)


def test_rows(house):
    assert house.make() == {}
    assert house.rows["P0"] == {
        "id": "sequence:P0",
        "corpus": "sequences",
        "fold": "train",
        "accession": "P0",
        "pubmed_id": None,
        "text": None,
        "sequence": house.sequences["P0"],
        "licence": "ours",
        "source": "proteins",
    }
    external = house.rows["UniRef50_X0"]
    assert (external["fold"], external["accession"]) == ("train", None)
    assert (external["licence"], external["source"]) == ("CC BY 4.0", "uniref50")
    folds = {key: row["fold"] for key, row in house.rows.items() if row["accession"]}
    assert folds == {a: fold for a, fold in FOLDS.items() if fold in ("train", "validation")}
    data = house.output.read_bytes()
    house.make()
    assert house.output.read_bytes() == data


def test_external_sequences_only_when_asked_for(house):
    house.make(external="none")
    assert all(row["accession"] for row in house.rows.values())
    house.make(external="none", without=True)
    with pytest.raises(InputError, match=r"no table of clusters; set vocabularies\.uniref\.source"):
        house.make(without=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("held_out", ["T0", "T1", "T2", "V0"])
def test_what_resembles_a_held_out_protein_is_pruned(house, held_out, seed):
    near = plant_homologue(random.Random(seed), house.sequences[held_out], 0.35, 0.6)
    house.clusters["UniRef50_X1"] = near
    assert house.make() == {"UniRef50_X1": HOMOLOGOUS}
    detail = house.rejects["UniRef50_X1"]["detail"]
    assert (
        detail.startswith(f"{held_out} ({FOLDS[held_out]}): identity 0.3") and "E-value" in detail
    )
    assert house.make(criterion=CRITERION | {"min_identity": 0.6}) == {}


def test_what_resembles_a_training_protein_stays(house):
    near = plant_homologue(random.Random(0), house.sequences["P0"], 0.9, 0.9)
    house.clusters["UniRef50_X1"] = near
    assert house.make() == {}


def test_own_training_proteins_may_resemble_the_in_distribution_fold(house):
    house.sequences["P0"] = plant_homologue(random.Random(0), house.sequences["T1"], 0.9, 0.9)
    assert house.make() == {}


@pytest.mark.parametrize("test", ["T0", "T1", "T2"])
def test_the_sequence_of_a_test_protein_stands_nowhere(house, test):
    # The search finds no hit of such a one.
    house.sequences[test] = "MK" * 8
    for own in ("P1", "V1"):
        house.sequences[own] = house.sequences[test]
    house.clusters["UniRef50_X1"] = house.sequences[test]
    reason = "sequence of a test protein"
    assert house.make() == {"P1": reason, "V1": reason, "UniRef50_X1": reason}
    assert house.rejects["P1"]["detail"] == f"{test} ({FOLDS[test]})"


def test_each_sequence_stands_once_and_what_is_held_out_comes_first(house):
    house.sequences["P1"] = house.sequences["P0"]
    house.clusters["UniRef50_X0"] = house.sequences["P0"]
    house.clusters["UniRef50_X1"] = house.clusters["UniRef50_X2"]
    house.sequences["P3"] = house.sequences["V0"]
    house.clusters["UniRef50_X4"] = house.sequences["V0"]
    found = house.make()
    assert set(found.values()) == {"the same sequence as another"}
    first = {key: row["detail"] for key, row in house.rejects.items()}
    assert first == {
        "P1": "P0",
        "UniRef50_X0": "P0",
        "UniRef50_X2": "UniRef50_X1",
        "P3": "V0",
        "UniRef50_X4": "V0",
    }
    assert len({row["sequence"] for row in house.rows.values()}) == len(house.rows)


def test_what_the_split_dropped_does_not_come_back(house):
    house.clusters["UniRef50_X0"] = house.sequences["G0"]
    assert house.make() == {"UniRef50_X0": "sequence of a protein dropped by the split"}


def test_a_cluster_named_after_a_held_out_protein(house):
    # The same protein in another version, which the search need not find.
    house.facts = {"G0": {"entry_name": "G0_HUMAN"}, "P1": {"entry_name": "P1_HUMAN"}}
    for name in ("UniRef50_T0", "UniRef50_V0-2", "UniRef50_P0"):
        house.clusters[name] = natural_protein(house.rng, 50)
    house.representatives = {"UniRef50_X0": "G0_HUMAN", "UniRef50_X1": "P1_HUMAN"}
    reason = "named after a protein not for training"
    found = house.make()
    assert found == dict.fromkeys(("UniRef50_T0", "UniRef50_V0-2", "UniRef50_X0"), reason)
    assert house.rejects["UniRef50_V0-2"]["detail"] == "V0"


@pytest.mark.parametrize(
    ("cluster", "accession"),
    [
        ("UniRef50_P12345", "P12345"),
        ("UniRef90_A0A009GNX3-2", "A0A009GNX3"),
        ("UniRef100_UPI0000123ABC", None),
        ("P12345", None),
    ],
)
def test_names_of_clusters(cluster, accession):
    assert named_after(cluster) == accession


def test_lengths(house):
    house.sequences |= {"P0": "M" * 9, "P1": "MKV" * 70}
    house.clusters["UniRef50_X0"] = "MKVLA"
    found = house.make(min_length=10, max_length=200)
    assert found == dict.fromkeys(("P0", "P1", "UniRef50_X0"), "too short or too long")
    assert house.rejects["P0"]["detail"] == "9 residues"


def test_the_number_of_training_sequences(house):
    house.make(max_sequences=5)
    chosen = {key for key, row in house.rows.items() if row["fold"] == "train"}
    assert len(chosen) == 5
    assert {key for key, row in house.rows.items() if row["fold"] == "validation"} == {"V0", "V1"}
    assert {row["reason"] for row in house.rejects.values()} == {"beyond max_sequences"}
    house.make(max_sequences=7)
    assert chosen < set(house.rows)
    house.make(max_sequences=5, seed=1)
    assert {key for key, row in house.rows.items() if row["fold"] == "train"} != chosen


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"external": "uniparc"}, "external is 'uniparc'; none and uniref are known"),
        ({"min_length": 0}, "min_length must be at least 1"),
        ({"max_sequences": 0}, "max_sequences must be at least 1"),
        ({"min_length": 9, "max_length": 8}, "min_length 9 is above max_length 8"),
        ({"shuffle": True}, "must hold exactly external, min_length"),
        ({"min_length": 500}, r"of 14 sequences none is left to train on"),
    ],
)
def test_settings_that_make_no_corpus(house, settings, message):
    with pytest.raises(InputError, match=message):
        house.make(**settings)


def test_tables_of_different_runs(house):
    house.folds["P9"] = "train"
    with pytest.raises(InputError, match="holds other proteins than"):
        house.make()
