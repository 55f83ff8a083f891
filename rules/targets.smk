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
        collect("<resources>/models/{model}/manifest.json", model=MODELS),


rule corpora:
    input:
        "<results>/corpora/descriptions.parquet",
        collect("<results>/corpora/prompts/{system}.parquet", system=SYSTEMS),


rule embeddings:
    input:
        collect(
            "<results>/embeddings/proteins/{encoder}/manifest.json", encoder=ENCODERS
        ),
        collect("<results>/embeddings/texts/{system}.parquet", system=SYSTEMS),


rule aligned:
    input:
        collect(
            "<results>/systems/{system}/{training_seed}/align/connector.safetensors",
            system=SYSTEMS,
            training_seed=SEEDS,
        ),


rule tuned:
    input:
        collect(
            "<results>/systems/{system}/{training_seed}/model/system.json",
            system=SYSTEMS,
            training_seed=SEEDS,
        ),


rule predicted:
    input:
        collect("<results>/predictions/{predictor}.parquet", predictor=PREDICTORS),


rule scored:
    input:
        collect("<results>/scores/{predictor}.parquet", predictor=PREDICTORS),
