"""Download Swiss-Prot of one release."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.client import Client, Network
from protscribe.sources.uniprot.release import get_uniprot_release

with (
    script_log(snakemake.log[0]),
    Client(Network.from_environment(), Path(snakemake.log.requests)) as client,
):
    get_uniprot_release(
        Path(snakemake.output.entries),
        Path(snakemake.output.manifest),
        release=snakemake.wildcards.release,
        client=client,
    )
