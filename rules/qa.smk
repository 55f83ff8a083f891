"""Questions and answers about proteins, and what becomes of each pair."""

WRITER = QA["language_model"]
SHARDS = WRITER["shards"] if "language_model" in QA["writers"] else 0
WRITTEN = collect("<results>/qa/written/{shard}.parquet", shard=range(SHARDS))
PAIRS = ["<results>/qa/phrased.parquet"] if "template" in QA["writers"] else []
PAIRS += ["<results>/qa/imported.parquet"] if QA["files"] else []
SCORED = QA["blind"]["model"] is not None
QA_FILES = []
if uses_qa(SETTINGS):
    QA_FILES = ["<results>/corpora/qa.json", "<results>/corpora/qa_statistics.json"]
    MADE += QA_FILES
    REJECTS += [f"write_qa/{shard}" for shard in range(SHARDS)]
    REJECTS += ["import_qa"] if QA["files"] else []
    REJECTS += ["filter_qa", "make_qa_conversations"]


wildcard_constraints:
    shard=r"\d+",


rule write_qa:
    input:
        contexts="<results>/tables/contexts.parquet",
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
        model=manifests_of(WRITER_MODEL),
    output:
        answers="<results>/qa/written/{shard}.parquet",
        rejects="<results>/rejects/write_qa/{shard}.parquet",
    log:
        "<logs>/write_qa/{shard}.log",
    benchmark:
        "<benchmarks>/write_qa/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=1440,
        gpu=COMPUTE["gpu"] if IN_PROCESS else 0,
    params:
        settings=WRITER,
        seed=SETTINGS["seed"],
        cache=f"{RESOURCES}/qa",
        compute=compute(),
        code=code_of("write_qa"),
    message:
        "Writing questions and answers (part {wildcards.shard})"
    script:
        "../workflow_scripts/write_qa.py"


rule phrase_statements:
    input:
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
    output:
        pairs="<results>/qa/phrased.parquet",
    log:
        "<logs>/phrase_statements.log",
    benchmark:
        "<benchmarks>/phrase_statements.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=60,
    params:
        licence=SOURCE["licence"],
        code=code_of("phrase_statements"),
    message:
        "Phrasing curated statements as questions and answers"
    script:
        "../workflow_scripts/phrase_statements.py"


rule import_qa:
    input:
        files=QA["files"],
        proteins="<results>/tables/proteins.parquet",
    output:
        pairs="<results>/qa/imported.parquet",
        rejects="<results>/rejects/import_qa.parquet",
    log:
        "<logs>/import_qa.log",
    benchmark:
        "<benchmarks>/import_qa.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=60,
    params:
        code=code_of("import_qa"),
    message:
        "Reading questions and answers from files"
    script:
        "../workflow_scripts/import_qa.py"


rule filter_qa:
    input:
        answers=WRITTEN,
        pairs=PAIRS,
        contexts="<results>/tables/contexts.parquet",
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
        text_encoder=manifests_of(QA["filters"]["text_encoder"]),
    output:
        pairs="<results>/qa/pairs.parquet",
        rejects="<results>/rejects/filter_qa.parquet",
    log:
        "<logs>/filter_qa.log",
    benchmark:
        "<benchmarks>/filter_qa.tsv"
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=240,
        gpu=COMPUTE["gpu"],
    params:
        filters=QA["filters"],
        seed=SETTINGS["seed"],
        compute=compute(),
        code=code_of("filter_qa"),
    message:
        "Dropping pairs that are not about the protein or not supported"
    script:
        "../workflow_scripts/filter_qa.py"


rule score_qa:
    input:
        pairs="<results>/qa/pairs.parquet",
        model=manifests_of(QA["blind"]["model"]),
    output:
        scores="<results>/qa/scores.parquet",
    log:
        "<logs>/score_qa.log",
    benchmark:
        "<benchmarks>/score_qa.tsv"
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=720,
        gpu=COMPUTE["gpu"],
    params:
        blind=QA["blind"],
        compute=compute("embed_batch_tokens"),
        code=code_of("score_qa"),
    message:
        "Scoring answers without the protein"
    script:
        "../workflow_scripts/score_qa.py"


rule make_qa_conversations:
    input:
        pairs="<results>/qa/pairs.parquet",
        scores=["<results>/qa/scores.parquet"] if SCORED else [],
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
        publications=["<results>/tables/publications.parquet"] if ABSTRACTS else [],
    output:
        conversations="<results>/corpora/qa.parquet",
        llava="<results>/corpora/qa.json",
        statistics="<results>/corpora/qa_statistics.json",
        rejects="<results>/rejects/make_qa_conversations.parquet",
    log:
        "<logs>/make_qa_conversations.log",
    benchmark:
        "<benchmarks>/make_qa_conversations.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=60,
    params:
        allow=PUBLICATIONS["licences"],
        code=code_of("make_qa_conversations"),
    message:
        "Making conversations of questions and answers"
    script:
        "../workflow_scripts/make_qa_conversations.py"
