"""Fetch UniRef."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.client import Client, Network
from protscribe.sources.vocabularies.uniref import get_uniref

with script_log(snakemake.log[0]):
    manifest = Path(snakemake.output.manifest)
    with Client(Network.from_environment(), Path(snakemake.log.requests)) as client:
        get_uniref(
            manifest.parent,
            manifest,
            release=snakemake.params.release,
            identity=snakemake.params.identity,
            client=client,
        )
