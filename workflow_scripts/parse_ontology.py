"""Make the tables of the Gene Ontology."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.vocabularies.ontology import parse_ontology

with script_log(snakemake.log[0]):
    basic, *full = map(Path, snakemake.input.files)
    parse_ontology(
        basic,
        full[0] if full else None,
        Path(snakemake.input.manifest),
        {name: Path(path) for name, path in snakemake.output.items()},
    )
