"""Collect the metrics of all predictors with their intervals."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.evaluation.metrics import collect_metrics

with script_log(snakemake.log[0]):
    collect_metrics(
        [Path(path) for path in snakemake.input.predictions],
        [Path(path) for path in snakemake.input.scores],
        Path(snakemake.input.split),
        Path(snakemake.output.tsv),
        Path(snakemake.output.parquet),
        others=[Path(path) for path in snakemake.input.others],
        resamples=snakemake.params.resamples,
        seed=snakemake.params.seed,
    )
