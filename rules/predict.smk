"""Predictions of every system and baseline for the same test questions."""

TESTS = collect("<results>/corpora/{corpus}.parquet", corpus=TESTED)


rule predict:
    input:
        models=models_of,
        store=embeddings_of,
        shuffled_store=shuffled_of,
        proteins=sequences_of("proteins"),
        shuffled_proteins=sequences_of("shuffled"),
        conversations=prompts_of("predict"),
        language_model=language_model_of,
        audit="<results>/split/audit.json",
    output:
        predictions="<results>/predictions/{system}.parquet",
    log:
        "<logs>/predict/{system}.log",
    benchmark:
        "<benchmarks>/predict/{system}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=720,
        gpu=COMPUTE["gpu"],
    params:
        predict=lookup(dpath="{system}/predict", within=SYSTEMS),
        compute=compute("predict_batch_tokens"),
        code=code_of("predict"),
    message:
        "Predicting with {wildcards.system}"
    script:
        "../workflow_scripts/predict.py"


rule predict_language_model:
    input:
        conversations=TESTS,
        language_model="<resources>/models/{model}/manifest.json",
        audit="<results>/split/audit.json",
    output:
        predictions="<results>/predictions/language_model_{model}.parquet",
    log:
        "<logs>/predict_language_model/{model}.log",
    benchmark:
        "<benchmarks>/predict_language_model/{model}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=720,
        gpu=COMPUTE["gpu"],
    params:
        predict=SETTINGS["evaluation"]["language_model"],
        compute=compute("predict_batch_tokens"),
        code=code_of("predict_language_model"),
    message:
        "Asking {wildcards.model} without the protein"
    script:
        "../workflow_scripts/predict_language_model.py"


rule predict_nearest_neighbour:
    input:
        proteins="<results>/tables/proteins.parquet",
        conversations=TESTS,
        audit="<results>/split/audit.json",
    output:
        predictions="<results>/predictions/nearest_neighbour.parquet",
    log:
        "<logs>/predict_nearest_neighbour.log",
    benchmark:
        "<benchmarks>/predict_nearest_neighbour.tsv"
    conda:
        "../envs/mmseqs.yaml"
    threads: 16
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=120,
    params:
        code=code_of("predict_nearest_neighbour"),
    message:
        "Copying the text of the nearest training protein"
    script:
        "../workflow_scripts/predict_nearest_neighbour.py"


rule predict_most_frequent:
    input:
        conversations=TESTS,
        audit="<results>/split/audit.json",
    output:
        predictions="<results>/predictions/most_frequent.parquet",
    log:
        "<logs>/predict_most_frequent.log",
    benchmark:
        "<benchmarks>/predict_most_frequent.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=30,
    params:
        code=code_of("predict_most_frequent"),
    message:
        "Repeating the most frequent training text"
    script:
        "../workflow_scripts/predict_most_frequent.py"
