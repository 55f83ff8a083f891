"""One prediction per test protein from every system and baseline."""


rule predict:
    input:
        models=collect(
            "<results>/systems/{{system}}/{training_seed}/model/system.json",
            training_seed=SEEDS,
        ),
        store=embeddings_of,
        conversations="<results>/corpora/prompts/{system}.parquet",
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


rule predict_nearest_neighbour:
    input:
        proteins="<results>/tables/proteins.parquet",
        conversations="<results>/corpora/descriptions.parquet",
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
        conversations="<results>/corpora/descriptions.parquet",
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
