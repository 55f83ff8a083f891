"""Proteins on request, and how they compare with natural ones and with controls."""

DESIGNS = collect("<results>/design/{system}.parquet", system=DESIGNING)
DESIGNED = []
if DESIGNING:
    DESIGNED = ["<results>/design/scores.parquet", "<results>/design/scores.tsv"]
MADE += DESIGNED
JUDGING = SETTINGS["design"]["evaluation"]


rule request_designs:
    input:
        triples="<results>/knowledge/triples.parquet",
        annotations="<results>/knowledge/annotations.parquet",
        sampled="<results>/knowledge/sampled.parquet",
        split="<results>/split/split.parquet",
        file=SETTINGS["design"]["file"] or [],
    output:
        requests="<results>/design/requests.parquet",
    log:
        "<logs>/request_designs.log",
    benchmark:
        "<benchmarks>/request_designs.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=30,
    params:
        settings=without(SETTINGS["design"], "evaluation"),
        published=KNOWLEDGE["wording"] == "published",
        seed=SETTINGS["seed"],
        code=code_of("request_designs"),
    message:
        "Choosing what proteins to ask for"
    script:
        "../workflow_scripts/request_designs.py"


rule design_proteins:
    input:
        models=models_of,
        language_model=language_model_of,
        requests="<results>/design/requests.parquet",
    output:
        designs="<results>/design/{system}.parquet",
        fasta="<results>/design/{system}.fasta",
    log:
        "<logs>/design_proteins/{system}.log",
    benchmark:
        "<benchmarks>/design_proteins/{system}.tsv"
    wildcard_constraints:
        system=one_of(DESIGNING),
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=720,
        gpu=COMPUTE["gpu"],
    params:
        design=lookup(dpath="{system}/design", within=SYSTEMS),
        seed=SETTINGS["seed"],
        compute=compute("predict_batch_tokens"),
        code=code_of("design_proteins"),
    message:
        "Designing proteins with {wildcards.system}"
    script:
        "../workflow_scripts/design_proteins.py"


rule score_designs:
    input:
        designs=DESIGNS,
        requests="<results>/design/requests.parquet",
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
        triples="<results>/knowledge/triples.parquet",
        edges="<results>/knowledge/edges.parquet",
        encoder=manifests_of(JUDGING["encoder"]),
    output:
        scores="<results>/design/scores.parquet",
        tsv="<results>/design/scores.tsv",
        properties="<results>/design/properties.parquet",
    log:
        "<logs>/score_designs.log",
    benchmark:
        "<benchmarks>/score_designs.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 16
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=240,
        gpu=COMPUTE["gpu"] if JUDGING["encoder"] else 0,
    params:
        settings=without(JUDGING, "encoder")
        | {"resamples": SETTINGS["evaluation"]["resamples"]},
        seed=SETTINGS["seed"],
        compute=compute("embed_batch_tokens"),
        code=code_of("score_designs"),
    message:
        "Scoring designs beside their controls"
    script:
        "../workflow_scripts/score_designs.py"
