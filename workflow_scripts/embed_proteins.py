"""Encode each distinct sequence once with the frozen protein encoder."""

from pathlib import Path

from protscribe.devices import pick_device
from protscribe.embeddings.store import embed_proteins
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    encoder, compute = snakemake.params.encoder, snakemake.params.compute
    model = Path(snakemake.input.model).parent
    embed_proteins(
        Path(snakemake.input.proteins),
        model,
        Path(snakemake.output.manifest).parent,
        cache=model.parents[1] / "embeddings",
        layer=encoder["layer"],
        max_residues=encoder["max_residues"],
        special_tokens=encoder["special_tokens"],
        dtype=encoder["dtype"],
        batch_tokens=compute["embed_batch_tokens"],
        shard_tokens=compute["embed_shard_tokens"],
        device=pick_device(compute["device"]),
        threads=compute["torch_threads"],
    )
