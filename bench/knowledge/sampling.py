"""Which way to sample triples gives the better model: uniform, published or tempered.

Run as

    python -m bench.knowledge.sampling [--seeds 5] [--draws 4000] [--steps 1200]

The world is planted (`bench.knowledge.world`): motifs decide 20 annotations whose frequencies fall
with their rank, in families of unequal size with unequally many annotations a protein. Every seed
has a world of its own, and in it a language model of 2 layers with residue tokens, which is
pretrained on the sequences of the training fold. From these very weights it is tuned once for
each way to sample, on as many draws and for as many steps. Everything from the graph on is the
workflow's own: TransE, MMseqs2 clusters, sampling, instructions, training, ranking by likelihood.
All instructions ask for an annotation (``annotate``): yes or no is more than a model of this size
learns in this time, and after 2,000 steps on both tasks it was at chance.

Proteins of the validation fold, all of other families, are then asked for an annotation. The names
of all terms are ranked as answers, once for each term that the protein has, with its other terms
left out. The F1 of each term is averaged over terms (macro-F1, by which to choose); micro is the
share of rankings with the right term on top, where a common term counts as often as it comes.
Likelihoods are compared as they are and, for ``calibrated``, as ratios to the mean over all
validation proteins, which takes off that the model has heard some names more often than others.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from bench.knowledge.training import LANGUAGE_MODEL, MAX_RESIDUES, SYSTEM, train
from bench.knowledge.world import KIND, World, make_world, write_language_model, write_world
from protscribe.atomic import read_json
from protscribe.corpora.knowledge import wording
from protscribe.corpora.knowledge.instructions import write_instructions
from protscribe.corpora.knowledge.property_clusters import cluster_knowledge
from protscribe.corpora.knowledge.sampling import METHODS, sample_triples
from protscribe.corpora.knowledge.transe import embed_knowledge
from protscribe.evaluation.classification.scoring import Resamples, accuracy, macro_f1
from protscribe.evaluation.option_prompts import answer_ids
from protscribe.evaluation.ranking import Prefix, Question, option_log_likelihoods
from protscribe.models.captioner import Captioner
from protscribe.models.checkpoint import load_captioner
from protscribe.prompts import PROTEIN_MARKER, PromptBuilder

TERMS, TRAINING, VALIDATION = 20, 800, 600
MOST_IN_BATCH = 50
"""More instructions than fit into a batch."""
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
    "tasks": {"annotate": 1.0},
    "max_held_out": 1,
    "negatives": "matched",
    "wording": "own",
}
Found = dict[str, float]
MEASURES = ("macro-F1", "micro", "calibrated macro-F1", "calibrated micro")


def prepare(folder: Path, seed: int) -> World:
    """Make a world, cluster its proteins and pretrain a language model on them."""
    world = make_world(seed, TERMS, TRAINING, VALIDATION)
    write_world(folder, world)
    write_language_model(folder / LANGUAGE_MODEL, world.names, seed)
    triples = folder / "knowledge_triples.parquet"
    vectors = folder / "vectors.parquet"
    embed_knowledge(triples, None, vectors, settings=EMBEDDING, seed=seed, device="cpu", threads=1)
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
    # More than enough epochs, which the steps then end.
    epochs = steps * MOST_IN_BATCH // draws + 1
    tune = SYSTEM["tune"] | {"max_steps": steps, "epochs": epochs}
    train(folder, "tune", seed, SYSTEM | {"tune": tune}, own)
    return own


@torch.inference_mode()
def likelihoods(captioner: Captioner, builder: PromptBuilder, world: World) -> np.ndarray:
    """Return the log-likelihood of each name, shape (validation proteins, terms)."""
    assert builder.residues is not None
    lead = wording.annotate_answer(KIND, "\0", 0).partition("\0")[0]
    before, options = answer_ids(builder, lead, [f"{name}." for name in world.names])
    question = f"{PROTEIN_MARKER}\n{wording.annotate_question(KIND, 0)}"
    found = []
    for protein in world.of("validation"):
        read = builder.residues.encode(protein.sequence, MAX_RESIDUES)
        prompt = builder.prompt([{"role": "user", "content": question}], read)
        asked = Prefix(prompt, None, [Question("name", before, options)])
        (one,) = option_log_likelihoods(captioner, asked, batch_tokens=4096)
        found.append(one.log_likelihoods)
    return np.array(found)


def measures(naming: np.ndarray, world: World) -> Found:
    """Return macro-F1 and micro accuracy, of likelihoods as they are and calibrated."""
    has = np.array([[t in p.terms for t in range(TERMS)] for p in world.of("validation")])
    protein, term = np.nonzero(has)
    truth = np.zeros((len(term), TERMS), dtype=bool)
    truth[np.arange(len(term)), term] = True
    sample = Resamples(np.arange(len(term)), np.zeros((0, len(term))))
    heard = np.logaddexp.reduce(naming, axis=0)
    found: Found = {}
    for way, scores in (("", naming), ("calibrated ", naming - heard)):
        ranked = scores[protein].round(6)
        ranked[has[protein] & ~truth] = np.nan
        found[f"{way}macro-F1"] = float(macro_f1(ranked, truth, sample)[0])
        found[f"{way}micro"] = float(accuracy(ranked, truth, sample)[0])
    return found


def measure(own: Path, folder: Path, world: World) -> Found:
    """Return what became of the model in a folder that `tuned` returned."""
    captioner, builder, _ = load_captioner(own / "model", folder / LANGUAGE_MODEL)
    drawn = read_json(own / "sampling.json")["drawn"]["overall"]
    return {
        **measures(likelihoods(captioner, builder, world), world),
        "entropy": drawn["entropy"],
        "commonest": drawn["top_share"],
    }


def show(found: Mapping[str, Sequence[Found]]) -> None:
    """Print what each way gave, and how far ways differ in the same world."""
    names = [*MEASURES, "entropy", "commonest"]
    print(f"| sampling | {' | '.join(names)} |")
    print(f"|---|{'---|' * len(names)}")
    for method, results in found.items():
        cells = []
        for name in names:
            values = [one[name] for one in results]
            mean = statistics.mean(values)
            cells.append(f"{mean:.3f} ({min(values):.3f} to {max(values):.3f})")
        print(f"| {method} | {' | '.join(cells)} |")
    print(f"\n| gap in the same world | {' | '.join(MEASURES)} |")
    print(f"|---|{'---|' * len(MEASURES)}")
    for other, base in combinations(list(found)[::-1], 2):
        cells = []
        for name in MEASURES:
            gaps = [a[name] - b[name] for a, b in zip(found[other], found[base], strict=True)]
            error = statistics.stdev(gaps) / len(gaps) ** 0.5 if len(gaps) > 1 else float("nan")
            above = sum(gap > 0 for gap in gaps)
            cells.append(
                f"{statistics.mean(gaps):+.3f} ± {error:.3f}, above 0 in {above} of {len(gaps)}"
            )
        print(f"| {other} less {base} | {' | '.join(cells)} |")
    print("\n± is the standard error of the mean gap over worlds.")


def main() -> None:
    """Train and measure all ways in every world."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="worlds, each with all ways")
    parser.add_argument("--draws", type=int, default=4000, help="triples that each way draws")
    parser.add_argument("--steps", type=int, default=1200, help="of tuning")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[Found]] = {method: [] for method in METHODS}
    for seed in range(options.seeds):
        with TemporaryDirectory() as place:
            folder = Path(place)
            world = prepare(folder, seed)
            for method, results in found.items():
                start = time.perf_counter()
                own = tuned(folder, method, seed, options.draws, options.steps)
                results.append(measure(own, folder, world))
                told = ", ".join(f"{name} {value:.3f}" for name, value in results[-1].items())
                told += f"; {time.perf_counter() - start:.0f} s"
                print(f"seed {seed}, {method}: {told}", file=sys.stderr, flush=True)
    show(found)


if __name__ == "__main__":
    main()
