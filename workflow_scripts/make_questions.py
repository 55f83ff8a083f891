"""Make questions with given options about the proteins of the test folds."""

from pathlib import Path

from protscribe.errors import script_log
from protscribe.evaluation.classification.questions import make_questions
from protscribe.provenance import the_file

with script_log(snakemake.log[0]):
    make_questions(
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.input.triples),
        Path(snakemake.input.annotations),
        the_file(snakemake.input.closure),
        Path(snakemake.output.questions),
        Path(snakemake.output.rejects),
        chosen=snakemake.params.tasks,
        questions_per_protein=snakemake.params.questions_per_protein,
        proteins_per_fold=snakemake.params.proteins_per_fold,
        options=snakemake.params.options,
        seed=snakemake.params.seed,
    )
