"""Score designed proteins beside their controls."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.errors import script_log
from protscribe.evaluation.design.scoring import score_designs
from protscribe.provenance import the_folder

with script_log(snakemake.log[0]):
    compute = snakemake.params.compute
    score_designs(
        [Path(path) for path in snakemake.input.designs],
        Path(snakemake.input.requests),
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.input.triples),
        Path(snakemake.output.scores),
        Path(snakemake.output.tsv),
        Path(snakemake.output.properties),
        edges=Path(snakemake.input.edges),
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        encoder=the_folder(snakemake.input.encoder),
        device=pick_device(compute["device"]),
        batch_tokens=compute["embed_batch_tokens"],
    )
