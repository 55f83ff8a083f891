"""Conversations to train and test on."""


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
