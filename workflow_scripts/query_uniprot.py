"""Ask UniProt for the entries that a query or a list of accessions selects."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.client import Client, Network
from protscribe.sources.uniprot.query import query_uniprot

with script_log(snakemake.log[0]):
    release = snakemake.params.release
    with Client(Network.from_environment(), Path(snakemake.log.requests)) as client:
        query_uniprot(
            Path(snakemake.output.entries),
            Path(snakemake.output.manifest),
            Path(snakemake.output.rejects),
            query=snakemake.params.query,
            accessions=Path(snakemake.input[0]) if snakemake.input else None,
            release=None if release == "unknown" else release,
            client=client,
        )
