"""Ask PMC for the licences of articles."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.client import Client, Network
from protscribe.sources.literature.pmc import get_licences

with (
    script_log(snakemake.log[0]),
    Client(Network.from_environment(), Path(snakemake.log.requests)) as client,
):
    get_licences(
        Path(snakemake.input.publications),
        Path(snakemake.output.licences),
        Path(snakemake.output.rejects),
        client=client,
    )
