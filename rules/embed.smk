"""What frozen models say of proteins and texts, computed once."""


rule embed_proteins:
    input:
        proteins="<results>/tables/{proteins}.parquet",
        model=encoder_model_of,
    output:
        manifest="<results>/embeddings/{proteins}/{encoder}/manifest.json",
        index="<results>/embeddings/{proteins}/{encoder}/index.parquet",
    log:
        "<logs>/embed_proteins/{proteins}.{encoder}.log",
    benchmark:
        "<benchmarks>/embed_proteins/{proteins}.{encoder}.tsv"
    wildcard_constraints:
        proteins="proteins|shuffled|asked",
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=720,
        gpu=COMPUTE["gpu"],
    params:
        encoder=lookup(dpath="{encoder}", within=ENCODERS),
        compute=compute("embed_batch_tokens", "embed_shard_tokens"),
        code=code_of("embed_proteins"),
    message:
        "Embedding {wildcards.proteins}: {wildcards.encoder}"
    script:
        "../workflow_scripts/embed_proteins.py"


rule shuffle_sequences:
    input:
        proteins="<results>/tables/proteins.parquet",
        split="<results>/split/split.parquet",
    output:
        proteins="<results>/tables/shuffled.parquet",
    log:
        "<logs>/shuffle_sequences.log",
    benchmark:
        "<benchmarks>/shuffle_sequences.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=30,
    params:
        seed=SETTINGS["seed"],
        code=code_of("shuffle_sequences"),
    message:
        "Shuffling the residues of the test proteins"
    script:
        "../workflow_scripts/shuffle_sequences.py"


rule embed_texts:
    input:
        conversations=aligned_corpora_of,
        model=language_model_of,
    output:
        vectors="<results>/embeddings/texts/{system}.parquet",
        spread="<results>/embeddings/texts/{system}.json",
    log:
        "<logs>/embed_texts/{system}.log",
    benchmark:
        "<benchmarks>/embed_texts/{system}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: COMPUTE["torch_threads"]
    resources:
        mem_mb=mem_by_attempt(8000),
        runtime=720,
        gpu=COMPUTE["gpu"],
    params:
        align=lookup(dpath="{system}/align", within=SYSTEMS),
        compute=compute("embed_batch_tokens"),
        code=code_of("embed_texts"),
    message:
        "Embedding texts for {wildcards.system}"
    script:
        "../workflow_scripts/embed_texts.py"
