"""Answer questions with given options by what training proteins are annotated with."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.evaluation.classification.floors import answer_floors
from protscribe.provenance import the_file, the_folder

with script_log(snakemake.log[0]):
    answer_floors(
        [Path(path) for path in snakemake.input.questions],
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.input.triples),
        Path(snakemake.input.annotations),
        the_file(snakemake.input.closure),
        the_file(snakemake.input.terms),
        # Each floor that is wanted has a file of its name.
        {Path(path).stem: Path(path) for path in snakemake.output},
        embeddings=the_folder(snakemake.input.embeddings),
        threads=snakemake.threads,
    )
