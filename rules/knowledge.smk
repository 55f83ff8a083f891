"""A graph of what is known of the proteins, and instructions made from it."""

SAMPLING = KNOWLEDGE["sampling"]
PHRASING = KNOWLEDGE["language_model"]
INSTRUCTION_SHARDS = range(KNOWLEDGE["shards"])
KNOWLEDGE_FILES = []
if uses_knowledge(SETTINGS):
    KNOWLEDGE_FILES = collect(
        "<results>/knowledge/{file}",
        file=["counts.parquet", "sampling.json", "statistics.json"],
    )
    MADE += KNOWLEDGE_FILES
    REJECTS += ["build_knowledge_graph"]
    REJECTS += [f"write_instructions/{shard}" for shard in INSTRUCTION_SHARDS]


rule build_knowledge_graph:
    input:
        unpack(vocabularies_at_hand),
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
    output:
        annotations="<results>/knowledge/annotations.parquet",
        triples="<results>/knowledge/triples.parquet",
        edges="<results>/knowledge/edges.parquet",
        counts="<results>/knowledge/counts.parquet",
        degrees="<results>/knowledge/degrees.tsv",
        rejects="<results>/rejects/build_knowledge_graph.parquet",
    log:
        "<logs>/build_knowledge_graph.log",
    benchmark:
        "<benchmarks>/build_knowledge_graph.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=120,
    params:
        relations=KNOWLEDGE["relations"],
        code=code_of("build_knowledge_graph"),
    message:
        "Making the knowledge graph"
    script:
        "../workflow_scripts/build_knowledge_graph.py"


rule chain_knowledge:
    input:
        triples="<results>/knowledge/triples.parquet",
        annotations="<results>/knowledge/annotations.parquet",
        edges="<results>/knowledge/edges.parquet",
    output:
        chains="<results>/knowledge/chains.parquet",
    log:
        "<logs>/chain_knowledge.log",
    benchmark:
        "<benchmarks>/chain_knowledge.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=120,
    params:
        max_steps=KNOWLEDGE["chains"]["max_steps"],
        code=code_of("chain_knowledge"),
    message:
        "Finding chains of cause in the knowledge graph"
    script:
        "../workflow_scripts/chain_knowledge.py"


rule embed_knowledge:
    input:
        triples="<results>/knowledge/triples.parquet",
        edges="<results>/knowledge/edges.parquet",
    output:
        vectors="<results>/knowledge/vectors.parquet",
    log:
        "<logs>/embed_knowledge.log",
    benchmark:
        "<benchmarks>/embed_knowledge.tsv"
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=360,
        gpu=COMPUTE["gpu"],
    params:
        settings=KNOWLEDGE["embedding"],
        seed=SETTINGS["seed"],
        compute=compute(),
        code=code_of("embed_knowledge"),
    message:
        "Embedding the knowledge graph"
    script:
        "../workflow_scripts/embed_knowledge.py"


rule cluster_knowledge:
    input:
        proteins="<results>/tables/proteins.parquet",
        triples="<results>/knowledge/triples.parquet",
        vectors="<results>/knowledge/vectors.parquet",
    output:
        clusters="<results>/knowledge/clusters.parquet",
    log:
        "<logs>/cluster_knowledge.log",
    benchmark:
        "<benchmarks>/cluster_knowledge.tsv"
    conda:
        "../envs/mmseqs.yaml"
    threads: 16
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=120,
    params:
        min_identity=SAMPLING["min_identity"],
        min_coverage=SAMPLING["min_coverage"],
        max_distance=SAMPLING["max_distance"],
        code=code_of("cluster_knowledge"),
    message:
        "Clustering proteins by sequence and by what is known of them"
    script:
        "../workflow_scripts/cluster_knowledge.py"


rule sample_triples:
    input:
        triples="<results>/knowledge/triples.parquet",
        split="<results>/split/split.parquet",
        clusters="<results>/knowledge/clusters.parquet",
    output:
        sampled="<results>/knowledge/sampled.parquet",
        report="<results>/knowledge/sampling.json",
    log:
        "<logs>/sample_triples.log",
    benchmark:
        "<benchmarks>/sample_triples.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=60,
    params:
        method=SAMPLING["method"],
        draws=SAMPLING["draws"],
        power=SAMPLING["power"],
        seed=SETTINGS["seed"],
        code=code_of("sample_triples"),
    message:
        "Drawing triples to learn from"
    script:
        "../workflow_scripts/sample_triples.py"


rule write_instructions:
    input:
        triples="<results>/knowledge/triples.parquet",
        annotations="<results>/knowledge/annotations.parquet",
        edges="<results>/knowledge/edges.parquet",
        closure=closure_at_hand(),
        chains="<results>/knowledge/chains.parquet",
        sampled="<results>/knowledge/sampled.parquet",
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
        model=manifests_of(PHRASING_MODEL),
    output:
        conversations="<results>/knowledge/instructions/{shard}.parquet",
        statistics="<results>/knowledge/instructions/{shard}.json",
        rejects="<results>/rejects/write_instructions/{shard}.parquet",
    log:
        "<logs>/write_instructions/{shard}.log",
    benchmark:
        "<benchmarks>/write_instructions/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=1440,
        gpu=COMPUTE["gpu"] if PHRASING_MODEL else 0,
    params:
        settings=without(
            KNOWLEDGE, "chains", "embedding", "faithful", "relations", "sampling"
        ),
        seed=SETTINGS["seed"],
        cache=f"{RESOURCES}/instructions",
        licence=SOURCE["licence"],
        compute=compute(),
        code=code_of("write_instructions"),
    message:
        "Writing instructions (part {wildcards.shard})"
    script:
        "../workflow_scripts/write_instructions.py"


rule join_instructions:
    input:
        conversations=collect(
            "<results>/knowledge/instructions/{shard}.parquet",
            shard=INSTRUCTION_SHARDS,
        ),
        statistics=collect(
            "<results>/knowledge/instructions/{shard}.json", shard=INSTRUCTION_SHARDS
        ),
    output:
        conversations="<results>/corpora/knowledge.parquet",
        statistics="<results>/knowledge/statistics.json",
    log:
        "<logs>/join_instructions.log",
    benchmark:
        "<benchmarks>/join_instructions.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=60,
    params:
        code=code_of("join_instructions"),
    message:
        "Joining the instructions"
    script:
        "../workflow_scripts/join_instructions.py"
