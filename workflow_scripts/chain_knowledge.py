"""Find chains of cause in the knowledge graph."""

from pathlib import Path

from protscribe.corpora.knowledge.chains import chain_knowledge
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    chain_knowledge(
        Path(snakemake.input.triples),
        Path(snakemake.input.annotations),
        Path(snakemake.input.edges),
        Path(snakemake.output.chains),
        max_steps=snakemake.params.max_steps,
    )
