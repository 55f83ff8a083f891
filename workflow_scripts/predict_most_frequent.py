"""Repeat the most frequent training text."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.evaluation.baselines import predict_most_frequent

with script_log(snakemake.log[0]):
    predict_most_frequent(
        [Path(path) for path in snakemake.input.conversations],
        Path(snakemake.output.predictions),
    )
