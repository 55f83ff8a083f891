"""Search what a language model is trained on for test proteins, and fail on the first."""

from pathlib import Path

from protscribe.corpora.audit import Corpora, audit_corpora
from protscribe.errors import script_log
from protscribe.provenance import the_file

TABLES = ("sequences", "sequences_rejects", "external", "literature", "mentions")
TABLES += ("triples", "sampled", "vectors")

with script_log(snakemake.log[0]):
    tables = {name: the_file(snakemake.input[name]) for name in TABLES}
    audit_corpora(
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Corpora(
            **{name: path for name, path in tables.items() if path},
            conversations=[Path(path) for path in snakemake.input.conversations],
        ),
        Path(snakemake.output.audit),
        criterion=snakemake.params.criterion,
        threads=snakemake.threads,
    )
