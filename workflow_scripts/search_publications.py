"""Look for publications about each protein."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.client import Network
from protscribe.sources.literature.candidates import search_publications

with script_log(snakemake.log[0]):
    split = snakemake.input.split
    search_publications(
        Path(snakemake.input.proteins),
        Path(split[0]) if split else None,
        Path(snakemake.output.candidates),
        Path(snakemake.output.rejects),
        **snakemake.params.search,
        network=Network.from_environment(),
        log=Path(snakemake.log.requests),
    )
