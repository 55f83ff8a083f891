"""Conversations to train and test on, and documents to pretrain on."""

LITERATURE = SETTINGS["pretraining"]["literature"]
UNIREF = SETTINGS["pretraining"]["sequences"]["external"] == "uniref"
EXTERNAL = ["<results>/tables/uniref_clusters.parquet"] if UNIREF else []
MADE += ["<results>/corpora/audit.json"]
REJECTS += [f"make_{corpus}" for corpus in PRETRAINING]


rule make_descriptions:
    input:
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
    output:
        conversations="<results>/corpora/descriptions.parquet",
    log:
        "<logs>/make_descriptions.log",
    benchmark:
        "<benchmarks>/make_descriptions.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=30,
    params:
        licence=SETTINGS["source"]["licence"],
        code=code_of("make_descriptions"),
    message:
        "Making descriptions from the function statements"
    script:
        "../workflow_scripts/make_descriptions.py"


rule make_prompts:
    input:
        corpus="<results>/corpora/{corpus}.parquet",
        proteins="<results>/tables/proteins.parquet",
    output:
        conversations="<results>/corpora/prompts/{system}/{corpus}.parquet",
    log:
        "<logs>/make_prompts/{system}.{corpus}.log",
    benchmark:
        "<benchmarks>/make_prompts/{system}.{corpus}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=30,
    params:
        prompt=lookup(dpath="{system}/prompt", within=SYSTEMS),
        code=code_of("make_prompts"),
    message:
        "Putting {wildcards.corpus} into the prompt of {wildcards.system}"
    script:
        "../workflow_scripts/make_prompts.py"


rule make_sequences:
    input:
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
        external=EXTERNAL,
    output:
        sequences="<results>/corpora/sequences.parquet",
        rejects="<results>/rejects/make_sequences.parquet",
    log:
        "<logs>/make_sequences.log",
    benchmark:
        "<benchmarks>/make_sequences.tsv"
    conda:
        "../envs/mmseqs.yaml"
    threads: 16
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=720,
    params:
        settings=SETTINGS["pretraining"]["sequences"],
        criterion=SETTINGS["split"]["criterion"],
        seed=SETTINGS["seed"],
        licence=SOURCE["licence"],
        code=code_of("make_sequences"),
    message:
        "Making the corpus of sequences"
    script:
        "../workflow_scripts/make_sequences.py"


rule make_literature:
    input:
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
        publications=["<results>/tables/publications.parquet"] if ABSTRACTS else [],
        mentions=["<results>/tables/mentions.parquet"] if ABSTRACTS else [],
    output:
        literature="<results>/corpora/literature.parquet",
        rejects="<results>/rejects/make_literature.parquet",
    log:
        "<logs>/make_literature.log",
    benchmark:
        "<benchmarks>/make_literature.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=120,
    params:
        settings=without(LITERATURE, "licences"),
        allow=LITERATURE["licences"],
        seed=SETTINGS["seed"],
        licence=SOURCE["licence"],
        code=code_of("make_literature"),
    message:
        "Making the corpus of literature"
    script:
        "../workflow_scripts/make_literature.py"


rule audit_corpora:
    input:
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
        sequences=of_corpus("sequences", PRETRAINING, "corpora/sequences"),
        sequences_rejects=of_corpus("sequences", PRETRAINING, "rejects/make_sequences"),
        external=EXTERNAL,
        literature=of_corpus("literature", PRETRAINING, "corpora/literature"),
        mentions=["<results>/tables/mentions.parquet"] if ABSTRACTS else [],
        triples=of_corpus("knowledge", CORPORA, "knowledge/triples"),
        sampled=of_corpus("knowledge", CORPORA, "knowledge/sampled"),
        vectors=of_corpus("knowledge", CORPORA, "knowledge/vectors"),
        conversations=collect("<results>/corpora/{corpus}.parquet", corpus=CORPORA),
    output:
        audit="<results>/corpora/audit.json",
    log:
        "<logs>/audit_corpora.log",
    benchmark:
        "<benchmarks>/audit_corpora.tsv"
    conda:
        "../envs/mmseqs.yaml"
    threads: 16
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=720,
    params:
        criterion=SETTINGS["split"]["criterion"],
        code=code_of("audit_corpora"),
    message:
        "Looking for test proteins in what is trained on"
    script:
        "../workflow_scripts/audit_corpora.py"
