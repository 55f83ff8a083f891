import json
import random

import pytest

from helpers_data import natural_protein, plant_homologue, write_proteins, write_split
from helpers_evaluation import write_conversations
from protscribe.corpora.descriptions import make_descriptions
from protscribe.errors import InputError
from protscribe.homology import mmseqs
from protscribe.homology.audit import audit_split

CRITERION = {"min_identity": 0.3, "min_coverage": 0.5, "max_evalue": 1e-3}
FOLDS = (
    ["train"] * 8 + ["validation"] * 2 + ["test_in_distribution"] * 2 + ["test_low_homology"] * 3
)


@pytest.fixture()
def house(tmp_path):
    """A clean split of unrelated proteins: sequences and folds to change, and how to audit."""
    rng = random.Random(0)

    class House:
        def __init__(self):
            self.sequences = {f"P{i:02}": natural_protein(rng, 180) for i in range(len(FOLDS))}
            self.folds = dict(zip(self.sequences, FOLDS, strict=True))
            self.facts = {}
            self.out = tmp_path / "audit.json"
            self.conversations = tmp_path / "descriptions.parquet"
            self.qa = []

        def write(self):
            self.proteins = write_proteins(tmp_path / "p.parquet", self.sequences, **self.facts)
            self.split = write_split(tmp_path / "s.parquet", self.folds)
            make_descriptions(self.proteins, self.split, self.conversations, licence="none")

        def audit(self, **criterion):
            paths = [self.conversations]
            if self.qa:
                paths.append(write_conversations(tmp_path / "qa.parquet", self.qa))
            rule = {**CRITERION, **criterion}
            audit_split(self.proteins, self.split, paths, self.out, criterion=rule, threads=1)
            return json.loads(self.out.read_text())

    return House()


def test_a_clean_split(house):
    house.facts = {
        "P00": {"text_hash": "same", "function": "Same.", "references": [reference("7")]},
        "P13": {"text_hash": "same", "function": "Same.", "references": [reference("7")]},
        "P01": {"references": [reference("8", "STRUCTURE")]},
        "P14": {"references": [reference("8", "STRUCTURE")]},
    }
    house.folds["P02"] = None
    house.write()
    audit = house.audit()
    data = house.out.read_bytes()
    assert audit["violations"] == []
    assert audit["dropped"] == 1
    assert audit["criterion"] == CRITERION
    assert audit["folds"]["train"] == {"proteins": 7, "clusters": 7}
    assert audit["folds"]["test_temporal"] == {"proteins": 0, "clusters": 0}
    assert audit["conversations"]["descriptions"]["test_low_homology"] == 3
    assert audit["search"]["mmseqs2_version"] == mmseqs.version()
    forward, backward = audit["search"]["runs"]
    # Dropped proteins are searched as well, for the same E-values as when they were dropped.
    assert (forward["queries"], forward["targets"]) == (3, 10)
    assert (backward["queries"], backward["targets"]) == (10, 3)
    assert forward["flags"][:2] == ["-e", "10"] and forward["every_pair_aligned"]
    assert audit["search"]["share_of_residues_left"] == 0.9
    assert audit["search"]["dropped_found_again"] == 0
    pair = "train and test_low_homology"
    for corpus in ("proteins", "descriptions"):
        assert audit["shared_texts"][corpus][pair] == 1
        assert sum(audit["shared_texts"][corpus].values()) == 1
    # Only references about function count.
    assert audit["shared_function_references"][pair] == 1
    assert sum(audit["shared_function_references"].values()) == 1
    house.audit()
    assert house.out.read_bytes() == data


def reference(pubmed_id, scope="FUNCTION, AND SUBUNIT"):
    return {"pubmed_id": pubmed_id, "scope": scope}


@pytest.mark.parametrize("victim", ["P00", "P08"])
@pytest.mark.parametrize("seed", range(3))
def test_a_planted_homologue_fails_the_audit(house, victim, seed):
    test = house.sequences["P14"]
    house.sequences[victim] = plant_homologue(random.Random(seed), test, 0.35, 0.6)
    house.write()
    with pytest.raises(InputError, match=r"1 training or validation proteins meet") as error:
        house.audit()
    assert f"{victim} ({house.folds[victim]}) has 0.3" in str(error.value)
    assert "of P14 at E " in str(error.value)
    assert not house.out.exists()


def test_a_dropped_homologue_is_seen_and_no_violation(house):
    test = house.sequences["P14"]
    house.sequences["P00"] = plant_homologue(random.Random(0), test, 0.35, 0.6)
    house.folds["P00"] = None
    house.write()
    search = house.audit()["search"]
    assert search["dropped_found_again"] == 1
    assert all(hit["other"] != "P00" for hit in search["closest"])


def test_homologues_elsewhere_are_no_violation(house):
    rng = random.Random(1)
    house.sequences["P10"] = plant_homologue(rng, house.sequences["P00"], 0.5, 0.9)
    house.sequences["P11"] = plant_homologue(rng, house.sequences["P14"], 0.5, 0.9)
    house.write()
    assert house.audit()["violations"] == []


def test_a_homologue_short_of_the_criterion_is_shown(house):
    test = house.sequences["P14"]
    house.sequences["P00"] = plant_homologue(random.Random(0), test, 0.6, 0.35)
    house.write()
    closest = house.audit()["search"]["closest"]
    assert (closest[0]["test"], closest[0]["other"]) == ("P14", "P00")
    assert closest[0]["coverage"] < 0.5
    house.out.unlink()
    with pytest.raises(InputError):
        house.audit(min_coverage=0.3)


def test_an_identical_sequence_that_the_search_cannot_see(house):
    house.sequences["P00"] = house.sequences["P14"] = "MK" * 8
    house.write()
    with pytest.raises(InputError, match="P00 .train. has 1.000 identity"):
        house.audit()


def test_many_violations_are_counted_and_the_first_shown(house):
    for i in range(6):
        house.sequences[f"P{i:02}"] = house.sequences["P14"]
    house.write()
    with pytest.raises(InputError, match=": 6 training or validation") as error:
        house.audit()
    assert str(error.value).count(" has 1.000 identity") == 3


def test_a_corpus_of_another_split(house):
    house.write()
    house.folds["P12"] = "train"
    house.split = write_split(house.split, house.folds)
    with pytest.raises(InputError, match=r"row descriptions:P12 says fold 'test_low_homology'"):
        house.audit()


def test_a_corpus_with_a_dropped_protein(house):
    house.write()
    house.folds["P03"] = None
    house.split = write_split(house.split, house.folds)
    with pytest.raises(InputError, match="descriptions:P03"):
        house.audit()


def test_a_split_of_other_proteins(house):
    house.write()
    del house.folds["P03"]
    house.split = write_split(house.split, house.folds)
    with pytest.raises(InputError, match="holds other proteins"):
        house.audit()


def test_an_unknown_fold(house):
    house.write()
    house.folds["P03"] = "trian"
    house.split = write_split(house.split, house.folds)
    with pytest.raises(InputError, match="unknown fold 'trian'"):
        house.audit()


def test_without_a_low_homology_fold(house):
    house.folds = dict.fromkeys(house.folds, "train")
    house.write()
    assert house.audit()["search"]["hits_up_to_loose_evalue"] == 0


def asked(house, accession, pubmed_id, answer="Zinc."):
    """Return a conversation of the corpus of questions and answers."""
    return {
        "id": f"qa:{accession}:{pubmed_id}",
        "accession": accession,
        "fold": house.folds[accession],
        "corpus": "qa",
        "task": "answer",
        "pubmed_id": pubmed_id,
        "answer": answer,
    }


def evidence(pubmed_id):
    return {"statement": "Binds.", "eco": "ECO:0000269", "pubmed_id": pubmed_id}


def test_publications_behind_conversations_are_counted(house):
    genome = reference("9", "NUCLEOTIDE SEQUENCE [LARGE SCALE GENOMIC DNA]")
    house.facts = {
        "P00": {"references": [reference("7"), genome]},
        "P10": {"references": [reference("8")]},
        "P12": {"references": [genome]},
    }
    pairs = [("P00", "7"), ("P08", "7"), ("P10", "8"), ("P12", "8"), ("P00", "9"), ("P12", "9")]
    house.qa = [asked(house, *names, answer=str(n)) for n, names in enumerate(pairs)]
    house.qa += [asked(house, "P01", None), asked(house, "P13", None)]
    house.write()
    audit = house.audit()
    assert audit["conversations"]["qa"]["train"] == 3
    found = audit["publications"]["qa"]
    assert (found["conversations_without"], found["distinct"]) == (2, 3)
    shared = {pair: count for pair, count in found["shared"].items() if count}
    assert shared == {
        "train and validation": 1,
        "train and test_low_homology": 1,
        "test_in_distribution and test_low_homology": 1,
    }
    # The genome is shared as well, and says nothing of function.
    scoped = {pair: count for pair, count in found["shared_function_scoped"].items() if count}
    assert scoped == {pair: 1 for pair in shared if pair != "train and test_low_homology"}
    assert audit["publications"]["descriptions"]["conversations_without"] == len(FOLDS)
    # The two without a publication are the same question and answer.
    assert audit["shared_conversations"]["qa"]["train and test_low_homology"] == 1
    assert sum(audit["shared_conversations"]["descriptions"].values()) == 0


@pytest.mark.parametrize("victim", ["P00", "P08"])
@pytest.mark.parametrize("tested", ["P10", "P14"])
@pytest.mark.parametrize(
    "facts", [{"references": [reference("7")]}, {"function_evidence": [evidence("7")]}]
)
def test_a_publication_about_a_test_protein_fails_the_audit(house, victim, tested, facts):
    house.facts = {tested: facts}
    house.qa = [asked(house, victim, "7"), asked(house, "P01", "8")]
    house.write()
    with pytest.raises(InputError, match=r"qa\.parquet: 1 training or validation conv") as error:
        house.audit()
    assert f"qa:{victim}:7 ({house.folds[victim]}) stands on PubMed 7" in str(error.value)
    assert f"describes {tested} ({house.folds[tested]})" in str(error.value)
    assert not house.out.exists()


def test_a_publication_found_by_name_on_both_sides_fails_the_audit(house):
    house.qa = [asked(house, "P00", "7"), asked(house, "P14", "7", answer="Iron.")]
    house.write()
    with pytest.raises(InputError, match="PubMed 7, which describes P14"):
        house.audit()


def test_many_leaks_are_counted_and_the_first_shown(house):
    house.facts = {"P14": {"references": [reference("7")]}}
    house.qa = [asked(house, f"P{i:02}", "7") for i in range(6)]
    house.write()
    with pytest.raises(InputError, match=": 6 training or validation conv") as error:
        house.audit()
    assert str(error.value).count("stands on PubMed") == 3
