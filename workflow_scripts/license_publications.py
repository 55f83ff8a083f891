"""Join publications and licences."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.literature.pmc import license_publications

with script_log(snakemake.log[0]):
    license_publications(
        Path(snakemake.input.publications),
        Path(snakemake.input.licences),
        Path(snakemake.output.publications),
        Path(snakemake.output.rejects),
        drop_retracted=snakemake.params.drop_retracted,
    )
