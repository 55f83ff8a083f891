"""The Gene Ontology and its tables."""

ONTOLOGY = SETTINGS["ontology"]
ONTOLOGY_FOLDER = f"<resources>/ontology/{ONTOLOGY['release']}"
ONTOLOGY_NAMES = ["go-basic.obo", "go.obo"] if ONTOLOGY["full"] else ["go-basic.obo"]
ONTOLOGY_FILES, ONTOLOGY_MANIFEST = {
    "packaged": (
        ["<resources>/packaged/ontology/GO.sqlite"],
        "<resources>/packaged/ontology/manifest.json",
    ),
    "files": (ONTOLOGY["paths"], manifest_of_files("ontology")),
}.get(
    ONTOLOGY["source"],
    (
        collect("{folder}/{file}", folder=ONTOLOGY_FOLDER, file=ONTOLOGY_NAMES),
        f"{ONTOLOGY_FOLDER}/manifest.json",
    ),
)
ONTOLOGY_TABLES = ["terms", "ids", "edges", "closure"]
if ONTOLOGY["source"] != "none":
    TABLES += [f"ontology_{name}" for name in ONTOLOGY_TABLES]
    REJECTS += ["parse_ontology"]


rule get_ontology:
    output:
        collect("{folder}/{file}", folder=ONTOLOGY_FOLDER, file=ONTOLOGY_NAMES),
        manifest=f"{ONTOLOGY_FOLDER}/manifest.json",
    log:
        "<logs>/get_ontology.log",
        requests="<logs>/get_ontology.requests.tsv",
    benchmark:
        "<benchmarks>/get_ontology.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=60,
        go=1,
    params:
        release=ONTOLOGY["release"],
        full=ONTOLOGY["full"],
        sha256=ONTOLOGY["sha256"],
        code=code_of("get_ontology"),
    message:
        "Fetching the Gene Ontology"
    script:
        "../workflow_scripts/get_ontology.py"


rule get_packaged_ontology:
    output:
        ontology="<resources>/packaged/ontology/GO.sqlite",
        manifest="<resources>/packaged/ontology/manifest.json",
    log:
        "<logs>/get_packaged_ontology.log",
    benchmark:
        "<benchmarks>/get_packaged_ontology.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=60,
    params:
        packages=f"{RESOURCES}/packaged/packages",
        required=ONTOLOGY["required"],
        code=code_of("get_packaged_ontology"),
    message:
        "Taking the Gene Ontology out of a Debian package"
    script:
        "../workflow_scripts/get_packaged_ontology.py"


rule parse_ontology:
    input:
        files=ONTOLOGY_FILES,
        manifest=ONTOLOGY_MANIFEST,
    output:
        ontology_terms="<results>/tables/ontology_terms.parquet",
        ontology_ids="<results>/tables/ontology_ids.parquet",
        ontology_edges="<results>/tables/ontology_edges.parquet",
        ontology_closure="<results>/tables/ontology_closure.parquet",
        rejects="<results>/rejects/parse_ontology.parquet",
    log:
        "<logs>/parse_ontology.log",
    benchmark:
        "<benchmarks>/parse_ontology.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=60,
    params:
        code=code_of("parse_ontology"),
    message:
        "Making the tables of the Gene Ontology"
    script:
        "../workflow_scripts/parse_ontology.py"
