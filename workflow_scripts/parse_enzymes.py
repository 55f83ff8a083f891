"""Parse ENZYME."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.vocabularies.enzyme import parse_enzymes

with script_log(snakemake.log[0]):
    parse_enzymes(
        Path(snakemake.input.files[0]),
        Path(snakemake.input.manifest),
        {name: Path(path) for name, path in snakemake.output.items()},
    )
