"""Fetch ChEBI."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.client import Client, Network
from protscribe.sources.vocabularies.chebi import get_chemicals

with script_log(snakemake.log[0]):
    manifest = Path(snakemake.output.manifest)
    with Client(Network.from_environment(), Path(snakemake.log.requests)) as client:
        get_chemicals(
            manifest.parent,
            manifest,
            release=snakemake.params.release,
            client=client,
        )
