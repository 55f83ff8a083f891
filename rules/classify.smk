"""Questions that are answered by the likelihood of given options."""

BENCHMARKS = CLASSIFICATION["published"]
ASKED = (
    ["<results>/classification/questions.parquet"] if CLASSIFICATION["tasks"] else []
)
ASKED += ["<results>/classification/benchmarks.parquet"] if BENCHMARKS else []
FLOORS = ["majority", "blind_prior", "homology"]
FLOORS += ["embedding_knn"] if ENCODERS else []
RANKED = collect(
    "<results>/classification/options/{predictor}.parquet",
    predictor=[*SYSTEMS, *(f"language_model_{name}" for name in UNTUNED), *FLOORS],
)
CLASSIFIED = ["<results>/classification/metrics.parquet"] if ASKED and SYSTEMS else []
REJECTS += ["make_questions"] if CLASSIFICATION["tasks"] and SYSTEMS else []
REJECTS += ["read_benchmarks"] if BENCHMARKS and SYSTEMS else []


rule make_questions:
    input:
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
        triples="<results>/knowledge/triples.parquet",
        annotations="<results>/knowledge/annotations.parquet",
        closure=closure_at_hand(),
    output:
        questions="<results>/classification/questions.parquet",
        rejects="<results>/rejects/make_questions.parquet",
    log:
        "<logs>/make_questions.log",
    benchmark:
        "<benchmarks>/make_questions.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=120,
    params:
        tasks=CLASSIFICATION["tasks"],
        questions_per_protein=CLASSIFICATION["questions_per_protein"],
        proteins_per_fold=CLASSIFICATION["proteins_per_fold"],
        options=CLASSIFICATION["options"],
        seed=SETTINGS["seed"],
        code=code_of("make_questions"),
    message:
        "Making questions with given options"
    script:
        "../workflow_scripts/make_questions.py"


rule read_benchmarks:
    input:
        files=[benchmark["path"] for benchmark in BENCHMARKS],
        terms=of_corpus("ontology_terms", TABLES, "tables/ontology_terms"),
        ids=of_corpus("ontology_ids", TABLES, "tables/ontology_ids"),
        fold_names=CLASSIFICATION["fold_names"] or [],
    output:
        questions="<results>/classification/benchmarks.parquet",
        rejects="<results>/rejects/read_benchmarks.parquet",
    log:
        "<logs>/read_benchmarks.log",
    benchmark:
        "<benchmarks>/read_benchmarks.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=60,
    params:
        tasks=[benchmark["task"] for benchmark in BENCHMARKS],
        max_proteins=CLASSIFICATION["max_proteins"],
        questions_per_protein=CLASSIFICATION["questions_per_protein"],
        seed=SETTINGS["seed"],
        code=code_of("read_benchmarks"),
    message:
        "Reading published benchmarks"
    script:
        "../workflow_scripts/read_benchmarks.py"


rule write_asked_proteins:
    input:
        questions=["<results>/classification/benchmarks.parquet"],
    output:
        proteins="<results>/tables/asked.parquet",
    log:
        "<logs>/write_asked_proteins.log",
    benchmark:
        "<benchmarks>/write_asked_proteins.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=30,
    params:
        code=code_of("write_asked_proteins"),
    message:
        "Writing the proteins of published benchmarks"
    script:
        "../workflow_scripts/write_asked_proteins.py"


rule rank_options:
    input:
        models=models_of,
        language_model=language_model_of,
        questions=ASKED,
        stores=stores_of,
        proteins="<results>/tables/proteins.parquet",
        audit="<results>/split/audit.json",
    output:
        option_scores="<results>/classification/options/{system}.parquet",
    log:
        "<logs>/rank_options/{system}.log",
    benchmark:
        "<benchmarks>/rank_options/{system}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=720,
        gpu=COMPUTE["gpu"],
    params:
        conditions=CLASSIFICATION["conditions"],
        compute=compute("predict_batch_tokens"),
        code=code_of("rank_options"),
    message:
        "Ranking options with {wildcards.system}"
    script:
        "../workflow_scripts/rank_options.py"


rule rank_options_language_model:
    input:
        language_model="<resources>/models/{model}/manifest.json",
        questions=ASKED,
        audit="<results>/split/audit.json",
    output:
        option_scores="<results>/classification/options/language_model_{model}.parquet",
    log:
        "<logs>/rank_options_language_model/{model}.log",
    benchmark:
        "<benchmarks>/rank_options_language_model/{model}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=720,
        gpu=COMPUTE["gpu"],
    params:
        precision=SETTINGS["evaluation"]["language_model"]["precision"],
        compute=compute("predict_batch_tokens"),
        code=code_of("rank_options_language_model"),
    message:
        "Ranking options with {wildcards.model}, which sees no protein"
    script:
        "../workflow_scripts/rank_options_language_model.py"


rule answer_floors:
    input:
        questions=ASKED,
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
        triples="<results>/knowledge/triples.parquet",
        annotations="<results>/knowledge/annotations.parquet",
        closure=closure_at_hand(),
        terms=of_corpus("ontology_terms", TABLES, "tables/ontology_terms"),
        embeddings=collect(
            "<results>/embeddings/proteins/{encoder}/manifest.json",
            encoder=sorted(ENCODERS)[:1],
        ),
        audit="<results>/split/audit.json",
    output:
        collect("<results>/classification/options/{floor}.parquet", floor=FLOORS),
    log:
        "<logs>/answer_floors.log",
    benchmark:
        "<benchmarks>/answer_floors.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 16
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=240,
    params:
        code=code_of("answer_floors"),
    message:
        "Answering by what training proteins are known for"
    script:
        "../workflow_scripts/answer_floors.py"


rule score_classification:
    input:
        option_scores=RANKED,
        questions=ASKED,
        split="<results>/split/split.parquet",
    output:
        metrics="<results>/classification/metrics.parquet",
    log:
        "<logs>/score_classification.log",
    benchmark:
        "<benchmarks>/score_classification.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=120,
    params:
        resamples=SETTINGS["evaluation"]["resamples"],
        seed=SETTINGS["seed"],
        code=code_of("score_classification"),
    message:
        "Scoring the ranking of options"
    script:
        "../workflow_scripts/score_classification.py"
