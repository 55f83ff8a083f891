"""What a user may ask for by name beside `all`: one stage of the job."""


localrules:
    data,
    split,
    models,
    corpora,
    embeddings,
    aligned,
    tuned,
    predicted,
    classified,
    designed,
    scored,


rule data:
    input:
        collect("<results>/tables/{table}.parquet", table=TABLES),
        SHARED,


rule split:
    input:
        "<results>/split/split.parquet",
        "<results>/split/audit.json",


rule models:
    input:
        manifests_of(*MODELS),


rule corpora:
    input:
        collect("<results>/corpora/{corpus}.parquet", corpus=[*CORPORA, *PRETRAINING]),
        QA_FILES,
        KNOWLEDGE_FILES,


rule embeddings:
    input:
        collect(
            "<results>/embeddings/proteins/{encoder}/manifest.json", encoder=ENCODERS
        ),
        collect("<results>/embeddings/texts/{system}.parquet", system=CONTRASTIVE),


rule aligned:
    input:
        collect(
            "<results>/systems/{system}/{training_seed}/align/weights.safetensors",
            system=TRAINED,
            training_seed=SEEDS,
        ),


rule tuned:
    input:
        collect(
            "<results>/systems/{system}/{training_seed}/model/system.json",
            system=TRAINED,
            training_seed=SEEDS,
        ),


rule predicted:
    input:
        collect("<results>/predictions/{predictor}.parquet", predictor=PREDICTORS),


rule scored:
    input:
        collect("<results>/scores/{predictor}.parquet", predictor=PREDICTORS),


rule classified:
    input:
        CLASSIFIED,


rule designed:
    input:
        DESIGNED,
