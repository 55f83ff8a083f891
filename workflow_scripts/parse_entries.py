"""Parse Swiss-Prot entries into the proteins table."""

from pathlib import Path

from protscribe.atomic import sha256_file
from protscribe.errors import script_log
from protscribe.sources.swissprot import parse_entries

with script_log(snakemake.log[0]):
    source = snakemake.params.source
    parse_entries(
        Path(snakemake.input.entries),
        Path(snakemake.output.proteins),
        Path(snakemake.output.rejects),
        min_length=snakemake.params.min_length,
        metadata={
            "source": source["type"],
            "release": source["release"],
            "licence": source["licence"],
            "sha256": sha256_file(snakemake.input.entries),
        },
    )
