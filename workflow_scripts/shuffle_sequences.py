"""Shuffle the residues of the test proteins, for the control that needs them."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.evaluation.shuffling import shuffle_sequences

with script_log(snakemake.log[0]):
    shuffle_sequences(
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.output.proteins),
        seed=snakemake.params.seed,
    )
