"""Validated settings and the few helpers that rules share."""

import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

HOUSE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
sys.path.insert(0, str(HOUSE))

from protscribe.atomic import sha256_file
from protscribe.configuration import encoder_name, resolve
from protscribe.consistency import uses_knowledge, uses_qa, writes_proteins
from protscribe.environment import prepare_children, share_network
from protscribe.errors import InputError
from protscribe.provenance import code_hash
from protscribe.sources.literature.packaged_publications import (
    NAMES as PACKAGED_RECORDS,
)

prepare_children()
try:
    with open(HOUSE / "config" / "schema.yaml") as file:
        SETTINGS = resolve(config, yaml.safe_load(file))
except InputError as error:
    raise WorkflowError(str(error)) from None

# Part of no rule's parameters: how providers are asked changes no result.
RESOURCES = SETTINGS.get("pathvars", {}).get("resources", "resources")
share_network(SETTINGS.pop("network"), cache=Path(RESOURCES).resolve() / "http")

SYSTEMS = SETTINGS["systems"]
SEEDS = SETTINGS["training_seeds"]
COMPUTE = SETTINGS["compute"]
ENCODED = {name: s for name, s in SYSTEMS.items() if s["encoder"] is not None}
ENCODERS = {encoder_name(s["encoder"]): s["encoder"] for s in ENCODED.values()}
ENCODER_OF = {name: encoder_name(s["encoder"]) for name, s in ENCODED.items()}
SOURCE = SETTINGS["source"]
ENTRIES, ENTRIES_MANIFEST = {
    "packaged": (
        ["<resources>/packaged/swissprot.dat"],
        "<resources>/packaged/manifest.json",
    ),
    "files": (SOURCE["paths"], "<results>/entries/files.json"),
    "uniprot_release": (
        [f"<resources>/uniprot/{SOURCE['release']}/uniprot_sprot.dat.gz"],
        f"<resources>/uniprot/{SOURCE['release']}/manifest.json",
    ),
    "uniprot_query": (
        ["<results>/entries/entries.jsonl.gz"],
        "<results>/entries/manifest.json",
    ),
}[SOURCE["type"]]
PUBLICATIONS = SETTINGS["publications"]
CLASSIFICATION = SETTINGS["evaluation"]["classification"]
VOCABULARIES = SETTINGS["vocabularies"]
QA = SETTINGS["qa"]
IN_PROCESS = (
    QA["language_model"]["type"] == "transformers" and "language_model" in QA["writers"]
)
WRITER_MODEL = QA["language_model"]["model"] if IN_PROCESS else None
KNOWLEDGE = SETTINGS["knowledge"]
PHRASING_MODEL = (
    KNOWLEDGE["language_model"]["model"]
    if KNOWLEDGE["language_model"]["type"] == "transformers"
    and "language_model" in KNOWLEDGE["writers"]
    else None
)
# Published systems come as they are; all others are trained here.
PUBLISHED = {name: s for name, s in SYSTEMS.items() if s["checkpoint"] is not None}
TRAINED = {name: s for name, s in SYSTEMS.items() if name not in PUBLISHED}
CONTRASTIVE = [
    n for n, s in TRAINED.items() if s["align"]["objective"] == "contrastive"
]
# Language models that learn residues as words of their own, and systems that write proteins.
PRETRAINED = [
    n for n, s in TRAINED.items() if s["align"]["objective"] == "language_modelling"
]
DESIGNING = [n for n, s in TRAINED.items() if writes_proteins(s)]
SHUFFLED = [n for n, s in SYSTEMS.items() if "shuffled" in s["predict"]["conditions"]]
# A decoder that is a part of a published system is no untuned language model.
UNTUNED = sorted(
    {
        system["language_model"]
        for system in SYSTEMS.values()
        if SETTINGS["models"][system["language_model"]]["source"] != "part"
    }
)
CORPORA = ["descriptions"]
CORPORA += ["qa"] if uses_qa(SETTINGS) else []
CORPORA += ["knowledge"] if uses_knowledge(SETTINGS) else []
PRETRAINING = sorted({c for n in PRETRAINED for c in TRAINED[n]["align"]["corpora"]})
TESTED = sorted({name for s in SYSTEMS.values() for name in s["predict"]["corpora"]})
MODELS = sorted(
    ({SETTINGS["evaluation"]["bertscore_model"]} if SYSTEMS else set())
    | {system["language_model"] for system in SYSTEMS.values()}
    | {system["checkpoint"] for system in PUBLISHED.values()}
    | {encoder["model"] for encoder in ENCODERS.values()}
    | {
        WRITER_MODEL,
        PHRASING_MODEL,
        SETTINGS["design"]["evaluation"]["encoder"],
        QA["filters"]["text_encoder"],
        QA["blind"]["model"],
    }
    - {None}
)
BASELINES = [f"language_model_{name}" for name in UNTUNED]
BASELINES += ["nearest_neighbour", "most_frequent"] if SYSTEMS else []
PREDICTORS = [*SYSTEMS, *BASELINES]
# What this run makes of its sources, and what it leaves out of them; other rules add theirs.
TABLES = ["proteins"]
REJECTS = ["parse_entries"]
REJECTS += ["query_uniprot"] if SOURCE["type"] == "uniprot_query" else []
# What else a run leaves; other rules add theirs.
MADE = ["<results>/split/audit.json", "<results>/provenance.json"]
# Without a system there is nothing to report on.
RESULTS = ["metrics.tsv", "metrics.parquet", "report.html"] if SYSTEMS else []
RESULTS = [f"<results>/{name}" for name in RESULTS]
# A published system was trained once.
SEEDS_OF = {name: [0] if name in PUBLISHED else SEEDS for name in SYSTEMS}
# A stage is re-run by its own settings only; that of contrastive alignment knows no prompt.
ALIGN_SETTINGS = {
    name: {
        key: system[key]
        for key in system
        if key not in ("tune", "predict", "design")
        and (key != "prompt" or name not in CONTRASTIVE)
    }
    for name, system in TRAINED.items()
}
TUNE_SETTINGS = {
    name: {key: system[key] for key in system if key not in ("predict", "design")}
    for name, system in TRAINED.items()
}


def one_of(names):
    """Return a pattern of these names, or one that fits nothing."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    release=r"current|\d{4}_\d{2}",
    model=one_of(SETTINGS["models"]),
    system=one_of(SYSTEMS),
    corpus=one_of(CORPORA),
    encoder=one_of(ENCODERS),
    training_seed=r"\d+",
    predictor=one_of(PREDICTORS),
    vocabulary=one_of(["ontology", *VOCABULARIES]),


def code_of(rule, *programs, without=()):
    """Hash the code behind a rule, so that a change in it, and nothing else, re-runs the rule."""
    script = HOUSE / "workflow_scripts" / f"{rule}.py"
    return code_hash(script, *programs, without=without)


def code_of_training(stage):
    """Hash the code behind a training stage, objectives that no system uses there left out."""
    folder = HOUSE / "protscribe" / "training" / "objectives"
    used = {system[stage]["objective"] for system in TRAINED.values()}
    objectives = {path.stem for path in folder.glob("*.py")} - {"__init__", "answers"}
    unused = sorted(objectives - used)
    without = [f"protscribe.training.objectives.{name}" for name in unused]
    return code_of(stage, "protscribe.training.worker", without=without)


def compute(*keys):
    """Return what a rule needs to know of the machine, so that no other setting re-runs it."""
    return {key: COMPUTE[key] for key in ("device", "torch_threads", *keys)}


def publication_settings(*keys):
    """Return what a rule needs to know of publications, so that no other setting re-runs it."""
    return {key: PUBLICATIONS[key] for key in keys}


def manifest_of_files(vocabulary):
    """Return the manifest of the user's own files of a vocabulary."""
    return f"<results>/vocabularies/{vocabulary}.json"


def files_of(vocabulary, folder, *names):
    """Return the files of a vocabulary and their manifest: the user's, or the fetched ones."""
    settings = VOCABULARIES[vocabulary]
    if settings["source"] == "files":
        return {
            "files": settings["paths"],
            "manifest": manifest_of_files(vocabulary),
        }
    files = [f"{folder}/{name}" for name in names]
    return {"files": files, "manifest": f"{folder}/manifest.json"}


def without(settings, *keys):
    """Return settings that lack some keys."""
    return {key: value for key, value in settings.items() if key not in keys}


def of_corpus(corpus, made, table):
    """Return a table that belongs to a corpus, if this run makes it."""
    return [f"<results>/{table}.parquet"] if corpus in made else []


def vocabularies_at_hand(wildcards):
    """Return the tables of the vocabularies that this run has, by name."""
    names = [
        *("ontology_terms", "ontology_ids", "ontology_edges", "ontology_closure"),
        *("interpro_entries", "interpro2go", "enzymes", "keywords", "locations"),
        "chemicals",
    ]
    return {n: f"<results>/tables/{n}.parquet" for n in names if n in TABLES}


def closure_at_hand():
    """Return the ontology's closure, if this run has it."""
    return of_corpus("ontology_closure", TABLES, "tables/ontology_closure")


def mem_by_attempt(mem_mb):
    """Ask for more memory each time that a job was killed for want of it."""

    def mem(wildcards, attempt):
        return mem_mb * attempt

    return mem


def manifest_of(model):
    """Return the file that says a model folder is whole."""
    return f"<resources>/models/{model}/manifest.json"


def manifests_of(*models):
    """Return the manifests of those models that are configured."""
    return [manifest_of(model) for model in models if model is not None]


def language_model_of(wildcards):
    """Return the manifest of a system's language model."""
    return manifest_of(SYSTEMS[wildcards.system]["language_model"])


def encoder_model_of(wildcards):
    """Return the manifest of the model behind an encoder."""
    return manifest_of(ENCODERS[wildcards.encoder]["model"])


def embeddings_of(wildcards):
    """Return the manifest of the embeddings that a system reads, if it has an encoder."""
    if wildcards.system not in ENCODED:
        return []
    return f"<results>/embeddings/proteins/{ENCODER_OF[wildcards.system]}/manifest.json"


def prompts_of(stage):
    """Return a function that returns a system's conversations for a stage, in its own prompt."""

    def prompts(wildcards):
        folder = f"<results>/corpora/prompts/{wildcards.system}"
        names = SYSTEMS[wildcards.system][stage]["corpora"]
        return [f"{folder}/{name}.parquet" for name in names]

    return prompts


def sequences_of(table):
    """Return a function that returns a table of proteins for systems with residue tokens."""

    def sequences(wildcards):
        path = f"<results>/tables/{table}.parquet"
        used = table == "proteins" or wildcards.system in SHUFFLED
        return [path] if used and SYSTEMS[wildcards.system]["residues"] else []

    return sequences


def documents_of(wildcards):
    """Return what a language model is pretrained on, if it is."""
    if wildcards.system not in PRETRAINED:
        return []
    names = SYSTEMS[wildcards.system]["align"]["corpora"]
    return [f"<results>/corpora/{name}.parquet" for name in names]


def aligned_corpora_of(wildcards):
    """Return the corpora that a system is aligned with."""
    names = SYSTEMS[wildcards.system]["align"]["corpora"]
    return [f"<results>/corpora/{name}.parquet" for name in names]


def whole_of(wildcards):
    """Return the manifest of the checkpoint that a model is a part of, if it is."""
    spec = SETTINGS["models"][wildcards.model]
    return {"checkpoint": manifest_of(spec["of"])} if spec["source"] == "part" else {}


def examples_of(wildcards):
    """Return what a system is aligned on, which depends on its objective."""
    if wildcards.system in CONTRASTIVE:
        return {
            "conversations": aligned_corpora_of(wildcards),
            "texts": f"<results>/embeddings/texts/{wildcards.system}.parquet",
        }
    if wildcards.system in PRETRAINED:
        return {
            "documents": documents_of(wildcards),
            "language_model": language_model_of(wildcards),
        }
    return {
        "conversations": prompts_of("align")(wildcards),
        "language_model": language_model_of(wildcards),
    }


def checkpoint_of(wildcards):
    """Return the manifest of a published system's checkpoint."""
    return manifest_of(PUBLISHED[wildcards.system]["checkpoint"])


def models_of(wildcards):
    """Return the finished models of a system, one for each training seed."""
    folder = f"<results>/systems/{wildcards.system}"
    return [f"{folder}/{s}/model/system.json" for s in SEEDS_OF[wildcards.system]]


def stores_of(wildcards):
    """Return the embeddings of all proteins that a system is asked about, if it has an encoder."""
    if wildcards.system not in ENCODED:
        return []
    names = ["proteins"] if CLASSIFICATION["tasks"] else []
    names += ["asked"] if CLASSIFICATION["published"] else []
    encoder = ENCODER_OF[wildcards.system]
    return [f"<results>/embeddings/{name}/{encoder}/manifest.json" for name in names]


def shuffled_of(wildcards):
    """Return the embeddings of shuffled proteins, if a system is tested on them."""
    if wildcards.system not in SHUFFLED or wildcards.system not in ENCODED:
        return []
    return [
        f"<results>/embeddings/shuffled/{ENCODER_OF[wildcards.system]}/manifest.json"
    ]
