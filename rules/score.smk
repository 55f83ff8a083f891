"""Scores of every prediction, and the results table."""


rule score_predictions:
    input:
        predictions="<results>/predictions/{predictor}.parquet",
        bertscore_model=manifest_of(SETTINGS["evaluation"]["bertscore_model"]),
    output:
        scores="<results>/scores/{predictor}.parquet",
    log:
        "<logs>/score_predictions/{predictor}.log",
    benchmark:
        "<benchmarks>/score_predictions/{predictor}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=240,
        gpu=COMPUTE["gpu"],
    params:
        seed=SETTINGS["seed"],
        compute=compute(),
        code=code_of("score_predictions"),
    message:
        "Scoring {wildcards.predictor}"
    script:
        "../workflow_scripts/score_predictions.py"


rule collect_metrics:
    input:
        predictions=collect(
            "<results>/predictions/{predictor}.parquet", predictor=PREDICTORS
        ),
        scores=collect("<results>/scores/{predictor}.parquet", predictor=PREDICTORS),
        split="<results>/split/split.parquet",
        others=CLASSIFIED,
    output:
        tsv="<results>/metrics.tsv",
        parquet="<results>/metrics.parquet",
    log:
        "<logs>/collect_metrics.log",
    benchmark:
        "<benchmarks>/collect_metrics.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=120,
    params:
        resamples=SETTINGS["evaluation"]["resamples"],
        seed=SETTINGS["seed"],
        code=code_of("collect_metrics"),
    message:
        "Collecting metrics with intervals"
    script:
        "../workflow_scripts/collect_metrics.py"
