"""The configurations at paper scale: their whole plan, without running any of it."""

import pytest

from conftest import HOUSE
from tiny_runs import planned

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

TRAINING = {"get_model", "embed_proteins", "make_prompts", "align", "tune", "predict"}
KNOWLEDGE = {"build_knowledge_graph", "chain_knowledge", "sample_triples", "write_instructions"}
QUESTIONS = {"write_qa", "filter_qa", "score_qa", "make_qa_conversations"}


def test_prot2text_v2(tmp_path):
    rules = planned(tmp_path, HOUSE / "config" / "prot2text_v2.yaml")
    assert TRAINING | {"get_uniprot_release", "embed_texts"} <= rules
    assert not QUESTIONS & rules


def test_protein2text(tmp_path):
    rules = planned(tmp_path, HOUSE / "config" / "protein2text.yaml")
    assert rules >= TRAINING | QUESTIONS
    assert {"query_uniprot", "search_publications", "get_licences", "shuffle_sequences"} <= rules
    # Captions are learned through the decoder, so no text is embedded.
    assert "embed_texts" not in rules


def test_instructprotein(tmp_path):
    rules = planned(tmp_path, HOUSE / "config" / "instructprotein.yaml")
    assert rules >= (TRAINING - {"embed_proteins"}) | KNOWLEDGE
    assert {"make_sequences", "make_literature", "audit_corpora", "parse_uniref"} <= rules
    assert {"design_proteins", "score_designs", "rank_options", "score_classification"} <= rules
    # Residues are words of the language model, so that nothing is embedded.
    assert not {"embed_proteins", "embed_texts"} & rules
    assert not QUESTIONS & rules
