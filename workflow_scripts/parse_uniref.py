"""Parse UniRef."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.vocabularies.uniref import parse_uniref

with script_log(snakemake.log[0]):
    parse_uniref(
        Path(snakemake.input.files[0]),
        Path(snakemake.input.manifest),
        {name: Path(path) for name, path in snakemake.output.items()},
        sample=snakemake.params.sample,
        seed=snakemake.params.seed,
    )
