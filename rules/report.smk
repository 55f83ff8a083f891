"""Figures, provenance and the results page."""

LOSSES = collect(
    "<results>/systems/{system}/{training_seed}/{stage}/losses.tsv",
    system=TRAINED,
    training_seed=SEEDS,
    stage=["align", "tune"],
)
# Other systems' summaries hold no perplexity.
SUMMARIES = collect(
    "<results>/systems/{system}/{training_seed}/{stage}/summary.json",
    system=PRETRAINED,
    training_seed=SEEDS,
    stage=["align", "tune"],
)
FIGURES = collect(
    "<results>/figures/{figure}.{suffix}",
    figure=["losses", "metrics", "split", *(["knowledge"] if KNOWLEDGE_FILES else [])],
    suffix=["png", "svg", "csv"],
)
DESIGN_TABLES = collect(
    "<results>/design/{table}.parquet",
    table=["scores", "requests"] if DESIGNED else [],
)
TEMPLATES = sorted((HOUSE / "report").glob("*.html.j2"))


rule plot_results:
    input:
        losses=LOSSES,
        metrics="<results>/metrics.parquet",
        split="<results>/split/split.parquet",
        degrees=["<results>/knowledge/degrees.tsv"] if KNOWLEDGE_FILES else [],
    output:
        FIGURES,
    log:
        "<logs>/plot_results.log",
    benchmark:
        "<benchmarks>/plot_results.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=30,
    params:
        code=code_of("plot_results"),
    message:
        "Plotting losses, metrics, the split and what is known"
    script:
        "../workflow_scripts/plot_results.py"


rule record_provenance:
    input:
        entries=ENTRIES_MANIFEST,
        tables=collect("<results>/tables/{table}.parquet", table=TABLES),
        corpora=collect("<results>/corpora/{corpus}.parquet", corpus=CORPORA),
        split="<results>/split/split.parquet",
        models=manifests_of(*MODELS),
    output:
        provenance="<results>/provenance.json",
    log:
        "<logs>/record_provenance.log",
    benchmark:
        "<benchmarks>/record_provenance.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=30,
    params:
        settings=SETTINGS,
        code=code_of("record_provenance"),
    message:
        "Recording what the results were made from"
    script:
        "../workflow_scripts/record_provenance.py"


rule write_report:
    input:
        metrics="<results>/metrics.parquet",
        audit="<results>/split/audit.json",
        rejects=collect("<results>/rejects/{rule}.parquet", rule=REJECTS),
        provenance="<results>/provenance.json",
        statistics=[name for name in QA_FILES if name.endswith("statistics.json")],
        knowledge=KNOWLEDGE_FILES,
        designed=DESIGN_TABLES,
        designs=DESIGNS,
        summaries=SUMMARIES,
        figures=FIGURES,
    output:
        page="<results>/report.html",
    log:
        "<logs>/write_report.log",
    benchmark:
        "<benchmarks>/write_report.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=30,
    params:
        title=SETTINGS["name"],
        note=SETTINGS["note"],
        templates=[sha256_file(path) for path in TEMPLATES],
        code=code_of("write_report"),
    message:
        "Writing the results page"
    script:
        "../workflow_scripts/write_report.py"
