"""Find the UniRef clusters of our proteins."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.vocabularies.uniref import parse_uniref_members

with script_log(snakemake.log[0]):
    parse_uniref_members(
        Path(snakemake.input.mapping),
        Path(snakemake.input.proteins),
        Path(snakemake.input.manifest),
        {name: Path(path) for name, path in snakemake.output.items()},
    )
