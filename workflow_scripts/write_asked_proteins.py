"""Write the published proteins of questions, to be embedded."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.evaluation.asked_proteins import write_asked_proteins

with script_log(snakemake.log[0]):
    write_asked_proteins(
        [Path(path) for path in snakemake.input.questions],
        Path(snakemake.output.proteins),
    )
