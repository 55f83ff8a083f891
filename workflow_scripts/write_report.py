"""Write the results page."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.report.page import write_report

with script_log(snakemake.log[0]):
    # Only runs with questions and answers have their statistics.
    statistics = [Path(path) for path in snakemake.input.statistics]
    write_report(
        Path(snakemake.input.metrics),
        Path(snakemake.input.audit),
        [Path(path) for path in snakemake.input.figures if path.endswith(".png")],
        Path(snakemake.input.provenance),
        [Path(path) for path in snakemake.input.rejects],
        Path(snakemake.output.page),
        title=snakemake.params.title,
        note=snakemake.params.note,
        statistics=statistics[0] if statistics else None,
    )
