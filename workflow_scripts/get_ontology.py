"""Fetch the Gene Ontology."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.client import Client, Network
from protscribe.sources.vocabularies.ontology import get_ontology

with script_log(snakemake.log[0]):
    manifest = Path(snakemake.output.manifest)
    with Client(Network.from_environment(), Path(snakemake.log.requests)) as client:
        get_ontology(
            manifest.parent,
            manifest,
            release=snakemake.params.release,
            full=snakemake.params.full,
            sha256=snakemake.params.sha256,
            client=client,
        )
