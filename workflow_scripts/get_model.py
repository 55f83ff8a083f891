"""Bring one model into a plain local folder."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.sources.models import get_model

with script_log(snakemake.log[0]):
    # A part of a released checkpoint is made from the checkpoint's folder.
    checkpoint = snakemake.input.get("checkpoint")
    get_model(
        snakemake.wildcards.model,
        snakemake.params.spec,
        Path(snakemake.output.manifest).parent,
        parts_of=Path(checkpoint).parent if checkpoint else None,
    )
