"""Phrase curated statements as questions and answers."""

from pathlib import Path

from protscribe.corpora.qa.statements import phrase_statements
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    phrase_statements(
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.output.pairs),
        licence=snakemake.params.licence,
    )
