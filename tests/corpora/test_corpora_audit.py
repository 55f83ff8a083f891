"""A house of corpora without a leak, and each leak planted in it."""

import json
import random

import pytest

from helpers_data import natural_protein, plant_homologue, write_proteins, write_split
from protscribe.corpora.audit import Corpora, audit_corpora
from protscribe.corpora.literature import make_literature
from protscribe.corpora.sequences import make_sequences
from protscribe.errors import InputError
from protscribe.homology import mmseqs
from protscribe.schemas import TABLES
from protscribe.tables import read_table, write_table

CRITERION = {"min_identity": 0.3, "min_coverage": 0.5, "max_evalue": 1e-3}
FOLDS = {
    **{f"P{i}": "train" for i in range(4)},
    "V0": "validation",
    "T0": "test_low_homology",
    "T1": "test_in_distribution",
    "T2": "test_temporal",
    "G0": None,
}
TESTS = ("T0", "T1", "T2")
BY_DATE = "make a split without split.temporal_after"
"""Remedy where only the date parts identical proteins."""
FUNCTION = {"P0": "Binds zinc.", "T0": "Cleaves lipids. Opens a channel."}


def row_of(table, **facts):
    return dict.fromkeys(TABLES[table].schema.names) | facts


class House:
    """Tables of a clean run: change rows, write, audit."""

    def __init__(self, folder):
        self.folder, self.rng = folder, random.Random(0)
        self.sequence_of = {accession: natural_protein(self.rng, 180) for accession in FOLDS}
        self.folds = dict(FOLDS)
        self.facts = {accession: {"function": text} for accession, text in FUNCTION.items()}
        self.facts["T1"] = {
            "references": [
                {"pubmed_id": "91", "scope": "FUNCTION"},
                {"pubmed_id": "92", "scope": "NUCLEOTIDE SEQUENCE"},
            ],
            "function_evidence": [{"statement": "x", "eco": "ECO:0000269", "pubmed_id": "93"}],
        }
        self.sequences = [
            *(self.own(accession) for accession in ("P0", "P1", "P2", "P3", "V0")),
            *(self.cluster(f"UniRef50_X{i}") for i in range(3)),
        ]
        self.literature = [
            self.text("literature:1", "On one.", pubmed_id="1"),
            self.text("literature:92", "On a genome.", pubmed_id="92"),
            self.text("literature:2", "On two.", pubmed_id="2", fold="validation"),
            self.text("literature:P0", "Binds zinc.", accession="P0"),
        ]
        self.mentions = [row_of("mentions", accession="P0", pubmed_id="1", route="curated")]
        self.triples = [
            row_of("knowledge_triples", **self.edge(accession), fold=fold)
            for accession, fold in FOLDS.items()
            if fold
        ]
        self.triples.append(
            row_of("knowledge_triples", **self.edge("T0", "KW:Rare"), fold="test_low_homology")
        )
        self.sampled = [row_of("sampled_triples", **self.edge("P0"), draws=3)]
        kinds = {"P0": "protein", "P1": "protein", "KW:Membrane": "annotation"}
        self.vectors = [self.vector(name, kind) for name, kind in kinds.items()]
        self.conversations = [
            self.conversation(accession, fold) for accession, fold in FOLDS.items() if fold
        ]
        self.rejects = []
        self.external = []
        self.write_proteins()

    def own(self, accession, **facts):
        row = {"id": f"sequence:{accession}", "corpus": "sequences", "source": "proteins"}
        row |= {"fold": self.folds[accession], "accession": accession}
        return row_of("pretraining", **row, sequence=self.sequence_of[accession]) | facts

    def cluster(self, name, sequence=None, **facts):
        row = {"id": f"sequence:{name}", "corpus": "sequences", "source": "uniref50"}
        sequence = sequence or natural_protein(self.rng, 180)
        return row_of("pretraining", **row, fold="train", sequence=sequence) | facts

    def text(self, name, text, **facts):
        row = {"id": name, "corpus": "literature", "fold": "train", "text": text}
        return row_of("pretraining", **row) | facts

    def edge(self, accession, annotation="KW:Membrane"):
        return {"accession": accession, "relation": "keyword", "annotation": annotation}

    def vector(self, name, kind="protein"):
        return {"id": name, "kind": kind, "vector": [0.0, 1.0]}

    def conversation(self, accession, fold, number=1):
        return row_of(
            "conversations",
            id=f"knowledge:{accession}:{number}",
            accession=accession,
            corpus="knowledge",
            task="annotate",
            fold=fold,
            turns=[{"role": "user", "content": "What?"}, {"role": "assistant", "content": "It."}],
        )

    def write_proteins(self):
        self.proteins = write_proteins(self.folder / "p.parquet", self.sequence_of, **self.facts)
        self.split = write_split(self.folder / "s.parquet", self.folds)

    def write(self, name, table, rows):
        path = self.folder / f"{name}.parquet"
        write_table(path, table, rows)
        return path

    @property
    def corpora(self):
        return Corpora(
            sequences=self.write("sequences", "pretraining", self.sequences),
            sequences_rejects=self.write("rejects", "rejects", self.rejects),
            external=self.write("uniref", "uniref_clusters", self.external),
            literature=self.write("literature", "pretraining", self.literature),
            mentions=self.write("mentions", "mentions", self.mentions),
            triples=self.write("triples", "knowledge_triples", self.triples),
            sampled=self.write("sampled", "sampled_triples", self.sampled),
            vectors=self.write("vectors", "knowledge_vectors", self.vectors),
            conversations=[self.write("kn", "conversations", self.conversations)],
        )

    def audit(self, corpora=None, **criterion):
        out = self.folder / "audit.json"
        audit_corpora(
            self.proteins,
            self.split,
            corpora or self.corpora,
            out,
            criterion=CRITERION | criterion,
            threads=1,
        )
        return json.loads(out.read_text())

    def refuses(self, message, remedy="make the corpus again from this split"):
        with pytest.raises(InputError, match=message) as error:
            self.audit()
        assert str(error.value).endswith(f"; {remedy}")
        assert not (self.folder / "audit.json").exists()


@pytest.fixture()
def house(tmp_path):
    return House(tmp_path)


def test_clean_corpora(house):
    audit = house.audit()
    assert audit["criterion"] == CRITERION and audit["violations"] == []
    found = audit["corpora"]
    none = dict.fromkeys(("test_in_distribution", "test_low_homology", "test_temporal"), 0)
    assert found["sequences"]["rows"] == {"train": 7, "validation": 1} | none
    assert found["sequences"]["sources"] == {"proteins": 5, "uniref50": 3}
    search = found["sequences"]["external"]
    assert (search["sequences"], search["dropped"], search["share_of_residues_left"]) == (3, 0, 1)
    # All test folds and the one for validation.
    assert (search["runs"][0]["queries"], search["runs"][0]["targets"]) == (4, 3)
    assert found["literature"] == {
        "rows": {"train": 3, "validation": 1} | none,
        "publications": 3,
        "publications_tied_to_tests": 2,
        "statements": 1,
    }
    assert found["triples"]["rows"]["test_low_homology"] == 2
    assert found["triples"]["annotations_of_tests"] == 2
    assert found["triples"]["annotations_of_tests_never_trained_on"] == 1
    assert found["sampled_triples"] == {"rows": 1, "draws": 3}
    assert found["vectors"]["rows"] == {"protein": 2, "annotation": 1}
    assert found["conversations"]["kn"]["tasks"] == {"annotate": 8}
    assert found["conversations"]["kn"]["rows"]["train"] == 4
    data = (house.folder / "audit.json").read_bytes()
    house.audit()
    assert (house.folder / "audit.json").read_bytes() == data


def test_a_run_without_corpora(house):
    audit = house.audit(Corpora())
    assert audit["corpora"] == {"conversations": {}}


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("fold", ["train", "validation"])
def test_a_test_protein_among_the_sequences(house, test, fold):
    house.sequences.append(house.own(test, fold=fold))
    house.refuses(rf"sequences.parquet: rows of 1 test proteins: {test} \(test_")


@pytest.mark.parametrize("test", TESTS)
def test_the_sequence_of_a_test_protein_under_another_name(house, test):
    # The search finds no hit of such a one.
    house.sequence_of[test] = "MK" * 8
    house.write_proteins()
    house.sequences.append(house.cluster("UniRef50_X9", "MK" * 8))
    house.refuses(rf"1 sequences are those of a test protein: sequence:UniRef50_X9 .* {test};")


def test_a_training_protein_identical_to_a_test_protein(house):
    house.sequence_of["P3"] = house.sequence_of["T2"]
    house.write_proteins()
    house.sequences[3] = house.own("P3")
    house.refuses(r"1 sequences are those of a test protein: sequence:P3 has the sequence of T2")


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("held_out", [*TESTS, "V0"])
def test_an_external_homologue(house, held_out, seed):
    near = plant_homologue(random.Random(seed), house.sequence_of[held_out], 0.35, 0.6)
    house.sequences.append(house.cluster("UniRef50_X9", near))
    house.refuses(
        rf"1 external sequences meet the homology criterion: UniRef50_X9 has 0\.3\d+ identity over "
        rf"0\.\d+ of {held_out} \({FOLDS[held_out]}\) at E"
    )
    house.audit(min_identity=0.6)


def test_an_external_homologue_of_a_training_protein(house):
    near = plant_homologue(random.Random(0), house.sequence_of["P0"], 0.9, 0.9)
    house.sequences.append(house.cluster("UniRef50_X9", near))
    house.audit()


def test_dropped_sequences_are_found_again(house):
    sequence = plant_homologue(random.Random(0), house.sequence_of["T1"], 0.35, 0.6)
    cluster = {"cluster": "UniRef50_X9", "sequence": sequence}
    house.external = [row_of("uniref_clusters", **cluster)]
    reject = {"stage": "make_sequences", "reason": "homologous to a held-out protein"}
    house.rejects = [row_of("rejects", **reject, key="UniRef50_X9")]
    search = house.audit()["corpora"]["sequences"]["external"]
    assert (search["dropped"], search["dropped_found_again"]) == (1, 1)
    assert search["share_of_residues_left"] == 0.75
    assert search["runs"][0]["targets"] == 4


def test_a_cluster_named_after_a_test_protein(house):
    house.sequences.append(house.cluster("UniRef50_T1-2"))
    house.refuses(r"1 external sequences are named after a test protein: UniRef50_T1-2 \(test_in")


def test_a_sequence_that_is_not_the_protein_s(house):
    house.sequences[0]["sequence"] = natural_protein(house.rng, 100)
    house.refuses("another sequence than the protein's: sequence:P0")


def test_a_sequence_on_both_sides(house):
    house.sequences.append(house.cluster("UniRef50_X9", house.sequences[0]["sequence"]))
    house.sequences[-1]["fold"] = "validation"
    house.refuses("1 sequences stand in training and in validation: sequence:P0; sequence:UniRef")


@pytest.mark.parametrize("table", ["sequences", "literature"])
def test_a_row_of_a_fold_that_is_not_trained_on(house, table):
    getattr(house, table)[0]["fold"] = "test_low_homology"
    house.refuses("1 rows are of no fold that is trained on")
    getattr(house, table)[0]["fold"] = None
    house.refuses("1 rows are of no fold that is trained on")


def test_a_row_of_another_fold_than_its_protein(house):
    house.sequences[4]["fold"] = "train"
    house.refuses("1 rows are of another fold than their protein: sequence:V0")


@pytest.mark.parametrize("accession", ["G0", "P99"])
def test_a_protein_without_a_fold(house, accession):
    house.literature[0]["accession"] = accession
    house.refuses(f"1 proteins have no fold in the split: {accession}")


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("route", ["curated", "name_search"])
def test_a_text_that_mentions_a_test_protein(house, test, route):
    house.mentions.append(row_of("mentions", accession=test, pubmed_id="2", route=route))
    house.refuses(
        rf"1 texts are from publications tied to a test protein: literature:2 \(validation\) is "
        rf"from PubMed 2, which is tied to {test} \(test_"
    )


@pytest.mark.parametrize("pubmed_id", ["91", "93"])
def test_a_text_from_what_a_test_entry_cites_for_its_function(house, pubmed_id):
    house.literature.append(house.text("literature:9", "On three.", pubmed_id=pubmed_id))
    house.refuses(rf"literature:9 \(train\) is from PubMed {pubmed_id}, which is tied to T1")


@pytest.mark.parametrize("text", [FUNCTION["T0"], "Opens a channel.", " Cleaves\nlipids."])
def test_a_text_of_a_test_protein(house, text):
    house.literature.append(house.text("literature:9", text))
    house.refuses(r"1 texts are those of a test protein: literature:9 is the statement of T0")


def test_a_statement_of_a_test_protein(house):
    house.literature.append(house.text("literature:T1", "Something.", accession="T1"))
    house.refuses(r"literature.parquet: rows of 1 test proteins: T1")


def test_a_text_on_both_sides(house):
    house.literature.append(house.text("literature:9", "On two."))
    house.refuses("1 texts stand in training and in validation: literature:2; literature:9")


def test_rows_of_the_wrong_corpus(house):
    house.literature.append(house.own("P0"))
    house.refuses("rows without text: sequence:P0")


@pytest.mark.parametrize("test", TESTS)
def test_an_edge_of_a_test_protein_is_sampled(house, test):
    house.sampled.append(row_of("sampled_triples", **house.edge(test), draws=1))
    house.refuses(rf"1 edges are those of a test protein: \({test}, keyword, KW:Membrane\)")


def test_an_edge_of_a_protein_identical_to_a_test_protein_is_sampled(house):
    house.sequence_of["P3"] = house.sequence_of["T2"]
    house.write_proteins()
    house.triples = [row for row in house.triples if row["accession"] != "P3"]
    house.sequences.pop(3)
    house.sampled.append(row_of("sampled_triples", **house.edge("P3"), draws=1))
    house.refuses("edges of 1 proteins identical to a test protein: P3 has the sequence", BY_DATE)


def test_an_edge_for_validation_is_sampled(house):
    house.sampled.append(row_of("sampled_triples", **house.edge("V0"), draws=1))
    house.refuses("edges of 1 proteins that are not for training: V0")


def test_an_edge_that_is_not_in_the_graph_is_sampled(house):
    house.sampled.append(row_of("sampled_triples", **house.edge("P0", "KW:Zinc"), draws=1))
    house.refuses(r"1 edges are not in the graph: \(P0, keyword, KW:Zinc\)")


@pytest.mark.parametrize("fold", ["train", "validation", None])
def test_a_triple_of_another_fold_than_its_protein(house, fold):
    next(row for row in house.triples if row["accession"] == "T1")["fold"] = fold
    house.refuses(r"1 edges are of another fold than their protein: \(T1, keyword, KW:Membrane\)")


@pytest.mark.parametrize("kind", ["protein", "annotation"])
def test_a_vector_of_a_test_protein(house, kind):
    house.vectors.append(house.vector("T0", kind))
    house.refuses("vectors of 1 test proteins: T0")


def test_a_vector_or_training_edge_of_a_protein_identical_to_a_test_protein(house):
    house.sequence_of["P1"] = house.sequence_of["T2"]
    house.write_proteins()
    house.sequences.pop(1)
    house.refuses(r"triples.parquet: training edges of 1 proteins identical .* P1 has", BY_DATE)
    house.triples = [row for row in house.triples if row["accession"] != "P1"]
    house.refuses(r"vectors of 1 proteins identical to a test protein: P1 has", BY_DATE)


def test_a_vector_of_a_validation_protein(house):
    house.vectors.append(house.vector("V0"))
    house.refuses("vectors of 1 proteins that are not for training: V0")


@pytest.mark.parametrize("fold", ["train", "validation"])
def test_an_instruction_of_a_test_protein(house, fold):
    house.conversations.append(house.conversation("T1", fold, 2))
    house.refuses(r"conversations of 1 test proteins: T1 \(test_in_distribution\)")


def test_an_instruction_of_a_protein_identical_to_a_test_protein(house):
    house.sequence_of["V0"] = house.sequence_of["T2"]
    house.write_proteins()
    house.sequences.pop(4)
    house.refuses("conversations of 1 proteins identical to a test protein: V0 has the", BY_DATE)


def test_an_instruction_of_another_fold_than_its_protein(house):
    house.conversations[0]["fold"] = "test_low_homology"
    house.refuses("1 rows are of another fold than their protein: knowledge:P0:1")


def test_many_leaks_are_counted_and_the_first_shown(house):
    house.vectors += [house.vector(test) for test in TESTS]
    house.vectors += [house.vector(name, "annotation") for name in ("KW:A", "KW:B")]
    house.folds["P2"] = "test_temporal"
    house.write_proteins()
    house.sequences = [row for row in house.sequences if row["accession"] != "P2"]
    for rows in (house.triples, house.conversations):
        next(row for row in rows if row["accession"] == "P2")["fold"] = "test_temporal"
    house.vectors.append(house.vector("P2"))
    house.refuses(r"vectors of 4 test proteins: P2; T0; T1; \.\.\.; make")


def test_tables_of_different_runs(house):
    write_split(house.split, FOLDS | {"P9": "train"})
    with pytest.raises(InputError, match="holds other proteins than"):
        house.audit()


@pytest.mark.parametrize(("unit", "every_pair"), [("abstract", True), ("sentence", False)])
def test_the_makers_leave_no_leak(house, unit, every_pair, monkeypatch):
    """Tables made from a world full of leaks pass the audit, however large it is."""
    if not every_pair:
        monkeypatch.setattr(mmseqs, "_ALL_PAIRS", 0)
    clusters = {f"UniRef50_X{i}": natural_protein(house.rng, 180) for i in range(3)}
    for number, held_out in enumerate([*TESTS, "V0"]):
        near = plant_homologue(house.rng, house.sequence_of[held_out], 0.6, 0.8)
        clusters[f"UniRef50_N{number}"] = near
        clusters[f"UniRef50_{held_out}"] = house.sequence_of[held_out]
    house.sequence_of["P3"] = house.sequence_of["T2"]
    house.facts["P1"] = {"function": FUNCTION["T0"]}
    house.facts["V0"] = {"function": "Binds zinc. On paper 2."}
    house.write_proteins()
    columns = {"identity": 50, "members": 1}
    house.external = [
        row_of("uniref_clusters", **columns, cluster=name, sequence=sequence, length=len(sequence))
        for name, sequence in clusters.items()
    ]
    papers = [
        row_of("publications", pubmed_id=name, abstract=f"On paper {name}. It says.", licence="CC0")
        for name in ("1", "2", "3", "91", "92", "93")
    ]
    house.mentions += [
        row_of("mentions", accession=accession, pubmed_id=pubmed_id, route="name_search")
        for accession, pubmed_id in (("T0", "1"), ("V0", "2"), ("P0", "2"))
    ]
    corpora = house.corpora
    make_sequences(
        house.proteins,
        house.split,
        corpora.sequences,
        corpora.sequences_rejects,
        external=corpora.external,
        settings={
            "external": "uniref",
            "min_length": None,
            "max_length": None,
            "max_sequences": None,
        },
        criterion=CRITERION,
        seed=0,
        threads=1,
        licence="CC BY 4.0",
    )
    make_literature(
        house.write("publications", "publications", papers),
        corpora.mentions,
        house.proteins,
        house.split,
        corpora.literature,
        house.folder / "rejects_of_literature.parquet",
        settings={"unit": unit, "validation": 0.3, "statements": True},
        seed=0,
        allow=["CC0"],
        licence="CC BY 4.0",
    )
    made = Corpora(
        sequences=corpora.sequences,
        sequences_rejects=corpora.sequences_rejects,
        external=corpora.external,
        literature=corpora.literature,
        mentions=corpora.mentions,
    )
    found = house.audit(made)["corpora"]
    search = found["sequences"]["external"]
    assert (search["sequences"], search["dropped"], search["dropped_found_again"]) == (3, 4, 4)
    assert search["runs"][0]["every_pair_aligned"] == every_pair
    kept = {row["pubmed_id"] for row in read_table(corpora.literature, "pretraining").to_pylist()}
    assert kept == {"2", "3", "92", None}
