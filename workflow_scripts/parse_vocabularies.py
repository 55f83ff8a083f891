"""Parse UniProt's keywords and locations."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.vocabularies.keywords import parse_vocabularies

with script_log(snakemake.log[0]):
    keywords, locations = map(Path, snakemake.input.files)
    parse_vocabularies(
        keywords,
        locations,
        Path(snakemake.input.manifest),
        {name: Path(path) for name, path in snakemake.output.items()},
    )
