"""Pretraining of a language model on proteins and literature."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from protscribe.errors import InputError
from protscribe.llm.pretrained import identity
from protscribe.models.checkpoint import load_captioner
from protscribe.models.tensors import read_tensors
from protscribe.schemas import TABLES
from protscribe.tables import write_table
from protscribe.training.launch import TrainingJob, run_training
from protscribe.training.objectives.instruction import InstructionObjective
from protscribe.training.objectives.language_modelling import LanguageModellingObjective
from protscribe.training.packing import collate
from tiny_models import write_tiny_language_model

LORA = {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": "all-linear"}
ALIGN: dict[str, Any] = {
    "objective": "language_modelling",
    "corpora": ["sequences", "literature"],
    "shares": {"sequences": 1.0, "literature": 1.0},
    "context": 64,
    "max_tokens": None,
    "max_validation_documents": 5,
    "lora": LORA,
    "batch_tokens": 256,
    "batches_per_step": 1,
    "epochs": 3,
    "max_steps": None,
    "learning_rate": 1e-2,
    "residue_learning_rate": None,
    "weight_decay": 0.0,
    "warmup_fraction": 0.1,
    "clip_norm": 1.0,
    "evaluate_every": None,
}
TUNE: dict[str, Any] = {
    "objective": "instruction",
    "corpora": ["knowledge"],
    "directions": ["describe", "design"],
    "loss_on": "answers",
    "max_examples": None,
    "max_validation_examples": None,
    "lora": LORA,
    "train_connector": True,
    "max_answer_tokens": 20,
    "batch_tokens": 600,
    "batches_per_step": 1,
    "examples_per_step": None,
    "epochs": 1,
    "max_steps": None,
    "learning_rate": 1e-3,
    "connector_learning_rate": None,
    "residue_learning_rate": None,
    "weight_decay": 0.0,
    "warmup_fraction": 0.1,
    "clip_norm": 1.0,
    "evaluate_every": None,
}


def system(align: dict[str, Any] | None = None, **tune: Any) -> dict[str, Any]:
    return {
        "faithful": False,
        "encoder": None,
        "connector": None,
        "residues": {"max_residues": 20},
        "language_model": "language_model",
        "precision": "float32",
        "prompt": {
            "system_message": "",
            "user_template": "<protein_sequence>",
            "question": "",
            "format": "chat",
        },
        "align": ALIGN | (align or {}),
        "tune": TUNE | tune,
    }


def document(number: int, corpus: str, fold: str, text: str) -> dict[str, Any]:
    row = dict.fromkeys(TABLES["pretraining"].schema.names)
    kind = "sequence" if corpus == "sequences" else "text"
    return row | {"id": f"{corpus}:{number:03d}", "corpus": corpus, "fold": fold, kind: text}


def conversation(number: int, fold: str, task: str, sequence_first: bool) -> dict[str, Any]:
    row = dict.fromkeys(TABLES["conversations"].schema.names)
    user, answer = "Design one.", "Here:\n<protein_sequence>"
    if sequence_first:
        user, answer = "<protein_sequence>\nWhat is it?", "It binds zinc."
    return row | {
        "id": f"knowledge:{task}:{number:03d}",
        "accession": f"P{number:03d}",
        "corpus": "knowledge",
        "task": task,
        "fold": fold,
        "turns": [{"role": "user", "content": user}, {"role": "assistant", "content": answer}],
    }


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    root = tmp_path_factory.mktemp("pretraining")
    rng = np.random.default_rng(0)
    sequences = [
        "".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), rng.integers(8, 90))) for _ in range(24)
    ]
    folds = ["validation"] * 6 + ["train"] * 18
    rows = [
        document(i, "sequences", fold, sequence)
        for i, (fold, sequence) in enumerate(zip(folds, sequences, strict=True))
    ]
    write_table(root / "sequences.parquet", "pretraining", rows)
    rows = [
        document(i, "literature", fold, f"Protein number {i} binds zinc and DNA in the cell.")
        for i, fold in enumerate(folds)
    ]
    write_table(root / "literature.parquet", "pretraining", rows)
    proteins = []
    for i, sequence in enumerate(sequences):
        row = dict.fromkeys(TABLES["proteins"].schema.names)
        proteins.append(row | {"accession": f"P{i:03d}", "sequence": sequence})
    write_table(root / "proteins.parquet", "proteins", proteins)
    write_table(
        root / "knowledge.parquet",
        "conversations",
        [conversation(i, f, "annotate", True) for i, f in enumerate(folds)]
        + [conversation(i, f, "design", False) for i, f in enumerate(folds)],
    )
    write_tiny_language_model(root / "language_model")
    return root


def job(house, stage: str, name: str, settings: dict[str, Any], **inputs: Any) -> TrainingJob:
    documents = [str(house / f"{corpus}.parquet") for corpus in ("sequences", "literature")]
    own: dict[str, Any] = {
        "language_model": str(house / "language_model"),
        "proteins": str(house / "proteins.parquet"),
        "documents": documents,
    }
    if stage == "tune":
        own["conversations"] = [str(house / "knowledge.parquet")]
        own["weights"] = str(house / name / "align" / "weights.safetensors")
    return TrainingJob(
        stage=stage,
        system_name="tiny",
        system=settings,
        training_seed=0,
        inputs=own | inputs,
        state=str(house / name / f"state-{stage}"),
        output=str(house / name / stage),
        torch_threads=1,
    )


def build(house, **align: Any) -> LanguageModellingObjective:
    return LanguageModellingObjective(job(house, "align", "x", system(align)), "cpu")


def test_every_row_of_an_epoch_is_learned_once(house):
    objective = build(house)
    rows = [row for batch in objective.plan(0) for row in batch]
    assert len(rows) == len(set(rows))
    pieces = [piece for row in rows for piece in objective._rows[row]]
    # The smaller corpus is read more than once, the larger one in part.
    seen = [i for batch in objective.plan(0) for i in objective.members(batch)]
    first = len(objective.corpora["sequences"])
    assert set(range(first, first + 18)) <= set(seen)
    # Each window of a document lacks a label for its first token only.
    counted = sum(objective.count(batch) for batch in objective.plan(0))
    assert counted == sum(piece.end - piece.start for piece in pieces) - len(pieces)
    assert objective.plan(0) != objective.plan(1)


def test_documents_open_and_end_as_the_tokenizer_has_it(house):
    objective = build(house)
    residues = objective.builder.residues
    proteins, texts = (objective.corpora[name] for name in ("sequences", "literature"))
    ids = proteins[0]
    assert len(ids) == proteins.lengths[0]
    assert ids[-1] == objective.builder.end_of_turn_id
    assert ids[-2] == residues.close_id
    assert residues.holds(ids[ids.index(residues.open_id) + 1])
    text = texts[0]
    assert len(text) == texts.lengths[0]
    assert objective.builder.decode(text).startswith("Protein number")
    assert not any(residues.holds(i) for i in text)


def test_a_packed_batch_loses_what_its_documents_lose_alone(house):
    objective = build(house, context=128)
    objective.module.eval()
    batch = objective.plan(0)[0]
    together = float(objective.loss_sum(batch))
    alone = 0.0
    for row in batch:
        for piece in objective._rows[row]:
            ids = torch.tensor([objective.documents[piece.document][piece.start : piece.end]])
            labels = ids.clone()
            alone += float(objective.module.answer_loss(ids, torch.ones_like(ids), labels, None)[0])
    assert together == pytest.approx(alone, rel=1e-5)


def test_shares_decide_what_is_read(house):
    objective = build(house, shares={"sequences": 3.0, "literature": 1.0}, max_tokens=1500)
    read = {"sequences": 0, "literature": 0}
    first = len(objective.corpora["sequences"])
    for row in [row for batch in objective.plan(0) for row in batch]:
        for piece in objective._rows[row]:
            corpus = "sequences" if piece.document < first else "literature"
            read[corpus] += piece.end - piece.start
    assert sum(read.values()) == pytest.approx(1500, rel=0.1)
    assert read["sequences"] / sum(read.values()) == pytest.approx(0.75, abs=0.05)


def test_a_corpus_without_documents_is_named(house, tmp_path):
    write_table(tmp_path / "none.parquet", "pretraining", [])
    documents = [str(house / "sequences.parquet"), str(tmp_path / "none.parquet")]
    with pytest.raises(InputError, match="no document of the corpus literature"):
        LanguageModellingObjective(job(house, "align", "x", system(), documents=documents), "cpu")


def test_rows_are_collated_within_their_width(house):
    objective = build(house)
    rows = [objective._rows[row] for row in objective.plan(0)[0]]
    batch = collate(rows, objective.documents, 64, pad_id=0)
    assert batch.input_ids.shape == (len(rows), 64)


@pytest.fixture(scope="module")
def pretrained(house):
    run_training(job(house, "align", "whole", system()), processes=1, device="cpu")
    return house / "whole"


@pytest.mark.slow
def test_pretraining_lowers_both_perplexities(house, pretrained):
    summary = json.loads((pretrained / "align" / "summary.json").read_text())
    for corpus in ("sequences", "literature"):
        before, after = (
            summary[key][corpus]["perplexity"] for key in ("perplexity_before", "perplexity")
        )
        assert after < before, corpus
        assert summary["perplexity"][corpus]["documents"] == 5
    assert summary["packing_efficiency"] > 0.8
    assert 30 < summary["examples"] <= 36
    tensors, facts = read_tensors(pretrained / "align" / "weights.safetensors")
    assert {name.split(".")[0] for name in tensors} == {"residues", "adapter"}
    assert facts["encoder"] is None
    assert facts["language_model"] == identity(house / "language_model")


@pytest.mark.slow
def test_tuning_goes_on_from_pretraining_in_both_directions(house, pretrained):
    settings = system()
    objective = InstructionObjective(job(house, "tune", "whole", settings), "cpu")
    tensors, _ = read_tensors(pretrained / "align" / "weights.safetensors")
    assert torch.equal(objective.module.residues.input, tensors["residues.input"])
    assert len(objective.train) == 36
    run_training(job(house, "tune", "whole", settings), processes=1, device="cpu")
    summary = json.loads((pretrained / "tune" / "summary.json").read_text())
    assert set(summary["perplexity"]) == {"sequences", "literature"}
    captioner, _, _ = load_captioner(pretrained / "model", house / "language_model")
    assert captioner.residues is not None
    assert captioner.connector is None


@pytest.mark.slow
def test_one_direction_alone_and_loss_on_all(house, pretrained):
    describe = system(directions=["describe"])
    objective = InstructionObjective(job(house, "tune", "whole", describe), "cpu")
    assert len(objective.train) == 18
    everything = system(directions=["describe"], loss_on="all")
    published = InstructionObjective(job(house, "tune", "whole", everything), "cpu")
    for ours, theirs in zip(objective.examples, published.examples, strict=True):
        assert ours.input_ids == theirs.input_ids
        assert theirs.labels == theirs.input_ids
        assert ours.label_count < theirs.label_count


@pytest.mark.slow
def test_the_whole_language_model_can_be_trained_in_both_stages(house):
    settings = system({"lora": None, "max_steps": 3}, lora=None, max_steps=2)
    run_training(job(house, "align", "full", settings), processes=1, device="cpu")
    aligned, _ = read_tensors(house / "full" / "align" / "weights.safetensors")
    assert {name.split(".")[0] for name in aligned} == {"residues", "language_model"}
    objective = InstructionObjective(job(house, "tune", "full", settings), "cpu")
    own = dict(objective.module.language_model.named_parameters())
    for name, tensor in aligned.items():
        if name.startswith("language_model."):
            assert torch.equal(own[name.removeprefix("language_model.")], tensor), name
    assert all(parameter.requires_grad for parameter in own.values())
    run_training(job(house, "tune", "full", settings), processes=1, device="cpu")
    captioner, _, facts = load_captioner(house / "full" / "model", house / "language_model")
    assert facts["lora"] is None
    changed = captioner.causal_model.get_input_embeddings().weight
    assert not torch.equal(changed, aligned["language_model.model.embed_tokens.weight"])
