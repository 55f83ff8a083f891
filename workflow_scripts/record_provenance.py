"""Record what the results were made from."""

from protscribe.errors import script_log
from protscribe.provenance import write_provenance

with script_log(snakemake.log[0]):
    write_provenance(
        snakemake.output.provenance,
        entries=snakemake.input.entries,
        tables=[*snakemake.input.tables, *snakemake.input.corpora, snakemake.input.split],
        models=snakemake.input.models,
        settings=snakemake.params.settings,
    )
