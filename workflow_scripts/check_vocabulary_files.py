"""Check the files that a vocabulary comes from."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.vocabularies.static_files import describe_files

with script_log(snakemake.log[0]):
    describe_files(
        [Path(path) for path in snakemake.input],
        Path(snakemake.output.manifest),
        source=f"files ({snakemake.wildcards.vocabulary})",
        release=str(snakemake.params.release),
        licence="as the files say",
    )
