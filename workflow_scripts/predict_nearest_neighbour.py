"""Copy the text of the nearest training protein."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.evaluation.baselines import predict_nearest_neighbour

with script_log(snakemake.log[0]):
    predict_nearest_neighbour(
        Path(snakemake.input.proteins),
        [Path(path) for path in snakemake.input.conversations],
        Path(snakemake.output.predictions),
        threads=snakemake.threads,
    )
