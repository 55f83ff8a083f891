"""Write what of the publications may be shared."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.literature.pmc import share_publications

with script_log(snakemake.log[0]):
    share_publications(
        Path(snakemake.input.publications),
        Path(snakemake.input.mentions),
        Path(snakemake.output.publications),
        Path(snakemake.output.mentions),
        allow=snakemake.params.allow,
    )
