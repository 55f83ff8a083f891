"""Models, whatever their source, as plain local folders."""


rule get_model:
    input:
        unpack(whole_of),
    output:
        manifest="<resources>/models/{model}/manifest.json",
    log:
        "<logs>/get_model/{model}.log",
    benchmark:
        "<benchmarks>/get_model/{model}.tsv"
    retries: 2
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=240,
    params:
        spec=lookup(dpath="models/{model}", within=SETTINGS),
        code=code_of("get_model"),
    message:
        "Getting model {wildcards.model}"
    script:
        "../workflow_scripts/get_model.py"
