"""Designs of a tuned system: what is drawn, resumed, and told."""

from pathlib import Path

import pytest
import torch

from protscribe.errors import InputError
from protscribe.evaluation.design.generation import design_proteins
from protscribe.llm.pretrained import identity
from protscribe.models.assembly import build_captioner
from protscribe.models.checkpoint import save_model
from protscribe.schemas import TABLES
from protscribe.tables import read_metadata, read_table, write_table
from tiny_models import write_tiny_language_model

LORA = {"rank": 2, "alpha": 4, "dropout": 0.0, "targets": "all-linear"}
PROMPT = {
    "system_message": "Be brief.",
    "user_template": "<protein_sequence>",
    "question": "",
    "format": "chat",
}
SETTINGS = {"number": 3, "temperature": 1.0, "top_p": 1.0, "min_residues": 4, "max_residues": 12}


def save(folder: Path, language_model: Path, seed: int, residues: bool = True) -> Path:
    """Write a model with random weights, whose residues are likely."""
    system = {
        "encoder": None,
        "connector": None,
        "residues": {"max_residues": 20} if residues else None,
        "precision": "float32",
        "prompt": PROMPT,
        "tune": {"lora": LORA},
    }
    captioner, _ = build_captioner(
        system, language_model, input_size=None, precision="float32", lora=LORA, seed=seed
    )
    save_model(
        folder,
        captioner,
        name="tiny",
        training_seed=seed,
        system=system,
        encoder=None,
        language_model=identity(language_model),
        training={"examples": 9, "steps": 3},
    )
    return folder


def request(name: str) -> dict:
    row = dict.fromkeys(TABLES["design_requests"].schema.names)
    return row | {
        "id": f"KW:{name}",
        "relation": "keyword",
        "annotation": f"KW:{name}",
        "name": name,
        "text": f"Design a protein that has the keyword {name}.",
        "lead_in": "Here it is:",
        "seen": True,
    }


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    root = tmp_path_factory.mktemp("designs")
    write_tiny_language_model(root / "lm")
    for seed in (0, 1):
        save(root / str(seed), root / "lm", seed)
    save(root / "words", root / "lm", 0, residues=False)
    rows = [request("zinc"), request("a much longer iron sulphur")]
    write_table(root / "requests.parquet", "design_requests", rows)
    return root


def designed(house, out: Path, seeds=(0, 1), models=None, **changes) -> list[dict]:
    settings = {
        "system": "tiny",
        "settings": SETTINGS,
        "batch_tokens": 400,
        "state": out / "state",
        "device": "cpu",
        "threads": 1,
        "seed": 5,
    }
    design_proteins(
        models or {seed: house / str(seed) for seed in seeds},
        house / "lm",
        changes.pop("requests", house / "requests.parquet"),
        out / "designs.parquet",
        out / "designs.fasta",
        **settings | changes,
    )
    assert not (out / "state").exists()
    return read_table(out / "designs.parquet", "designs").to_pylist()


def test_each_request_gets_its_number_from_every_training_seed(house, tmp_path):
    rows = designed(house, tmp_path)
    assert len(rows) == 2 * 2 * 3
    for row in rows:
        assert row["system"] == "tiny"
        assert set(row["sequence"]) <= set("ACDEFGHIKLMNPQRSTVWY")
        assert 4 <= len(row["sequence"]) <= 12
        # One that never closes is cut, kept and told.
        assert row["finish_reason"] in ("closed", "length")
        assert row["tokens"] == len(row["sequence"]) + 1
    prompts = {row["prompt"] for row in rows}
    assert len(prompts) == 2
    assert all("Be brief." in p and "Design a protein" in p and "Here it is:" in p for p in prompts)
    facts = read_metadata(tmp_path / "designs.parquet")
    assert (facts["training_examples"], facts["training_steps"]) == ("9", "3")
    fasta = (tmp_path / "designs.fasta").read_text()
    assert fasta.count(">") == len(rows)


def test_neither_batches_nor_company_decide(house, tmp_path):
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    wide = designed(house, tmp_path / "one", batch_tokens=5000)
    narrow = designed(house, tmp_path / "two", batch_tokens=120)
    assert wide == narrow
    write_table(tmp_path / "half.parquet", "design_requests", [request("zinc")])
    alone = designed(house, tmp_path / "three", requests=tmp_path / "half.parquet")
    assert alone == [row for row in wide if row["request"] == "KW:zinc"]


def test_another_seed_draws_others(house, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first, second = (
        [row["sequence"] for row in designed(house, tmp_path / name, seed=seed)]
        for name, seed in (("one", 5), ("two", 6))
    )
    assert first != second


def test_a_killed_job_goes_on(house, tmp_path, monkeypatch):
    from protscribe.models.captioner import Captioner

    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = designed(house, tmp_path / "whole", batch_tokens=120)
    design, calls = Captioner.design, []

    def killed(self, *args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return design(self, *args)

    monkeypatch.setattr(Captioner, "design", killed)
    with pytest.raises(KeyboardInterrupt):
        designed(house, tmp_path / "killed", batch_tokens=120)
    assert not (tmp_path / "killed" / "designs.parquet").exists()
    again = designed(house, tmp_path / "killed", batch_tokens=120)
    assert again == whole
    batches = len(whole) // 2 * 2
    # The two that were finished are not done again.
    assert len(calls) - 3 < batches


def test_what_cannot_be_designed_is_an_error(house, tmp_path):
    with pytest.raises(InputError, match="is the model tiny of training seed 0, not other of 0"):
        designed(house, tmp_path, seeds=(0,), system="other")
    with pytest.raises(InputError, match="no residue tokens"):
        designed(house, tmp_path, models={0: house / "words"})
    write_table(tmp_path / "none.parquet", "design_requests", [])
    with pytest.raises(InputError, match="asks for nothing"):
        designed(house, tmp_path, requests=tmp_path / "none.parquet")
    with pytest.raises(InputError, match="does not fit into batches"):
        designed(house, tmp_path, batch_tokens=20)


def test_logits_of_the_open_id_are_never_drawn(house):
    """Inside a protein another one does not begin, whatever the model would like."""
    from protscribe.evaluation.design.generation import natural_ids
    from protscribe.prompts import Residues

    residues = Residues(100)
    ids = natural_ids(residues)
    assert residues.open_id not in ids and residues.close_id not in ids
    assert len(ids) == 20 and torch.equal(ids, ids.unique())
