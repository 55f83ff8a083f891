"""Training a tiny language model with residue tokens in a planted world."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from protscribe.training.engine import Trainer
from protscribe.training.launch import TrainingJob
from protscribe.training.objectives import build_objective

LANGUAGE_MODEL = "tiny"
MAX_RESIDUES = 80
SCHEDULE: dict[str, Any] = {
    # Whole: around random weights, adapters learn the motifs more slowly.
    "lora": None,
    "residue_learning_rate": None,
    "batch_tokens": 2048,
    "batches_per_step": 1,
    "weight_decay": 0.1,
    "warmup_fraction": 0.06,
    "clip_norm": 1.0,
    "evaluate_every": 1_000_000,
}
SYSTEM: dict[str, Any] = {
    "encoder": None,
    "connector": None,
    "residues": {"max_residues": MAX_RESIDUES},
    "language_model": LANGUAGE_MODEL,
    "precision": "float32",
    "prompt": {"system_message": ""},
    "align": {
        **SCHEDULE,
        "objective": "language_modelling",
        "corpora": ["sequences"],
        "shares": {},
        "context": 256,
        "max_tokens": None,
        "max_validation_documents": 60,
        "epochs": 20,
        "max_steps": None,
        "learning_rate": 5e-3,
    },
    "tune": {
        **SCHEDULE,
        "objective": "instruction",
        "corpora": ["knowledge"],
        "directions": ["describe"],
        "loss_on": "answers",
        "max_examples": None,
        # The last weights are taken, since the validation fold is what is measured on.
        "max_validation_examples": 0,
        "train_connector": True,
        "max_answer_tokens": 60,
        "examples_per_step": None,
        "learning_rate": 3e-3,
        "connector_learning_rate": None,
    },
}


def train(folder: Path, stage: str, seed: int, system: Mapping[str, Any], output: Path) -> None:
    """Run one stage of training in this process."""
    job = TrainingJob(
        stage=stage,
        system_name="bench",
        system=dict(system),
        training_seed=seed,
        inputs={
            "language_model": str(folder / LANGUAGE_MODEL),
            "proteins": str(folder / "proteins.parquet"),
            "conversations": [str(output / "knowledge.parquet")],
            "weights": str(folder / "align" / "align" / "weights.safetensors"),
        }
        | ({"documents": [str(folder / "pretraining.parquet")]} if stage == "align" else {}),
        state=str(output / "state"),
        output=str(output / stage),
        torch_threads=1,
    )
    objective = build_objective(job, "cpu")
    Path(job.state).mkdir(parents=True)
    trainer = Trainer(
        objective,
        job.settings,
        seed=seed,
        accelerator=Accelerator(cpu=True),
        state=Path(job.state),
        key=stage,
    )
    done = trainer.train()
    if done.step != (job.settings["max_steps"] or done.step):
        raise SystemExit(f"{stage} ended after {done.step} steps; the budgets are not equal")
    facts = {"examples": trainer.examples_seen(), "steps": done.step}
    objective.write(output, done.best, done.best, facts)
