"""Parse InterPro."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.vocabularies.interpro import parse_interpro

with script_log(snakemake.log[0]):
    entries, interpro2go, *short_names = map(Path, snakemake.input.files)
    parse_interpro(
        entries,
        short_names[0] if short_names else None,
        interpro2go,
        Path(snakemake.input.manifest),
        ontology_terms=Path(snakemake.input.ontology_terms),
        ontology_ids=Path(snakemake.input.ontology_ids),
        tables={name: Path(path) for name, path in snakemake.output.items()},
    )
