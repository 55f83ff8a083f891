"""Collect texts to write questions from."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.literature.contexts import make_contexts

with script_log(snakemake.log[0]):
    publications, mentions = snakemake.input.publications, snakemake.input.mentions
    make_contexts(
        Path(snakemake.input.proteins),
        Path(publications[0]) if publications else None,
        Path(mentions[0]) if mentions else None,
        Path(snakemake.output.contexts),
        kinds=snakemake.params.kinds,
        statement_licence=snakemake.params.licence,
    )
