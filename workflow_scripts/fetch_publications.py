"""Fetch records from PubMed."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.client import Network
from protscribe.sources.literature.retrieval import fetch_publications

with script_log(snakemake.log[0]):
    fetch_publications(
        Path(snakemake.input.candidates),
        Path(snakemake.params.folder),
        Path(snakemake.output.manifest),
        Path(snakemake.output.rejects),
        network=Network.from_environment(),
        log=Path(snakemake.log.requests),
        batch=snakemake.params.batch,
    )
