"""Draw the training triples that become instructions."""

from pathlib import Path

from protscribe.corpora.knowledge.sampling import sample_triples
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    sample_triples(
        Path(snakemake.input.triples),
        Path(snakemake.input.split),
        Path(snakemake.input.clusters),
        Path(snakemake.output.sampled),
        Path(snakemake.output.report),
        method=snakemake.params.method,
        draws=snakemake.params.draws,
        power=snakemake.params.power,
        seed=snakemake.params.seed,
    )
