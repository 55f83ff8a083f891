"""What frozen models say of proteins and texts, computed once."""


rule embed_proteins:
    input:
        proteins="<results>/tables/proteins.parquet",
        model=encoder_model_of,
    output:
        manifest="<results>/embeddings/proteins/{encoder}/manifest.json",
        index="<results>/embeddings/proteins/{encoder}/index.parquet",
    log:
        "<logs>/embed_proteins/{encoder}.log",
    benchmark:
        "<benchmarks>/embed_proteins/{encoder}.tsv"
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
        "Embedding proteins: {wildcards.encoder}"
    script:
        "../workflow_scripts/embed_proteins.py"


rule embed_texts:
    input:
        conversations=corpora_of,
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
