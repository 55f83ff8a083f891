"""Assign whole clusters to folds."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.homology.split import assign_folds

with script_log(snakemake.log[0]):
    params = snakemake.params
    assign_folds(
        Path(snakemake.input.proteins),
        Path(snakemake.input.clusters),
        Path(snakemake.output.folds),
        fractions=params.fractions,
        temporal_after=params.temporal_after,
        minimum=params.minimum,
        seed=params.seed,
    )
