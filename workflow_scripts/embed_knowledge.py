"""Train TransE on the knowledge graph of the training fold."""

from pathlib import Path

from protscribe.corpora.knowledge.transe import embed_knowledge
from protscribe.devices import pick_device
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    compute = snakemake.params.compute
    embed_knowledge(
        Path(snakemake.input.triples),
        Path(snakemake.input.edges),
        Path(snakemake.output.vectors),
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        device=pick_device(compute["device"]),
        threads=compute["torch_threads"],
    )
