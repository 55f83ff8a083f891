"""Search for leaks between the folds and fail on the first."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.homology.audit import audit_split

with script_log(snakemake.log[0]):
    audit_split(
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        [Path(path) for path in snakemake.input.conversations],
        Path(snakemake.output.audit),
        criterion=snakemake.params.criterion,
        threads=snakemake.threads,
    )
