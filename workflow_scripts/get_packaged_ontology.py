"""Take the Gene Ontology out of a Debian package."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.vocabularies.go_sqlite import get_packaged_ontology

with script_log(snakemake.log[0]):
    get_packaged_ontology(
        Path(snakemake.output.ontology),
        Path(snakemake.output.manifest),
        work=Path(snakemake.params.packages),
        required=snakemake.params.required,
    )
