"""Make the corpus of literature for pretraining, without what is about test proteins."""

from pathlib import Path

from protscribe.corpora.literature import make_literature
from protscribe.errors import script_log
from protscribe.provenance import the_file

with script_log(snakemake.log[0]):
    make_literature(
        the_file(snakemake.input.publications),
        the_file(snakemake.input.mentions),
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.output.literature),
        Path(snakemake.output.rejects),
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        allow=snakemake.params.allow,
        licence=snakemake.params.licence,
    )
