"""Validated settings and the few helpers that rules share."""

import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

HOUSE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
sys.path.insert(0, str(HOUSE))

from protscribe.atomic import sha256_file
from protscribe.configuration import encoder_name, resolve
from protscribe.environment import prepare_children
from protscribe.errors import InputError
from protscribe.provenance import code_hash

prepare_children()
try:
    with open(HOUSE / "config" / "schema.yaml") as file:
        SETTINGS = resolve(config, yaml.safe_load(file))
except InputError as error:
    raise WorkflowError(str(error)) from None

SYSTEMS = SETTINGS["systems"]
SEEDS = SETTINGS["training_seeds"]
COMPUTE = SETTINGS["compute"]
ENCODERS = {
    encoder_name(system["encoder"]): system["encoder"] for system in SYSTEMS.values()
}
ENCODER_OF = {name: encoder_name(system["encoder"]) for name, system in SYSTEMS.items()}
ENTRIES = {"packaged": "<resources>/packaged", "files": "<results>/entries"}[
    SETTINGS["source"]["type"]
]
MODELS = sorted(
    {SETTINGS["evaluation"]["bertscore_model"]}
    | {system["language_model"] for system in SYSTEMS.values()}
    | {encoder["model"] for encoder in ENCODERS.values()}
)
BASELINES = ["nearest_neighbour", "most_frequent"]
PREDICTORS = [*SYSTEMS, *BASELINES]
# A stage is re-run by its own settings only.
ALIGN_SETTINGS = {
    name: {
        key: system[key] for key in system if key not in ("tune", "prompt", "predict")
    }
    for name, system in SYSTEMS.items()
}
TUNE_SETTINGS = {
    name: {key: system[key] for key in system if key != "predict"}
    for name, system in SYSTEMS.items()
}


wildcard_constraints:
    model="|".join(SETTINGS["models"]),
    system="|".join(SYSTEMS),
    encoder="|".join(ENCODERS),
    training_seed=r"\d+",
    predictor="|".join(PREDICTORS),


def code_of(rule, *programs, without=()):
    """Hash the code behind a rule, so that a change in it, and nothing else, re-runs the rule."""
    script = HOUSE / "workflow_scripts" / f"{rule}.py"
    return code_hash(script, *programs, without=without)


def code_of_training(stage):
    """Hash the code behind a training stage, objectives that no system uses there left out."""
    folder = HOUSE / "protscribe" / "training" / "objectives"
    used = {system[stage]["objective"] for system in SYSTEMS.values()} | {"__init__"}
    unused = [path.stem for path in folder.glob("*.py") if path.stem not in used]
    without = [f"protscribe.training.objectives.{name}" for name in unused]
    return code_of(stage, "protscribe.training.worker", without=without)


def compute(*keys):
    """Return what a rule needs to know of the machine, so that no other setting re-runs it."""
    return {key: COMPUTE[key] for key in ("device", "torch_threads", *keys)}


def mem_by_attempt(mem_mb):
    """Ask for more memory each time that a job was killed for want of it."""

    def mem(wildcards, attempt):
        return mem_mb * attempt

    return mem


def manifest_of(model):
    """Return the file that says a model folder is whole."""
    return f"<resources>/models/{model}/manifest.json"


def language_model_of(wildcards):
    """Return the manifest of a system's language model."""
    return manifest_of(SYSTEMS[wildcards.system]["language_model"])


def encoder_model_of(wildcards):
    """Return the manifest of the model behind an encoder."""
    return manifest_of(ENCODERS[wildcards.encoder]["model"])


def embeddings_of(wildcards):
    """Return the manifest of the embeddings that a system reads."""
    return f"<results>/embeddings/proteins/{ENCODER_OF[wildcards.system]}/manifest.json"


def corpora_of(wildcards):
    """Return the corpora that a system is tuned and tested on."""
    names = SYSTEMS[wildcards.system]["tune"]["corpora"]
    return [f"<results>/corpora/{name}.parquet" for name in names]
