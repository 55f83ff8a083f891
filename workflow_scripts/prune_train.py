"""Remove training proteins that resemble the low-homology test."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.homology.split import prune_train

with script_log(snakemake.log[0]):
    prune_train(
        Path(snakemake.input.proteins),
        Path(snakemake.input.folds),
        Path(snakemake.output.split),
        criterion=snakemake.params.criterion,
        threads=snakemake.threads,
    )
