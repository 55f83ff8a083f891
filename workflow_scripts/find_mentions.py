"""Find the proteins' names in titles and abstracts."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.literature.mentions import find_mentions

with script_log(snakemake.log[0]):
    find_mentions(
        Path(snakemake.input.proteins),
        Path(snakemake.input.publications),
        Path(snakemake.input.candidates),
        Path(snakemake.output.mentions),
        Path(snakemake.output.rejects),
    )
