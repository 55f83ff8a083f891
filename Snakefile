from snakemake.utils import min_version

min_version("9.19")

# A second file would be merged into the default deeply, so it is loaded only when alone.
if not workflow.configfiles:

    configfile: workflow.source_path("config.yaml")


localrules:
    all,


include: "rules/common.smk"
include: "rules/sources.smk"
include: "rules/split.smk"
include: "rules/publications.smk"
include: "rules/ontology.smk"
include: "rules/vocabularies.smk"
include: "rules/models.smk"
include: "rules/corpora.smk"
include: "rules/qa.smk"
include: "rules/knowledge.smk"
include: "rules/embed.smk"
include: "rules/train.smk"
include: "rules/predict.smk"
include: "rules/classify.smk"
include: "rules/design.smk"
include: "rules/score.smk"
include: "rules/report.smk"
include: "rules/targets.smk"


rule all:
    default_target: True
    input:
        RESULTS,
        SHARED,
        MADE,
        collect("<results>/tables/{table}.parquet", table=TABLES),
