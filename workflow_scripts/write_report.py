"""Write the results page."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.report.design import DesignFiles
from protscribe.report.knowledge import KnowledgeFiles
from protscribe.report.page import write_report

with script_log(snakemake.log[0]):
    # Only some runs have these; the others give empty lists.
    statistics = [Path(path) for path in snakemake.input.statistics]
    knowledge = {Path(path).stem: Path(path) for path in snakemake.input.knowledge}
    designed = [Path(path) for path in snakemake.input.designed]
    designs = [Path(path) for path in snakemake.input.designs]
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
        knowledge=KnowledgeFiles(**knowledge) if knowledge else None,
        designs=DesignFiles(*designed, designs) if designed else None,
        summaries=[Path(path) for path in snakemake.input.summaries],
    )
