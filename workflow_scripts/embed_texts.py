"""Pool the frozen language model's hidden states over each distinct text."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.embeddings.text import embed_texts
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    align, compute = snakemake.params.align, snakemake.params.compute
    embed_texts(
        [Path(path) for path in snakemake.input.conversations],
        Path(snakemake.input.model).parent,
        Path(snakemake.output.vectors),
        Path(snakemake.output.spread),
        layer=align["text_layer"],
        max_tokens=align["text_max_tokens"],
        drop_first=align["text_drop_first"],
        center=align["text_center"],
        batch_tokens=compute["embed_batch_tokens"],
        device=pick_device(compute["device"]),
        threads=compute["torch_threads"],
    )
