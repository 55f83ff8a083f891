"""Cluster training proteins that are alike in sequence and in annotations."""

from pathlib import Path

from protscribe.corpora.knowledge.property_clusters import cluster_knowledge
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    cluster_knowledge(
        Path(snakemake.input.proteins),
        Path(snakemake.input.triples),
        Path(snakemake.input.vectors),
        Path(snakemake.output.clusters),
        min_identity=snakemake.params.min_identity,
        min_coverage=snakemake.params.min_coverage,
        max_distance=snakemake.params.max_distance,
        threads=snakemake.threads,
    )
