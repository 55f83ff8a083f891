"""Whole runs of the workflow on made-up entries with tiny random models."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from conftest import HOUSE
from flat_entries import write_families
from protscribe.driver import survivors
from tiny_models import write_tiny_bert, write_tiny_encoder, write_tiny_language_model


def tiny_settings(folder: Path) -> dict[str, Any]:
    """Write entries and models below a folder and return a configuration that uses them."""
    folder.mkdir(parents=True, exist_ok=True)
    models = {
        "tiny_esm": ("protein_encoder", write_tiny_encoder),
        "tiny_llama": ("language_model", write_tiny_language_model),
        "tiny_bert": ("text_encoder", write_tiny_bert),
    }
    return {
        "name": "tiny",
        "source": {
            "type": "files",
            "paths": [str(write_families(folder / "entries.dat"))],
            "licence": "none",
        },
        "split": {
            "fractions": {
                "validation": 0.1,
                "test_in_distribution": 0.1,
                "test_low_homology": 0.1,
            },
            "minimum": 3,
        },
        "models": {
            name: {"kind": kind, "source": "path", "path": str(write(folder / "models" / name))}
            for name, (kind, write) in models.items()
        },
        "compute": {"torch_threads": 1, "device": "cpu"},
        "evaluation": {
            "bertscore_model": "tiny_bert",
            "resamples": 200,
            "language_model": {"max_new_tokens": 6},
            "classification": {
                "tasks": ["location_10", "pairing"],
                "questions_per_protein": 2,
                "options": 3,
            },
        },
        "knowledge": {
            "writers": ["template"],
            "embedding": {"dim": 4, "epochs": 2},
            "sampling": {"draws": 120},
            "max_held_out": 2,
        },
        "pretraining": {"literature": {"statements": True}},
        "design": {"requests": 2, "min_proteins": 1, "evaluation": {"neighbours": 5}},
        "qa": {
            "writers": ["template", "language_model"],
            "language_model": {
                "model": "tiny_llama",
                "kinds": ["function_statement"],
                "max_contexts": 4,
                "max_questions": 1,
                "max_new_tokens": 24,
                "max_context_tokens": 400,
                "shards": 2,
            },
            "filters": {"text_encoder": "tiny_bert", "max_pairs": 2, "max_shared": 50},
            "blind": {"model": "tiny_llama"},
        },
        "systems": {
            "prot2text_v2": {
                "encoder": {"model": "tiny_esm", "layer": 2, "max_residues": 64},
                "language_model": "tiny_llama",
                "connector": {"type": "projector", "hidden": 16, "dropout": 0.1},
                "prompt": {"system_message": "Be brief."},
                "align": {
                    "objective": "contrastive",
                    "text_layer": 2,
                    "text_max_tokens": 16,
                    "batch_size": 8,
                    "epochs": 2,
                },
                "tune": {
                    "objective": "instruction",
                    "lora": {"rank": 2, "alpha": 4},
                    "max_answer_tokens": 12,
                    "batch_tokens": 1200,
                    "batches_per_step": 1,
                    "epochs": 2,
                },
                "predict": {"max_new_tokens": 6},
            },
            "protein2text": {
                "encoder": {"model": "tiny_esm", "layer": -2, "max_residues": 64},
                "language_model": "tiny_llama",
                "connector": {
                    "type": "resampler",
                    "latents": 4,
                    "depth": 1,
                    "heads": 2,
                    "head_dim": 8,
                    "multiplier": 1,
                },
                "prompt": {"system_message": "Be brief.", "question": "What does it do?"},
                "align": {
                    "objective": "captioning",
                    "max_examples": 20,
                    "max_answer_tokens": 12,
                    "batch_tokens": 1200,
                    "batches_per_step": 1,
                },
                "tune": {
                    "objective": "instruction",
                    "corpora": ["qa"],
                    "max_examples": 20,
                    "lora": {"rank": 2, "alpha": 4},
                    "max_answer_tokens": 12,
                    "batch_tokens": 1200,
                    "examples_per_step": 8,
                },
                "predict": {
                    "corpora": ["qa", "descriptions"],
                    "conditions": ["sequence", "shuffled", "blind"],
                    "control_examples": 6,
                    "max_new_tokens": 6,
                },
            },
            "instructprotein": {
                "residues": {"max_residues": 40},
                "language_model": "tiny_llama",
                "prompt": {"system_message": "", "question": "What does it do?"},
                "align": {
                    "objective": "language_modelling",
                    "corpora": ["sequences", "literature"],
                    "context": 64,
                    "max_validation_documents": 4,
                    "lora": {"rank": 2, "alpha": 4},
                    "batch_tokens": 512,
                    "batches_per_step": 1,
                },
                "tune": {
                    "objective": "instruction",
                    "corpora": ["knowledge"],
                    "directions": ["describe", "design"],
                    "max_examples": 24,
                    "max_validation_examples": 6,
                    "lora": {"rank": 2, "alpha": 4},
                    "max_answer_tokens": 30,
                    "batch_tokens": 1200,
                    "batches_per_step": 1,
                },
                "predict": {
                    "corpora": ["knowledge", "descriptions"],
                    "conditions": ["sequence", "shuffled"],
                    "control_examples": 6,
                    "max_new_tokens": 6,
                },
                "design": {"number": 2, "min_residues": 5, "max_residues": 20},
            },
        },
    }


def write_settings(path: Path, settings: dict[str, Any]) -> Path:
    """Write a configuration as YAML; return its path."""
    path.write_text(yaml.safe_dump(settings))
    return path


def command(config: Path, *arguments: str, house: Path = HOUSE, cores: int = 2) -> list[str]:
    """Return the command line that runs the workflow with a configuration."""
    return [
        *(sys.executable, "-m", "protscribe.driver", "--snakefile", str(house / "Snakefile")),
        *("--configfile", str(config), "--cores", str(cores), *arguments),
    ]


def environment(house: Path = HOUSE) -> dict[str, str]:
    """Return the environment of a run."""
    return {**os.environ, "PYTHONPATH": str(house)}


def run(
    folder: Path, config: Path, *arguments: str, house: Path = HOUSE
) -> subprocess.CompletedProcess[str]:
    """Run the workflow in a folder; its whole output is in `stdout`."""
    return subprocess.run(
        command(config, *arguments, house=house),
        cwd=folder,
        env=environment(house),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )


def kill_in(folder: Path, config: Path, script: str, *arguments: str) -> None:
    """Start a run, kill its driver once a rule's script runs; its children live on."""
    process = subprocess.Popen(
        command(config, *arguments),
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if any(_line(left).endswith(f".{script}.py") for left in survivors(folder)):
            break
        assert process.poll() is None, "the run ended before the rule started"
        time.sleep(0.05)
    else:
        raise AssertionError(f"{script} did not start")
    time.sleep(1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for left in survivors(folder):
        if "snakemake" in _line(left):
            with suppress(psutil.NoSuchProcess):
                left.kill()


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""  # It has ended since it was listed, or waits for its parent to notice.


def planned(folder: Path, config: Path, *arguments: str, house: Path = HOUSE) -> set[str]:
    """Return the names of the rules that a run would run."""
    answer = run(folder, config, *arguments, "--dry-run", "--quiet", "host", house=house)
    assert answer.returncode == 0, answer.stdout
    # A table of rules and their counts, from its underlined head to its total.
    lines = answer.stdout.splitlines()
    heads = [number for number, line in enumerate(lines) if line.split() == ["job", "count"]]
    rules = set()
    for line in lines[heads[0] + 2 :] if heads else ():
        name, _ = line.split()
        if name == "total":
            break
        rules.add(name)
    return rules - TARGETS


TARGETS = {"all", *re.findall(r"^rule (\w+):", (HOUSE / "rules" / "targets.smk").read_text(), re.M)}
"""Rules that only name others."""

RESULTS = (
    "results/metrics.tsv",
    "results/metrics.parquet",
    "results/predictions/*.parquet",
    "results/scores/*.parquet",
    "results/split/*",
    "results/entries/*",
    "results/publications/*",
    "results/rejects/**/*.parquet",
    "results/share/*",
    "results/tables/*",
    "results/corpora/**/*.parquet",
    "results/corpora/*.json",
    "results/qa/**/*.parquet",
    "results/embeddings/texts/*",
    "results/systems/*/*/align/*",
    "results/systems/*/*/tune/**/*",
    "results/systems/*/*/model/*",
    "results/figures/*",
    "results/provenance.json",
    "results/report.html",
)


def result_files(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every result file of a run."""
    paths = sorted(path for pattern in RESULTS for path in folder.glob(pattern) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def differing(one: Path, two: Path) -> list[str]:
    """Return the result files in which two runs differ."""
    left, right = result_files(one), result_files(two)
    assert left, f"{one} has no results"
    return sorted(name for name in left | right if left.get(name) != right.get(name))
