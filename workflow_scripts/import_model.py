"""Turn a released checkpoint into an ordinary model folder."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.models.published.importing import import_model

with script_log(snakemake.log[0]):
    import_model(
        Path(snakemake.input.checkpoint).parent,
        Path(snakemake.input.store).parent,
        Path(snakemake.input.language_model).parent,
        Path(snakemake.output.system).parent,
        name=snakemake.wildcards.system,
        system=snakemake.params.system,
        training_seed=int(snakemake.wildcards.training_seed),
    )
