"""The two training stages of a system, or a published one as it is."""


rule align:
    input:
        unpack(examples_of),
        store=embeddings_of,
        proteins=sequences_of("proteins"),
    output:
        weights="<results>/systems/{system}/{training_seed}/align/weights.safetensors",
        losses="<results>/systems/{system}/{training_seed}/align/losses.tsv",
        summary="<results>/systems/{system}/{training_seed}/align/summary.json",
    log:
        "<logs>/align/{system}.{training_seed}.log",
    benchmark:
        "<benchmarks>/align/{system}.{training_seed}.tsv"
    wildcard_constraints:
        system=one_of(TRAINED),
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"] * COMPUTE["processes"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=1440,
        gpu=COMPUTE["gpu"],
    params:
        system=lookup(dpath="{system}", within=ALIGN_SETTINGS),
        compute=compute("processes"),
        code=code_of_training("align"),
    message:
        "Aligning {wildcards.system} (seed {wildcards.training_seed})"
    script:
        "../workflow_scripts/align.py"


rule tune:
    input:
        store=embeddings_of,
        proteins=sequences_of("proteins"),
        conversations=prompts_of("tune"),
        documents=documents_of,
        language_model=language_model_of,
        weights="<results>/systems/{system}/{training_seed}/align/weights.safetensors",
    output:
        losses="<results>/systems/{system}/{training_seed}/tune/losses.tsv",
        summary="<results>/systems/{system}/{training_seed}/tune/summary.json",
        last="<results>/systems/{system}/{training_seed}/tune/last/weights.safetensors",
        system="<results>/systems/{system}/{training_seed}/model/system.json",
        weights="<results>/systems/{system}/{training_seed}/model/weights.safetensors",
    log:
        "<logs>/tune/{system}.{training_seed}.log",
    benchmark:
        "<benchmarks>/tune/{system}.{training_seed}.tsv"
    wildcard_constraints:
        system=one_of(TRAINED),
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"] * COMPUTE["processes"]
    resources:
        mem_mb=mem_by_attempt(16000),
        runtime=2880,
        gpu=COMPUTE["gpu"],
    params:
        system=lookup(dpath="{system}", within=TUNE_SETTINGS),
        compute=compute("processes"),
        code=code_of_training("tune"),
    message:
        "Tuning {wildcards.system} (seed {wildcards.training_seed})"
    script:
        "../workflow_scripts/tune.py"


rule import_model:
    input:
        checkpoint=checkpoint_of,
        store=embeddings_of,
        language_model=language_model_of,
    output:
        system="<results>/systems/{system}/{training_seed}/model/system.json",
        weights="<results>/systems/{system}/{training_seed}/model/weights.safetensors",
    log:
        "<logs>/import_model/{system}.{training_seed}.log",
    benchmark:
        "<benchmarks>/import_model/{system}.{training_seed}.tsv"
    wildcard_constraints:
        system=one_of(PUBLISHED),
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=mem_by_attempt(16000),
        runtime=60,
    params:
        system=lookup(dpath="{system}", within=PUBLISHED),
        code=code_of("import_model"),
    message:
        "Importing the published {wildcards.system}"
    script:
        "../workflow_scripts/import_model.py"
