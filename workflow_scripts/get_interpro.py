"""Fetch InterPro."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.client import Client, Network
from protscribe.sources.vocabularies.interpro import get_interpro

with script_log(snakemake.log[0]):
    manifest = Path(snakemake.output.manifest)
    with Client(Network.from_environment(), Path(snakemake.log.requests)) as client:
        get_interpro(
            manifest.parent,
            manifest,
            release=snakemake.params.release,
            client=client,
        )
