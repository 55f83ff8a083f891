"""Join the instructions of all shards."""

from pathlib import Path

from protscribe.corpora.knowledge.instructions import join_instructions
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    join_instructions(
        [Path(path) for path in snakemake.input.conversations],
        [Path(path) for path in snakemake.input.statistics],
        Path(snakemake.output.conversations),
        Path(snakemake.output.statistics),
    )
