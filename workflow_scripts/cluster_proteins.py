"""Cluster proteins by sequence with MMseqs2."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.homology.split import cluster_proteins

with script_log(snakemake.log[0]):
    cluster_proteins(
        Path(snakemake.input.proteins),
        Path(snakemake.output.clusters),
        min_identity=snakemake.params.min_identity,
        min_coverage=snakemake.params.min_coverage,
        threads=snakemake.threads,
    )
