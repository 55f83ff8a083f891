"""The smaller sources: vocabularies, domains, clusters, enzymes and chemicals."""

INTERPRO, UNIREF, VOCABULARY, ENZYME, CHEBI = (
    VOCABULARIES[name] for name in ("interpro", "uniref", "uniprot", "enzyme", "chebi")
)
INTERPRO_FOLDER = f"<resources>/interpro/{INTERPRO['release']}"
UNIREF_FOLDER = f"<resources>/uniref/{UNIREF['release']}/uniref{UNIREF['identity']}"
MAPPING_FOLDER = f"<resources>/uniref/{UNIREF['release']}/mapping"
VOCABULARY_FOLDER = f"<resources>/vocabularies/{VOCABULARY['release']}"
ENZYME_FOLDER = f"<resources>/enzyme/{ENZYME['release']}"
CHEBI_FOLDER = f"<resources>/chebi/{CHEBI['release']}"
for name, rule_name, made in (
    ("uniprot", "parse_vocabularies", ["keywords", "locations"]),
    ("interpro", "parse_interpro", ["interpro_entries", "interpro2go"]),
    ("uniref", "parse_uniref", ["uniref_clusters"]),
    ("enzyme", "parse_enzymes", ["enzymes"]),
    ("chebi", "parse_chemicals", ["chemicals"]),
):
    if VOCABULARIES[name]["source"] != "none":
        TABLES += made
        REJECTS += [rule_name]
if UNIREF["source"] == "release" and UNIREF["members"]:
    TABLES += ["uniref_members"]
    REJECTS += ["parse_uniref_members"]


rule check_vocabulary_files:
    input:
        lookup(
            dpath="{vocabulary}/paths",
            within=VOCABULARIES | {"ontology": SETTINGS["ontology"]},
        ),
    output:
        manifest="<results>/vocabularies/{vocabulary}.json",
    log:
        "<logs>/check_vocabulary_files/{vocabulary}.log",
    benchmark:
        "<benchmarks>/check_vocabulary_files/{vocabulary}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=60,
    params:
        release=lookup(
            dpath="{vocabulary}/release",
            within=VOCABULARIES | {"ontology": SETTINGS["ontology"]},
        ),
        code=code_of("check_vocabulary_files"),
    message:
        "Checking the files of {wildcards.vocabulary}"
    script:
        "../workflow_scripts/check_vocabulary_files.py"


rule get_vocabularies:
    output:
        collect(
            "{folder}/{file}",
            folder=VOCABULARY_FOLDER,
            file=["keywlist.txt", "subcell.txt"],
        ),
        manifest=f"{VOCABULARY_FOLDER}/manifest.json",
    log:
        "<logs>/get_vocabularies.log",
        requests="<logs>/get_vocabularies.requests.tsv",
    benchmark:
        "<benchmarks>/get_vocabularies.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=60,
        uniprot=1,
    params:
        release=VOCABULARY["release"],
        code=code_of("get_vocabularies"),
    message:
        "Fetching keywords and locations"
    script:
        "../workflow_scripts/get_vocabularies.py"


rule parse_vocabularies:
    input:
        **files_of("uniprot", VOCABULARY_FOLDER, "keywlist.txt", "subcell.txt"),
    output:
        keywords="<results>/tables/keywords.parquet",
        locations="<results>/tables/locations.parquet",
        rejects="<results>/rejects/parse_vocabularies.parquet",
    log:
        "<logs>/parse_vocabularies.log",
    benchmark:
        "<benchmarks>/parse_vocabularies.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=60,
    params:
        code=code_of("parse_vocabularies"),
    message:
        "Parsing keywords and locations"
    script:
        "../workflow_scripts/parse_vocabularies.py"


rule get_interpro:
    output:
        collect(
            "{folder}/{file}",
            folder=INTERPRO_FOLDER,
            file=["entry.list", "interpro2go", "short_names.dat"],
        ),
        manifest=f"{INTERPRO_FOLDER}/manifest.json",
    log:
        "<logs>/get_interpro.log",
        requests="<logs>/get_interpro.requests.tsv",
    benchmark:
        "<benchmarks>/get_interpro.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=60,
        interpro=1,
    params:
        release=INTERPRO["release"],
        code=code_of("get_interpro"),
    message:
        "Fetching InterPro"
    script:
        "../workflow_scripts/get_interpro.py"


rule parse_interpro:
    input:
        **files_of(
            "interpro", INTERPRO_FOLDER, "entry.list", "interpro2go", "short_names.dat"
        ),
        ontology_terms="<results>/tables/ontology_terms.parquet",
        ontology_ids="<results>/tables/ontology_ids.parquet",
    output:
        interpro_entries="<results>/tables/interpro_entries.parquet",
        interpro2go="<results>/tables/interpro2go.parquet",
        rejects="<results>/rejects/parse_interpro.parquet",
    log:
        "<logs>/parse_interpro.log",
    benchmark:
        "<benchmarks>/parse_interpro.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=60,
    params:
        code=code_of("parse_interpro"),
    message:
        "Parsing InterPro"
    script:
        "../workflow_scripts/parse_interpro.py"


rule get_uniref:
    output:
        f"{UNIREF_FOLDER}/uniref{UNIREF['identity']}.fasta.gz",
        manifest=f"{UNIREF_FOLDER}/manifest.json",
    log:
        "<logs>/get_uniref.log",
        requests="<logs>/get_uniref.requests.tsv",
    benchmark:
        "<benchmarks>/get_uniref.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=2880,
        uniprot=1,
    params:
        release=UNIREF["release"],
        identity=UNIREF["identity"],
        code=code_of("get_uniref"),
    message:
        "Fetching UniRef"
    script:
        "../workflow_scripts/get_uniref.py"


rule parse_uniref:
    input:
        **files_of("uniref", UNIREF_FOLDER, f"uniref{UNIREF['identity']}.fasta.gz"),
    output:
        uniref_clusters="<results>/tables/uniref_clusters.parquet",
        rejects="<results>/rejects/parse_uniref.parquet",
    log:
        "<logs>/parse_uniref.log",
    benchmark:
        "<benchmarks>/parse_uniref.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=480,
    params:
        sample=UNIREF["sample"],
        seed=SETTINGS["seed"],
        code=code_of("parse_uniref"),
    message:
        "Parsing UniRef"
    script:
        "../workflow_scripts/parse_uniref.py"


rule get_uniref_mapping:
    output:
        collect(
            "{folder}/{file}",
            folder=MAPPING_FOLDER,
            file=["idmapping_selected.tab.gz"],
        ),
        manifest=f"{MAPPING_FOLDER}/manifest.json",
    log:
        "<logs>/get_uniref_mapping.log",
        requests="<logs>/get_uniref_mapping.requests.tsv",
    benchmark:
        "<benchmarks>/get_uniref_mapping.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=1440,
        uniprot=1,
    params:
        release=UNIREF["release"],
        code=code_of("get_uniref_mapping"),
    message:
        "Fetching the clusters of all accessions"
    script:
        "../workflow_scripts/get_uniref_mapping.py"


rule parse_uniref_members:
    input:
        mapping=f"{MAPPING_FOLDER}/idmapping_selected.tab.gz",
        manifest=f"{MAPPING_FOLDER}/manifest.json",
        proteins="<results>/tables/proteins.parquet",
    output:
        uniref_members="<results>/tables/uniref_members.parquet",
        rejects="<results>/rejects/parse_uniref_members.parquet",
    log:
        "<logs>/parse_uniref_members.log",
    benchmark:
        "<benchmarks>/parse_uniref_members.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(4000),
        runtime=480,
    params:
        code=code_of("parse_uniref_members"),
    message:
        "Finding the clusters of our proteins"
    script:
        "../workflow_scripts/parse_uniref_members.py"


rule get_enzymes:
    output:
        collect("{folder}/{file}", folder=ENZYME_FOLDER, file=["enzyme.dat"]),
        manifest=f"{ENZYME_FOLDER}/manifest.json",
    log:
        "<logs>/get_enzymes.log",
        requests="<logs>/get_enzymes.requests.tsv",
    benchmark:
        "<benchmarks>/get_enzymes.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=60,
        enzyme=1,
    params:
        release=ENZYME["release"],
        code=code_of("get_enzymes"),
    message:
        "Fetching ENZYME"
    script:
        "../workflow_scripts/get_enzymes.py"


rule parse_enzymes:
    input:
        **files_of("enzyme", ENZYME_FOLDER, "enzyme.dat"),
    output:
        enzymes="<results>/tables/enzymes.parquet",
        rejects="<results>/rejects/parse_enzymes.parquet",
    log:
        "<logs>/parse_enzymes.log",
    benchmark:
        "<benchmarks>/parse_enzymes.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=60,
    params:
        code=code_of("parse_enzymes"),
    message:
        "Parsing ENZYME"
    script:
        "../workflow_scripts/parse_enzymes.py"


rule get_chemicals:
    output:
        collect("{folder}/{file}", folder=CHEBI_FOLDER, file=["chebi_core.obo.gz"]),
        manifest=f"{CHEBI_FOLDER}/manifest.json",
    log:
        "<logs>/get_chemicals.log",
        requests="<logs>/get_chemicals.requests.tsv",
    benchmark:
        "<benchmarks>/get_chemicals.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(1000),
        runtime=60,
        chebi=1,
    params:
        release=CHEBI["release"],
        code=code_of("get_chemicals"),
    message:
        "Fetching ChEBI"
    script:
        "../workflow_scripts/get_chemicals.py"


rule parse_chemicals:
    input:
        **files_of("chebi", CHEBI_FOLDER, "chebi_core.obo.gz"),
        proteins=["<results>/tables/proteins.parquet"] if CHEBI["only_used"] else [],
    output:
        chemicals="<results>/tables/chemicals.parquet",
        rejects="<results>/rejects/parse_chemicals.parquet",
    log:
        "<logs>/parse_chemicals.log",
    benchmark:
        "<benchmarks>/parse_chemicals.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=mem_by_attempt(2000),
        runtime=60,
    params:
        code=code_of("parse_chemicals"),
    message:
        "Parsing ChEBI"
    script:
        "../workflow_scripts/parse_chemicals.py"
