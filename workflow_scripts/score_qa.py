"""Score each answer with a language model that does not see the protein."""

from pathlib import Path

from protscribe.corpora.qa.blind import score_pairs
from protscribe.devices import pick_device
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    blind, compute = snakemake.params.blind, snakemake.params.compute
    score_pairs(
        Path(snakemake.input.pairs),
        Path(snakemake.output.scores),
        language_model=Path(snakemake.input.model[0]).parent,
        max_loss=blind["max_loss"],
        precision=blind["precision"],
        batch_tokens=compute["embed_batch_tokens"],
        device=pick_device(compute["device"]),
        threads=compute["torch_threads"],
    )
