"""Make the corpus of sequences for pretraining, pruned against what is held out."""

from pathlib import Path

from protscribe.corpora.sequences import make_sequences
from protscribe.errors import script_log
from protscribe.provenance import the_file

with script_log(snakemake.log[0]):
    make_sequences(
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.output.sequences),
        Path(snakemake.output.rejects),
        external=the_file(snakemake.input.external),
        settings=snakemake.params.settings,
        criterion=snakemake.params.criterion,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        licence=snakemake.params.licence,
    )
