"""Filter questions and answers of all writers."""

from pathlib import Path

from protscribe.corpora.qa.filtering import filter_qa
from protscribe.devices import pick_device
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    encoder, compute = snakemake.input.text_encoder, snakemake.params.compute
    filter_qa(
        [Path(path) for path in snakemake.input.answers],
        [Path(path) for path in snakemake.input.pairs],
        Path(snakemake.input.contexts),
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.output.pairs),
        Path(snakemake.output.rejects),
        settings=snakemake.params.filters,
        text_encoder=Path(encoder[0]).parent if encoder else None,
        seed=snakemake.params.seed,
        device=pick_device(compute["device"]) if encoder else "cpu",
        threads=compute["torch_threads"],
    )
