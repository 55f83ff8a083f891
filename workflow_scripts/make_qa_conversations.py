"""Make the corpus of questions and answers, its export and its statistics."""

from pathlib import Path

from protscribe.corpora.qa.conversations import make_qa_conversations
from protscribe.errors import script_log

with script_log(snakemake.log[0]):
    # Pairs need not be scored, and a run need not have publications.
    scores = [Path(path) for path in snakemake.input.scores]
    publications = [Path(path) for path in snakemake.input.publications]
    make_qa_conversations(
        Path(snakemake.input.pairs),
        scores[0] if scores else None,
        Path(snakemake.input.proteins),
        Path(snakemake.input.split),
        Path(snakemake.output.conversations),
        Path(snakemake.output.llava),
        Path(snakemake.output.statistics),
        Path(snakemake.output.rejects),
        publications=publications[0] if publications else None,
        allow=snakemake.params.allow,
    )
