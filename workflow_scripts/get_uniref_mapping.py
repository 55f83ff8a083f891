"""Fetch the UniRef clusters of all accessions."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.client import Client, Network
from protscribe.sources.vocabularies.uniref import get_uniref_mapping

with script_log(snakemake.log[0]):
    manifest = Path(snakemake.output.manifest)
    with Client(Network.from_environment(), Path(snakemake.log.requests)) as client:
        get_uniref_mapping(
            manifest.parent,
            manifest,
            release=snakemake.params.release,
            client=client,
        )
