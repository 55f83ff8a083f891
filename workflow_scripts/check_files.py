"""Check the files that entries come from."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.files import check_files

with script_log(snakemake.log[0]):
    check_files([Path(path) for path in snakemake.input], Path(snakemake.output.manifest))
