"""Read published benchmark files as questions with given options."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.evaluation.classification.published import read_benchmarks
from protscribe.provenance import the_file

with script_log(snakemake.log[0]):
    read_benchmarks(
        [
            (task, Path(path))
            for task, path in zip(snakemake.params.tasks, snakemake.input.files, strict=True)
        ],
        Path(snakemake.output.questions),
        Path(snakemake.output.rejects),
        terms=the_file(snakemake.input.terms),
        ids=the_file(snakemake.input.ids),
        fold_names=the_file(snakemake.input.fold_names),
        max_proteins=snakemake.params.max_proteins,
        questions_per_protein=snakemake.params.questions_per_protein,
        seed=snakemake.params.seed,
    )
