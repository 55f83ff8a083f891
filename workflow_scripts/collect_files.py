"""Join the user's Swiss-Prot flat files into one."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.files import collect_files

with script_log(snakemake.log[0]):
    collect_files(
        [Path(path) for path in snakemake.input],
        Path(snakemake.output.entries),
        Path(snakemake.output.manifest),
    )
