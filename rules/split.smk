"""Folds by homology, and the proof that nothing leaks between them."""


rule cluster_proteins:
    input:
        proteins="<results>/tables/proteins.parquet",
    output:
        clusters="<results>/split/clusters.parquet",
    log:
        "<logs>/cluster_proteins.log",
    benchmark:
        "<benchmarks>/cluster_proteins.tsv"
    conda:
        "../envs/mmseqs.yaml"
    threads: 16
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=240,
    params:
        min_identity=SETTINGS["split"]["cluster"]["min_identity"],
        min_coverage=SETTINGS["split"]["cluster"]["min_coverage"],
        code=code_of("cluster_proteins"),
    message:
        "Clustering proteins by sequence"
    script:
        "../workflow_scripts/cluster_proteins.py"


rule assign_folds:
    input:
        proteins="<results>/tables/proteins.parquet",
        clusters="<results>/split/clusters.parquet",
    output:
        folds="<results>/split/folds.parquet",
    log:
        "<logs>/assign_folds.log",
    benchmark:
        "<benchmarks>/assign_folds.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=30,
    params:
        fractions=SETTINGS["split"]["fractions"],
        minimum=SETTINGS["split"]["minimum"],
        temporal_after=SETTINGS["split"]["temporal_after"],
        seed=SETTINGS["seed"],
        code=code_of("assign_folds"),
    message:
        "Assigning clusters to folds"
    script:
        "../workflow_scripts/assign_folds.py"


rule prune_train:
    input:
        proteins="<results>/tables/proteins.parquet",
        folds="<results>/split/folds.parquet",
    output:
        split="<results>/split/split.parquet",
    log:
        "<logs>/prune_train.log",
    benchmark:
        "<benchmarks>/prune_train.tsv"
    conda:
        "../envs/mmseqs.yaml"
    threads: 16
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=480,
    params:
        criterion=SETTINGS["split"]["criterion"],
        code=code_of("prune_train"),
    message:
        "Removing training proteins that resemble the low-homology test"
    script:
        "../workflow_scripts/prune_train.py"


rule audit_split:
    input:
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
        conversations=collect("<results>/corpora/{corpus}.parquet", corpus=CORPORA),
    output:
        audit="<results>/split/audit.json",
    log:
        "<logs>/audit_split.log",
    benchmark:
        "<benchmarks>/audit_split.tsv"
    conda:
        "../envs/mmseqs.yaml"
    threads: 16
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=480,
    params:
        criterion=SETTINGS["split"]["criterion"],
        code=code_of("audit_split"),
    message:
        "Auditing the split by an independent search"
    script:
        "../workflow_scripts/audit_split.py"
