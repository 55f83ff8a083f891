"""Parse entries into the proteins table."""

from pathlib import Path

from protscribe.atomic import read_json
from protscribe.errors import script_log
from protscribe.sources.entries import entry_facts, parse_entries

with script_log(snakemake.log[0]):
    parse_entries(
        [Path(path) for path in snakemake.input.entries],
        Path(snakemake.output.proteins),
        Path(snakemake.output.rejects),
        filters=snakemake.params.filters,
        metadata=entry_facts(read_json(snakemake.input.manifest), snakemake.params.source),
        processes=snakemake.threads,
        work=Path(snakemake.output.proteins).parent,
    )
