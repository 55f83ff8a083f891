"""Make one describing conversation per protein."""

from pathlib import Path

from protscribe.corpora.descriptions import make_descriptions
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    make_descriptions(
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.output.conversations),
        licence=snakemake.params.licence,
    )
