"""Make the knowledge graph."""

from pathlib import Path

from protscribe.corpora.knowledge.graph import build_knowledge_graph
from protscribe.corpora.knowledge.vocabularies import TABLES
from protscribe.errors import script_log
from protscribe.provenance import the_file

with script_log(snakemake.log[0]):
    at_hand = {name: the_file(snakemake.input.get(name)) for name in TABLES}
    build_knowledge_graph(
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.output.annotations),
        Path(snakemake.output.triples),
        Path(snakemake.output.edges),
        Path(snakemake.output.counts),
        Path(snakemake.output.degrees),
        Path(snakemake.output.rejects),
        relations=snakemake.params.relations,
        vocabularies={name: path for name, path in at_hand.items() if path},
    )
