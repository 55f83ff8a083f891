"""Measure how well options are ranked, with intervals."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.evaluation.classification.metrics import score_classification

with script_log(snakemake.log[0]):
    score_classification(
        [Path(path) for path in snakemake.input.option_scores],
        [Path(path) for path in snakemake.input.questions],
        Path(snakemake.input.split),
        Path(snakemake.output.metrics),
        resamples=snakemake.params.resamples,
        seed=snakemake.params.seed,
    )
