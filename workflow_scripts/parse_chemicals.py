"""Parse ChEBI."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.vocabularies.chebi import parse_chemicals

with script_log(snakemake.log[0]):
    proteins = snakemake.input.proteins
    parse_chemicals(
        Path(snakemake.input.files[0]),
        Path(proteins[0]) if proteins else None,
        Path(snakemake.input.manifest),
        {name: Path(path) for name, path in snakemake.output.items()},
    )
