"""Choose what is to be designed."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.evaluation.design.requests import request_designs

with script_log(snakemake.log[0]):
    request_designs(
        Path(snakemake.input.triples),
        Path(snakemake.input.annotations),
        Path(snakemake.input.sampled),
        Path(snakemake.input.split),
        Path(snakemake.output.requests),
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        published=snakemake.params.published,
    )
