"""Which way to sample triples gives the better model: uniform, published or tempered.

Run as

    python -m bench.knowledge.sampling [--seeds 3] [--draws 3000] [--steps 600]

The world is planted (`bench.knowledge.world`): motifs of three residues decide 24 annotations
whose frequencies fall with their rank, in families of unequal size with unequally many
annotations a protein. For every seed there is a new world, and in it a language model of 2 layers
with residue tokens is pretrained on the sequences of the training fold. From these very weights
it is tuned once for each way to sample, on as many draws and for as many steps. Everything between
the graph and the model is the workflow's own: TransE, MMseqs2 clusters, sampling, instructions of
the tasks ``annotate`` and ``verify`` with matched negatives, the trainer, ranking by likelihood.

Proteins of the validation fold, all of other families, are then asked in two ways. *Naming* ranks
the names of all terms as answers to one question, once for each term that the protein has, with
its other terms left out of the options. *Yes or no* asks about every term; a term's negatives
together weigh as much as its positives. Either way the F1 of each term is averaged over terms
(macro-F1), and likelihoods are compared by PMI, the default of the workflow, and as they are.
The choice rests on the mean of both macro-F1 by PMI. Micro is what share of the questions is
answered rightly, where common terms count as often as they come.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from bench.knowledge.world import KIND, World, make_world, term_id, write_language_model, write_world
from protscribe.atomic import read_json
from protscribe.corpora.knowledge import wording
from protscribe.corpora.knowledge.instructions import write_instructions
from protscribe.corpora.knowledge.property_clusters import cluster_knowledge
from protscribe.corpora.knowledge.sampling import METHODS, sample_triples
from protscribe.corpora.knowledge.transe import embed_knowledge
from protscribe.evaluation.classification.scoring import (
    PMI,
    SUM,
    Resamples,
    accuracy,
    macro_f1,
    method_scores,
)
from protscribe.evaluation.option_prompts import answer_ids, common_start
from protscribe.evaluation.ranking import Prefix, Question, option_log_likelihoods
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import load_captioner
from protscribe.prompts import PROTEIN_MARKER, PromptBuilder
from protscribe.training.engine import Trainer
from protscribe.training.launch import TrainingJob
from protscribe.training.objectives import build_objective

TERMS, TRAINING, VALIDATION = 20, 800, 600
MAX_RESIDUES = 80
EMBEDDING = {
    "dim": 64,
    "margin": 1.0,
    "epochs": 100,
    "learning_rate": 0.1,
    "batch_size": 4096,
    "negatives": 4,
}
CLUSTERS = {"min_identity": 0.8, "min_coverage": 0.8, "max_distance": 1.4}
INSTRUCTIONS = {
    "writers": ["template"],
    "tasks": {"annotate": 0.5, "verify": 0.5},
    "max_held_out": 1,
    "negatives": "matched",
    "wording": "own",
}
LORA = {"rank": 8, "alpha": 16, "dropout": 0.0, "targets": "all-linear"}
SCHEDULE: dict[str, Any] = {
    "lora": None,
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
    "language_model": "bench",
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

Found = dict[str, float]


def prepare(folder: Path, seed: int) -> World:
    """Make a world, cluster its proteins and pretrain a language model on them."""
    world = make_world(seed, TERMS, TRAINING, VALIDATION)
    write_world(folder, world)
    write_language_model(folder / "bench", world.names, seed)
    triples = folder / "knowledge_triples.parquet"
    vectors = folder / "vectors.parquet"
    embed_knowledge(
        triples, None, vectors, settings=EMBEDDING, seed=seed, device="cpu", threads=1
    )
    cluster_knowledge(
        folder / "proteins.parquet",
        triples,
        vectors,
        folder / "clusters.parquet",
        **CLUSTERS,
        threads=1,
    )
    train(folder, "align", seed, SYSTEM, folder / "align")
    return world


def tuned(folder: Path, method: str, seed: int, draws: int, steps: int) -> Path:
    """Sample, write instructions and tune on them; return the folder of all that."""
    own = folder / method
    tables = {
        name: folder / f"{name}.parquet"
        for name in ("knowledge_triples", "split", "clusters", "proteins")
    }
    sampled = own / "sampled.parquet"
    own.mkdir()
    sample_triples(
        tables["knowledge_triples"],
        tables["split"],
        tables["clusters"],
        sampled,
        own / "sampling.json",
        method=method,
        draws=draws,
        power=-0.5,
        seed=seed,
    )
    write_instructions(
        tables["knowledge_triples"],
        folder / "knowledge_annotations.parquet",
        folder / "knowledge_edges.parquet",
        None,
        folder / "knowledge_chains.parquet",
        sampled,
        tables["proteins"],
        tables["split"],
        own / "knowledge.parquet",
        own / "rejects.parquet",
        own / "instructions.json",
        settings=INSTRUCTIONS,
        writer=None,
        cache=own / "cache",
        seed=seed,
        licence="none",
    )
    # More epochs than the steps can take, which then end them.
    tune = SYSTEM["tune"] | {"max_steps": steps, "epochs": steps}
    train(folder, "tune", seed, SYSTEM | {"tune": tune}, own)
    return own


def train(folder: Path, stage: str, seed: int, system: Mapping[str, Any], output: Path) -> None:
    """Run one stage of training in this process."""
    job = TrainingJob(
        stage=stage,
        system_name="bench",
        system=dict(system),
        training_seed=seed,
        inputs={
            "language_model": str(folder / "bench"),
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
    facts = {"examples": trainer.examples_seen(), "steps": done.step}
    objective.write(output, done.best, done.best, facts)


def prefix(
    builder: PromptBuilder, protein: Sequence[int], asked: Sequence[tuple[str, str, Sequence[str]]]
) -> Prefix:
    """Return questions about a protein; each has a text, a lead and options."""
    split = []
    for question, lead, options in asked:
        turns = [{"role": "user", "content": f"{PROTEIN_MARKER}\n{question}"}]
        before, ids = answer_ids(builder, lead, options)
        split.append(([*builder.prompt(turns, protein), *before], ids))
    start = common_start([ids[:-1] for ids, _ in split])
    return Prefix(start, None, [Question("", ids[len(start) :], own) for ids, own in split])


def questions(names: Sequence[str]) -> list[tuple[str, str, Sequence[str]]]:
    """Return the question for a name, and one on each term."""
    lead = wording.annotate_answer(KIND, "\0", 0).partition("\0")[0]
    naming = (wording.annotate_question(KIND, 0), lead, [f"{name}." for name in names])
    verify = [(wording.verify_question(KIND, name, 0), "", ["Yes", "No"]) for name in names]
    return [naming, *verify]


def likelihoods(
    captioner: Captioner, builder: PromptBuilder, world: World
) -> tuple[np.ndarray, np.ndarray]:
    """Return those of names and of yes and no; the last row is for no protein at all.

    Returns
    -------
    naming
        Shape (proteins + 1, terms).
    verifying
        Shape (proteins + 1, terms, 2).
    """
    assert builder.residues is not None
    asked = questions(world.names)
    read = [
        builder.residues.encode(protein.sequence, MAX_RESIDUES)
        for protein in world.of("validation")
    ]
    naming, verifying = [], []
    for ids in [*read, []]:
        first, *others = option_log_likelihoods(
            captioner, prefix(builder, ids, asked), batch_tokens=4096
        )
        naming.append(first.log_likelihoods)
        verifying.append([one.log_likelihoods for one in others])
    return np.array(naming), np.array(verifying)


def measures(naming: np.ndarray, verifying: np.ndarray, world: World) -> Found:
    """Return macro-F1 and micro accuracy of both kinds of questions, by both methods."""
    has = np.array([[t in p.terms for t in range(TERMS)] for p in world.of("validation")])
    protein, term = np.nonzero(has)
    truth = np.zeros((len(term), TERMS), dtype=bool)
    truth[np.arange(len(term)), term] = True
    alone = Resamples(np.arange(len(term)), np.zeros((0, len(term))))
    found: Found = {}
    for method in (PMI, SUM):

        def scores(values: np.ndarray, way: str = method) -> np.ndarray:
            given = method_scores(way, values[:-1], np.ones_like(values[:-1]), values[-1:])
            assert given is not None
            return given

        ranked = scores(naming)[protein]
        ranked[has[protein] & ~truth] = np.nan
        found[f"naming {method}"] = float(macro_f1(ranked, truth, alone)[0])
        found[f"naming micro {method}"] = float(accuracy(ranked, truth, alone)[0])
        decided = scores(verifying)
        said = decided[..., 0] > decided[..., 1]
        asked = has.any(axis=0)
        hits = (said & has).sum(axis=0)[asked] / has.sum(axis=0)[asked]
        false = (said & ~has).sum(axis=0)[asked] / (~has).sum(axis=0)[asked]
        found[f"yes or no {method}"] = float((2 * hits / (1 + hits + false)).mean())
        weights = has.sum(axis=0)[asked]
        found[f"yes or no micro {method}"] = float(
            np.average((hits + 1 - false) / 2, weights=weights)
        )
    found["macro-F1"] = (found[f"naming {PMI}"] + found[f"yes or no {PMI}"]) / 2
    found["micro"] = (found[f"naming micro {PMI}"] + found[f"yes or no micro {PMI}"]) / 2
    return found


def main() -> None:
    """Train and measure all, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="worlds, each with all ways")
    parser.add_argument("--draws", type=int, default=3000, help="of each way")
    parser.add_argument("--steps", type=int, default=600, help="of tuning")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[Found]] = {method: [] for method in METHODS}
    for seed in range(options.seeds):
        with TemporaryDirectory() as place:
            folder = Path(place)
            start = time.perf_counter()
            world = prepare(folder, seed)
            print(f"seed {seed}: {time.perf_counter() - start:.0f} s prepared", file=sys.stderr)
            for method in METHODS:
                start = time.perf_counter()
                own = tuned(folder, method, seed, options.draws, options.steps)
                middle = time.perf_counter()
                captioner, builder, _ = load_captioner(own / "model", folder / "bench")
                one = measures(*likelihoods(captioner, builder, world), world)
                report = read_json(own / "sampling.json")["drawn"]["overall"]
                one |= {key: report[key] for key in ("entropy", "top_share")}
                found[method].append(one)
                told = {key: round(value, 3) for key, value in one.items()}
                seconds = f"{middle - start:.0f} + {time.perf_counter() - middle:.0f} s"
                print(f"seed {seed} {method} {seconds}: {told}", file=sys.stderr)


if __name__ == "__main__":
    main()
